#ifndef DN_BENCH_TWEETS_H
#define DN_BENCH_TWEETS_H
/** Micro-batches of made-up token ids whose lengths are those of real tweets. */
#include "batch/batch.h"

typedef struct tweets {
    dn_batch *batch;
    int n_batches;
} tweets;

/** `n_batches` batches, each filled up to max_tokens or max_rows; ids below `vocabulary`.  The same
 * for equal arguments. */
tweets tweets_new(int n_batches, int max_tokens, int max_rows, int vocabulary);
void tweets_free(tweets *t);

#endif
