#ifndef DN_CPU_SIMD_H
#define DN_CPU_SIMD_H
/** AVX2 with FMA as the vocabulary of the cpu kernels; simd_avx512.h says the same in other words.
 */
#include <immintrin.h>
#include <stdint.h>

#define DN_GELU "kernels/cpu/gelu_erf.h"

typedef __m256 vec;

/* A tile of 6 x 16 sums takes 12 of the 16 registers, the panel's row 2, the broadcast 1 or 2. */
enum { VW = 8, TILE_ROWS = 6, TILE_VECS = 2 };
#define DN_EACH_TILE_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6)

static inline __m256i v_lanes(int n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
}

static inline vec v_set(float x) {
    return _mm256_set1_ps(x);
}
static inline vec v_load(const float *p) {
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vec x) {
    _mm256_storeu_ps(p, x);
}
/** The first n lanes; the others read as zero. */
static inline vec v_load_part(const float *p, int n) {
    return _mm256_maskload_ps(p, v_lanes(n));
}
static inline void v_store_part(float *p, int n, vec x) {
    _mm256_maskstore_ps(p, v_lanes(n), x);
}
/** x in the first n lanes, y in the others. */
static inline vec v_select_part(int n, vec x, vec y) {
    return _mm256_blendv_ps(y, x, _mm256_castsi256_ps(v_lanes(n)));
}
static inline vec v_add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
static inline vec v_sub(vec a, vec b) {
    return _mm256_sub_ps(a, b);
}
static inline vec v_mul(vec a, vec b) {
    return _mm256_mul_ps(a, b);
}
static inline vec v_div(vec a, vec b) {
    return _mm256_div_ps(a, b);
}
/** a * b + c, rounded once. */
static inline vec v_fma(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
/** The second operand where one is a NaN. */
static inline vec v_min(vec a, vec b) {
    return _mm256_min_ps(a, b);
}
static inline vec v_max(vec a, vec b) {
    return _mm256_max_ps(a, b);
}
static inline vec v_round(vec x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/** x * 2^n for whole n of -126 to 127, by making the float 2^n of its exponent. */
static inline vec v_scale(vec x, vec n) {
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}
static inline float v_sum(vec x) {
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
static inline float v_largest(vec x) {
    __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}

/** Rows become columns: three steps of pairs, each moving one bit of the index. */
static inline void v_transpose(vec r[VW]) {
    vec t[VW];
    for (int i = 0; i < VW; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < VW; i += 4) {
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0x44);
            r[i + 2 * j + 1] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0xee);
        }
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < VW; i++) {
        r[i] = t[i];
    }
}

#endif
