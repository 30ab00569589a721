#include "run/rows.h"

#include "base/memory.h"
#include "model/cascade.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_TOKENS = 2048, BATCH_ROWS = 256 };

/** Texts through a model on n-grams, one by one. */
typedef struct gram_rows {
    dn_gram_model *model;
    dn_ngrams *ngrams;
    dn_convention convention;
    dn_normaliser normaliser;
    char *pair; /**< two segments, one behind the other */
    size_t room;
    float *score;
    void (*run)(const dn_gram_model *model, dn_ngrams *ngrams, dn_span text, float *score);
} gram_rows;

/** A text that waits for its turn: its row of the batch, or -1 and the linear model's scores. */
typedef struct waiting {
    int number, n_tokens, row;
    float *score;
} waiting;

/** A linear model before the encoder. */
typedef struct cascade_rows {
    dn_cascade *cascade;
    dn_cascade_scratch scratch;
    dn_convention convention;
    dn_normaliser normaliser;
    float *score; /**< [BATCH_ROWS][score_width] */
} cascade_rows;

struct dn_row_scorer {
    dn_model *model;
    const dn_model_info *info;
    dn_model_texts texts;
    dn_workspace *workspace;
    dn_row_visit *visit;
    void *ctx;
    int32_t *token, row_start[BATCH_ROWS + 1];
    waiting waiting[BATCH_ROWS];
    int n_waiting, n_rows, max_tokens;
    float *score;
    cascade_rows before; /**< cascade NULL: the encoder alone */
    gram_rows grams;     /**< model NULL: an encoder */
};

/* ---- n-grams ---- */

static dn_status open_grams(const char *dir, bool logits, dn_row_scorer *s) {
    gram_rows *g = &s->grams;
    DN_TRY(dn_gram_model_open(dir, &g->model));
    s->info = dn_gram_model_describe(g->model);
    g->ngrams = dn_ngrams_new();
    g->score = dn_alloc_array((size_t)s->info->score_width, sizeof *g->score);
    g->run = logits ? dn_gram_model_logits : dn_gram_model_score;
    return dn_convention_find(s->info->normalise, &g->convention);
}

static void close_grams(gram_rows *g) {
    dn_normaliser_free(&g->normaliser);
    dn_ngrams_free(g->ngrams);
    dn_gram_model_close(g->model);
    free(g->pair);
    free(g->score);
}

/** A blank between them: n-grams of words do not care what else is there. */
static dn_span join(gram_rows *g, dn_span text, dn_span second) {
    size_t n = text.len + 1 + second.len;
    if (n > g->room) {
        g->room = 2 * n;
        g->pair = dn_grow(g->pair, g->room, 1);
    }
    memcpy(g->pair, text.ptr, text.len);
    g->pair[text.len] = ' ';
    memcpy(g->pair + text.len + 1, second.ptr, second.len);
    return (dn_span){g->pair, n};
}

static int count_words(dn_span text) {
    int n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n += text.ptr[i] != ' ' && (i == 0 || text.ptr[i - 1] == ' ');
    }
    return n;
}

static void score_grams(dn_row_scorer *s, int number, dn_span text, dn_span second) {
    gram_rows *g = &s->grams;
    dn_span all = second.ptr ? join(g, text, second) : text;
    dn_span clean = dn_normalise(&g->normaliser, g->convention, all);
    int32_t row_start[] = {0, count_words(clean)};
    dn_batch batch = {1, row_start[1], NULL, row_start};
    g->run(g->model, g->ngrams, clean, g->score);
    s->visit(s->ctx, &(dn_row_scores){.number = number,
                                      .n_tokens = row_start[1],
                                      .score = g->score,
                                      .batch = &batch,
                                      .batch_score = g->score});
}

/* ---- both ---- */

/** Everything for the model that is open. */
static dn_status prepare(const char *dir, dn_row_scorer *s) {
    s->info = dn_model_describe(s->model);
    DN_TRY(dn_model_texts_open(dir, s->info, &s->texts));
    s->max_tokens = s->info->longest > BATCH_TOKENS ? s->info->longest : BATCH_TOKENS;
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
    if (dn_gram_model_found(dir)) {
        return open_grams(dir, logits, s);
    }
    DN_TRY(dn_model_open(dir, kernels, &s->model));
    DN_TRY(prepare(dir, s));
    dn_workspace_want_logits(s->workspace, logits);
    return DN_OK;
}

static dn_status open_cascade(const char *dir, dn_row_scorer *s) {
    cascade_rows *c = &s->before;
    DN_TRY(dn_cascade_open(dir, s->info, true, &c->cascade));
    dn_cascade_scratch_new(c->cascade, &c->scratch);
    c->score = dn_alloc_array((size_t)BATCH_ROWS * (size_t)s->info->score_width, sizeof *c->score);
    return dn_convention_find(dn_cascade_describe(c->cascade)->normalise, &c->convention);
}

dn_status dn_row_scorer_open_cascade(const char *dir, const char *cascade,
                                     const dn_kernels *kernels, dn_row_visit *visit, void *ctx,
                                     dn_row_scorer **out) {
    DN_TRY(dn_row_scorer_open(dir, kernels, false, visit, ctx, out));
    return (*out)->grams.model
               ? DN_FAIL(CONFIG, "%s: is a model on n-grams itself; a cascade is for an encoder",
                         dir)
               : open_cascade(cascade, *out);
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
        close_grams(&s->grams);
        dn_cascade_close(s->before.cascade);
        dn_cascade_scratch_free(&s->before.scratch);
        dn_normaliser_free(&s->before.normaliser);
        free(s->before.score);
        free(s);
    }
}

const dn_model_info *dn_row_scorer_info(const dn_row_scorer *s) {
    return s->info;
}

/** Those that wait, in their order. */
static void visit_all(dn_row_scorer *s, const dn_batch *batch) {
    for (int i = 0; i < s->n_waiting; i++) {
        const waiting *w = &s->waiting[i];
        bool own = w->row >= 0;
        int32_t row_start[] = {0, w->n_tokens};
        dn_batch alone = {1, w->n_tokens, NULL, row_start};
        const float *score =
            own ? s->score + (size_t)w->row * (size_t)s->info->score_width : w->score;
        s->visit(s->ctx, &(dn_row_scores){.number = w->number,
                                          .n_tokens = w->n_tokens,
                                          .score = score,
                                          .batch = own ? batch : &alone,
                                          .row = own ? w->row : 0,
                                          .batch_score = own ? s->score : w->score,
                                          .by_linear = !own});
    }
}

dn_status dn_row_scorer_flush(dn_row_scorer *s) {
    dn_batch batch = {s->n_rows, s->row_start[s->n_rows], s->token, s->row_start};
    dn_status status =
        batch.n_rows ? dn_model_score(s->model, s->workspace, &batch, s->score) : DN_OK;
    if (status == DN_OK) {
        visit_all(s, &batch);
    }
    s->n_rows = s->n_waiting = 0; /* also where scoring fails */
    return status;
}

/** Whether the linear model is sure of the text; `n_tokens` is what the encoder would have read. */
static bool is_answered(dn_row_scorer *s, waiting *w, dn_span text, dn_span second) {
    cascade_rows *c = &s->before;
    if (!c->cascade) {
        return false;
    }
    w->score = c->score + (size_t)s->n_waiting * (size_t)s->info->score_width;
    dn_span all = second.ptr ? join(&s->grams, text, second) : text;
    dn_span clean = dn_normalise(&c->normaliser, c->convention, all);
    return dn_cascade_answer(c->cascade, &c->scratch, clean, w->score);
}

dn_status dn_row_scorer_add(dn_row_scorer *s, int number, dn_span text, dn_span second) {
    if (s->grams.model) {
        score_grams(s, number, text, second);
        return DN_OK;
    }
    if (s->n_waiting == BATCH_ROWS ||
        s->row_start[s->n_rows] + s->info->longest > s->max_tokens) {
        DN_TRY(dn_row_scorer_flush(s));
    }
    waiting *w = &s->waiting[s->n_waiting];
    int32_t begin = s->row_start[s->n_rows];
    *w = (waiting){.number = number};
    w->n_tokens = dn_model_texts_encode_pair(&s->texts, text, second, s->token + begin);
    w->row = is_answered(s, w, text, second) ? -1 : s->n_rows;
    if (w->row >= 0) {
        s->row_start[++s->n_rows] = begin + w->n_tokens;
    }
    s->n_waiting++;
    return DN_OK;
}
