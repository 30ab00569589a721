/* The oracles of the narrow precisions: operands rounded as narrow.h says and kept as floats (whole
 * numbers for int8), sums in double, where those of int8 are exact. All else is `ref`. */
#include "kernels/narrow.h"
#include "base/memory.h"
#include "kernels/ref/ref.h"

#include <assert.h>

typedef float round_row(const float *x, int n, float *out); /* returns the scale */

static float round_levels(const float *x, int n, int levels, float full, float *out) {
    float factor = dn_narrow_factor(full, levels);
    for (int i = 0; i < n; i++) {
        out[i] = rintf(x[i] * factor);
    }
    return dn_narrow_scale(full, levels);
}

static float round_weights(const float *x, int n, float *out) {
    return round_levels(x, n, DN_WEIGHT_LEVELS, dn_weight_full_scale(x, n), out);
}
static float round_u8(const float *x, int n, float *out) {
    float lowest = 0, highest = 0;
    for (int i = 0; i < n; i++) {
        lowest = fminf(lowest, x[i]);
        highest = fmaxf(highest, x[i]);
    }
    dn_rounding r = dn_rounding_u8(lowest, highest);
    for (int i = 0; i < n; i++) {
        float q = rintf(x[i] * r.factor) + (float)r.zero;
        out[i] = fminf(255, fmaxf(0, q)) - (float)r.zero;
    }
    return r.scale;
}
static float round_int12(const float *x, int n, float *out) {
    return round_levels(x, n, 2047, dn_largest(x, n), out);
}
static float round_bf16(const float *x, int n, float *out) {
    for (int i = 0; i < n; i++) {
        out[i] = dn_bf16_float(dn_bf16_of(x[i]));
    }
    return 1;
}

/** Packed: the rounded matrix [n][k], then its scales [n]. */
static dn_status pack(const float *w, int n, int k, round_row *round, dn_weight *out) {
    if (n < DN_NARROW_MIN_OUTPUTS) {
        return dn_kernels_ref.pack(w, n, k, out);
    }
    DN_TRY(dn_narrow_check(w, n, k));
    size_t bytes = (size_t)n * ((size_t)k + 1) * sizeof(float);
    float *packed = dn_alloc_aligned(64, bytes), *scale = packed + (size_t)n * (size_t)k;
    for (size_t j = 0; j < (size_t)n; j++) {
        scale[j] = round(w + j * (size_t)k, k, packed + j * (size_t)k);
    }
    *out = (dn_weight){.n = n, .k = k, .layout = "ref:narrow", .bytes = bytes, .packed = packed};
    return DN_OK;
}

static void linear(const dn_linear_args *a, round_row *round) {
    int n = a->weight->n, k = a->weight->k;
    float x[DN_NARROW_MAX_INPUTS];
    if (n < DN_NARROW_MIN_OUTPUTS) {
        dn_kernels_ref.linear(a);
        return;
    }
    assert(strcmp(a->weight->layout, "ref:narrow") == 0);
    const float *w = a->weight->packed;
    for (int t = 0; t < a->n_tokens; t++) {
        memcpy(x, a->x + (size_t)t * (size_t)k, (size_t)k * sizeof *x);
        for (int i = 0; a->kept && i < a->kept->n; i++) {
            x[a->kept->input[i]] = 0;
        }
        float scale = round(x, k, x);
        dn_ref_linear_row(a, t, x, w, (double)scale, w + (size_t)n * (size_t)k);
    }
}

#define DN_ORACLE(name_, precision_, round_weight, round_activation)                               \
    static dn_status pack_##name_(const float *w, int n, int k, dn_weight *out) {                  \
        return pack(w, n, k, round_weight, out);                                                   \
    }                                                                                              \
    static void linear_##name_(const dn_linear_args *a) {                                          \
        linear(a, round_activation);                                                               \
    }                                                                                              \
    const dn_kernels dn_kernels_ref_##name_ = {                                                    \
        .name = "ref",                                                                             \
        .isa = "scalar",                                                                           \
        .precision = precision_,                                                                   \
        .pack = pack_##name_,                                                                      \
        .attention_scratch = dn_ref_attention_scratch,                                             \
        .embed = dn_ref_embed,                                                                     \
        .linear = linear_##name_,                                                                  \
        .add_norm = dn_ref_add_norm,                                                               \
        .attention = dn_ref_attention,                                                             \
        .pool = dn_ref_pool,                                                                       \
        .softmax = dn_ref_softmax,                                                                 \
        .measure_peak = dn_ref_measure_peak,                                                       \
        .oracle = &dn_kernels_ref_##name_,                                                         \
    }

DN_ORACLE(int8, "int8", round_weights, round_u8);
DN_ORACLE(int12, "int8", round_weights, round_int12);
DN_ORACLE(bf16, "bf16", round_bf16, round_bf16);
