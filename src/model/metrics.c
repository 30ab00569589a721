#include "model/metrics.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const dn_metric_names[DN_METRIC_KINDS] = {
    [DN_METRIC_F1] = "f1", [DN_METRIC_RECALL] = "recall", [DN_METRIC_ACCURACY] = "accuracy"};

/** What can come of a label; in counts and entries, label * KINDS + kind. */
enum { HIT, FALSE_ONE, MISSED, KINDS };

struct dn_outcomes {
    int n_labels, n_rows, rows_room;
    int32_t *start; /**< [n_rows + 1]: a text's entries */
    int32_t *entry; /**< label * KINDS + kind */
    size_t entries_room;
};

/* ---- keeping ---- */

dn_outcomes *dn_outcomes_new(int n_labels) {
    dn_outcomes *o = dn_alloc(sizeof *o);
    *o = (dn_outcomes){.n_labels = n_labels, .start = dn_alloc(sizeof *o->start)};
    return o;
}

void dn_outcomes_free(dn_outcomes *o) {
    if (o) {
        free(o->start);
        free(o->entry);
        free(o);
    }
}

int dn_outcomes_count(const dn_outcomes *o) {
    return o->n_rows;
}

static void make_room(dn_outcomes *o, size_t more) {
    size_t need = (size_t)o->start[o->n_rows] + more;
    if (o->n_rows == o->rows_room) {
        o->rows_room = 2 * o->rows_room + 64;
        o->start = dn_grow(o->start, (size_t)o->rows_room + 1, sizeof *o->start);
    }
    if (need > o->entries_room) {
        o->entries_room = 2 * need;
        o->entry = dn_grow(o->entry, o->entries_room, sizeof *o->entry);
    }
}

void dn_outcomes_add(dn_outcomes *o, const bool *right, const bool *decided) {
    make_room(o, (size_t)o->n_labels);
    int32_t end = o->start[o->n_rows];
    for (int label = 0; label < o->n_labels; label++) {
        if (right[label] || decided[label]) {
            int kind = !decided[label] ? MISSED : right[label] ? HIT : FALSE_ONE;
            o->entry[end++] = label * KINDS + kind;
        }
    }
    o->start[++o->n_rows] = end;
}

void dn_outcomes_append(dn_outcomes *o, const dn_outcomes *more) {
    assert(o->n_labels == more->n_labels);
    for (int row = 0; row < more->n_rows; row++) {
        int32_t begin = more->start[row], n = more->start[row + 1] - begin;
        make_room(o, (size_t)n);
        int32_t end = o->start[o->n_rows];
        memcpy(o->entry + end, more->entry + begin, (size_t)n * sizeof *o->entry);
        o->start[++o->n_rows] = end + n;
    }
}

bool dn_outcomes_right(const dn_outcomes *o, int row) {
    for (int32_t i = o->start[row]; i < o->start[row + 1]; i++) {
        if (o->entry[i] % KINDS != HIT) {
            return false;
        }
    }
    return true;
}

/* ---- counting ---- */

/** Counts of some texts. */
typedef struct tally {
    const dn_outcomes *outcomes;
    int64_t *count; /**< [n_labels][KINDS] */
    int64_t n, n_right;
} tally;

static tally tally_new(const dn_outcomes *o) {
    return (tally){o, dn_alloc_array((size_t)o->n_labels * KINDS, sizeof(int64_t)), 0, 0};
}

static void tally_reset(tally *t) {
    memset(t->count, 0, (size_t)t->outcomes->n_labels * KINDS * sizeof *t->count);
    t->n = t->n_right = 0;
}

static void tally_add(tally *t, int row) {
    const dn_outcomes *o = t->outcomes;
    bool right = true;
    for (int32_t i = o->start[row]; i < o->start[row + 1]; i++) {
        t->count[o->entry[i]]++;
        right = right && o->entry[i] % KINDS == HIT;
    }
    t->n++;
    t->n_right += right;
}

/** A label's rate; false where it has none. */
static bool rate_of(const int64_t *count, dn_metric_kind kind, double *out) {
    int64_t hits = count[HIT], missed = count[MISSED], wrong = count[FALSE_ONE];
    int64_t of = kind == DN_METRIC_F1 ? 2 * hits + wrong + missed : hits + missed;
    *out = of ? (double)(kind == DN_METRIC_F1 ? 2 * hits : hits) / (double)of : 0;
    return of > 0;
}

static double tally_value(const tally *t, dn_metric metric) {
    if (metric.kind == DN_METRIC_ACCURACY) {
        return t->n ? (double)t->n_right / (double)t->n : NAN;
    }
    double sum = 0, rate;
    int n = 0;
    for (int label = 0; label < t->outcomes->n_labels; label++) {
        bool wanted = !metric.of || metric.of[label];
        if (wanted && rate_of(t->count + (ptrdiff_t)label * KINDS, metric.kind, &rate)) {
            sum += rate;
            n++;
        }
    }
    return n ? sum / n : NAN;
}

static int row_at(dn_rows rows, int i) {
    return rows.row ? rows.row[i] : i;
}

double dn_outcomes_measure(const dn_outcomes *o, dn_metric metric, dn_rows rows) {
    tally t = tally_new(o);
    for (int i = 0; i < rows.n; i++) {
        tally_add(&t, row_at(rows, i));
    }
    double value = tally_value(&t, metric);
    free(t.count);
    return value;
}

/* ---- chance ---- */

/** SplitMix64. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double next_unit(uint64_t *state) {
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

static void draw(tally *tallies, int n_tallies, dn_rows rows, uint64_t *state) {
    for (int k = 0; k < n_tallies; k++) {
        tally_reset(&tallies[k]);
    }
    for (int i = 0; i < rows.n; i++) {
        int row = row_at(rows, (int)(next_unit(state) * rows.n));
        for (int k = 0; k < n_tallies; k++) {
            tally_add(&tallies[k], row);
        }
    }
}

void dn_outcomes_bootstrap(const dn_outcomes *o, dn_metric metric, dn_rows rows, int n_draws,
                           uint64_t seed, double *value) {
    tally t = tally_new(o);
    for (int i = 0; i < n_draws; i++) {
        draw(&t, 1, rows, &seed);
        value[i] = tally_value(&t, metric);
    }
    free(t.count);
}

void dn_outcomes_bootstrap_pair(const dn_outcomes *first, const dn_outcomes *second,
                                dn_metric metric, dn_rows rows, int n_draws, uint64_t seed,
                                double *value) {
    assert(first->n_rows == second->n_rows && first->n_labels == second->n_labels);
    tally t[2] = {tally_new(first), tally_new(second)};
    for (int i = 0; i < n_draws; i++) {
        draw(t, 2, rows, &seed);
        value[i] = tally_value(&t[1], metric) - tally_value(&t[0], metric);
    }
    free(t[0].count);
    free(t[1].count);
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** The value below which a share of the sorted ones lies, between two neighbours by line. */
static double quantile(const double *value, int n, double share) {
    double at = share * (n - 1);
    int below = (int)at, above = below + 1 < n ? below + 1 : below;
    return value[below] + (at - below) * (value[above] - value[below]);
}

dn_interval dn_interval_of(double *value, int n) {
    int kept = 0;
    for (int i = 0; i < n; i++) {
        if (!isnan(value[i])) {
            value[kept++] = value[i];
        }
    }
    if (kept == 0) {
        return (dn_interval){NAN, NAN};
    }
    qsort(value, (size_t)kept, sizeof *value, compare_doubles);
    return (dn_interval){quantile(value, kept, 0.025), quantile(value, kept, 0.975)};
}

dn_interval dn_share_interval(int64_t k, int64_t n) {
    const double z = 1.959964, z2 = z * z;
    if (n == 0) {
        return (dn_interval){0, 1};
    }
    double share = (double)k / (double)n, whole = (double)n + z2;
    double middle = ((double)k + z2 / 2) / whole;
    double half = z / whole * sqrt((double)n * share * (1 - share) + z2 / 4);
    return (dn_interval){fmax(0, middle - half), fmin(1, middle + half)};
}

/** Twice the chance of at most k heads in n throws of a fair coin, at most 1. */
static double two_sided(int k, int n) {
    double sum = 0;
    for (int i = 0; i <= k; i++) {
        sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) - n * log(2.0));
    }
    return fmin(1, 2 * sum);
}

dn_pairs dn_outcomes_pairs(const dn_outcomes *first, const dn_outcomes *second, dn_rows rows) {
    dn_pairs pairs = {0};
    for (int i = 0; i < rows.n; i++) {
        int row = row_at(rows, i);
        bool a = dn_outcomes_right(first, row), b = dn_outcomes_right(second, row);
        pairs.first_only += a && !b;
        pairs.second_only += b && !a;
    }
    int n = pairs.first_only + pairs.second_only;
    int k = pairs.first_only < pairs.second_only ? pairs.first_only : pairs.second_only;
    pairs.p = two_sided(k, n);
    return pairs;
}

/* ---- inside and outside ---- */

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/** Of lists that it sorts. */
static dn_separation separate(float *in, int n_in, float *out, int n_out, double kept) {
    if (n_in == 0 || n_out == 0) {
        return (dn_separation){NAN, NAN, NAN};
    }
    qsort(in, (size_t)n_in, sizeof *in, compare_floats);
    qsort(out, (size_t)n_out, sizeof *out, compare_floats);
    int lost = (int)floor((1 - kept) * n_in + 1e-9);
    float threshold = in[lost < n_in ? lost : n_in - 1];
    double higher = 0;
    int below = 0, equal = 0, rejected = 0;
    for (int i = 0; i < n_in; i++) {
        for (; below < n_out && out[below] < in[i]; below++) {
        }
        for (equal = below; equal < n_out && out[equal] == in[i]; equal++) {
        }
        higher += below + 0.5 * (equal - below);
    }
    for (; rejected < n_out && out[rejected] < threshold; rejected++) {
    }
    return (dn_separation){higher / n_in / n_out, (double)rejected / n_out, (double)threshold};
}

dn_separation dn_separate(const float *score, int n_inside, int n_outside, double kept) {
    size_t n = (size_t)n_inside + (size_t)n_outside;
    float *copy = dn_alloc_array(n, sizeof *copy);
    memcpy(copy, score, n * sizeof *copy);
    dn_separation found = separate(copy, n_inside, copy + n_inside, n_outside, kept);
    free(copy);
    return found;
}

void dn_separation_bootstrap(const float *score, int n_inside, int n_outside, double kept,
                             int n_draws, uint64_t seed, double *auroc, double *recall) {
    size_t n = (size_t)n_inside + (size_t)n_outside;
    float *drawn = dn_alloc_array(n, sizeof *drawn);
    for (int k = 0; k < n_draws; k++) {
        for (int i = 0; i < n_inside; i++) {
            drawn[i] = score[(int)(next_unit(&seed) * n_inside)];
        }
        for (int i = 0; i < n_outside; i++) {
            drawn[n_inside + i] = score[n_inside + (int)(next_unit(&seed) * n_outside)];
        }
        dn_separation found = separate(drawn, n_inside, drawn + n_inside, n_outside, kept);
        auroc[k] = found.auroc;
        recall[k] = found.recall;
    }
    free(drawn);
}

/* ---- calibration ---- */

typedef struct bins {
    double confidence[DN_CALIBRATION_BINS], right[DN_CALIBRATION_BINS];
} bins;

static void bins_add(bins *b, float confidence, bool right) {
    int i = (int)(confidence * DN_CALIBRATION_BINS);
    i = i < 0 ? 0 : i >= DN_CALIBRATION_BINS ? DN_CALIBRATION_BINS - 1 : i;
    b->confidence[i] += (double)confidence;
    b->right[i] += right;
}

/** Sums in place of means: the sizes of the bins cancel. */
static double bins_error(const bins *b, size_t n) {
    double error = 0;
    for (int i = 0; i < DN_CALIBRATION_BINS; i++) {
        error += fabs(b->confidence[i] - b->right[i]);
    }
    return n ? error / (double)n : 0;
}

double dn_calibration_error(const float *confidence, const bool *right, size_t n) {
    bins b = {{0}, {0}};
    for (size_t i = 0; i < n; i++) {
        bins_add(&b, confidence[i], right[i]);
    }
    return bins_error(&b, n);
}

double dn_calibration_noise(const float *confidence, size_t n, int n_draws, uint64_t seed) {
    double sum = 0;
    for (int k = 0; k < n_draws; k++) {
        bins b = {{0}, {0}};
        for (size_t i = 0; i < n; i++) {
            bins_add(&b, confidence[i], next_unit(&seed) < (double)confidence[i]);
        }
        sum += bins_error(&b, n);
    }
    return n_draws ? sum / n_draws : 0;
}
