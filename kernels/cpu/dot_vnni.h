#ifndef DN_CPU_DOT_H
#define DN_CPU_DOT_H
/** Dot products of u8 activations and s8 weights by AVX-512 VNNI; after simd_avx512.h.
 *
 * An instruction multiplies four neighbours of each lane. It stands as assembly because gcc 12
 * copies an accumulator that passes through the intrinsic: 60 % of the speed in an unrolled tile.
 */
#include "kernels/cpu/bytes_avx512.h"

enum { NARROW_BLOCK = 4 * TILE_ROWS };

typedef uint8_t activation_t;
typedef int8_t weight_t;
typedef int32_t sum_t;
typedef __m512i sums;

static inline sums d_zero(void) {
    return _mm512_setzero_si512();
}
static inline sums d_load(const sum_t *p) {
    return _mm512_loadu_si512(p);
}
static inline void d_store(sum_t *p, sums x) {
    _mm512_storeu_si512(p, x);
}
/** The same group of activations in every lane. */
static inline sums d_broadcast(const activation_t *p) {
    int32_t group;
    memcpy(&group, p, sizeof group);
    return _mm512_set1_epi32(group);
}
static inline sums d_weights(const weight_t *p) {
    return _mm512_load_si512(p);
}
static inline sums d_dot(sums sum, sums x, sums w) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
}
static inline vec d_float(sums x) {
    return _mm512_cvtepi32_ps(x);
}

#endif
