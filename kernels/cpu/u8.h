#ifndef DN_CPU_U8_H
#define DN_CPU_U8_H
/** Activations between 0 and 255 (narrow.h). */
#include "kernels/cpu/int8.h"

enum { HAS_ZERO = 1 };

static inline dn_rounding activation_rounding(const float *x, int n) {
    vec lowest = v_set(0), highest = v_set(0);
    for (int j = 0; j < n; j += VW) {
        vec y = load_row(x + j, n - j);
        lowest = v_min(lowest, y);
        highest = v_max(highest, y);
    }
    return dn_rounding_u8(-v_largest(v_sub(v_set(0), lowest)), v_largest(highest));
}

#endif
