/** One text's results as JSON. */
#include "cmd/model_parts.h"
#include "model/spans.h"

/** Scores of one row and of its tokens. */
typedef struct row_scores {
    const dn_model_info *info;
    const float *row, *token;
    int n_tokens;
} row_scores;

static void write_label(const row_scores *s, const dn_model_head *head, dn_out *out) {
    int label = dn_head_decide(head, s->row);
    dn_out_string(out, dn_span_of(head->labels[label]));
}

static void write_labels(const row_scores *s, const dn_model_head *head, dn_out *out) {
    dn_out_open(out, '[');
    for (int i = 0; i < head->n_labels; i++) {
        if (s->row[head->begin + i] > head->said_above) {
            dn_out_string(out, dn_span_of(head->labels[i]));
        }
    }
    dn_out_close(out, ']');
}

static void write_scores(const row_scores *s, const dn_model_head *head, dn_out *out) {
    dn_out_open(out, '{');
    for (int i = 0; i < head->n_labels; i++) {
        dn_out_key(out, head->labels[i]);
        dn_out_f32(out, s->row[head->begin + i]);
    }
    dn_out_close(out, '}');
}

static void write_likeness(const row_scores *s, const dn_model_head *head, dn_out *out) {
    dn_out_f32(out, dn_head_likeness(head, s->row));
}

static void write_spans(const row_scores *s, const dn_model_head *head, dn_out *out) {
    dn_spans_write(head, s->token, s->info->token_width, s->n_tokens, out);
}

static void write_vector(const row_scores *s, const dn_model_head *head, dn_out *out) {
    dn_out_open(out, '[');
    for (int i = 0; i < head->n_labels; i++) {
        dn_out_f32(out, s->row[head->begin + i]);
    }
    dn_out_close(out, ']');
}

/** Who writes what; a section that no head has a writer for is left out, but the first two. One
 * `of_means` is for heads that have some. */
typedef void head_writer(const row_scores *s, const dn_model_head *head, dn_out *out);
static const struct {
    const char *name;
    bool always, of_means;
    head_writer *write[DN_HEAD_KINDS];
} sections[] = {
    {"labels", true, false, {[DN_HEAD_SOFTMAX] = write_label, [DN_HEAD_SIGMOID] = write_labels}},
    {"scores", true, false, {[DN_HEAD_SOFTMAX] = write_scores, [DN_HEAD_SIGMOID] = write_scores}},
    {"likeness", false, true, {[DN_HEAD_SOFTMAX] = write_likeness}},
    {"entities", false, false, {[DN_HEAD_TOKENS] = write_spans}},
    {"embeddings", false, false, {[DN_HEAD_EMBEDDING] = write_vector}},
};
enum { N_SECTIONS = sizeof sections / sizeof *sections };

/** NULL where the head has nothing of this section. */
static head_writer *writer_of(int section, const dn_model_head *head) {
    bool lacks_means = sections[section].of_means && head->means_begin < 0;
    return lacks_means ? NULL : sections[section].write[head->kind];
}

static bool has_section(const dn_model_info *info, int section) {
    bool has = sections[section].always;
    for (int h = 0; h < info->n_model_heads; h++) {
        has = has || writer_of(section, &info->model_head[h]);
    }
    return has;
}

static void write_section(const row_scores *s, int section, dn_out *out) {
    dn_out_key(out, sections[section].name);
    dn_out_open(out, '{');
    for (int h = 0; h < s->info->n_model_heads; h++) {
        const dn_model_head *head = &s->info->model_head[h];
        head_writer *write = writer_of(section, head);
        if (write) {
            char name[256];
            snprintf(name, sizeof name, head->language ? "%s.%s" : "%s", head->name,
                     head->language);
            dn_out_key(out, name);
            write(s, head, out);
        }
    }
    dn_out_close(out, '}');
}

void dn_model_write_row(const dn_model_info *info, const dn_batch *batch, int row,
                        const float *score, dn_out *out) {
    size_t width = (size_t)info->score_width, token_width = (size_t)info->token_width;
    int begin = batch->row_start[row];
    row_scores s = {.info = info,
                    .row = score + (size_t)row * width,
                    .token = score + (size_t)batch->n_rows * width + (size_t)begin * token_width,
                    .n_tokens = batch->row_start[row + 1] - begin};
    dn_out_open(out, '{');
    for (int i = 0; i < N_SECTIONS; i++) {
        if (has_section(info, i)) {
            write_section(&s, i, out);
        }
    }
    dn_out_close(out, '}');
}
