/* A float x between 1e-12 and 1e9 is scaled to nine digits before the point, exactly. With k chosen
 * so, and steps of 2^-53 as the unit of everything that follows,
 *
 *    x * 10^k = mantissa * ulp     ulp = 5^k * 2^(exponent + k + 53)      10^8 <= x * 10^k < 10^9
 *
 * where ulp is how far the next float lies from x. That is rounded to six, seven and eight digits,
 * and the first result that lies no further than half an ulp from x reads back as x. Nine digits
 * always do. All but the product fits 64 bits. */
#include "io/decimal.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the first of eight digits is the lowest byte of a word");

/* ---- eight digits at once */

#define ASCII_ZEROS UINT64_C(0x3030303030303030)

/* The digits of n < 10^8, a byte each, the first lowest: halved into fours, twos and ones by
 * multiplications that stand for divisions by 100 and 10. */
static inline uint64_t eight_digits(uint32_t n) {
    uint64_t fours = n / 10000 | (uint64_t)(n % 10000) << 32;
    uint64_t hundreds = (fours * 5243 >> 19) & UINT64_C(0x0000007f0000007f);
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (twos - 10 * tens) << 8;
}

static inline void put_eight(uint64_t digits, char *out) {
    digits |= ASCII_ZEROS;
    memcpy(out, &digits, 8);
}

int dn_decimal_i64(int64_t number, char *out) {
    uint64_t n = number < 0 ? -(uint64_t)number : (uint64_t)number;
    const uint64_t words[3] = {eight_digits((uint32_t)(n / 10000000000000000)),
                               eight_digits((uint32_t)(n / 100000000 % 100000000)),
                               eight_digits((uint32_t)(n % 100000000))};
    char text[24];
    for (int i = 0; i < 3; i++) {
        put_eight(words[i], text + (ptrdiff_t)8 * i);
    }
    int first = words[0] ? 0 : words[1] ? 1 : 2;
    /* The bit makes the last digit the first one of 0. */
    int skip = 8 * first + (__builtin_ctzll(words[first] | UINT64_C(1) << 56) >> 3);
    out[0] = '-';
    memcpy(out + (number < 0), text + skip, sizeof text - (size_t)skip);
    return (number < 0) + (int)sizeof text - skip;
}

/* ---- the fewest digits of a float */

enum { DIGITS = 9, LEAST_DIGITS = 6, POWER_MIN = -12, FIVES = 21, STEP_BITS = 53 };

static const double power_of_ten[] = {1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5,
                                      1e-4,  1e-3,  1e-2,  1e-1, 1e0,  1e1,  1e2,  1e3,
                                      1e4,   1e5,   1e6,   1e7,  1e8,  1e9};

#define FIVE_5           UINT64_C(3125)
#define FIVE_10          (FIVE_5 * FIVE_5)
#define FROM_FIVE(first) (first), 5 * (first), 25 * (first), 125 * (first), 625 * (first)
static const uint64_t power_of_five[FIVES] = {FROM_FIVE(UINT64_C(1)), FROM_FIVE(FIVE_5),
                                              FROM_FIVE(FIVE_10), FROM_FIVE(FIVE_10 *FIVE_5),
                                              FIVE_10 *FIVE_10};

/* A number of nine digits and a fraction, and how far off numbers that read back as it may be. */
typedef struct scaled {
    uint64_t steps; /* modulo 2^64 */
    uint64_t above, below;
    uint32_t whole;
    bool even; /* what lies half way to a neighbour reads back as the even one */
} scaled;

/* Digits with the power of ten of the first one. */
typedef struct decimal {
    uint32_t nine; /* 10^8 to 10^9 - 1: padded with zeros to nine digits */
    int power, digits;
} decimal;

/* The largest power of ten that is not above x, which is 2^exponent to 2^(exponent + 1). */
static inline int power_of(double x, int exponent) {
    /* 1233 / 4096 is log10(2) from below; the 64 make the quotient a floor. */
    int least = (int)((uint32_t)(exponent * 1233 + 64 * 4096) / 4096) - 64;
    return least + (x >= power_of_ten[least + 1 - POWER_MIN]);
}

static inline scaled scale(float number, int *power) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint32_t fraction = bits & 0x7fffff;
    int exponent = (int)(bits >> 23) - 127;
    *power = power_of(number, exponent);
    int k = DIGITS - 1 - *power;
    uint64_t ulp = power_of_five[k] << (exponent - 23 + k + STEP_BITS);
    unsigned __int128 product = (unsigned __int128)ulp * (fraction | 0x800000);
    return (scaled){.steps = (uint64_t)product,
                    .above = ulp / 2,
                    .below = fraction ? ulp / 2 : ulp / 4,
                    .whole = (uint32_t)(product >> STEP_BITS),
                    .even = fraction % 2 == 0};
}

/* Rounds to a multiple of `unit`, halves to even ones; whether the result reads back. */
static inline bool round_to(const scaled *s, uint32_t unit, uint32_t *nine) {
    uint32_t head = s->whole / unit;
    uint64_t size = (uint64_t)unit << STEP_BITS, down = s->steps - head * size, up = size - down;
    bool rounds_up = (down > up) | ((down == up) & (head & 1));
    uint64_t gap = rounds_up ? up : down, limit = rounds_up ? s->above : s->below;
    *nine = (head + rounds_up) * unit;
    return gap < limit + s->even;
}

static inline decimal fewest_digits(float number) {
    decimal d;
    scaled s = scale(number, &d.power);
    uint32_t nine[4];
    /* All are tried, since the number of digits is a guess that processors lose. */
    unsigned reads_back = 8u | (unsigned)round_to(&s, 1000, &nine[0]) |
                          (unsigned)round_to(&s, 100, &nine[1]) << 1 |
                          (unsigned)round_to(&s, 10, &nine[2]) << 2;
    round_to(&s, 1, &nine[3]);
    int first = __builtin_ctz(reads_back);
    d.digits = LEAST_DIGITS + first;
    d.nine = nine[first];
    if (d.nine == 1000000000) {
        d.nine /= 10;
        d.power++;
    }
    return d;
}

/* ---- their layout */

/* Nine digits, the first apart, and how many there are without the zeros at the end. */
typedef struct numeral {
    uint64_t rest; /* as eight_digits() gives them */
    int n;
    char first;
} numeral;

static inline int with_power(numeral t, int power, char *out) {
    out[0] = t.first;
    out[1] = '.';
    put_eight(t.rest, out + 2);
    char *end = out + t.n + (t.n > 1);
    int size = abs(power);
    end[0] = 'e';
    end[1] = power < 0 ? '-' : '+';
    end[2] = (char)('0' + size / 10);
    end[3] = (char)('0' + size % 10);
    return (int)(end + 4 - out);
}

static inline int below_one(numeral t, int power, char *out) {
    memcpy(out, "0.00000", 8);
    out[1 - power] = t.first;
    put_eight(t.rest, out + 2 - power);
    return 1 - power + t.n;
}

static inline int with_point(numeral t, int power, char *out) {
    char rest[16] = {0};
    put_eight(t.rest, rest);
    out[0] = t.first;
    memcpy(out + 1, rest, 8);
    if (t.n <= power + 1) {
        return power + 1;
    }
    out[power + 1] = '.';
    memcpy(out + power + 2, rest + power, 8);
    return t.n + 1;
}

/* As %g: a power of ten behind the digits where there would be more than four zeros before them, or
 * digits missing before the point. */
static int lay_out(decimal d, char *out) {
    numeral t = {.rest = eight_digits(d.nine % 100000000),
                 .first = (char)('0' + d.nine / 100000000)};
    t.n = t.rest ? DIGITS - (__builtin_clzll(t.rest) >> 3) : 1;
    return d.power < -4 || d.power >= d.digits ? with_power(t, d.power, out)
           : d.power < 0                       ? below_one(t, d.power, out)
                                               : with_point(t, d.power, out);
}

static int slow_f32(float number, char *out) {
    int length = 0;
    for (int digits = LEAST_DIGITS; digits <= DIGITS; digits++) {
        length = snprintf(out, DN_DECIMAL_MAX, "%.*g", digits, (double)number);
        if (strtof(out, NULL) == number) {
            break;
        }
    }
    return length;
}

int dn_decimal_f32(float number, char *out) {
    float size = number < 0 ? -number : number;
    if (number == 0) {
        return (int)(stpcpy(out, signbit(number) ? "-0" : "0") - out);
    }
    if (!((double)size >= 1e-12 && size < 1e9f)) {
        return slow_f32(number, out);
    }
    out[0] = '-';
    return (number < 0) + lay_out(fewest_digits(size), out + (number < 0));
}

int dn_decimal_f64(double number, char *out) {
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(out, DN_DECIMAL_MAX, "%.*g", digits, number);
        if (strtod(out, NULL) == number) {
            break;
        }
    }
    return length;
}
