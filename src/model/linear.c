/* clean -> score.HEAD, label.HEAD for each of its heads: a linear model on n-grams as a stage. It
 * needs no batches: a text alone costs as much as in company, so it runs where the text stages do.
 */
#include "base/memory.h"
#include "flow/stage.h"
#include "model/columns.h"
#include "model/grams.h"
#include "model/scorer.h"

#include <stdlib.h>
#include <string.h>

typedef struct linear_conf {
    char *path, *text, *prefix;
    dn_gram_model *model;
    const dn_model_info *info;
    int text_field, n_heads;
    dn_head_columns head[DN_MAX_HEADS];
} linear_conf;

typedef struct linear_worker {
    dn_ngrams *ngrams;
    float *score; /**< [score_width] */
} linear_worker;

#define AT(field) offsetof(linear_conf, field)
static const dn_prop props[] = {
    {"path", DN_P_PATH, AT(path), NULL, 0, 0, NULL,
     "Directory of a model on n-grams: `dunlin model fit --kind ngrams` makes one."},
    {"text", DN_P_TEXT, AT(text), "clean", 0, 0, NULL,
     "The column that it reads, normalised as the examples were."},
    {"prefix", DN_P_TEXT, AT(prefix), "", 0, 0, NULL,
     "Stands before the heads' names in the columns (score.PREFIX.HEAD), where heads of two models "
     "are called the same."},
    {0},
};

static dn_status linear_bind(void *conf, const dn_bind *bind) {
    static const dn_languages all = {0};
    linear_conf *c = conf;
    const dn_columns_place place = {c->path, c->prefix, &all, bind->schema};
    DN_TRY(dn_schema_need(bind->schema, "linear", c->text, DN_BYTES, &c->text_field));
    DN_TRY(dn_gram_model_open(c->path, &c->model));
    c->info = dn_gram_model_describe(c->model);
    for (int i = 0; i < c->info->n_model_heads; i++) {
        DN_TRY(dn_head_columns_add(&place, &c->info->model_head[i], &c->head[c->n_heads++]));
    }
    return DN_OK;
}

const dn_model_info *dn_linear_info(const void *conf) {
    return ((const linear_conf *)conf)->info;
}

static dn_status linear_open(const void *conf, void **worker) {
    const linear_conf *c = conf;
    linear_worker *w = dn_alloc(sizeof *w);
    w->ngrams = dn_ngrams_new();
    w->score = dn_alloc_array((size_t)c->info->score_width, sizeof *w->score);
    *worker = w;
    return DN_OK;
}

static dn_status linear_run(const void *conf, void *worker, dn_chunk *chunk) {
    const linear_conf *c = conf;
    const linear_worker *w = worker;
    const dn_span *text = dn_chunk_bytes(chunk, c->text_field);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint16_t row = chunk->sel[i];
        if (text[row].ptr) {
            dn_gram_model_score(c->model, w->ngrams, text[row], w->score);
            for (int k = 0; k < c->n_heads; k++) {
                dn_head_columns_write(&c->head[k], chunk, row, w->score);
            }
        }
    }
    return DN_OK;
}

static void linear_close(void *worker) {
    linear_worker *w = worker;
    dn_ngrams_free(w->ngrams);
    free(w->score);
    free(w);
}

static void linear_unbind(void *conf) {
    linear_conf *c = conf;
    for (int i = 0; i < c->n_heads; i++) {
        dn_head_columns_free(&c->head[i]);
    }
    dn_gram_model_close(c->model);
    c->model = NULL;
    c->info = NULL;
    c->n_heads = 0;
}

const dn_stage_ops dn_stage_linear = {
    .name = "linear",
    .summary = "Scores texts by a linear model on n-grams, in any language: no tokens, no encoder.",
    .order = DN_PURE,
    .props = props,
    .conf_size = sizeof(linear_conf),
    .bind = linear_bind,
    .open = linear_open,
    .run = linear_run,
    .close = linear_close,
    .unbind = linear_unbind,
};
