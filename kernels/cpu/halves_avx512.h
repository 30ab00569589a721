#ifndef DN_CPU_HALVES_H
#define DN_CPU_HALVES_H
/** 32 floats to bf16, in order: what avx512_bf16 and AMX read; and no scales. */
#include "kernels/narrow.h"

enum { NARROW_STEP = 32, HAS_ZERO = 0 };

/** vcvtneps2bf16 takes denormals for zero; so do the dot products behind it. */
static inline void store_narrow(uint16_t *out, const vec x[2], int zero) {
    (void)zero;
    __asm__("vcvtne2ps2bf16 %1, %2, %%zmm31\n\tvmovdqu64 %%zmm31, %0"
            : "=m"(*(char(*)[64])out)
            : "v"(x[0]), "v"(x[1])
            : "xmm31");
}

static inline float weight_full_scale(const float *w, int n) {
    (void)w, (void)n;
    return 1;
}
static inline float weight_factor(float full) {
    (void)full;
    return 1;
}
static inline float weight_scale(float full) {
    (void)full;
    return 1;
}
static inline uint16_t round_weight(float x, float factor) {
    (void)factor;
    return dn_bf16_of(x);
}
static inline dn_rounding activation_rounding(const float *x, const float *others, int n) {
    (void)x, (void)others, (void)n;
    return (dn_rounding){1, 1, 0};
}

#endif
