#include "model/spans.h"

#include <string.h>

/** A span that is still open. */
typedef struct span {
    const char *name; /**< NULL: none */
    int first, tokens;
    double score;
} span;

static int largest(const float *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

static bool has_prefix(const char *label) {
    return (label[0] == 'B' || label[0] == 'I') && label[1] == '-';
}

static void close_span(span *open, dn_out *out) {
    if (open->name && strcmp(open->name, "O") != 0) {
        dn_out_open(out, '{');
        dn_out_key(out, "label");
        dn_out_string(out, dn_span_of(open->name));
        dn_out_key(out, "first");
        dn_out_i64(out, open->first);
        dn_out_key(out, "tokens");
        dn_out_i64(out, open->tokens);
        dn_out_key(out, "score");
        dn_out_f32(out, (float)(open->score / open->tokens));
        dn_out_close(out, '}');
    }
    open->name = NULL;
}

void dn_spans_write(const dn_model_head *head, const float *token_score, int stride, int n_tokens,
                    dn_out *out) {
    span open = {0};
    dn_out_open(out, '[');
    for (int i = 1; i < n_tokens - 1; i++) {
        const float *score = token_score + (size_t)i * (size_t)stride + head->begin;
        int best = largest(score, head->n_labels);
        const char *label = head->labels[best], *name = has_prefix(label) ? label + 2 : label;
        bool begins = has_prefix(label) && label[0] == 'B';
        if (!open.name || begins || strcmp(open.name, name) != 0) {
            close_span(&open, out);
            open = (span){.name = name, .first = i};
        }
        open.tokens++;
        open.score += (double)score[best];
    }
    close_span(&open, out);
    dn_out_close(out, ']');
}
