/** `dunlin model calibrate DIR SUITE --cascade ENCODER`: above which score each head of a linear
 * model is sure, so that it answers as many texts as it can and no metric falls further below the
 * encoder's than is allowed.
 *
 * All heads of a text must be sure, so thresholds are chosen together: from none is sure, first in
 * step over all heads, then whichever head's next step gives most. */
#include "base/hash.h"
#include "base/memory.h"
#include "cmd/eval.h"
#include "io/json.h"
#include "model/cascade.h"
#include "run/model_texts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 64, SEED = 1, MAX_CONFIG_BYTES = 4 << 20, HALVES = 2, ALL = HALVES };
static const int strides[] = {1, 2, 4, 8};

/** Texts that a metric judges together: of a task, or of the tasks of a pool. */
typedef struct unit {
    const dn_suite_task *task;
    dn_metric metric;
    dn_outcomes *outcomes; /**< of its n texts by the encoder, then by the linear model */
    int *row, n;           /**< of the suite */
} unit;

typedef struct choosing {
    const dn_suite *suite;
    dn_cascade *cascade;
    const dn_model_info *info; /**< of the encoder */
    double points;
    float *certainty;                      /**< [n_rows][heads] of the linear model */
    float level[DN_MAX_HEADS][LEVELS + 1]; /**< falling: level 0 is never, the last one always */
    int chosen[HALVES + 1][DN_MAX_HEADS];  /**< by each half of the texts, and by all */
    unit *unit;
    int n_units;
    int32_t *pick; /**< [most texts of a unit] */
} choosing;

/** How a choice does on some of the texts. */
typedef struct result {
    double share; /**< answered, mean over units */
    bool within;  /**< of the points, everywhere */
} result;

/* ---- what it costs to be sure ---- */

static int half_of(int row) {
    uint64_t number = (uint64_t)row;
    return (int)(dn_hash64((dn_span){(const char *)&number, sizeof number}, SEED) & 1);
}

static bool is_sure(const choosing *c, const int *chosen, int row) {
    const float *certainty = c->certainty + (size_t)row * (size_t)c->info->n_model_heads;
    for (int h = 0; h < c->info->n_model_heads; h++) {
        if (certainty[h] <= c->level[h][chosen[h]]) {
            return false;
        }
    }
    return true;
}

/** The unit's metric where the texts of `half` that are sure are the linear model's; how many. */
static double measure(const choosing *c, const unit *u, const int *chosen, int half, int *n_sure,
                      int *n_texts) {
    *n_sure = *n_texts = 0;
    for (int i = 0; i < u->n; i++) {
        if (half == ALL || half_of(u->row[i]) == half) {
            bool sure = chosen && is_sure(c, chosen, u->row[i]);
            c->pick[(*n_texts)++] = sure ? u->n + i : i;
            *n_sure += sure;
        }
    }
    return dn_outcomes_measure(u->outcomes, u->metric, (dn_rows){c->pick, *n_texts});
}

static result try_choice(const choosing *c, const int *chosen, int half) {
    result r = {0, true};
    for (int i = 0; i < c->n_units && r.within; i++) {
        int n_sure, n;
        double alone = measure(c, &c->unit[i], NULL, half, &n_sure, &n);
        double value = measure(c, &c->unit[i], chosen, half, &n_sure, &n);
        r.within = !(100 * (alone - value) > c->points);
        r.share += n ? (double)n_sure / n / c->n_units : 0;
    }
    return r;
}

/* ---- choosing ---- */

/** All heads in step, as far as it goes. */
static void go_together(const choosing *c, int half, int *chosen) {
    int next[DN_MAX_HEADS];
    for (int level = 1; level <= LEVELS; level++) {
        for (int h = 0; h < c->info->n_model_heads; h++) {
            next[h] = level;
        }
        if (!try_choice(c, next, half).within) {
            return;
        }
        memcpy(chosen, next, sizeof next);
    }
}

/** The step of one head that lets most texts more be answered; false: there is none. */
static bool go_alone(const choosing *c, int half, int *chosen) {
    double best = try_choice(c, chosen, half).share;
    int best_head = -1, best_level = 0;
    for (int h = 0; h < c->info->n_model_heads; h++) {
        int own = chosen[h];
        for (size_t i = 0; i < sizeof strides / sizeof *strides && own + strides[i] <= LEVELS;
             i++) {
            chosen[h] = own + strides[i];
            result r = try_choice(c, chosen, half);
            if (r.within && r.share > best) {
                best = r.share;
                best_head = h;
                best_level = chosen[h];
            }
        }
        chosen[h] = own;
    }
    if (best_head >= 0) {
        chosen[best_head] = best_level;
    }
    return best_head >= 0;
}

static int falling(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/** Levels take as many texts more at each step; with four digits, as config.json has them. */
static void make_levels(choosing *c) {
    int n_rows = c->suite->n_rows, n_heads = c->info->n_model_heads;
    float *sorted = dn_alloc_array((size_t)n_rows, sizeof *sorted);
    for (int h = 0; h < n_heads; h++) {
        for (int i = 0; i < n_rows; i++) {
            sorted[i] = c->certainty[(size_t)i * (size_t)n_heads + (size_t)h];
        }
        qsort(sorted, (size_t)n_rows, sizeof *sorted, falling);
        for (int k = 1; k < LEVELS; k++) {
            c->level[h][k] = rintf(1e4F * sorted[(int64_t)n_rows * k / LEVELS]) / 1e4F;
        }
        c->level[h][0] = 1;
        c->level[h][LEVELS] = 0;
    }
    free(sorted);
}

static void choose(choosing *c) {
    make_levels(c);
    for (int half = 0; half <= ALL; half++) {
        go_together(c, half, c->chosen[half]);
        while (go_alone(c, half, c->chosen[half])) {
        }
    }
}

/* ---- texts ---- */

static dn_status read_certainties(choosing *c) {
    const dn_suite *suite = c->suite;
    int n_heads = c->info->n_model_heads;
    dn_convention convention;
    dn_normaliser normaliser = {0};
    dn_cascade_scratch scratch;
    DN_TRY(dn_convention_find(dn_cascade_describe(c->cascade)->normalise, &convention));
    dn_cascade_scratch_new(c->cascade, &scratch);
    float *score = dn_alloc_array((size_t)c->info->score_width, sizeof *score);
    c->certainty = dn_alloc_array((size_t)suite->n_rows * (size_t)n_heads, sizeof *c->certainty);
    for (int i = 0; i < suite->n_rows; i++) {
        const dn_suite_row *row = &suite->row[i];
        char *pair = row->second ? dn_format("%s %s", row->text, row->second) : NULL;
        dn_span text = dn_span_of(pair ? pair : row->text);
        dn_cascade_answer(c->cascade, &scratch, dn_normalise(&normaliser, convention, text), score);
        for (int h = 0; h < n_heads; h++) {
            const dn_model_head *head = &c->info->model_head[h];
            c->certainty[i * n_heads + h] = dn_head_certainty(head, score + head->begin);
        }
        free(pair);
    }
    free(score);
    dn_normaliser_free(&normaliser);
    dn_cascade_scratch_free(&scratch);
    return DN_OK;
}

/** Rows of a task, or of the tasks of a pool one after the other, as their outcomes stand. */
static void list_rows(const choosing *c, int t, unit *u) {
    u->row = dn_alloc_array((size_t)u->task->n_rows, sizeof *u->row);
    for (int k = 0; k < c->suite->n_tasks; k++) {
        bool own = k == t || c->suite->task[k].pool == t;
        for (int i = 0; own && i < c->suite->n_rows; i++) {
            if (c->suite->row[i].task == k) {
                u->row[u->n++] = i;
            }
        }
    }
}

static void make_units(choosing *c, const dn_eval_side side[2]) {
    int most = 1;
    c->unit = dn_alloc_array((size_t)c->suite->n_tasks, sizeof *c->unit);
    for (int t = 0; t < c->suite->n_tasks; t++) {
        const dn_suite_task *task = &c->suite->task[t];
        const dn_judged *encoder = &side[0].judged[t], *linear = &side[1].judged[t];
        if (task->pool < 0 && encoder->outcomes && linear->outcomes) {
            unit *u = &c->unit[c->n_units++];
            *u = (unit){
                .task = task, .metric = {task->metric, encoder->of}, .outcomes = encoder->outcomes};
            list_rows(c, t, u);
            dn_outcomes_append(u->outcomes, linear->outcomes);
            most = u->n > most ? u->n : most;
        }
    }
    c->pick = dn_alloc_array((size_t)most, sizeof *c->pick);
}

/** A head without texts could be as wrong as it likes. */
static dn_status check_heads(const choosing *c) {
    for (int h = 0; h < c->info->n_model_heads; h++) {
        bool found = false;
        for (int t = 0; t < c->suite->n_tasks; t++) {
            found = found || strcmp(c->suite->task[t].head, c->info->model_head[h].name) == 0;
        }
        if (!found) {
            return DN_FAIL(CONFIG, "%s: has no text for head %s of %s", c->suite->path,
                           c->info->model_head[h].name, c->info->dir);
        }
    }
    return DN_OK;
}

/* ---- what is written ---- */

static dn_status put_heads(const choosing *c, const dn_json_at *dunlin) {
    dn_json_at heads, name;
    const char *word;
    DN_TRY(dn_json_need(dunlin, "heads", DN_JSON_ARRAY, &heads));
    for (size_t i = 0; i < dn_json_count(&heads); i++) {
        dn_json_at head = dn_json_item(&heads, i);
        DN_TRY(dn_json_need(&head, "name", DN_JSON_TEXT, &name));
        DN_TRY(dn_json_text(&name, &word));
        for (int h = 0; h < c->info->n_model_heads; h++) {
            if (strcmp(word, c->info->model_head[h].name) == 0) {
                double above = (double)c->level[h][c->chosen[ALL][h]];
                dn_json_put_real(&head, "sure_above", rint(1e4 * above) / 1e4);
            }
        }
    }
    return DN_OK;
}

static dn_status save(const choosing *c, const char *dir) {
    char *path = dn_format("%s/config.json", dir);
    char *encoder = dn_format("{\"encoder\": \"%s\"}", c->info->sha256);
    dn_json *doc = NULL;
    dn_json_at dunlin;
    dn_status status;
    DN_TRY_GO(dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &doc), done);
    dn_json_at root = dn_json_root(doc);
    DN_TRY_GO(dn_json_need(&root, "dunlin", DN_JSON_OBJECT, &dunlin), done);
    DN_TRY_GO(put_heads(c, &dunlin), done);
    dn_json_put(&dunlin, "cascade", encoder);
    status = dn_json_save(doc, path);
done:
    dn_json_free(doc);
    free(encoder);
    free(path);
    return status;
}

/** Each text by the thresholds that the other half gave. */
static double measure_crosswise(const choosing *c, const unit *u, int *n_sure) {
    *n_sure = 0;
    for (int i = 0; i < u->n; i++) {
        bool sure = is_sure(c, c->chosen[!half_of(u->row[i])], u->row[i]);
        c->pick[i] = sure ? u->n + i : i;
        *n_sure += sure;
    }
    return dn_outcomes_measure(u->outcomes, u->metric, (dn_rows){c->pick, u->n});
}

static void print(const choosing *c, const char *dir) {
    printf("%-14s %6s %9s %9s %9s %20s\n", "task", "texts", "encoder", "cascade", "answered",
           "by the other half");
    for (int i = 0; i < c->n_units; i++) {
        const unit *u = &c->unit[i];
        int n_sure, n_crosswise, n;
        double alone = measure(c, u, NULL, ALL, &n_sure, &n);
        double value = measure(c, u, c->chosen[ALL], ALL, &n_sure, &n);
        double crosswise = measure_crosswise(c, u, &n_crosswise);
        printf("%-14s %6d %9.2f %9.2f %7.1f %% %9.2f, %6.1f %%\n", u->task->name, u->n, 100 * alone,
               100 * value, 100.0 * n_sure / u->n, 100 * crosswise, 100.0 * n_crosswise / u->n);
    }
    printf("\n%-14s %10s\n", "head", "sure above");
    for (int h = 0; h < c->info->n_model_heads; h++) {
        printf("%-14s %10.4f\n", c->info->model_head[h].name,
               (double)c->level[h][c->chosen[ALL][h]]);
    }
    printf("\nThresholds are chosen on all texts, at most %g points below the encoder alone, and "
           "stand in %s/config.json.\nBy the other half: each text under the thresholds that the "
           "other half of the texts gave, as other texts would be.\n",
           c->points, dir);
}

/* ---- the whole ---- */

static dn_status judge(const dn_suite *suite, dn_eval_side side[2]) {
    DN_TRY(dn_eval_judge(suite, &side[0]));
    return dn_eval_judge(suite, &side[1]);
}

static dn_status run(choosing *c, const dn_model_options *o, dn_eval_side side[2]) {
    DN_TRY(check_heads(c));
    DN_TRY(judge(c->suite, side));
    make_units(c, side);
    DN_TRY(read_certainties(c));
    choose(c);
    DN_TRY(save(c, o->dir));
    print(c, o->dir);
    return DN_OK;
}

static dn_status open_and_run(choosing *c, const dn_model_options *o, const dn_kernels *kernels,
                              const char *encoder) {
    dn_model *model;
    dn_eval_side side[2] = {{.dir = dn_strdup(encoder), .kernels = kernels},
                            {.dir = dn_strdup(o->dir)}};
    dn_status status = dn_model_open(encoder, kernels, &model);
    if (status == DN_OK) {
        c->info = dn_model_describe(model);
        status = dn_cascade_open(o->dir, c->info, false, &c->cascade);
        if (status == DN_OK) {
            status = run(c, o, side);
        }
        dn_cascade_close(c->cascade);
        dn_model_close(model);
    }
    for (int i = 0; i < 2; i++) {
        dn_eval_side_free(c->suite, &side[i]);
    }
    return status;
}

dn_status dn_calibrate_cascade(const dn_model_options *o, const char *encoder, double points) {
    const dn_kernels *kernels;
    dn_suite suite;
    choosing c = {.suite = &suite, .points = points};
    DN_TRY(dn_kernels_select(o->backend, &kernels));
    DN_TRY(dn_suite_read(o->to, &suite));
    dn_status status = open_and_run(&c, o, kernels, encoder);
    for (int i = 0; i < c.n_units; i++) {
        free(c.unit[i].row);
    }
    free(c.unit);
    free(c.pick);
    free(c.certainty);
    dn_suite_free(&suite);
    return status;
}
