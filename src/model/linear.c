/* clean -> score.HEAD, label.HEAD for each of its heads: a linear model on n-grams as a stage. It
 * needs no batches: a text alone costs as much as in company, so it runs where the text stages do.
 *
 * A head may answer for one language alone: then texts of other languages are not even read.
 *
 * What tells languages decides which texts an encoder sees, and a text of its language that it does
 * not see is lost. So labels can be preferred: another label must be clearly more probable than
 * they are, or the text is `und`, which models score. */
#include "base/memory.h"
#include "flow/stage.h"
#include "model/columns.h"
#include "model/grams.h"
#include "model/scorer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct linear_conf {
    char *path, *text, *prefix, *language;
    dn_list languages, prefer;
    double prefer_by;
    bool scores;
    dn_gram_model *model;
    const dn_model_info *info;
    int text_field, n_heads;
    dn_head_columns head[DN_MAX_HEADS];
    dn_language_gate gate[DN_MAX_HEADS];
    bool prefers[DN_MAX_HEADS]; /* one of its labels at least */
    bool preferred[DN_MAX_HEADS][DN_NO_LABEL];
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
    {"scores", DN_P_BOOL, AT(scores), "true", 0, 0, NULL,
     "false: labels only, without the probability of each class."},
    {"languages", DN_P_LIST, AT(languages), NULL, 0, 0, NULL,
     "Languages that it serves, as codes (en, de): texts of others get null scores; `any`: all. "
     "Empty: those that its config.json names. A head of one language keeps to it."},
    {"prefer", DN_P_LIST, AT(prefer), NULL, 0, 0, NULL,
     "Labels that must not be missed, such as the language of the model behind: a text is und "
     "where another label is less than `prefer_by` times as probable as one of them."},
    {"prefer_by", DN_P_REAL, AT(prefer_by), "3", 1, 1e6, NULL, "See `prefer`."},
    {"language", DN_P_TEXT, AT(language), "label.language", 0, 0, NULL,
     "The column that says a text's language, as a stage `linear` with a head `language` makes "
     "it."},
    {0},
};

static int label_index(const dn_model_head *head, const char *label) {
    for (int i = 0; i < head->n_labels; i++) {
        if (strcmp(head->labels[i], label) == 0) {
            return i;
        }
    }
    return -1;
}

/** Which heads have the label. CONFIG where none has, or one has no `und` to give instead. */
static dn_status prefer_label(linear_conf *c, const char *label) {
    bool found = false;
    for (int k = 0; k < c->n_heads; k++) {
        const dn_model_head *head = &c->info->model_head[k];
        int i = label_index(head, label);
        if (i >= 0 && head->undecided_below <= 0) {
            return DN_FAIL(CONFIG,
                           "linear: prefer: head %s of %s gives no und: it has no undecided_below",
                           head->name, c->path);
        }
        if (i >= 0) {
            c->prefers[k] = c->preferred[k][i] = found = true;
        }
    }
    return found ? DN_OK
                 : DN_FAIL(CONFIG, "linear: prefer: '%s' is no label of %s", label, c->path);
}

/** Its columns, and for which languages it fills them. */
static dn_status bind_head(linear_conf *c, const dn_model_head *head, const dn_languages *served,
                           dn_schema *schema) {
    int k = c->n_heads++;
    dn_languages own = {.n = 1};
    dn_columns_place place = {c->path, c->prefix, served, c->language, !c->scores, schema};
    if (head->language) {
        snprintf(own.code[0], sizeof own.code[0], "%s", head->language);
        place.languages = &own;
        DN_TRY(dn_language_gate_bind_one(c->path, head->language, c->language, schema,
                                         &c->gate[k]));
    } else {
        DN_TRY(dn_language_gate_bind(c->path, served, c->language, schema, &c->gate[k]));
    }
    return dn_head_columns_add(&place, head, &c->head[k]);
}

static dn_status linear_bind(void *conf, const dn_bind *bind) {
    linear_conf *c = conf;
    DN_TRY(dn_schema_need(bind->schema, "linear", c->text, DN_BYTES, &c->text_field));
    DN_TRY(dn_gram_model_open(c->path, &c->model));
    c->info = dn_gram_model_describe(c->model);
    dn_languages served = *c->info->languages;
    DN_TRY(dn_languages_set(&c->languages, &served));
    for (int i = 0; i < c->info->n_model_heads; i++) {
        DN_TRY(bind_head(c, &c->info->model_head[i], &served, bind->schema));
    }
    for (int i = 0; i < c->prefer.n; i++) {
        DN_TRY(prefer_label(c, c->prefer.item[i]));
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

static bool any_admits(const linear_conf *c, const dn_chunk *chunk, uint32_t row) {
    bool any = false;
    for (int k = 0; k < c->n_heads && !any; k++) {
        any = dn_language_gate_admits(&c->gate[k], chunk, row);
    }
    return any;
}

/** Whether a preferred label is nearly as probable as the most probable one. */
static bool is_doubtful(const linear_conf *c, int k, const float *score) {
    float most = 0, preferred = 0;
    for (int i = 0; i < c->head[k].head->n_labels; i++) {
        float p = score[c->head[k].head->begin + i];
        most = p > most ? p : most;
        preferred = c->preferred[k][i] && p > preferred ? p : preferred;
    }
    return preferred < most && (double)most < c->prefer_by * (double)preferred;
}

static void doubt(const dn_head_columns *to, dn_chunk *chunk, uint32_t row) {
    uint8_t *label = &dn_chunk_label(chunk, to->label_field)[row];
    chunk->n_undecided += *label != to->head->n_labels;
    *label = (uint8_t)to->head->n_labels;
}

static void score_row(const linear_conf *c, const linear_worker *w, dn_span text, dn_chunk *chunk,
                      uint32_t row) {
    dn_gram_model_score(c->model, w->ngrams, text, w->score);
    for (int k = 0; k < c->n_heads; k++) {
        if (dn_language_gate_admits(&c->gate[k], chunk, row)) {
            dn_head_columns_write(&c->head[k], chunk, row, w->score);
            if (c->prefers[k] && is_doubtful(c, k, w->score)) {
                doubt(&c->head[k], chunk, row);
            }
        }
    }
}

static dn_status linear_run(const void *conf, void *worker, dn_chunk *chunk) {
    const linear_conf *c = conf;
    const linear_worker *w = worker;
    const dn_span *text = dn_chunk_bytes(chunk, c->text_field);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint16_t row = chunk->sel[i];
        if (text[row].ptr && any_admits(c, chunk, row)) {
            score_row(c, w, text[row], chunk, row);
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
    memset(c->prefers, 0, sizeof c->prefers);
    memset(c->preferred, 0, sizeof c->preferred);
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
