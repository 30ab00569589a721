#ifndef DN_TEST_H
#define DN_TEST_H
/** The test harness: cases are functions, a program runs all of them or those whose name contains argv[1].
 *
 *   CASE(ring_keeps_order) { EXPECT(dn_ring_read(r).depth == 0); }
 *   int main(int argc, char **argv) { return dn_test_main(argc, argv); }
 *
 * Random tests take their seed from DN_TEST_SEED (printed on failure). A case that cannot run here calls SKIP(why). */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct dn_case {
    const char *name;
    void (*run)(void);
    struct dn_case *next;
} dn_case;

static dn_case *dn_cases;
static dn_case **dn_cases_end = &dn_cases;
static int dn_failures_in_case, dn_skipped_in_case;
static uint64_t dn_seed;

#define CASE(id)                                                                                   \
    static void case_##id(void);                                                                   \
    static dn_case entry_##id = {#id, case_##id, NULL};                                            \
    __attribute__((constructor)) static void add_##id(void) {                                      \
        *dn_cases_end = &entry_##id;                                                               \
        dn_cases_end = &entry_##id.next;                                                           \
    }                                                                                              \
    static void case_##id(void)

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);               \
            dn_failures_in_case++;                                                                 \
        }                                                                                          \
    } while (0)

#define EXPECT_INT(got, want)                                                                      \
    do {                                                                                           \
        long long got_ = (long long)(got), want_ = (long long)(want);                              \
        if (got_ != want_) {                                                                       \
            fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #got, got_,  \
                    want_);                                                                        \
            dn_failures_in_case++;                                                                 \
        }                                                                                          \
    } while (0)

#define EXPECT_TEXT(got, want)                                                                     \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        if (!got_ || strcmp(got_, want_) != 0) {                                                   \
            fprintf(stderr, "%s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #got,    \
                    got_ ? got_ : "(null)", want_);                                                \
            dn_failures_in_case++;                                                                 \
        }                                                                                          \
    } while (0)

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: required %s\n", __FILE__, __LINE__, #condition);               \
            dn_failures_in_case++;                                                                 \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define SKIP(why)                                                                                  \
    do {                                                                                           \
        printf("    skipped: %s\n", why);                                                          \
        dn_skipped_in_case++;                                                                      \
        return;                                                                                    \
    } while (0)

/** SplitMix64: the harness's random numbers. */
static inline uint64_t dn_random(void) {
    uint64_t z = (dn_seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline int dn_test_main(int argc, char **argv) {
    const char *filter = argc > 1 ? argv[1] : "";
    const char *seed = getenv("DN_TEST_SEED");
    uint64_t first_seed = seed ? strtoull(seed, NULL, 0) : 20261122;
    int failed = 0, passed = 0, skipped = 0;
    for (dn_case *c = dn_cases; c; c = c->next) {
        if (!strstr(c->name, filter)) {
            continue;
        }
        dn_failures_in_case = dn_skipped_in_case = 0;
        dn_seed = first_seed;
        c->run();
        const char *word = dn_failures_in_case ? "FAIL" : dn_skipped_in_case ? "skip" : "ok";
        printf("%-4s %s\n", word, c->name);
        failed += dn_failures_in_case != 0;
        skipped += !dn_failures_in_case && dn_skipped_in_case;
        passed += !dn_failures_in_case && !dn_skipped_in_case;
    }
    if (failed) {
        fprintf(stderr, "seed was %llu (set DN_TEST_SEED)\n", (unsigned long long)first_seed);
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed ? 1 : passed ? 0 : skipped ? 77 : 1;
}

#endif
