#include "elements.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static float bits_as_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t float_as_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/** A small float format with that many exponent and mantissa bits; as e4m3 has no infinity, `top`
 * is its largest number. */
typedef struct format {
    int mantissa, bias, bytes;
    float top;
} format;

static const format formats[] = {[DN_CUDA_BF16] = {7, 127, 2, 0x1.fep127f},
                                 [DN_CUDA_F16] = {10, 15, 2, 65504},
                                 [DN_CUDA_E4M3] = {3, 7, 1, 448}};

static float decode(const format *f, uint32_t bits) {
    int width = 8 * f->bytes - 1;
    uint32_t magnitude = bits & ((1u << width) - 1);
    int exponent = (int)(magnitude >> f->mantissa);
    float fraction = (float)(magnitude & ((1u << f->mantissa) - 1)) / (float)(1u << f->mantissa);
    float x = exponent ? ldexpf(1 + fraction, exponent - f->bias) : ldexpf(fraction, 1 - f->bias);
    return bits >> width ? -x : x;
}

/** To nearest, ties to even; beyond the top saturates. NaN is the format's largest pattern. */
static uint32_t encode(const format *f, float x) {
    uint32_t sign = (float_as_bits(x) >> 31) << (8 * f->bytes - 1);
    float y = fabsf(x);
    if (f == &formats[DN_CUDA_BF16] && y < 0x1p127f) { /* the upper half of a float */
        uint32_t bits = float_as_bits(x);
        return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    }
    if (isnan(x)) {
        return sign | ((1u << (8 * f->bytes - 1)) - 1);
    }
    y = y > f->top ? f->top : y;
    int exponent = y > 0 ? ilogbf(y) : 1 - f->bias;
    exponent = exponent < 1 - f->bias ? 1 - f->bias : exponent;
    float unit = ldexpf(1, exponent - f->mantissa);
    uint32_t steps = (uint32_t)nearbyintf(y / unit); /* of `unit`, hidden bit and all */
    uint32_t bits = steps + ((uint32_t)(exponent + f->bias - 1) << f->mantissa);
    return sign | bits;
}

size_t test_element_bytes(dn_cuda_type type) {
    return type == DN_CUDA_F32 ? 4 : (size_t)formats[type].bytes;
}

void test_elements_get(dn_cuda_type type, const void *from, size_t n, float *out) {
    const format *f = &formats[type];
    if (type == DN_CUDA_F32) {
        memcpy(out, from, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = f->bytes == 1 ? ((const uint8_t *)from)[i] : ((const uint16_t *)from)[i];
        out[i] = type == DN_CUDA_BF16 ? bits_as_float(bits << 16) : decode(f, bits);
    }
}

void test_elements_put(dn_cuda_type type, const float *from, size_t n, void *out) {
    const format *f = &formats[type];
    if (type == DN_CUDA_F32) {
        memmove(out, from, n * sizeof *from);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = encode(f, from[i]);
        if (f->bytes == 1) {
            ((uint8_t *)out)[i] = (uint8_t)bits;
        } else {
            ((uint16_t *)out)[i] = (uint16_t)bits;
        }
    }
}
