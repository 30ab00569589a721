/* clean -> score.HEAD, label.HEAD: a linear model on n-grams as a stage. It needs no batches: a
 * text alone costs as much as in company, so it runs where the text stages do. */
#include "base/memory.h"
#include "flow/stage.h"
#include "model/grams.h"
#include "model/scorer.h"

#include <stdlib.h>
#include <string.h>

typedef struct linear_conf {
    char *path, *text;
    dn_gram_model *model;
    int text_field, score_field, label_field;
    char *score_name, *label_name;
} linear_conf;

static const dn_prop props[] = {
    {.name = "path",
     .type = DN_P_PATH,
     .offset = offsetof(linear_conf, path),
     .text = "Directory of a model on n-grams: `dunlin model fit --kind ngrams` makes one."},
    {.name = "text",
     .type = DN_P_TEXT,
     .offset = offsetof(linear_conf, text),
     .initial = "clean",
     .text = "The column that it reads, normalised as the examples were."},
    {0},
};

static dn_status add_columns(linear_conf *c, dn_schema *schema) {
    const dn_model_head *head = dn_gram_model_head(c->model);
    c->score_name = dn_format("score.%s", head->name);
    c->label_name = dn_format("label.%s", head->name);
    dn_field score = {.name = c->score_name,
                      .type = DN_F32,
                      .width = head->n_labels,
                      .labels = head->labels,
                      .n_labels = head->n_labels,
                      .units = "1",
                      .group = "scores",
                      .long_name = "probability of each class, by a linear model on n-grams"};
    dn_field label = {.name = c->label_name,
                      .type = DN_LABEL,
                      .width = 1,
                      .labels = head->labels,
                      .n_labels = head->n_labels,
                      .units = "",
                      .group = "labels",
                      .long_name = "the most probable class"};
    if (dn_schema_find(schema, score.name) >= 0) {
        return DN_FAIL(CONFIG, "%s makes the column '%s', which is there already", c->path,
                       score.name);
    }
    DN_TRY(dn_schema_add(schema, score, &c->score_field));
    return dn_schema_add(schema, label, &c->label_field);
}

static dn_status linear_bind(void *conf, const dn_bind *bind) {
    linear_conf *c = conf;
    DN_TRY(dn_schema_need(bind->schema, "linear", c->text, DN_BYTES, &c->text_field));
    DN_TRY(dn_gram_model_open(c->path, &c->model));
    return add_columns(c, bind->schema);
}

static dn_status linear_open(const void *conf, void **worker) {
    (void)conf;
    *worker = dn_ngrams_new();
    return DN_OK;
}

static dn_status linear_run(const void *conf, void *worker, dn_chunk *chunk) {
    const linear_conf *c = conf;
    const dn_model_head *head = dn_gram_model_head(c->model);
    const dn_span *text = dn_chunk_bytes(chunk, c->text_field);
    float *score = dn_chunk_f32(chunk, c->score_field);
    uint8_t *label = dn_chunk_label(chunk, c->label_field);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint16_t row = chunk->sel[i];
        if (text[row].ptr) {
            float *of_row = score + (size_t)row * (size_t)head->n_labels;
            dn_gram_model_score(c->model, worker, text[row], of_row);
            label[row] = (uint8_t)dn_head_decide(head, of_row);
        }
    }
    return DN_OK;
}

static void linear_close(void *worker) {
    dn_ngrams_free(worker);
}

static void linear_unbind(void *conf) {
    linear_conf *c = conf;
    dn_gram_model_close(c->model);
    free(c->score_name);
    free(c->label_name);
    c->model = NULL;
    c->score_name = c->label_name = NULL;
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
