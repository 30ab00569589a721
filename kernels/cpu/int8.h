#ifndef DN_CPU_INT8_H
#define DN_CPU_INT8_H
/** How int8 rounds weights (narrow.h). */
#include "kernels/narrow.h"

static inline float weight_full_scale(const float *w, int n) {
    return dn_weight_full_scale(w, n);
}
static inline float weight_factor(float full) {
    return dn_narrow_factor(full, DN_WEIGHT_LEVELS);
}
static inline float weight_scale(float full) {
    return dn_narrow_scale(full, DN_WEIGHT_LEVELS);
}
static inline weight_t round_weight(float x, float factor) {
    return (weight_t)rintf(x * factor);
}

#endif
