#ifndef DN_CPU_DOT_H
#define DN_CPU_DOT_H
/** Dot products of u8 activations and s8 weights by AVX-VNNI, 256 bits wide; after simd_avx2.h.
 *
 * Assembly for the reason that dot_vnni.h gives, and because the assembler would choose the AVX-512
 * form otherwise. */
#include <string.h>

enum { NARROW_BLOCK = 8 * TILE_ROWS, NARROW_STEP = 32 };

typedef uint8_t activation_t;
typedef int8_t weight_t;
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
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
    return sum;
}
static inline vec d_float(sums x) {
    return _mm256_cvtepi32_ps(x);
}

/** Rounds, adds `zero` and holds the result between 0 and 255. */
static inline void store_narrow(activation_t *out, const vec x[NARROW_STEP / VW], int zero) {
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i zeros = _mm256_set1_epi16((short)zero);
    __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
    __m256i high = _mm256_packs_epi32(_mm256_cvtps_epi32(x[2]), _mm256_cvtps_epi32(x[3]));
    __m256i bytes =
        _mm256_packus_epi16(_mm256_add_epi16(low, zeros), _mm256_add_epi16(high, zeros));
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permutevar8x32_epi32(bytes, order));
}

#endif
