#ifndef DN_CPU_INT8_H
#define DN_CPU_INT8_H
/** How int8 rounds (narrow.h), for whichever dot_*.h says how many levels its activations have. */
#include "kernels/narrow.h"

enum { IS_SCALED = 1 };

static inline float weight_factor(float largest) {
    return dn_narrow_factor(largest, DN_WEIGHT_LEVELS);
}
static inline float weight_scale(float largest) {
    return dn_narrow_scale(largest, DN_WEIGHT_LEVELS);
}
static inline weight_t round_weight(float x, float factor) {
    return (weight_t)rintf(x * factor);
}
static inline float activation_factor(float largest) {
    return dn_narrow_factor(largest, NARROW_LEVELS);
}
static inline float activation_scale(float largest) {
    return dn_narrow_scale(largest, NARROW_LEVELS);
}

#endif
