#ifndef DN_FLOW_REORDER_H
#define DN_FLOW_REORDER_H
/** Puts the chunks of each partition back into their order, before ordered stages and before sinks.
 *
 * Chunks of different partitions do not wait for each other. At most as many chunks wait as the
 * pipeline has. */
#include "flow/chunk.h"

typedef struct dn_reorder dn_reorder;

dn_reorder *dn_reorder_new(int n_partitions);
void dn_reorder_free(dn_reorder *reorder);

/** Takes a chunk. thread: one */
void dn_reorder_put(dn_reorder *reorder, dn_chunk *chunk);

/** The next chunk whose turn it is, NULL when all that wait are early. */
dn_chunk *dn_reorder_take(dn_reorder *reorder);

#endif
