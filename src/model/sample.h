#ifndef DN_MODEL_SAMPLE_H
#define DN_MODEL_SAMPLE_H
/** Micro-batches of made-up token ids whose lengths are those of real tweets: for measuring and
 * comparing where no texts are at hand. */
#include "batch/batch.h"

typedef struct dn_sample {
    dn_batch *batch;
    int n_batches;
} dn_sample;

/** `n_batches` batches, each filled up to max_tokens or max_rows; rows of at most `longest` tokens,
 * ids below `vocabulary`.  The same for equal arguments.   ownership  the caller: dn_sample_free */
dn_sample dn_sample_new(int n_batches, int max_tokens, int max_rows, int longest, int vocabulary);
void dn_sample_free(dn_sample *sample);

#endif
