#ifndef DN_KERNELS_NARROW_H
#define DN_KERNELS_NARROW_H
/** How the narrow precisions round, so that every backend of one precision makes the same numbers;
 * internal to kernels/.
 *
 * int8: y = s_x s_w (sum(q_x q_w) - z sum(q_w)), the sums in integers and exact. Weights have one
 * scale per output, 127 levels either side of zero. Activations have one per token, made anew for
 * every batch, and 256 levels between the row's lowest and highest value (zero included), of which
 * z is the zero: outliers and GELU's results lie on one side, and halves of a symmetric range would
 * be wasted. Where the units multiply 16 bits anyway, activations have 2,047 levels either side.
 *
 *     weights      scale = full / 127                    q = round(w * (127 / full))
 *     activations  scale = range / 255, z = round(-lowest * (255 / range))
 *                                                        q = round(x * (255 / range)) + z, in
 * 0..255
 *
 * each step rounded to float32, round() to even. bf16: operands rounded to even, sums in float32,
 * no scales.
 *
 * Full scale of weights is the largest |w|. Weights that are whole numbers of some power of two
 * already, at most 127 of it, as training can leave them (kernels/README.md), have the full
 * scale that makes this power their step: they lose nothing.
 *
 * Inputs that are kept apart (dn_kept) count for neither range: their products are added in float32
 * behind the sums.
 *
 * A matrix of few outputs (the heads) would gain nothing and stays fp32. */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    DN_NARROW_MIN_OUTPUTS = 17,  /* fewer stay fp32 */
    DN_NARROW_MAX_INPUTS = 8192, /* 2047 * 127 * 8192 still fits the 32-bit sum */
    DN_WEIGHT_LEVELS = 127
};

/* A row whose largest value is below this counts as zero: the quotient would overflow. */
#define DN_NARROW_TINY 0x1p-100f

/** How a row is rounded: q = round(x * factor) + zero, x = scale * (q - zero). */
typedef struct dn_rounding {
    float factor, scale;
    int zero;
} dn_rounding;

/** Between 0 and 255; lowest <= 0 <= highest. */
static inline dn_rounding dn_rounding_u8(float lowest, float highest) {
    float width = highest - lowest;
    if (width < DN_NARROW_TINY) {
        return (dn_rounding){0, 0, 0};
    }
    float factor = 255.0f / width;
    return (dn_rounding){factor, width / 255.0f, (int)rintf(-lowest * factor)};
}

/** What to multiply by before rounding to `levels` either side of zero. */
static inline float dn_narrow_factor(float largest, int levels) {
    return largest < DN_NARROW_TINY ? 0.0f : (float)levels / largest;
}
/** What to multiply the integers by afterwards. */
static inline float dn_narrow_scale(float largest, int levels) {
    return largest < DN_NARROW_TINY ? 0.0f : largest / (float)levels;
}

static inline float dn_largest(const float *x, int n) {
    float largest = 0;
    for (int i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(x[i]));
    }
    return largest;
}

/** The largest power of two of which all of w[n] are whole numbers, where none is more than 127 of
 * it; 0 where there is no such step. */
static inline float dn_weight_step(const float *w, int n, float largest) {
    enum { MANTISSA = 23, BIAS = 127, NONE = 255 };
    int lowest = NONE;
    for (int i = 0; i < n; i++) {
        uint32_t bits, fraction = 1u << MANTISSA;
        memcpy(&bits, &w[i], sizeof bits);
        if (bits << 1 == 0) {
            continue;
        }
        int exponent = (int)(bits >> MANTISSA & 255);
        int last = exponent + __builtin_ctz((bits & (fraction - 1)) | fraction);
        lowest = last < lowest ? last : lowest;
        if (exponent == 0 || largest > DN_WEIGHT_LEVELS * ldexpf(1, lowest - MANTISSA - BIAS)) {
            return 0;
        }
    }
    return lowest == NONE ? 0 : ldexpf(1, lowest - MANTISSA - BIAS);
}

/** What level 127 of a row of weights stands for. */
static inline float dn_weight_full_scale(const float *w, int n) {
    float largest = dn_largest(w, n), step = dn_weight_step(w, n, largest);
    return step > 0 ? DN_WEIGHT_LEVELS * step : largest;
}

/** The upper half of the float, rounded to even; NaN and infinity are for the caller to exclude. */
static inline uint16_t dn_bf16_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline float dn_bf16_float(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
