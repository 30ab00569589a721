#ifndef DN_CPU_SIMD_H
#define DN_CPU_SIMD_H
/** AVX-512 as the vocabulary of the cpu kernels; simd_avx2.h says the same in other words. */
#include <immintrin.h>
#include <stdint.h>

#define DN_GELU "kernels/cpu/gelu_table.h"

typedef __m512 vec;

/* A tile of 14 x 32 sums takes 28 of the 32 registers, the panel's row 2, the broadcast 1. */
enum { VW = 16, TILE_ROWS = 14, TILE_VECS = 2 };
#define DN_EACH_TILE_HEIGHT(X)                                                                     \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

static inline vec v_set(float x) {
    return _mm512_set1_ps(x);
}
static inline vec v_load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vec x) {
    _mm512_storeu_ps(p, x);
}
/** The first n lanes; the others read as zero. */
static inline vec v_load_part(const float *p, int n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
static inline void v_store_part(float *p, int n, vec x) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), x);
}
/** x in the first n lanes, y in the others. */
static inline vec v_select_part(int n, vec x, vec y) {
    return _mm512_mask_blend_ps((__mmask16)((1u << n) - 1), y, x);
}
static inline vec v_add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
static inline vec v_sub(vec a, vec b) {
    return _mm512_sub_ps(a, b);
}
static inline vec v_mul(vec a, vec b) {
    return _mm512_mul_ps(a, b);
}
static inline vec v_div(vec a, vec b) {
    return _mm512_div_ps(a, b);
}
/** a * b + c, rounded once. */
static inline vec v_fma(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
/** The second operand where one is a NaN. */
static inline vec v_min(vec a, vec b) {
    return _mm512_min_ps(a, b);
}
static inline vec v_max(vec a, vec b) {
    return _mm512_max_ps(a, b);
}
static inline vec v_round(vec x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/** x * 2^n for whole n of -126 to 127. */
static inline vec v_scale(vec x, vec n) {
    return _mm512_scalef_ps(x, n);
}
static inline float v_sum(vec x) {
    return _mm512_reduce_add_ps(x);
}
static inline float v_largest(vec x) {
    return _mm512_reduce_max_ps(x);
}

/** Rows become columns: four steps of pairs, each moving one bit of the index. */
static inline void v_transpose(vec r[VW]) {
    vec t[VW];
    for (int i = 0; i < VW; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < VW; i += 4) {
        for (int j = 0; j < 2; j++) {
            __m512d low = _mm512_castps_pd(t[i + j]), high = _mm512_castps_pd(t[i + j + 2]);
            r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    for (int i = 0; i < 4; i++) {
        vec a = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        vec b = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        vec c = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        vec d = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        t[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
    for (int i = 0; i < VW; i++) {
        r[i] = t[i];
    }
}

#endif
