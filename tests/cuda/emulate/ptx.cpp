/* ptx.cuh on the host. Fragments are those of the PTX ISA 9.0, chapter "Warp Level Matrix
 * Multiply-Accumulate Instructions", section "Matrix Fragments for mma.m16n8k16 with floating point
 * type"; conversions those of "cvt". How a GPU rounds inside one mma is not said there: tests
 * allow for it. */
#include "kernels/cuda/ptx.cuh"

namespace dn {

static float bits_float(uint32_t bits) {
    return __uint_as_float(bits);
}

static uint16_t to_bf16(float x) {
    uint32_t bits = __float_as_uint(x);
    if (isnan(x)) {
        return 0x7fff; /* cvt makes every NaN this one */
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/** Rounds |x| to a format of `digits` bits behind the point and a smallest exponent; to even. */
static float to_grid(float x, int digits, int smallest) {
    int exponent;
    frexpf(x, &exponent); /* |x| in [0.5, 1) 2^exponent */
    int step = (exponent - 1 > smallest ? exponent - 1 : smallest) - digits;
    return ldexpf(rintf(ldexpf(x, -step)), step);
}

static uint16_t to_fp16(float x) {
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    float y = fabsf(x);
    if (isnan(x)) {
        return 0x7fff;
    }
    y = isinf(y) ? y : to_grid(y, 10, -14);
    if (y > 65504.0f) {
        return (uint16_t)(sign | 0x7c00);
    }
    if (y < 0x1p-14f) {
        return (uint16_t)(sign | (uint16_t)ldexpf(y, 24));
    }
    int exponent;
    float digits = frexpf(y, &exponent);
    return (uint16_t)(sign | (exponent + 14) << 10 | ((int)ldexpf(digits, 11) & 0x3ff));
}

float half_to_float(uint16_t bits) {
    float sign = bits & 0x8000 ? -1.0f : 1.0f;
    int exponent = bits >> 10 & 31, digits = bits & 0x3ff;
    if (exponent == 31) {
        return digits ? NAN : sign * INFINITY;
    }
    return exponent == 0 ? sign * ldexpf((float)digits, -24)
                         : sign * ldexpf((float)(digits | 0x400), exponent - 25);
}

/** 4 bits of exponent (bias 7), 3 of digits, no infinity, 0x7f is NaN; the largest is 448. */
static uint8_t to_e4m3(float x) {
    uint8_t sign = signbit(x) ? 0x80 : 0;
    if (isnan(x)) {
        return 0x7f;
    }
    float y = fminf(fabsf(x), 448.0f);
    y = to_grid(y, 3, -6);
    if (y < 0x1p-6f) {
        return (uint8_t)(sign | (uint8_t)ldexpf(y, 9));
    }
    int exponent;
    float digits = frexpf(y, &exponent);
    return (uint8_t)(sign | (exponent + 6) << 3 | ((int)ldexpf(digits, 4) & 7));
}

uint32_t pack_pair(bf16, float first, float second) {
    return to_bf16(first) | (uint32_t)to_bf16(second) << 16;
}
uint32_t pack_pair(fp16, float first, float second) {
    return to_fp16(first) | (uint32_t)to_fp16(second) << 16;
}
uint16_t pack_pair(e4m3, float first, float second) {
    return (uint16_t)(to_e4m3(first) | to_e4m3(second) << 8);
}

float exp2_fast(float x) {
    float y = exp2f(x);
    return y < 0x1p-126f ? 0 : y;
}
float reciprocal_fast(float x) {
    return 1 / x;
}

/** One lane's registers of an mma. */
struct fragments {
    float *d;
    const uint32_t *a, *b;
};

typedef float to_float(uint16_t bits);
static float from_bf16(uint16_t bits) {
    return bits_float((uint32_t)bits << 16);
}

/** The half of a register that holds an odd or an even column. */
static uint16_t half_of(uint32_t pair, int odd) {
    return (uint16_t)(odd ? pair >> 16 : pair);
}

template <to_float *value> static void multiply(void *const lane[emulate::WARP]) {
    float a[16][16], b[16][8];
    for (int i = 0; i < emulate::WARP; i++) {
        const fragments *f = static_cast<const fragments *>(lane[i]);
        int g = i / 4, t = i % 4;
        for (int odd = 0; odd < 2; odd++) {
            a[g][2 * t + odd] = value(half_of(f->a[0], odd));
            a[g + 8][2 * t + odd] = value(half_of(f->a[1], odd));
            a[g][2 * t + 8 + odd] = value(half_of(f->a[2], odd));
            a[g + 8][2 * t + 8 + odd] = value(half_of(f->a[3], odd));
            b[2 * t + odd][g] = value(half_of(f->b[0], odd));
            b[2 * t + 8 + odd][g] = value(half_of(f->b[1], odd));
        }
    }
    for (int i = 0; i < emulate::WARP; i++) {
        const fragments *f = static_cast<const fragments *>(lane[i]);
        for (int j = 0; j < 4; j++) {
            int row = i / 4 + (j / 2) * 8, column = i % 4 * 2 + j % 2;
            float sum = 0;
            for (int k = 0; k < 16; k++) {
                sum += a[row][k] * b[k][column];
            }
            f->d[j] += sum;
        }
    }
}

void mma_16x8x16(bf16, float d[4], const uint32_t a[4], const uint32_t b[2]) {
    fragments mine = {d, a, b};
    emulate::together(multiply<from_bf16>, &mine);
}
void mma_16x8x16(fp16, float d[4], const uint32_t a[4], const uint32_t b[2]) {
    fragments mine = {d, a, b};
    emulate::together(multiply<half_to_float>, &mine);
}

void copy_start(void *to, const void *from, bool real) {
    if ((uintptr_t)to % 16 != 0 || (uintptr_t)from % 16 != 0) {
        emulate::fault("cp.async of 16 bytes from or to an address that is not 16-byte aligned");
    }
    emulate::copy_start(to, from, real);
}
void copy_commit(void) {
    emulate::copy_commit();
}
void copy_wait_all_but_one(void) {
    emulate::copy_wait(1);
}
void copy_wait_all(void) {
    emulate::copy_wait(0);
}
void *shared_memory(void) {
    return emulate::shared();
}

} // namespace dn
