#include "tweets.h"

#include "base/memory.h"
#include "batch/builder.h"

#include <stdlib.h>
#include <string.h>

/** Tokens of a tweet, specials included, at the quantiles 2.5 %, 7.5 % ... 97.5 % of 40,937 tweets
 * of August 2017 (ira_3days_2017-08-15_17), normalised and cut as the shipped model does:
 * mean 27.9, of this table 27.7. */
static const int quantiles[] = {13, 17, 18, 20, 21, 22, 23, 24, 25, 26,
                                27, 29, 30, 32, 33, 34, 36, 38, 40, 45};
enum { N_QUANTILES = sizeof quantiles / sizeof *quantiles, LONGEST = 45, CLS = 101, SEP = 102 };

static uint32_t draw(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static int make_tweet(uint64_t *state, int vocabulary, int max_tokens, int32_t *id) {
    int n = quantiles[draw(state) % N_QUANTILES];
    n = n < max_tokens ? n : max_tokens;
    for (int i = 1; i < n - 1; i++) {
        id[i] = (int32_t)(draw(state) % (uint32_t)vocabulary);
    }
    id[0] = CLS % vocabulary;
    id[n - 1] = SEP % vocabulary;
    return n;
}

static dn_batch copy(dn_batch from) {
    int32_t *token = dn_alloc_array((size_t)from.n_tokens, sizeof *token);
    int32_t *row_start = dn_alloc_array((size_t)from.n_rows + 1, sizeof *row_start);
    memcpy(token, from.token, (size_t)from.n_tokens * sizeof *token);
    memcpy(row_start, from.row_start, ((size_t)from.n_rows + 1) * sizeof *row_start);
    return (dn_batch){from.n_rows, from.n_tokens, token, row_start};
}

tweets tweets_new(int n_batches, int max_tokens, int max_rows, int vocabulary) {
    tweets t = {dn_alloc_array((size_t)n_batches, sizeof *t.batch), n_batches};
    uint64_t state = 20261122;
    dn_builder *builder;
    if (dn_builder_new(max_tokens, max_rows, &builder) != DN_OK) {
        abort();
    }
    int32_t id[LONGEST];
    for (int i = 0; i < n_batches; i++) {
        while (dn_builder_add(builder, id, make_tweet(&state, vocabulary, max_tokens, id)) >= 0) {
        }
        t.batch[i] = copy(dn_builder_batch(builder));
        dn_builder_reset(builder);
    }
    dn_builder_free(builder);
    return t;
}

void tweets_free(tweets *t) {
    for (int i = 0; i < t->n_batches; i++) {
        free((void *)(uintptr_t)t->batch[i].token);
        free((void *)(uintptr_t)t->batch[i].row_start);
    }
    free(t->batch);
}
