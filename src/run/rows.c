#include "run/rows.h"

#include "base/memory.h"

#include <stdlib.h>

enum { BATCH_TOKENS = 2048, BATCH_ROWS = 256 };

struct dn_row_scorer {
    dn_model *model;
    const dn_model_info *info;
    dn_model_texts texts;
    dn_workspace *workspace;
    dn_row_visit *visit;
    void *ctx;
    int32_t *token, row_start[BATCH_ROWS + 1];
    int number[BATCH_ROWS], n_rows, max_tokens;
    float *score;
};

/** Everything for the model that is open. */
static dn_status prepare(const char *dir, dn_row_scorer *s) {
    s->info = dn_model_describe(s->model);
    DN_TRY(dn_model_texts_open(dir, s->info, &s->texts));
    s->max_tokens = s->info->max_tokens > BATCH_TOKENS ? s->info->max_tokens : BATCH_TOKENS;
    s->token = dn_alloc_array((size_t)s->max_tokens, sizeof *s->token);
    s->score = dn_alloc_array(dn_model_score_floats(s->model, BATCH_ROWS, s->max_tokens),
                              sizeof *s->score);
    return dn_workspace_new(s->model, s->max_tokens, BATCH_ROWS, &s->workspace);
}

static dn_row_scorer *new_scorer(dn_row_visit *visit, void *ctx) {
    dn_row_scorer *s = dn_alloc(sizeof *s);
    s->visit = visit;
    s->ctx = ctx;
    return s;
}

dn_status dn_row_scorer_open(const char *dir, const dn_kernels *kernels, bool logits,
                             dn_row_visit *visit, void *ctx, dn_row_scorer **out) {
    dn_row_scorer *s = *out = new_scorer(visit, ctx);
    DN_TRY(dn_model_open(dir, kernels, &s->model));
    DN_TRY(prepare(dir, s));
    dn_workspace_want_logits(s->workspace, logits);
    return DN_OK;
}

dn_status dn_row_scorer_open_features(const char *dir, const dn_kernels *kernels,
                                      dn_row_visit *visit, void *ctx, dn_row_scorer **out) {
    dn_row_scorer *s = *out = new_scorer(visit, ctx);
    DN_TRY(dn_model_open_features(dir, kernels, &s->model));
    return prepare(dir, s);
}

void dn_row_scorer_close(dn_row_scorer *s) {
    if (s) {
        free(s->score);
        free(s->token);
        dn_model_texts_close(&s->texts);
        dn_workspace_free(s->workspace);
        dn_model_close(s->model);
        free(s);
    }
}

const dn_model_info *dn_row_scorer_info(const dn_row_scorer *s) {
    return s->info;
}

dn_status dn_row_scorer_flush(dn_row_scorer *s) {
    dn_batch batch = {s->n_rows, s->row_start[s->n_rows], s->token, s->row_start};
    if (batch.n_rows == 0) {
        return DN_OK;
    }
    s->n_rows = 0; /* also where scoring fails */
    DN_TRY(dn_model_score(s->model, s->workspace, &batch, s->score));
    for (int row = 0; row < batch.n_rows; row++) {
        dn_row_scores scores = {s->number[row],
                                s->row_start[row + 1] - s->row_start[row],
                                s->score + (size_t)row * (size_t)s->info->score_width,
                                &batch,
                                row,
                                s->score};
        s->visit(s->ctx, &scores);
    }
    return DN_OK;
}

dn_status dn_row_scorer_add(dn_row_scorer *s, int number, dn_span text, dn_span second) {
    if (s->n_rows == BATCH_ROWS || s->row_start[s->n_rows] + s->info->max_tokens > s->max_tokens) {
        DN_TRY(dn_row_scorer_flush(s));
    }
    int32_t begin = s->row_start[s->n_rows];
    s->number[s->n_rows] = number;
    s->row_start[++s->n_rows] =
        begin + dn_model_texts_encode_pair(&s->texts, text, second, s->token + begin);
    return DN_OK;
}
