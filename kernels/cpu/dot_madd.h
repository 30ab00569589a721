#ifndef DN_CPU_DOT_H
#define DN_CPU_DOT_H
/** Dot products in 16 bits by vpmaddwd of plain AVX2; after simd_avx2.h.
 *
 * The 8-bit weights are held as s16, and activations have 12 bits: products of bytes (vpmaddubsw)
 * would be as fast and saturate. */
#include "kernels/narrow.h"

#include <string.h>

enum { NARROW_LEVELS = 2047, NARROW_BLOCK = 8 * TILE_ROWS, NARROW_STEP = 16, HAS_ZERO = 0 };

typedef int16_t activation_t;
typedef int16_t weight_t;
typedef int32_t sum_t;
typedef __m256i sums;

static inline sums d_zero(void) {
    return _mm256_setzero_si256();
}
static inline sums d_load(const sum_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}
static inline void d_store(sum_t *p, sums x) {
    _mm256_storeu_si256((__m256i *)(void *)p, x);
}
/** The same group of activations in every lane. */
static inline sums d_broadcast(const activation_t *p) {
    int32_t group;
    memcpy(&group, p, sizeof group);
    return _mm256_set1_epi32(group);
}
static inline sums d_weights(const weight_t *p) {
    return _mm256_load_si256((const __m256i *)(const void *)p);
}
static inline sums d_dot(sums sum, sums x, sums w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}
static inline vec d_float(sums x) {
    return _mm256_cvtepi32_ps(x);
}

/** The largest |x| of those that others[n] lets through; NULL: all. */
static inline float row_largest(const float *x, const float *others, int n) {
    vec top = v_set(0);
    for (int j = 0; j < n; j += VW) {
        vec y = load_row(x + j, n - j);
        y = others ? v_mul(y, load_row(others + j, n - j)) : y;
        top = v_max(top, v_max(y, v_sub(v_set(0), y)));
    }
    return v_largest(top);
}

static inline dn_rounding activation_rounding(const float *x, const float *others, int n) {
    float largest = row_largest(x, others, n);
    return (dn_rounding){dn_narrow_factor(largest, NARROW_LEVELS),
                         dn_narrow_scale(largest, NARROW_LEVELS), 0};
}
static inline void store_narrow(activation_t *out, const vec x[NARROW_STEP / VW], int zero) {
    (void)zero;
    __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute4x64_epi64(words, 0xd8));
}

#endif
