#include "io/decimal.h"

#include "test.h"

static int plain_f32(float number, char *out) {
    int length = 0;
    for (int digits = 6; digits <= 9; digits++) {
        length = snprintf(out, DN_DECIMAL_MAX, "%.*g", digits, (double)number);
        if (strtof(out, NULL) == number) {
            break;
        }
    }
    return length;
}

static void expect_same(const char *got, int n_got, const char *want, int n_want) {
    if (n_got != n_want || memcmp(got, want, (size_t)n_got) != 0) {
        fprintf(stderr, "%.*s is not %.*s\n", n_got, got, n_want, want);
        dn_failures_in_case++;
    }
}

static void expect_f32(float number) {
    char got[DN_DECIMAL_MAX], want[DN_DECIMAL_MAX];
    if (isfinite(number)) {
        int n_got = dn_decimal_f32(number, got);
        expect_same(got, n_got, want, plain_f32(number, want));
    }
}

static void expect_i64(int64_t number) {
    char got[DN_DECIMAL_MAX], want[DN_DECIMAL_MAX];
    int n_got = dn_decimal_i64(number, got);
    expect_same(got, n_got, want, snprintf(want, sizeof want, "%lld", (long long)number));
}

/* The number and its neighbours, both signs. */
static void expect_near(double number) {
    float at = (float)number, below = nextafterf(at, 0), above = nextafterf(at, INFINITY);
    const float all[] = {nextafterf(below, 0), below, at, above, nextafterf(above, INFINITY)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        expect_f32(all[i]);
        expect_f32(-all[i]);
    }
}

static double uniform(void) {
    return (double)(dn_random() >> 11) * 0x1p-53;
}

CASE(decimal_floats_look_as_documented) {
    static const struct {
        float number;
        const char *text;
    } table[] = {
        {0.25f, "0.25"},
        {0.1f, "0.1"},
        {1.5e9f, "1.5e+09"},
        {1e-4f, "0.0001"},
        {1.2345678e-5f, "1.2345678e-05"},
        {-0.0f, "-0"},
        {123456.79f, "123456.79"},
        {0, "0"},
        {1, "1"},
        {-1e6f, "-1e+06"},
        {1234560, "1.23456e+06"},
        {1234567, "1234567"},
        {0.99999994f, "0.99999994"},
        {16777216, "16777216"},
        {3e-13f, "3e-13"},
        {1e-45f, "1.4013e-45"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char got[DN_DECIMAL_MAX];
        int n = dn_decimal_f32(table[i].number, got);
        expect_same(got, n, table[i].text, (int)strlen(table[i].text));
    }
}

CASE(decimal_floats_near_steps) {
    for (int power = -45; power <= 38; power++) {
        for (int digit = 1; digit <= 9; digit++) {
            expect_near(digit * pow(10, power));
        }
    }
    for (int power = -149; power <= 127; power++) {
        expect_near(ldexp(1, power));
    }
}

/* Few digits, also where a half is rounded to an even digit: 0.5, 1234567.5, 4097.03125. */
CASE(decimal_floats_of_few_digits) {
    for (int i = 0; i < 100000; i++) {
        double number = (double)(dn_random() >> (40 + dn_random() % 24));
        expect_f32((float)number);
        expect_f32((float)(number / 2));
        expect_f32((float)(number / 1024));
        expect_f32((float)(number / pow(10, (double)(dn_random() % 14))));
    }
}

CASE(decimal_floats_of_any_bits) {
    for (int i = 0; i < 300000; i++) {
        union {
            uint32_t bits;
            float number;
        } any = {.bits = (uint32_t)dn_random()};
        expect_f32(any.number);
        any.bits &= 0x807fffff; /* below the normal ones */
        expect_f32(any.number);
    }
}

/* What heads give: shares, and odds down to 1e-13. */
CASE(decimal_floats_of_scores) {
    for (int i = 0; i < 500000; i++) {
        double logit = 60 * (uniform() - 0.5);
        expect_f32((float)uniform());
        expect_f32((float)(1 / (1 + exp(logit))));
        expect_f32((float)logit);
    }
}

CASE(decimal_integers) {
    static const int64_t edges[] = {
        0, 9, 99999999, 100000000, 9999999999999999, INT64_MAX, INT64_MIN, -1, 10000000000000000};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        expect_i64(edges[i]);
    }
    for (int i = 0; i < 10000; i++) {
        expect_i64(i);
        expect_i64(i * INT64_C(10000) + 9999 - i);
    }
    for (int i = 0; i < 100000; i++) {
        expect_i64((int64_t)dn_random() >> dn_random() % 64);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
