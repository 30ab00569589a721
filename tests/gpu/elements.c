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

/** A small float format: bits of its mantissa, bias of its exponent, bytes, and patterns: its
 * largest number, and what a number becomes that is rounded to more than that. */
typedef struct format {
    int mantissa, bias, bytes;
    uint32_t largest, beyond;
} format;

/** What cvt.rn makes: the types of 16 bits have an infinity, e4m3 (satfinite) stays at 448. */
static const format formats[] = {[DN_CUDA_BF16] = {7, 127, 2, 0x7f7f, 0x7f80},
                                 [DN_CUDA_F16] = {10, 15, 2, 0x7bff, 0x7c00},
                                 [DN_CUDA_E4M3] = {3, 7, 1, 0x7e, 0x7e}};

enum { FLOAT_MANTISSA = 23, FLOAT_BIAS = 127 };
#define FLOAT_MAGNITUDE 0x7fffffffu
#define FLOAT_INFINITY  0x7f800000u

/** 2 to the n, which is a normal float. */
static float power_of_two(int n) {
    return bits_as_float((uint32_t)(n + FLOAT_BIAS) << FLOAT_MANTISSA);
}

/** The fields at a float's places, whose exponent the product brings right; denormals too. */
static float decode(const format *f, uint32_t bits) {
    uint32_t sign = 1u << (8 * f->bytes - 1), magnitude = bits & (sign - 1);
    float x = bits_as_float(magnitude << (FLOAT_MANTISSA - f->mantissa)) *
              power_of_two(FLOAT_BIAS - f->bias);
    if (magnitude > f->largest) {
        x = magnitude == f->beyond ? INFINITY : NAN;
    }
    return bits & sign ? -x : x;
}

/** To nearest, ties to even. NaN is the format's largest pattern. */
static uint32_t encode(const format *f, float x) {
    uint32_t sign = 1u << (8 * f->bytes - 1), magnitude = float_as_bits(x) & FLOAT_MAGNITUDE;
    int shift = FLOAT_MANTISSA - f->mantissa;
    uint32_t half = (1u << (shift - 1)) - 1 + (magnitude >> shift & 1);
    uint32_t bits =
        ((magnitude + half) >> shift) - ((uint32_t)(FLOAT_BIAS - f->bias) << f->mantissa);
    if (magnitude < float_as_bits(power_of_two(1 - f->bias))) { /* denormal: the sum rounds it */
        float units = power_of_two(1 - f->bias - f->mantissa + FLOAT_MANTISSA);
        bits = float_as_bits(bits_as_float(magnitude) + units) - float_as_bits(units);
    }
    bits = magnitude > FLOAT_INFINITY ? sign - 1 : bits > f->largest ? f->beyond : bits;
    return float_as_bits(x) >> 31 ? bits | sign : bits;
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
