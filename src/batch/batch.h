#ifndef DN_BATCH_BATCH_H
#define DN_BATCH_BATCH_H
/** A micro-batch of packed tokens: no padding anywhere.
 *
 *    token[T]          101 7592 102 | 101 2088 999 102 | ...
 *    row_start[R+1]      0            3                  7 ...  T
 *
 * Position of a token = its index minus its row's start. */
#include <stdint.h>

typedef struct dn_batch {
    int32_t n_rows;   /**< R */
    int32_t n_tokens; /**< T */
    const int32_t *token;
    const int32_t *row_start;
} dn_batch;

#endif
