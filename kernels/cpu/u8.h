#ifndef DN_CPU_U8_H
#define DN_CPU_U8_H
/** Activations between 0 and 255 (narrow.h). */
#include "kernels/cpu/int8.h"

enum { HAS_ZERO = 1 };

/** x[0 .. left), at most a vector, without those that `others` leaves out; NULL: all. */
static inline vec load_others(const float *x, const float *others, int left) {
    vec y = load_row(x, left);
    return others ? v_mul(y, load_row(others, left)) : y;
}

/** Both ends in STRANDS chains, since one would wait for its own last step. */
static inline dn_rounding activation_rounding(const float *x, const float *others, int n) {
    vec lowest[STRANDS], highest[STRANDS];
    for (int i = 0; i < STRANDS; i++) {
        lowest[i] = highest[i] = v_set(0);
    }
    int j = 0;
    for (; j + STRANDS * VW <= n; j += STRANDS * VW) {
#pragma GCC unroll 4
        for (int i = 0; i < STRANDS; i++) {
            vec y = load_others(x + j + i * VW, others ? others + j + i * VW : NULL, VW);
            lowest[i] = v_min(lowest[i], y), highest[i] = v_max(highest[i], y);
        }
    }
    for (; j < n; j += VW) {
        vec y = load_others(x + j, others ? others + j : NULL, n - j);
        lowest[0] = v_min(lowest[0], y), highest[0] = v_max(highest[0], y);
    }
    for (int i = 1; i < STRANDS; i++) {
        lowest[0] = v_min(lowest[0], lowest[i]), highest[0] = v_max(highest[0], highest[i]);
    }
    return dn_rounding_u8(-v_largest(v_sub(v_set(0), lowest[0])), v_largest(highest[0]));
}

#endif
