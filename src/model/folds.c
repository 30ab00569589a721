#include "model/folds.h"

#include "base/hash.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 1, DRAWS = 1000, MAX_STEPS = 300 };
static const double tolerance = 1e-4;

/** What each strength made of the rows. */
typedef struct folding {
    const dn_labelled *rows;
    int *part;                        /**< [n_rows] */
    int *decided[DN_STRENGTHS];       /**< [n_rows] */
    float *probability[DN_STRENGTHS]; /**< [n_rows] */
    double loss[DN_STRENGTHS];
} folding;

/* ---- parts ---- */

typedef struct place {
    int label, row;
    uint64_t lot;
} place;

static int compare_places(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->label != y->label) {
        return x->label < y->label ? -1 : 1;
    }
    return x->lot < y->lot ? -1 : x->lot > y->lot;
}

/** The rows of a label, in an order drawn by lot, go to the parts in turn; the next label begins
 * where the last one ended, so that the parts are of one size. */
static void choose_parts(folding *f) {
    int n = f->rows->n_rows;
    place *list = dn_alloc_array((size_t)n, sizeof *list);
    for (int i = 0; i < n; i++) {
        list[i] = (place){f->rows->label[i], i, dn_hash64((dn_span){(char *)&i, sizeof i}, SEED)};
    }
    qsort(list, (size_t)n, sizeof *list, compare_places);
    for (int i = 0; i < n; i++) {
        f->part[list[i].row] = i % DN_FOLDS;
    }
    free(list);
}

/* ---- a part ---- */

typedef struct split {
    int *train, *test, *label; /**< rows; labels of those of `train` */
    int n_train, n_test;
} split;

static void make_split(const folding *f, int part, split *s) {
    s->n_train = s->n_test = 0;
    for (int i = 0; i < f->rows->n_rows; i++) {
        if (f->part[i] == part) {
            s->test[s->n_test++] = i;
        } else {
            s->label[s->n_train] = f->rows->label[i];
            s->train[s->n_train++] = i;
        }
    }
}

/** The most probable label of a row's logits, its probability, and the loss of the right one. */
static void decide(folding *f, int strength, int row, const float *z) {
    int best = 0, n = f->rows->n_labels;
    double sum = 0;
    for (int k = 1; k < n; k++) {
        best = z[k] > z[best] ? k : best;
    }
    for (int k = 0; k < n; k++) {
        sum += exp((double)z[k] - (double)z[best]);
    }
    f->decided[strength][row] = best;
    f->probability[strength][row] = (float)(1 / sum);
    f->loss[strength] += log(sum) + (double)z[best] - (double)z[f->rows->label[row]];
}

/** All strengths, the weakest first, each from where the one before it ended. */
static void try_strengths(folding *f, const split *s, dn_design *train, dn_design *test) {
    int n_labels = f->rows->n_labels;
    float *z = dn_alloc_array((size_t)s->n_test * (size_t)n_labels, sizeof *z);
    dn_logistic logistic;
    dn_logistic_new(f->rows->n_columns, n_labels, &logistic);
    for (int i = 0; i < DN_STRENGTHS; i++) {
        dn_logistic_conf conf = {f->rows->strength[i], tolerance, MAX_STEPS};
        dn_logistic_fit(train, s->label, &conf, &logistic);
        dn_logistic_score(&logistic, test, z);
        for (int row = 0; row < s->n_test; row++) {
            decide(f, i, s->test[row], z + (size_t)row * (size_t)n_labels);
        }
    }
    dn_logistic_free(&logistic);
    free(z);
}

static dn_status try_part(folding *f, int part) {
    size_t n = (size_t)f->rows->n_rows;
    split s = {.train = dn_alloc_array(n, sizeof(int)),
               .test = dn_alloc_array(n, sizeof(int)),
               .label = dn_alloc_array(n, sizeof(int))};
    dn_design *train = NULL, *test = NULL;
    dn_status status;
    make_split(f, part, &s);
    DN_TRY_GO(f->rows->make(f->rows->ctx, s.train, s.n_train, &train), done);
    DN_TRY_GO(f->rows->make(f->rows->ctx, s.test, s.n_test, &test), done);
    try_strengths(f, &s, train, test);
done:
    dn_design_free(train);
    dn_design_free(test);
    free(s.train);
    free(s.test);
    free(s.label);
    return status;
}

/* ---- the whole ---- */

static dn_outcomes *outcomes_of(const dn_labelled *rows, const int *decided) {
    dn_outcomes *outcomes = dn_outcomes_new(rows->n_labels);
    bool *right = dn_alloc_array((size_t)rows->n_labels, sizeof *right);
    bool *chosen = dn_alloc_array((size_t)rows->n_labels, sizeof *chosen);
    for (int i = 0; i < rows->n_rows; i++) {
        right[rows->label[i]] = chosen[decided[i]] = true;
        dn_outcomes_add(outcomes, right, chosen);
        right[rows->label[i]] = chosen[decided[i]] = false;
    }
    free(right);
    free(chosen);
    return outcomes;
}

static const dn_metric of_f1 = {DN_METRIC_F1, NULL}, of_accuracy = {DN_METRIC_ACCURACY, NULL};

static int choose_strength(const folding *f) {
    int best = 0;
    double best_f1 = -1;
    for (int i = 0; i < DN_STRENGTHS; i++) {
        dn_outcomes *outcomes = outcomes_of(f->rows, f->decided[i]);
        double f1 = dn_outcomes_measure(outcomes, of_f1, (dn_rows){NULL, f->rows->n_rows});
        dn_outcomes_free(outcomes);
        if (f1 > best_f1 || (f1 == best_f1 && f->loss[i] < f->loss[best])) {
            best = i;
            best_f1 = f1;
        }
    }
    return best;
}

static void measure(const folding *f, dn_expected *out) {
    dn_rows all = {NULL, f->rows->n_rows};
    double value[DRAWS];
    dn_outcomes *outcomes = outcomes_of(f->rows, out->decided);
    out->f1 = dn_outcomes_measure(outcomes, of_f1, all);
    out->accuracy = dn_outcomes_measure(outcomes, of_accuracy, all);
    dn_outcomes_bootstrap(outcomes, of_f1, all, DRAWS, SEED, value);
    out->f1_interval = dn_interval_of(value, DRAWS);
    dn_outcomes_bootstrap(outcomes, of_accuracy, all, DRAWS, SEED, value);
    out->accuracy_interval = dn_interval_of(value, DRAWS);
    dn_outcomes_free(outcomes);
}

dn_status dn_folds_expect(const dn_labelled *rows, dn_expected *out) {
    size_t n = (size_t)rows->n_rows;
    folding f = {.rows = rows, .part = dn_alloc_array(n, sizeof(int))};
    for (int i = 0; i < DN_STRENGTHS; i++) {
        f.decided[i] = dn_alloc_array(n, sizeof(int));
        f.probability[i] = dn_alloc_array(n, sizeof(float));
    }
    choose_parts(&f);
    dn_status status = DN_OK;
    for (int part = 0; part < DN_FOLDS && status == DN_OK; part++) {
        status = try_part(&f, part);
    }
    int best = status == DN_OK ? choose_strength(&f) : -1;
    if (status == DN_OK) {
        *out = (dn_expected){.strength = rows->strength[best],
                             .part = f.part,
                             .decided = f.decided[best],
                             .probability = f.probability[best]};
        measure(&f, out);
    }
    for (int i = 0; i < DN_STRENGTHS; i++) {
        if (i != best) {
            free(f.decided[i]);
            free(f.probability[i]);
        }
    }
    if (status != DN_OK) {
        free(f.part);
    }
    return status;
}

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double dn_threshold_keeping(const float *value, int n, double share) {
    float *sorted = dn_alloc_array((size_t)n, sizeof *sorted);
    memcpy(sorted, value, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_floats);
    double threshold = (double)sorted[(int)floor((1 - share) * n + 1e-9)];
    free(sorted);
    return floor(1e4 * threshold) / 1e4;
}

void dn_expected_free(dn_expected *expected) {
    free(expected->part);
    free(expected->decided);
    free(expected->probability);
    *expected = (dn_expected){0};
}

dn_status dn_folds_fit(const dn_labelled *rows, double strength, dn_logistic *out) {
    int *all = dn_alloc_array((size_t)rows->n_rows, sizeof *all);
    for (int i = 0; i < rows->n_rows; i++) {
        all[i] = i;
    }
    dn_design *x;
    dn_status status = rows->make(rows->ctx, all, rows->n_rows, &x);
    free(all);
    DN_TRY(status);
    dn_logistic_new(rows->n_columns, rows->n_labels, out);
    dn_logistic_fit(x, rows->label, &(dn_logistic_conf){strength, tolerance, MAX_STEPS}, out);
    dn_design_free(x);
    return DN_OK;
}
