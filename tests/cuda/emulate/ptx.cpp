/* ptx.cuh on the host. Fragments are those of the PTX ISA 9.0, chapter "Warp Level Matrix
 * Multiply-Accumulate Instructions", section "Matrix Fragments for mma.m16n8k16 with floating point
 * type", and chapter "Asynchronous Warpgroup Level Matrix Instructions", sections "Register
 * Fragments for wgmma.mma_async.m64nNk16", "Matrix Descriptor Format" and "Swizzling Modes";
 * conversions those of "cvt". How a GPU rounds inside one mma is not said there: tests allow for
 * it. */
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

template <to_float *value> static void multiply(void *const *lane) {
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

/** Where shared memory seems to begin: aligned as CUDA promises, and no better. */
enum { SHARED_BEGIN = 1024 + 128, ATOM_ROWS = 8 };

/** A warpgroup product that was started and not waited for. */
struct group_product {
    float *d;
    uint64_t a, b;
    to_float *value;
};
struct group_products {
    int n;
    group_product at[8];
};
static group_products under_way[emulate::MAX_THREADS];

uint64_t group_operand(const void *tile) {
    uint64_t address =
        SHARED_BEGIN + (uint64_t)((const char *)tile - (const char *)emulate::shared());
    return (address >> 4 & 0x3fff) | (uint64_t)1 << 16 | (uint64_t)64 << 32 | (uint64_t)1 << 62;
}

/** Row `row`, column `column` of a described tile: the sum of all offsets, of which bits 4 to 6 are
 * then flipped by bits 7 to 9. */
static uint16_t element_of(uint64_t descriptor, int row, int column) {
    unsigned begin = (unsigned)(descriptor & 0x3fff) << 4;
    unsigned atom_bytes = (unsigned)(descriptor >> 32 & 0x3fff) << 4;
    if (descriptor >> 62 != 1 || (begin & 0x380) != 0 || atom_bytes % 1024 != 0) {
        emulate::fault(
            "a tile at %#x: an atom of the 128-byte swizzle begins at multiples of 1,024", begin);
    }
    unsigned address = begin + (unsigned)(row / ATOM_ROWS) * atom_bytes +
                       (unsigned)(row % ATOM_ROWS) * 128 + (unsigned)column * 2;
    address ^= (address >> 7 & 7) << 4;
    const char *at = static_cast<const char *>(emulate::shared()) + (address - SHARED_BEGIN);
    if (!emulate::is_published(at)) {
        emulate::fault("a warpgroup product reads what was copied and not published");
    }
    emulate::touched(at, 2, false);
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    return bits;
}

static void multiply_group(void *const *part, const group_product &first, int number) {
    enum { ROWS = 64, COLUMNS = 128, DEPTH = 16 };
    static float a[ROWS][DEPTH], b[COLUMNS][DEPTH];
    for (int k = 0; k < DEPTH; k++) {
        for (int row = 0; row < ROWS; row++) {
            a[row][k] = first.value(element_of(first.a, row, k));
        }
        for (int row = 0; row < COLUMNS; row++) {
            b[row][k] = first.value(element_of(first.b, row, k));
        }
    }
    for (int i = 0; i < emulate::GROUP; i++) {
        const group_products *mine = static_cast<const group_products *>(part[i]);
        const group_product &p = mine->at[number];
        if (number >= mine->n || p.a != first.a || p.b != first.b) {
            emulate::fault("threads of a warpgroup give different tiles");
        }
        for (int r = 0; r < ROWS; r++) {
            int row = i / 32 * 16 + i % 32 / 4 + r / 2 % 2 * 8,
                column = r / 4 * 8 + i % 4 * 2 + r % 2;
            float sum = 0;
            for (int k = 0; k < DEPTH; k++) {
                sum += a[row][k] * b[column][k];
            }
            p.d[r] += sum;
        }
    }
}

static void multiply_all(void *const *part) {
    const group_products first = *static_cast<const group_products *>(part[0]);
    for (int number = 0; number < first.n; number++) {
        multiply_group(part, first.at[number], number);
    }
}

static void group_start(const group_product &p) {
    group_products *mine = &under_way[emulate::here().thread];
    if (mine->n == 8) {
        emulate::fault("more than 8 warpgroup products under way");
    }
    mine->at[mine->n++] = p;
}

void group_begin(void) {
}
void group_multiply(bf16, float d[64], uint64_t a, uint64_t b) {
    group_start({d, a, b, from_bf16});
}
void group_multiply(fp16, float d[64], uint64_t a, uint64_t b) {
    group_start({d, a, b, half_to_float});
}
void group_wait(void) {
    group_products *mine = &under_way[emulate::here().thread];
    emulate::group_together(multiply_all, mine);
    mine->n = 0;
}
void group_publish(void) {
    emulate::publish();
}
unsigned shared_padding(void) {
    return (0u - SHARED_BEGIN) % 1024;
}

void await_previous(void) {
    emulate::await_previous();
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
