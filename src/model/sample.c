#include "model/sample.h"

#include "base/memory.h"

#include <stdlib.h>

/** Tokens of a tweet, specials included, at the quantiles 2.5 %, 7.5 % ... 97.5 % of 40,937 tweets
 * of August 2017 (ira_3days_2017-08-15_17), normalised and cut as the shipped model does:
 * mean 27.9, of this table 27.7. */
static const int quantiles[] = {13, 17, 18, 20, 21, 22, 23, 24, 25, 26,
                                27, 29, 30, 32, 33, 34, 36, 38, 40, 45};
enum { N_QUANTILES = sizeof quantiles / sizeof *quantiles };

static uint32_t draw(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static int least(int a, int b) {
    return a < b ? a : b;
}

/** Rows until one does not fit; at least one. */
static dn_batch make_batch(uint64_t *state, int max_tokens, int max_rows, int longest,
                           int vocabulary) {
    int32_t *token = dn_alloc_array((size_t)max_tokens, sizeof *token);
    int32_t *row_start = dn_alloc_array((size_t)max_rows + 1, sizeof *row_start);
    int n_rows = 0, end = 0;
    while (n_rows < max_rows) {
        int length = least(quantiles[draw(state) % N_QUANTILES], least(longest, max_tokens));
        if (length > max_tokens - end) {
            break;
        }
        for (int i = 0; i < length; i++) {
            token[end++] = (int32_t)(draw(state) % (uint32_t)vocabulary);
        }
        row_start[++n_rows] = end;
    }
    return (dn_batch){n_rows, end, token, row_start};
}

dn_sample dn_sample_new(int n_batches, int max_tokens, int max_rows, int longest, int vocabulary) {
    dn_sample sample = {dn_alloc_array((size_t)n_batches, sizeof *sample.batch), n_batches};
    uint64_t state = 20261122;
    for (int i = 0; i < n_batches; i++) {
        sample.batch[i] = make_batch(&state, max_tokens, max_rows, longest, vocabulary);
    }
    return sample;
}

void dn_sample_free(dn_sample *sample) {
    for (int i = 0; i < sample->n_batches; i++) {
        free((void *)(uintptr_t)sample->batch[i].token);
        free((void *)(uintptr_t)sample->batch[i].row_start);
    }
    free(sample->batch);
}
