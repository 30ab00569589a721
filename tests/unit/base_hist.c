#include "base/hist.h"

#include "base/memory.h"
#include "test.h"

static const double promised = 0.032; /* of hist.h */

/* Values of all magnitudes: every power of two is as likely as any other. */
static uint64_t any_value(void) {
    return dn_random() >> (dn_random() % 64);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

CASE(an_empty_histogram) {
    dn_hist *hist = dn_alloc(sizeof *hist);
    EXPECT_INT(dn_hist_total(hist), 0);
    EXPECT(dn_hist_quantile(hist, 0.5) == 0.0);
    free(hist);
}

CASE(buckets_are_a_rising_table) {
    EXPECT_INT(dn_hist_lower(0), 0);
    for (uint32_t i = 1; i < DN_HIST_BUCKETS; i++) {
        EXPECT(dn_hist_lower(i) > dn_hist_lower(i - 1));
    }
    EXPECT(dn_hist_lower(DN_HIST_BUCKETS - 1) > UINT64_MAX / 2);
}

CASE(a_value_lands_in_the_bucket_that_holds_it) {
    dn_hist *hist = dn_alloc(sizeof *hist);
    for (int trial = 0; trial < 20000; trial++) {
        uint64_t value = trial < 3 ? (uint64_t[]){0, UINT64_MAX, 31}[trial] : any_value();
        dn_hist_add(hist, value, 1);
        uint32_t bucket = 0;
        while (!hist->count[bucket]) {
            bucket++;
        }
        EXPECT(dn_hist_lower(bucket) <= value);
        EXPECT(bucket + 1 == DN_HIST_BUCKETS || value < dn_hist_lower(bucket + 1));
        hist->count[bucket] = 0;
    }
    free(hist);
}

CASE(one_value_is_every_quantile) {
    dn_hist *hist = dn_alloc(sizeof *hist);
    dn_hist_add(hist, 17, 1000);
    EXPECT_INT(dn_hist_total(hist), 1000);
    for (int i = 0; i <= 10; i++) {
        EXPECT(dn_hist_quantile(hist, i / 10.0) == 17.0);
    }
    free(hist);
}

/* Against exact quantiles of the sorted values: the value at position ceil(q n). */
CASE(quantiles_stay_within_the_promised_error) {
    enum { N = 5000 };
    uint64_t *values = dn_alloc_array(N, sizeof *values);
    for (int trial = 0; trial < 20; trial++) {
        dn_hist *hist = dn_alloc(sizeof *hist);
        for (int i = 0; i < N; i++) {
            values[i] = any_value();
            dn_hist_add(hist, values[i], 1);
        }
        qsort(values, N, sizeof *values, by_value);
        static const double quantiles[] = {0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0};
        for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
            double exact = (double)values[(int)ceil(quantiles[i] * N) - 1];
            double got = dn_hist_quantile(hist, quantiles[i]);
            EXPECT(fabs(got - exact) <= promised * exact);
        }
        free(hist);
    }
    free(values);
}

CASE(merged_is_as_if_counted_together) {
    dn_hist *parts[2] = {dn_alloc(sizeof(dn_hist)), dn_alloc(sizeof(dn_hist))};
    dn_hist *all = dn_alloc(sizeof *all);
    for (int i = 0; i < 3000; i++) {
        uint64_t value = any_value(), times = 1 + dn_random() % 5;
        dn_hist_add(parts[i % 2], value, times);
        dn_hist_add(all, value, times);
    }
    dn_hist_merge(parts[0], parts[1]);
    EXPECT_INT(memcmp(parts[0], all, sizeof *all), 0);
    free(all);
    free(parts[0]);
    free(parts[1]);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
