#include "model/compare.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

struct dn_comparison {
    const dn_model *model[2];
    dn_workspace *space[2];
    float *logit[2]; /**< of the newest batch; once they are compared, its scores */
    const dn_model_info *info;
    const dn_kernels *host; /**< finishes what a device leaves */
    dn_head_difference *head;
};

dn_status dn_comparison_new(const dn_model *first, const dn_model *second, int max_tokens,
                            int max_rows, dn_comparison **out) {
    dn_comparison *c = dn_alloc(sizeof *c);
    *c = (dn_comparison){.model = {first, second}, .info = dn_model_describe(first)};
    c->head = dn_alloc_array((size_t)c->info->n_model_heads, sizeof *c->head);
    dn_status status = dn_kernels_select("ref", &c->host);
    for (int i = 0; i < 2 && status == DN_OK; i++) {
        c->logit[i] =
            dn_alloc_array(dn_model_score_floats(first, max_rows, max_tokens), sizeof *c->logit[i]);
        status = dn_workspace_new(c->model[i], max_tokens, max_rows, &c->space[i]);
        if (status == DN_OK) {
            dn_workspace_want_logits(c->space[i], true);
        }
    }
    if (status != DN_OK) {
        dn_comparison_free(c);
        return status;
    }
    *out = c;
    return DN_OK;
}

void dn_comparison_free(dn_comparison *c) {
    if (c) {
        for (int i = 0; i < 2; i++) {
            dn_workspace_free(c->space[i]);
            free(c->logit[i]);
        }
        free(c->head);
        free(c);
    }
}

static int largest(const float *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

/** Distance from the best to the next. */
static double margin_of(const float *x, int n) {
    int best = largest(x, n);
    double next = -INFINITY;
    for (int i = 0; i < n; i++) {
        next = i != best && (double)x[i] > next ? (double)x[i] : next;
    }
    return (double)x[best] - next;
}

static void count(dn_head_difference *d, bool flipped, double margin) {
    d->n++;
    d->flips += flipped;
    d->flip_margin = flipped ? fmax(d->flip_margin, margin) : d->flip_margin;
}

/** The columns of one head for one text or token. */
static void compare_one(const dn_model_head *head, const float *x, const float *y,
                        dn_head_difference *d) {
    for (int i = 0; i < head->n_labels; i++) {
        d->logit = fmax(d->logit, fabs((double)x[i] - (double)y[i]));
        if (head->kind == DN_HEAD_SIGMOID) {
            count(d, (x[i] > 0) != (y[i] > 0), fabs((double)x[i]));
        }
    }
    if (head->kind == DN_HEAD_SOFTMAX || head->kind == DN_HEAD_TOKENS) {
        count(d, largest(x, head->n_labels) != largest(y, head->n_labels),
              margin_of(x, head->n_labels));
    }
}

/** One head for all texts of a batch: its columns of a text, or those of each of its tokens. */
static void compare_head(dn_comparison *c, const dn_batch *batch, int index) {
    const dn_model_head *head = &c->info->model_head[index];
    dn_head_difference *d = &c->head[index];
    bool tokens = head->kind == DN_HEAD_TOKENS;
    size_t width = (size_t)c->info->score_width;
    size_t stride = tokens ? (size_t)c->info->token_width : width;
    size_t begin = (tokens ? (size_t)batch->n_rows * width : 0) + (size_t)head->begin;
    for (int row = 0; row < batch->n_rows; row++) {
        int i = tokens ? batch->row_start[row] : row;
        int end = tokens ? batch->row_start[row + 1] : row + 1;
        int64_t flips = d->flips;
        for (; i < end; i++) {
            size_t at = begin + (size_t)i * stride;
            compare_one(head, c->logit[0] + at, c->logit[1] + at, d);
        }
        d->texts++;
        d->changed += d->flips > flips;
    }
}

dn_status dn_comparison_add(dn_comparison *c, const dn_batch *batch) {
    for (int i = 0; i < 2; i++) {
        DN_TRY(dn_model_score(c->model[i], c->space[i], batch, c->logit[i]));
    }
    for (int h = 0; h < c->info->n_model_heads; h++) {
        compare_head(c, batch, h);
    }
    for (int i = 0; i < 2; i++) {
        dn_model_finish(c->model[i], c->host, batch->n_rows, c->logit[i]);
    }
    return DN_OK;
}

const float *dn_comparison_scores(const dn_comparison *c, int model) {
    return c->logit[model];
}

const dn_head_difference *dn_comparison_read(const dn_comparison *c) {
    return c->head;
}
