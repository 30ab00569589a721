#ifndef DN_CPU_DOT_H
#define DN_CPU_DOT_H
/** Dot products of pairs of bf16 into fp32 by avx512_bf16; after simd_avx512.h. Assembly for the
 * reason that dot_vnni.h gives. */
#include "kernels/cpu/halves_avx512.h"

enum { NARROW_BLOCK = 4 * TILE_ROWS };

typedef uint16_t activation_t;
typedef uint16_t weight_t;
typedef float sum_t;
typedef __m512 sums;

static inline sums d_zero(void) {
    return _mm512_setzero_ps();
}
static inline sums d_load(const sum_t *p) {
    return _mm512_loadu_ps(p);
}
static inline void d_store(sum_t *p, sums x) {
    _mm512_storeu_ps(p, x);
}
/** The same pair of activations in every lane. */
static inline sums d_broadcast(const activation_t *p) {
    float group;
    memcpy(&group, p, sizeof group);
    return _mm512_set1_ps(group);
}
static inline sums d_weights(const weight_t *p) {
    return _mm512_load_ps(p);
}
static inline sums d_dot(sums sum, sums x, sums w) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
}
static inline vec d_float(sums x) {
    return x;
}

#endif
