#include "run/classify.h"

#include "base/home.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/normalise.h"
#include "text/tokeniser.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_TOKENS = 2048, BATCH_ROWS = 256 };

struct dn_classifier {
    dn_model *model;
    const dn_model_info *info;
    dn_tokeniser *tokeniser;
    dn_token_cache *cache;
    dn_convention convention;
    dn_normaliser normaliser;
    dn_workspace *workspace;
    int32_t room; /* tokens of a batch */
    int32_t *token, row_start[BATCH_ROWS + 1];
    float *score; /* of a batch, scores of tokens behind those of texts */
    int32_t n_rows, n_tokens;
};

static dn_status open_parts(dn_classifier *c, const char *dir, const char *backend) {
    const dn_kernels *kernels;
    DN_TRY(dn_kernels_select(backend, &kernels));
    DN_TRY(dn_model_open(dir, kernels, &c->model));
    c->info = dn_model_describe(c->model);
    DN_TRY(dn_convention_find(c->info->normalise, &c->convention));
    DN_TRY(dn_tokeniser_open(dir, &c->tokeniser));
    DN_TRY(dn_tokeniser_check(c->tokeniser, dir, c->info->vocabulary));
    c->cache = dn_token_cache_new();
    c->room = c->info->max_tokens > BATCH_TOKENS ? c->info->max_tokens : BATCH_TOKENS;
    c->token = dn_alloc_array((size_t)c->room, sizeof *c->token);
    c->score =
        dn_alloc_array(dn_model_score_floats(c->model, BATCH_ROWS, c->room), sizeof *c->score);
    return dn_workspace_new(c->model, c->room, BATCH_ROWS, &c->workspace);
}

dn_status dn_classifier_open(const char *dir, const char *backend, dn_classifier **out) {
    dn_classifier *c = dn_alloc(sizeof *c);
    char *found = dn_home_find(dir);
    dn_status status = open_parts(c, found, backend);
    free(found);
    if (status != DN_OK) {
        dn_classifier_close(c);
        return status;
    }
    *out = c;
    return DN_OK;
}

const dn_model_info *dn_classifier_info(const dn_classifier *classifier) {
    return classifier->info;
}

/* Scores the rows gathered; `*score` moves behind them. */
static dn_status flush(dn_classifier *c, float **score) {
    if (c->n_rows == 0) {
        return DN_OK;
    }
    dn_batch batch = {c->n_rows, c->n_tokens, c->token, c->row_start};
    size_t n = (size_t)c->n_rows * (size_t)c->info->score_width;
    DN_TRY(dn_model_score(c->model, c->workspace, &batch, c->score));
    memcpy(*score, c->score, n * sizeof **score);
    *score += n;
    c->n_rows = c->n_tokens = 0;
    return DN_OK;
}

static void add(dn_classifier *c, dn_span text) {
    dn_span clean = dn_normalise(&c->normaliser, c->convention, text);
    c->n_tokens += dn_tokeniser_encode(c->tokeniser, c->cache, clean, c->info->max_tokens,
                                       c->token + c->n_tokens);
    c->row_start[++c->n_rows] = c->n_tokens;
}

dn_status dn_classifier_score(dn_classifier *c, const dn_span *text, int n, float *score) {
    for (int i = 0; i < n; i++) {
        size_t valid = dn_utf8_valid_prefix(text[i]);
        if (valid != text[i].len) {
            return DN_FAIL(DATA, "text %d of %d is not UTF-8 at byte %zu", i + 1, n, valid + 1);
        }
    }
    c->n_rows = c->n_tokens = 0;
    for (int i = 0; i < n; i++) {
        if (c->n_rows == BATCH_ROWS || c->n_tokens + c->info->max_tokens > c->room) {
            DN_TRY(flush(c, &score));
        }
        add(c, text[i]);
    }
    return flush(c, &score);
}

void dn_classifier_close(dn_classifier *c) {
    if (!c) {
        return;
    }
    free(c->token);
    free(c->score);
    dn_normaliser_free(&c->normaliser);
    dn_workspace_free(c->workspace);
    dn_token_cache_free(c->cache);
    dn_tokeniser_close(c->tokeniser);
    dn_model_close(c->model);
    free(c);
}
