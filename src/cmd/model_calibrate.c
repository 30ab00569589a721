/** `dunlin model calibrate`: a temperature for each head, and a shift where texts have several
 * labels, fitted on labelled texts. */
#include "base/hash.h"
#include "base/home.h"
#include "base/memory.h"
#include "cmd/eval.h"
#include "io/json.h"
#include "model/scaling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 1, NOISE_DRAWS = 100, MAX_CONFIG_BYTES = 4 << 20 };

/** A head, the texts that are labelled for it, and what came of it. */
typedef struct fitting {
    const char *head;
    dn_logits logits;
    dn_scaling scaling;              /**< on top of the one that the weights have already, */
    dn_scaling stored;               /**< and both together */
    double error[2], loss[2], noise; /**< before, after */
} fitting;

/* ---- a head ---- */

/** Which half a text is in: by its number alone. */
static int half_of(size_t row) {
    uint64_t number = row;
    return (int)(dn_hash64((dn_span){(const char *)&number, sizeof number}, SEED) & 1);
}

static dn_scaling fit_half(const fitting *f, int half) {
    size_t width = (size_t)f->logits.n_labels, n = 0;
    float *logit = dn_alloc_array(f->logits.n * width, sizeof *logit);
    bool *right = dn_alloc_array(f->logits.n * width, sizeof *right);
    for (size_t row = 0; row < f->logits.n; row++) {
        if (half_of(row) == half) {
            memcpy(logit + n * width, f->logits.logit + row * width, width * sizeof *logit);
            memcpy(right + n * width, f->logits.right + row * width, width * sizeof *right);
            n++;
        }
    }
    dn_logits part = {f->logits.kind, f->logits.n_labels, n, logit, right};
    dn_scaling scaling = dn_scaling_fit(&part);
    free(logit);
    free(right);
    return scaling;
}

/** Confidences and whether they were right, as model eval counts them. */
typedef struct decisions {
    float *confidence;
    bool *right;
    size_t n;
} decisions;

static void decide(const fitting *f, size_t row, dn_scaling by, decisions *to) {
    int n = f->logits.n_labels, best = 0;
    const float *z = f->logits.logit + row * (size_t)n;
    const bool *right = f->logits.right + row * (size_t)n;
    double sum = 0;
    for (int i = 0; i < n; i++) {
        best = z[i] > z[best] ? i : best;
    }
    for (int i = 0; i < n; i++) {
        sum += exp(((double)z[i] - (double)z[best]) / by.temperature);
        if (f->logits.kind == DN_HEAD_SIGMOID) {
            to->confidence[to->n] =
                (float)(1 / (1 + exp(-((double)z[i] + by.shift) / by.temperature)));
            to->right[to->n++] = right[i];
        }
    }
    if (f->logits.kind == DN_HEAD_SOFTMAX) {
        to->confidence[to->n] = (float)(1 / sum);
        to->right[to->n++] = right[best];
    }
}

/** Whether so few decisions can tell the scaling from none: the likelihood ratio test of its one or
 * two parameters, at 5 %. Without it the head of 374 texts is moved by chance alone. source  Wilks
 * 1938
 */
static bool is_certain(const fitting *f, size_t n_decisions) {
    const double chi_square = f->logits.kind == DN_HEAD_SIGMOID ? 5.991 : 3.841;
    return 2 * (f->loss[0] - f->loss[1]) * (double)n_decisions > chi_square;
}

/** Every text is judged by the scaling that the other half of the texts gave. */
static dn_status fit(fitting *f, const char *dir) {
    dn_scaling none = {1, 0}, of_half[2] = {fit_half(f, 0), fit_half(f, 1)};
    size_t most = f->logits.n * (size_t)f->logits.n_labels;
    decisions to = {dn_alloc_array(most, sizeof(float)), dn_alloc_array(most, sizeof(bool)), 0};
    for (int after = 0; after < 2; after++) {
        to.n = 0;
        for (size_t row = 0; row < f->logits.n; row++) {
            decide(f, row, after ? of_half[!half_of(row)] : none, &to);
        }
        f->error[after] = dn_calibration_error(to.confidence, to.right, to.n);
    }
    f->noise = dn_calibration_noise(to.confidence, to.n, NOISE_DRAWS, SEED);
    f->scaling = dn_scaling_fit(&f->logits);
    f->loss[0] = dn_scaling_loss(&f->logits, none);
    f->loss[1] = dn_scaling_loss(&f->logits, f->scaling);
    if (!is_certain(f, to.n)) {
        f->scaling = none;
        f->loss[1] = f->loss[0];
        f->error[1] = f->error[0];
    }
    free(to.confidence);
    free(to.right);
    return isfinite(f->loss[0]) && isfinite(f->loss[1])
               ? DN_OK
               : DN_FAIL(MODEL, "%s: logits of head %s are not finite", dir, f->head);
}

/* ---- the heads of a suite ---- */

/** The texts of a task behind those that the head has from other tasks. */
static void add_task(fitting *f, const dn_suite_task *task, const dn_judged *judged) {
    size_t width = (size_t)judged->n_labels, old = f->logits.n, more = (size_t)task->n_rows;
    float *logit = dn_alloc_array((old + more) * width, sizeof *logit);
    bool *right = dn_alloc_array((old + more) * width, sizeof *right);
    if (old) {
        memcpy(logit, f->logits.logit, old * width * sizeof *logit);
        memcpy(right, f->logits.right, old * width * sizeof *right);
    }
    memcpy(logit + old * width, judged->logit, more * width * sizeof *logit);
    memcpy(right + old * width, judged->label, more * width * sizeof *right);
    free((void *)(uintptr_t)f->logits.logit);
    free((void *)(uintptr_t)f->logits.right);
    f->logits = (dn_logits){judged->kind, judged->n_labels, old + more, logit, right};
}

static int gather(const dn_suite *suite, const dn_eval_side *side, fitting *list) {
    int n = 0;
    for (int t = 0; t < suite->n_tasks; t++) {
        int i = 0;
        while (i < n && strcmp(list[i].head, suite->task[t].head) != 0) {
            i++;
        }
        if (side->judged[t].outcomes) {
            list[i].head = suite->task[t].head;
            add_task(&list[i], &suite->task[t], &side->judged[t]);
            n = i == n ? n + 1 : n;
        }
    }
    return n;
}

/* ---- config.json ---- */

/** The object that has the head's settings: its own, or "dunlin" where the checkpoint's head is
 * meant. */
static dn_status find_object(const dn_json_at *dunlin, const char *name, dn_json_at *heads,
                             dn_json_at *out) {
    dn_json_at at;
    const char *word;
    if (!dn_json_find(dunlin, "heads", heads)) {
        *out = *dunlin;
        return DN_OK;
    }
    for (size_t i = 0; i < dn_json_count(heads); i++) {
        *out = dn_json_item(heads, i);
        DN_TRY(dn_json_need(out, "name", DN_JSON_TEXT, &at));
        DN_TRY(dn_json_text(&at, &word));
        if (strcmp(word, name) == 0) {
            return DN_OK;
        }
    }
    return dn_json_fail(heads, "has no head \"%s\"", name);
}

static double rounded(double x, double least, double most) {
    return round(1e4 * fmin(fmax(x, least), most)) / 1e4;
}

static dn_status put(const dn_json_at *dunlin, fitting *f) {
    dn_json_at heads, object, at;
    dn_scaling old = {1, 0};
    DN_TRY(find_object(dunlin, f->head, &heads, &object));
    if (dn_json_find(&object, "temperature", &at)) {
        DN_TRY(dn_json_real(&at, DN_TEMPERATURE_MIN, DN_TEMPERATURE_MAX, &old.temperature));
    }
    if (dn_json_find(&object, "shift", &at)) {
        DN_TRY(dn_json_real(&at, -DN_SHIFT_MAX, DN_SHIFT_MAX, &old.shift));
    }
    if (f->scaling.temperature == 1 && f->scaling.shift == 0) {
        f->stored = old;
        return DN_OK;
    }
    dn_scaling both = dn_scaling_of_both(old, f->scaling);
    f->stored.temperature = rounded(both.temperature, DN_TEMPERATURE_MIN, DN_TEMPERATURE_MAX);
    f->stored.shift = rounded(both.shift, -DN_SHIFT_MAX, DN_SHIFT_MAX);
    dn_json_put_real(&object, "temperature", f->stored.temperature);
    if (f->stored.shift != 0) {
        dn_json_put_real(&object, "shift", f->stored.shift);
    }
    return DN_OK;
}

static dn_status save(const char *dir, fitting *list, int n) {
    char *path = dn_format("%s/config.json", dir);
    dn_json *doc = NULL;
    dn_json_at dunlin;
    dn_status status;
    DN_TRY_GO(dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &doc), done);
    dn_json_at root = dn_json_root(doc);
    if (!dn_json_find(&root, "dunlin", &dunlin)) {
        status = DN_FAIL(CONFIG,
                         "%s: has no \"dunlin\" object to keep temperatures in; `dunlin model "
                         "import` makes one",
                         path);
        goto done;
    }
    for (int i = 0; i < n; i++) {
        DN_TRY_GO(put(&dunlin, &list[i]), done);
    }
    status = dn_json_save(doc, path);
done:
    dn_json_free(doc);
    free(path);
    return status;
}

/* ---- the whole ---- */

static void print(const fitting *list, int n, const char *dir) {
    printf("%-14s %6s %12s %7s %17s %25s\n", "head", "texts", "temperature", "shift", "loss",
           "calibration error");
    for (int i = 0; i < n; i++) {
        const fitting *f = &list[i];
        printf("%-14s %6zu %12.3f %7.3f %7.4f to %6.4f %7.3f to %5.3f (%5.3f)\n", f->head,
               f->logits.n, f->stored.temperature, f->stored.shift, f->loss[0], f->loss[1],
               f->error[0], f->error[1], f->noise);
    }
    printf(
        "Both are fitted on all texts and stand in %s/config.json; each text's error is by those "
        "of the other\nhalf. In brackets: what chance alone makes of so few texts. A head whose "
        "texts cannot tell a scaling from\nnone (5 %%) stays as it is.\n",
        dir);
}

static dn_status calibrate(const dn_suite *suite, dn_eval_side *side) {
    DN_TRY(dn_eval_judge(suite, side));
    fitting *list = dn_alloc_array((size_t)suite->n_tasks, sizeof *list);
    int n = gather(suite, side, list);
    dn_status status = DN_OK;
    for (int i = 0; i < n && status == DN_OK; i++) {
        status = fit(&list[i], side->dir);
    }
    if (status == DN_OK) {
        status = save(side->dir, list, n);
    }
    if (status == DN_OK) {
        print(list, n, side->dir);
    }
    for (int i = 0; i < n; i++) {
        free((void *)(uintptr_t)list[i].logits.logit);
        free((void *)(uintptr_t)list[i].logits.right);
    }
    free(list);
    return status;
}

static dn_status calibrate_cascade(const dn_model_options *options) {
    double points;
    DN_TRY(dn_model_read_limit("max-points", options->max_points, 0.5, &points));
    char *encoder = dn_home_find(options->cascade);
    dn_status status = dn_calibrate_cascade(options, encoder, points);
    free(encoder);
    return status;
}

dn_status dn_model_cmd_calibrate(const dn_model_options *options) {
    if (options->cascade) {
        return calibrate_cascade(options);
    }
    if (options->max_points) {
        return dn_cmd_usage("model", "--max-points needs --cascade here");
    }
    dn_suite suite;
    dn_eval_side side = {.dir = dn_strdup(options->dir), .wants_logits = true};
    dn_status status = dn_kernels_select(options->backend, &side.kernels);
    if (status == DN_OK) {
        status = dn_suite_read(options->to, &suite);
    }
    if (status == DN_OK) {
        status = calibrate(&suite, &side);
        dn_eval_side_free(&suite, &side);
        dn_suite_free(&suite);
        return status;
    }
    free(side.dir);
    return status;
}
