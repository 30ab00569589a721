/** `dunlin model fit DIR --suite SUITE`: a linear twin of an encoder, a head on n-grams for each of
 * its heads that the suite has texts for, all on the same n-grams. */
#include "base/memory.h"
#include "cmd/fit.h"
#include "cmd/suite.h"
#include "model/grams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By so many rows the strength is chosen; 65,536 columns of 14 numbers in bf16 are below 2 MB. */
enum { STRENGTH_ROWS = 8000, COLUMNS = 1 << 16 };

/** A head: which rows of the suite are its own, and what became of them. */
typedef struct twin {
    const dn_model_head *head;
    int *row;   /**< [n]: of the suite */
    int *label; /**< [n] */
    int n;
    float *weight, *bias; /**< [columns][n_labels], [n_labels] */
    dn_expected expected;
} twin;

typedef struct fitting {
    const dn_model_options *options;
    dn_suite suite;
    dn_grams grams; /**< a row for each of the suite's */
    const char *normalise;
    int n_twins;
    twin *twin;
} fitting;

/* ---- which rows ---- */

static int find_label(const dn_suite *suite, const dn_model_head *head, int word) {
    for (int k = 0; k < head->n_labels; k++) {
        if (strcmp(head->labels[k], suite->word[word]) == 0) {
            return k;
        }
    }
    return -1;
}

static dn_status check_row(const dn_suite *suite, const dn_suite_row *row,
                           const dn_model_head *head) {
    if (head->kind == DN_HEAD_SOFTMAX && row->labels.n != 1) {
        return DN_FAIL(DATA, "%s:%d: has %d labels, but head %s gives a text exactly one",
                       suite->path, row->line, row->labels.n, head->name);
    }
    for (int i = 0; i < row->labels.n; i++) {
        if (find_label(suite, head, row->labels.begin + i) < 0) {
            return DN_FAIL(DATA, "%s:%d: \"%s\" is no label of head %s", suite->path, row->line,
                           suite->word[row->labels.begin + i], head->name);
        }
    }
    return DN_OK;
}

static dn_status choose_rows(const dn_suite *suite, twin *t) {
    t->row = dn_alloc_array((size_t)suite->n_rows, sizeof *t->row);
    t->label = dn_alloc_array((size_t)suite->n_rows, sizeof *t->label);
    for (int i = 0; i < suite->n_rows; i++) {
        const dn_suite_row *row = &suite->row[i];
        if (strcmp(suite->task[row->task].head, t->head->name) == 0) {
            DN_TRY(check_row(suite, row, t->head));
            t->row[t->n++] = i;
        }
    }
    return DN_OK;
}

/** Of a softmax head its label, of a sigmoid one whether it has label `k`. */
static void label_rows(const dn_suite *suite, twin *t, int k) {
    for (int i = 0; i < t->n; i++) {
        const dn_suite_row *row = &suite->row[t->row[i]];
        bool has = false;
        for (int w = 0; w < row->labels.n; w++) {
            has = has || find_label(suite, t->head, row->labels.begin + w) == k;
        }
        t->label[i] = t->head->kind == DN_HEAD_SIGMOID
                          ? (int)has
                          : find_label(suite, t->head, row->labels.begin);
    }
}

static dn_status check_labels(const fitting *f, const twin *t, int n_labels) {
    int *count = dn_alloc_array((size_t)n_labels, sizeof *count), least = 0;
    for (int i = 0; i < t->n; i++) {
        count[t->label[i]]++;
    }
    for (int k = 1; k < n_labels; k++) {
        least = count[k] < count[least] ? k : least;
    }
    int n = count[least];
    free(count);
    return n >= DN_EXAMPLES_LEAST
               ? DN_OK
               : DN_FAIL(DATA, "%s: a label of head %s has %d texts, at least %d are needed",
                         f->suite.path, t->head->name, n, DN_EXAMPLES_LEAST);
}

/* ---- learning ---- */

/** A twin's rows among all. */
typedef struct own_rows {
    const dn_grams *grams;
    const twin *twin;
} own_rows;

static dn_status make_design(const void *ctx, const int *row, int n_rows, dn_design **out) {
    const own_rows *own = ctx;
    int *of_all = dn_alloc_array((size_t)n_rows, sizeof *of_all);
    for (int i = 0; i < n_rows; i++) {
        of_all[i] = own->twin->row[row[i]];
    }
    *out = dn_design_sparse(&own->grams->x, of_all, n_rows);
    free(of_all);
    return DN_OK;
}

/** The strength by a cut, evenly over the rows; then all of them with it. */
static dn_status learn(const fitting *f, twin *t, int n_labels, dn_expected *expected,
                       dn_logistic *out) {
    twin cut = {.head = t->head};
    int step = t->n / STRENGTH_ROWS + 1;
    own_rows own = {&f->grams, &cut};
    cut.row = dn_alloc_array((size_t)t->n + 1, sizeof *cut.row);
    cut.label = dn_alloc_array((size_t)t->n + 1, sizeof *cut.label);
    for (int i = 0; i < t->n; i += step) {
        cut.row[cut.n] = t->row[i];
        cut.label[cut.n++] = t->label[i];
    }
    dn_labelled rows;
    dn_grams_labelled(&f->grams, &rows);
    rows.n_rows = cut.n;
    rows.n_labels = n_labels;
    rows.label = cut.label;
    rows.make = make_design;
    rows.ctx = &own;
    dn_status status = check_labels(f, &cut, n_labels);
    if (status == DN_OK) {
        status = dn_folds_expect(&rows, expected);
    }
    if (status == DN_OK) {
        own.twin = t;
        rows.n_rows = t->n;
        rows.label = t->label;
        status = dn_folds_fit(&rows, expected->strength, out);
    }
    free(cut.row);
    free(cut.label);
    return status;
}

/** Its numbers to column `at` of the head's; of two labels, yes less no. */
static void keep(const fitting *f, twin *t, const dn_logistic *l, int at) {
    size_t n_labels = (size_t)t->head->n_labels, n = (size_t)l->n_labels;
    bool sigmoid = t->head->kind == DN_HEAD_SIGMOID;
    for (size_t c = 0; c < (size_t)f->grams.x.n_columns; c++) {
        const float *w = l->weight + c * n;
        float *to = t->weight + c * n_labels + at;
        for (size_t k = 0; k < (sigmoid ? 1 : n_labels); k++) {
            to[k] = (sigmoid ? w[1] - w[0] : w[k]) * f->grams.weight[c];
        }
    }
    for (size_t k = 0; k < (sigmoid ? 1 : n_labels); k++) {
        t->bias[(size_t)at + k] = sigmoid ? l->bias[1] - l->bias[0] : l->bias[k];
    }
}

static dn_status learn_head(const fitting *f, twin *t) {
    bool sigmoid = t->head->kind == DN_HEAD_SIGMOID;
    size_t n_labels = (size_t)t->head->n_labels;
    t->weight = dn_alloc_array((size_t)f->grams.x.n_columns * n_labels, sizeof *t->weight);
    t->bias = dn_alloc_array(n_labels, sizeof *t->bias);
    for (int k = 0; k < (sigmoid ? t->head->n_labels : 1); k++) {
        dn_logistic logistic;
        dn_expected_free(&t->expected);
        label_rows(&f->suite, t, k);
        DN_TRY(learn(f, t, sigmoid ? 2 : t->head->n_labels, &t->expected, &logistic));
        keep(f, t, &logistic, k);
        dn_logistic_free(&logistic);
        printf("%-14s %-24s %7d %10g %8.1f (%.1f to %.1f)\n", t->head->name,
               sigmoid ? t->head->labels[k] : "", t->n, t->expected.strength, 100 * t->expected.f1,
               100 * t->expected.f1_interval.low, 100 * t->expected.f1_interval.high);
        fflush(stdout);
    }
    return DN_OK;
}

/* ---- the whole ---- */

/** Two segments stand one behind the other, as in run/rows.c. */
static void count_rows(fitting *f, dn_convention convention) {
    dn_examples all = {.n = f->suite.n_rows};
    char **joined = dn_alloc_array((size_t)all.n, sizeof *joined);
    all.example = dn_alloc_array((size_t)all.n, sizeof *all.example);
    for (int i = 0; i < all.n; i++) {
        const dn_suite_row *row = &f->suite.row[i];
        joined[i] = row->second ? dn_format("%s %s", row->text, row->second) : NULL;
        all.example[i].text = dn_span_of(joined[i] ? joined[i] : row->text);
    }
    dn_count_examples(&all, convention, COLUMNS, &f->grams);
    for (int i = 0; i < all.n; i++) {
        free(joined[i]);
    }
    free(joined);
    free(all.example);
}

static dn_status find_twins(fitting *f, const dn_model_info *info) {
    f->twin = dn_alloc_array((size_t)info->n_model_heads, sizeof *f->twin);
    for (int h = 0; h < info->n_model_heads; h++) {
        twin *t = &f->twin[f->n_twins];
        t->head = &info->model_head[h];
        if (t->head->kind <= DN_HEAD_SIGMOID) {
            f->n_twins++;
            DN_TRY(choose_rows(&f->suite, t));
            if (t->n == 0) {
                return DN_FAIL(DATA, "%s: has no text for head %s of %s", f->suite.path,
                               t->head->name, info->dir);
            }
        }
    }
    return f->n_twins ? DN_OK
                      : DN_FAIL(CONFIG, "%s: has no head that gives labels to texts", info->dir);
}

static dn_status save(const fitting *f) {
    int32_t *bucket = dn_alloc_array((size_t)f->grams.x.n_columns, sizeof *bucket);
    dn_new_head *head = dn_alloc_array((size_t)f->n_twins, sizeof *head);
    dn_grams_buckets(&f->grams, bucket);
    for (int i = 0; i < f->n_twins; i++) {
        const twin *t = &f->twin[i];
        head[i] = (dn_new_head){.name = t->head->name,
                                .n_labels = t->head->n_labels,
                                .width = f->grams.x.n_columns,
                                .label = t->head->labels,
                                .weight = t->weight,
                                .bias = t->bias,
                                .kind = t->head->kind};
    }
    dn_status status =
        dn_gram_model_write(f->options->out, &(dn_gram_parts){.head = head,
                                                              .n_heads = f->n_twins,
                                                              .n_columns = f->grams.x.n_columns,
                                                              .bucket = bucket,
                                                              .normalise = f->normalise,
                                                              .narrow = true});
    free(bucket);
    free(head);
    return status;
}

static dn_status fit(fitting *f, const dn_model *model) {
    const dn_model_info *info = dn_model_describe(model);
    dn_convention convention;
    f->normalise = info->normalise;
    DN_TRY(dn_convention_find(info->normalise, &convention));
    DN_TRY(find_twins(f, info));
    count_rows(f, convention);
    printf("%-14s %-24s %7s %10s %8s\n", "head", "label", "texts", "strength", "macro F1");
    for (int i = 0; i < f->n_twins; i++) {
        DN_TRY(learn_head(f, &f->twin[i]));
    }
    if (f->options->out) {
        DN_TRY(save(f));
        printf("\n%s: a model on %d n-grams with the heads of %s\n", f->options->out,
               f->grams.x.n_columns, info->dir);
    }
    return DN_OK;
}

dn_status dn_fit_suite(const dn_model_options *options) {
    fitting f = {.options = options};
    const dn_kernels *kernels;
    dn_model *model;
    DN_TRY(dn_kernels_select(options->backend, &kernels));
    DN_TRY(dn_suite_read(options->suite, &f.suite));
    dn_status status = dn_model_open(options->dir, kernels, &model);
    if (status == DN_OK) {
        status = fit(&f, model);
        dn_model_close(model);
    }
    for (int i = 0; i < f.n_twins; i++) {
        free(f.twin[i].row);
        free(f.twin[i].label);
        free(f.twin[i].weight);
        free(f.twin[i].bias);
        dn_expected_free(&f.twin[i].expected);
    }
    free(f.twin);
    dn_grams_free(&f.grams);
    dn_suite_free(&f.suite);
    return status;
}
