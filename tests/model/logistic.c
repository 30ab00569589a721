/* Logistic regression against scikit-learn's (tests/data/make_goldens_logistic.py), rows packed for
 * every fp32 backend and sparse; cross-validation on rows whose answer is known. */
#include "base/memory.h"
#include "model/folds.h"
#include "model/safetensors.h"
#include "test.h"

enum { MOST = 4096 };

typedef struct golden {
    dn_safetensors *file;
    int n_rows, n_columns, n_labels;
    float x[MOST];
    int label[MOST], row[MOST];
} golden;

static const dn_tensor *tensor(const golden *g, const char *strength, const char *what) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", strength, what);
    return dn_safetensors_find(g->file, name);
}

static bool open_golden(golden *g) {
    if (dn_safetensors_open("tests/data/golden/logistic.safetensors", &g->file) != DN_OK) {
        return false;
    }
    const dn_tensor *x = dn_safetensors_find(g->file, "x"),
                    *label = dn_safetensors_find(g->file, "label");
    g->n_rows = (int)x->dim[0];
    g->n_columns = (int)x->dim[1];
    g->n_labels = (int)tensor(g, "1", "bias")->dim[0];
    for (int i = 0; i < g->n_rows; i++) {
        int32_t value;
        memcpy(&value, (const char *)label->data + 4 * (size_t)i, sizeof value);
        g->label[i] = value;
        g->row[i] = i;
    }
    return dn_tensor_floats(g->file, x, 0, x->n_elements, g->x) == DN_OK;
}

static double farthest(const golden *g, const dn_tensor *want, const float *got) {
    static float values[MOST];
    double most = 0;
    if (dn_tensor_floats(g->file, want, 0, want->n_elements, values) != DN_OK) {
        return INFINITY;
    }
    for (uint64_t i = 0; i < want->n_elements; i++) {
        most = fmax(most, fabs((double)values[i] - (double)got[i]));
    }
    return most;
}

static void softmax(float *z, int n) {
    double sum = 0;
    for (int k = 0; k < n; k++) {
        sum += exp((double)z[k]);
    }
    for (int k = 0; k < n; k++) {
        z[k] = (float)(exp((double)z[k]) / sum);
    }
}

/** The same numbers with every column its own n-gram. */
static dn_sparse as_sparse(const golden *g) {
    size_t n = (size_t)g->n_rows * (size_t)g->n_columns;
    dn_sparse s = {.n_rows = g->n_rows,
                   .n_columns = g->n_columns,
                   .begin = dn_alloc_array((size_t)g->n_rows + 1, sizeof *s.begin),
                   .column = dn_alloc_array(n, sizeof *s.column),
                   .value = dn_alloc_array(n, sizeof *s.value)};
    for (size_t i = 0; i < n; i++) {
        s.column[i] = (int32_t)(i % (size_t)g->n_columns);
        s.value[i] = g->x[i];
    }
    for (int i = 0; i <= g->n_rows; i++) {
        s.begin[i] = (int64_t)i * g->n_columns;
    }
    return s;
}

static void fit_and_compare(const golden *g, dn_design *x, bool by_label) {
    static const char *const strengths[] = {"0.01", "1", "10"};
    static float z[MOST];
    dn_logistic l;
    dn_logistic_new(g->n_columns, g->n_labels, &l);
    for (size_t i = 0; i < sizeof strengths / sizeof *strengths; i++) {
        dn_logistic_conf conf = {atof(strengths[i]), 1e-5, 2000};
        int steps = dn_logistic_fit(x, g->label, &conf, &l);
        EXPECT(steps > 0 && steps < 2000);
        dn_logistic_score(&l, x, z);
        for (int row = 0; row < g->n_rows; row++) {
            softmax(z + row * g->n_labels, g->n_labels);
        }
        EXPECT(farthest(g, tensor(g, strengths[i], "probability"), z) < 1e-3);
        if (by_label) {
            EXPECT(farthest(g, tensor(g, strengths[i], "weight"), l.weight) < 1e-2);
            double mean = 0;
            for (int k = 0; k < g->n_labels; k++) {
                mean += (double)l.bias[k] / g->n_labels;
            }
            for (int k = 0; k < g->n_labels; k++) {
                l.bias[k] = (float)((double)l.bias[k] - mean);
            }
            EXPECT(farthest(g, tensor(g, strengths[i], "bias"), l.bias) < 1e-2);
        }
    }
    dn_logistic_free(&l);
}

CASE(dense_rows_give_what_scikit_learn_gives) {
    static const char *const backends[] = {"ref", "fp32"};
    static golden g;
    REQUIRE(open_golden(&g));
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        const dn_kernels *kernels;
        dn_design *x;
        REQUIRE(dn_kernels_select(backends[i], &kernels) == DN_OK);
        REQUIRE(dn_design_dense(kernels, g.x, g.n_columns, g.row, g.n_rows, &x) == DN_OK);
        fit_and_compare(&g, x, true);
        dn_design_free(x);
    }
    dn_safetensors_close(g.file);
}

CASE(sparse_rows_give_the_same) {
    static golden g;
    REQUIRE(open_golden(&g));
    dn_sparse s = as_sparse(&g);
    dn_design *x = dn_design_sparse(&s, g.row, g.n_rows);
    fit_and_compare(&g, x, false);
    dn_design_free(x);
    dn_sparse_free(&s);
    dn_safetensors_close(g.file);
}

static dn_status make_sparse(const void *ctx, const int *row, int n_rows, dn_design **out) {
    *out = dn_design_sparse(ctx, row, n_rows);
    return DN_OK;
}

static const double strengths[DN_STRENGTHS] = {1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000};

CASE(labels_that_the_rows_do_not_tell_are_guessed) {
    static golden g;
    static int label[MOST];
    REQUIRE(open_golden(&g));
    dn_sparse s = as_sparse(&g);
    for (int i = 0; i < g.n_rows; i++) {
        label[i] = i / g.n_labels % 2; /* the rows go round all labels */
    }
    dn_labelled rows = {g.n_rows, 2, g.n_columns, label, strengths, make_sparse, &s};
    dn_expected e;
    REQUIRE(dn_folds_expect(&rows, &e) == DN_OK);
    EXPECT(e.accuracy > 0.35 && e.accuracy < 0.65); /* trained and judged on all: 0.7 */
    dn_expected_free(&e);
    dn_sparse_free(&s);
    dn_safetensors_close(g.file);
}

CASE(a_column_that_tells_is_found_and_two_runs_are_equal) {
    static golden g;
    REQUIRE(open_golden(&g));
    for (int i = 0; i < g.n_rows; i++) {
        for (int k = 0; k < g.n_labels; k++) {
            g.x[i * g.n_columns + k] = g.label[i] == k ? 3 : 0;
        }
    }
    dn_sparse s = as_sparse(&g);
    dn_labelled rows = {g.n_rows, g.n_labels, g.n_columns, g.label, strengths, make_sparse, &s};
    dn_expected a, b;
    REQUIRE(dn_folds_expect(&rows, &a) == DN_OK && dn_folds_expect(&rows, &b) == DN_OK);
    EXPECT(a.f1 > 0.99 && a.accuracy > 0.99 && a.f1_interval.high == 1);
    EXPECT(memcmp(a.decided, b.decided, (size_t)g.n_rows * sizeof *a.decided) == 0);
    EXPECT(memcmp(a.probability, b.probability, (size_t)g.n_rows * sizeof *a.probability) == 0);
    for (int percent = 1; percent < 100; percent++) {
        double below = dn_threshold_keeping(a.probability, g.n_rows, percent / 100.0);
        int kept = 0, tighter = 0;
        for (int i = 0; i < g.n_rows; i++) {
            kept += (double)a.probability[i] >= below;
            tighter += (double)a.probability[i] >= below + 2e-4;
        }
        EXPECT(100 * kept >= percent * g.n_rows && 100 * tighter <= percent * g.n_rows + 100);
    }
    dn_expected_free(&a);
    dn_expected_free(&b);
    dn_sparse_free(&s);
    dn_safetensors_close(g.file);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
