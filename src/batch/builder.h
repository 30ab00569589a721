#ifndef DN_BATCH_BUILDER_H
#define DN_BATCH_BUILDER_H
/** Packs rows of many chunks into one micro-batch.
 *
 *    add(ids) ──▶ token[]      up to the token budget
 *                 row_start[]  up to the row limit
 *                 slots[]      a small table by hash, so that an equal row of the open batch is
 * found
 *
 * All memory is reserved by new. Lookups of an earlier batch cost nothing: slots carry the number
 * of their batch. */
#include "base/status.h"
#include "batch/batch.h"

#include <stdbool.h>

typedef struct dn_builder dn_builder;

enum { DN_BATCH_FULL_TOKENS = -1, DN_BATCH_FULL_ROWS = -2 };

/** CONFIG error when a limit is below 1.   ownership  the caller: dn_builder_free    thread  one at
 * a time */
dn_status dn_builder_new(int max_tokens, int max_rows, dn_builder **out);
void dn_builder_free(dn_builder *builder);

/** Appends a row and returns its number, or says which limit it would exceed (DN_BATCH_FULL_*):
 * close the batch, reset, add again.   requires  n <= max_tokens */
int dn_builder_add(dn_builder *builder, const int32_t *id, int n);

/** Makes a row of the open batch findable, once. `hash` is any function of its ids. */
void dn_builder_publish(dn_builder *builder, int row, uint64_t hash);

/** The hash will be looked for soon: brings its slot closer. */
void dn_builder_announce(const dn_builder *builder, uint64_t hash);

/** The published row with these ids, compared in full; -1 when there is none. */
int dn_builder_find(const dn_builder *builder, uint64_t hash, const int32_t *id, int n);

/** The rows so far. lends until the next add or reset */
dn_batch dn_builder_batch(const dn_builder *builder);

void dn_builder_reset(dn_builder *builder);

#endif
