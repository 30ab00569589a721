/* The narrow precisions: how far rounding may move a result, and that nothing saturates or
 * overflows where rows are extreme. That they round as narrow.h says is conformance.c's matter. */
#include "linear.h"

#include "kernels/narrow.h"

static double range_of(const float *x, int n) {
    float lowest = 0, highest = 0;
    for (int i = 0; i < n; i++) {
        lowest = fminf(lowest, x[i]), highest = fmaxf(highest, x[i]);
    }
    return (double)highest - (double)lowest;
}

/** |int8 - fp32| cannot exceed what rounding both operands to their levels can make of it. */
static void check_rounding(const dn_kernels *kernels, const char *name) {
    static const int sizes[][2] = {{7, 33}, {65, 17}, {384, 48}, {1537, 31}};
    enum { TOKENS = 19 };
    bool has_12_bits = strcmp(kernels->isa, "avx2-s16") == 0;
    if (strcmp(kernels->precision, "int8") != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        linear_shape s = {TOKENS, sizes[i][0], sizes[i][1], DN_ACT_NONE, true, false, false, 0};
        size_t k = (size_t)s.k, n = (size_t)s.n;
        float *x = random_floats(TOKENS * k, 1.7f), *w = random_floats(n * k, 0.3f);
        output got = output_new(TOKENS * n), want = output_new(TOKENS * n);
        run_linear(kernels, &s, x, w, x, x, &got);
        run_linear(ref(), &s, x, w, x, x, &want);
        for (size_t j = 0; j < TOKENS * n; j++) {
            const float *row = x + j / n * k, *column = w + j % n * k;
            double step = has_12_bits ? dn_largest(row, s.k) / 2047.0 : range_of(row, s.k) / 255.0;
            double w_step = dn_largest(column, s.k) / 127.0;
            double bound = 1e-5 + (double)k * step * w_step / 4;
            for (size_t c = 0; c < k; c++) {
                bound += step / 2 * fabs((double)column[c]) + w_step / 2 * fabs((double)row[c]);
            }
            bool within = fabs((double)got.at[j] - (double)want.at[j]) <= bound;
            if (!within) {
                fprintf(stderr, "%s: K=%d N=%d: element %zu is %g, exactly %g, bound %g\n", name,
                        s.k, s.n, j, (double)got.at[j], (double)want.at[j], bound);
            }
            EXPECT(within);
        }
        output_free(&got), output_free(&want);
        free(x), free(w);
    }
}

CASE(int8_is_off_by_no_more_than_its_levels) {
    for_each_backend(check_rounding, "ref");
}

/** Weights that are whole numbers of a power of two lose nothing: with rows of zero and one other
 * value, which is a level of each precision, the sums are those of fp32. The largest of some
 * outputs is far below level 127, and none is at it. */
static void check_whole_weights(const dn_kernels *kernels, const char *name) {
    static const int sizes[][2] = {{7, 33}, {65, 17}, {384, 48}};
    enum { TOKENS = 19 };
    if (strcmp(kernels->precision, "int8") != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        linear_shape s = {TOKENS, sizes[i][0], sizes[i][1], DN_ACT_NONE, true, false, false, 0};
        size_t k = (size_t)s.k, n = (size_t)s.n;
        float *x = random_floats(TOKENS * k, 1), *w = random_floats(n * k, 1);
        for (size_t j = 0; j < TOKENS * k; j++) {
            x[j] = x[j] < 0 ? 0 : 2;
        }
        for (size_t j = 0; j < n * k; j++) {
            float most = j / k % 3 == 0 ? 5 : 101;
            w[j] = ldexpf(rintf(w[j] * most), -7 - (int)(j / k % 4));
        }
        output got = output_new(TOKENS * n), want = output_new(TOKENS * n);
        run_linear(kernels, &s, x, w, x, x, &got);
        run_linear(ref(), &s, x, w, x, x, &want);
        for (size_t j = 0; j < TOKENS * n; j++) {
            if (!(fabs((double)got.at[j] - (double)want.at[j]) <= 1e-5 * (double)k)) {
                fprintf(stderr, "%s: K=%d N=%d: element %zu is %g, exactly %g\n", name, s.k, s.n, j,
                        (double)got.at[j], (double)want.at[j]);
                EXPECT(!"the exact sum");
            }
        }
        output_free(&got), output_free(&want);
        free(x), free(w);
    }
}

CASE(int8_loses_nothing_of_weights_that_are_whole_numbers_of_a_step) {
    for_each_backend(check_whole_weights, "ref");
}

/** A few inputs a hundred times as large as the others: kept apart, they are exact and take no step
 * of the others, whose bound is that of their own range. */
static void check_kept(const dn_kernels *kernels, const char *name) {
    static const int sizes[][2] = {{5, 17}, {65, 33}, {384, 48}, {1536, 31}};
    enum { TOKENS = 19 };
    bool has_12_bits = strcmp(kernels->isa, "avx2-s16") == 0;
    if (strcmp(kernels->precision, "int8") != 0) {
        return;
    }
    for (int round = 0; round < 16; round++) {
        const int *size = sizes[round % 4];
        linear_shape s = {TOKENS, size[0], size[1], DN_ACT_NONE, true, false, false, 1 + round / 4};
        linear_shape plain = s;
        plain.n_kept = 0;
        size_t k = (size_t)s.k, n = (size_t)s.n;
        float *x = random_floats(TOKENS * k, 1.7f), *w = random_floats(n * k, 0.3f);
        float *others = floats_of(TOKENS * k);
        memcpy(others, x, TOKENS * k * sizeof *x);
        for (size_t t = 0; t < TOKENS; t++) {
            for (int i = 0; i < s.n_kept; i++) {
                x[t * k + (size_t)kept_input(&s, i)] = random_float(170);
                others[t * k + (size_t)kept_input(&s, i)] = 0;
            }
        }
        output got = output_new(TOKENS * n), want = output_new(TOKENS * n);
        run_linear(kernels, &s, x, w, x, x, &got);
        run_linear(ref(), &plain, x, w, x, x, &want);
        for (size_t j = 0; j < TOKENS * n; j++) {
            const float *row = others + j / n * k, *column = w + j % n * k;
            double step = has_12_bits ? dn_largest(row, s.k) / 2047.0 : range_of(row, s.k) / 255.0;
            double w_step = dn_largest(column, s.k) / 127.0;
            double bound = 2e-4 + (double)k * step * w_step / 4;
            for (size_t c = 0; c < k; c++) {
                bound += row[c] != 0 ? step / 2 * fabs((double)column[c]) : 0;
                bound += w_step / 2 * fabs((double)row[c]);
            }
            bool within = fabs((double)got.at[j] - (double)want.at[j]) <= bound;
            if (!within) {
                fprintf(stderr, "%s: K=%d N=%d, %d kept: element %zu is %g, exactly %g, bound %g\n",
                        name, s.k, s.n, s.n_kept, j, (double)got.at[j], (double)want.at[j], bound);
            }
            EXPECT(within);
        }
        output_free(&got), output_free(&want);
        free(x), free(w), free(others);
    }
}

CASE(inputs_kept_apart_cost_the_others_nothing) {
    for_each_backend(check_kept, "ref");
}

/* Rows as no model should make them, but may. */
static void all_largest(float *x, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) {
        x[i] = scale;
    }
}
static void alternating(float *x, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) {
        x[i] = i % 2 ? -scale : scale;
    }
}
static void one_outlier(float *x, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) {
        x[i] = i == n / 2 ? -1000 * scale : random_float(scale);
    }
}
static void all_zero(float *x, size_t n, float scale) {
    (void)scale;
    memset(x, 0, n * sizeof *x);
}
static void half_levels(float *x, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) {
        x[i] = i == 0 ? 127 * scale : ((float)(i % 254) - 126.5f) * scale;
    }
}
static void (*const fillings[])(float *, size_t, float) = {all_largest, alternating, one_outlier,
                                                           all_zero, half_levels};
enum { N_FILLINGS = sizeof fillings / sizeof *fillings };

/** Each filling as activations against each as weights: sums at the edge of their range, ties,
 * zeros, scales at the edge of float. Results are compared in units of the sum of |x w|, and must
 * be finite where that is. */
static void check_extremes(const dn_kernels *kernels, const char *name) {
    static const float scales[] = {1, 1e-18f, 1e15f, 1e-33f};
    static const int inputs[] = {1, 63, 384, 2049, 8192};
    enum { TOKENS = 3, OUTPUTS = 33 };
    bool is_exact = strcmp(kernels->precision, "int8") == 0;
    for (int round = 0; round < N_FILLINGS * N_FILLINGS * 5 * 4; round++) {
        int of_x = round % N_FILLINGS, of_w = round / N_FILLINGS % N_FILLINGS;
        int k = inputs[round / 25 % 5];
        float scale = scales[round / 125];
        linear_shape s = {TOKENS, k, OUTPUTS, DN_ACT_NONE, true, false, false, 0};
        size_t wide = (size_t)k;
        float *x = floats_of(TOKENS * wide), *w = floats_of(OUTPUTS * wide);
        for (size_t t = 0; t < TOKENS; t++) {
            fillings[of_x](x + t * wide, wide, scale);
        }
        for (size_t j = 0; j < OUTPUTS; j++) {
            fillings[of_w](w + j * wide, wide, j % 2 ? -1 : 0.02f);
        }
        output got = output_new(TOKENS * OUTPUTS), want = output_new(TOKENS * OUTPUTS);
        run_linear(kernels, &s, x, w, x, x, &got);
        run_linear(kernels->oracle, &s, x, w, x, x, &want);
        for (size_t i = 0; i < TOKENS * OUTPUTS; i++) {
            double size = (double)dn_largest(x, k) * dn_largest(w + i % OUTPUTS * wide, k) * k;
            double error = fabs((double)got.at[i] - (double)want.at[i]);
            if (!(error <= (is_exact ? 1e-6 : k * 0x1p-24 + 1e-6) * size + 1e-37)) {
                fprintf(stderr, "%s: x %d, w %d, K=%d, scale %g: %g, expected %g\n", name, of_x,
                        of_w, k, (double)scale, (double)got.at[i], (double)want.at[i]);
                EXPECT(!"the expected sum");
                break;
            }
        }
        output_free(&got), output_free(&want);
        free(x), free(w);
    }
}

CASE(extreme_rows_neither_saturate_nor_overflow) {
    for_each_backend(check_extremes, "ref");
}

/** A matrix that a narrow precision cannot hold is refused by name. */
static void check_refusals(const dn_kernels *kernels, const char *name) {
    enum { OUTPUTS = 20, INPUTS = DN_NARROW_MAX_INPUTS + 1 };
    if (strcmp(kernels->precision, "fp32") == 0) {
        return;
    }
    float *w = random_floats((size_t)OUTPUTS * INPUTS, 1);
    dn_weight weight = {0};
    EXPECT(kernels->pack(w, OUTPUTS, INPUTS, &weight) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_MODEL);
    w[5 * 384 + 7] = NAN;
    EXPECT(kernels->pack(w, OUTPUTS, 384, &weight) == DN_FATAL);
    if (!strstr(dn_failure_last()->text, "weight [5][7]")) {
        fprintf(stderr, "%s: %s\n", name, dn_failure_last()->text);
        EXPECT(!"the place of the weight");
    }
    EXPECT(!weight.packed);
    free(w);
}

CASE(narrow_precisions_refuse_what_they_cannot_hold) {
    for_each_backend(check_refusals, NULL);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
