#ifndef DN_BASE_RING_H
#define DN_BASE_RING_H
/** A bounded queue of pointers between threads: the only way in which work moves from one thread to
 * another.
 *
 * Any number of threads may push and pop. A full ring blocks the pusher (back-pressure), an empty
 * one the popper; a blocked thread burns no core. Its unit of work is a chunk of up to 1,024
 * records, so a mutex is not on the data path. */
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dn_ring dn_ring;

dn_ring *dn_ring_new(size_t capacity);
void dn_ring_free(dn_ring *ring);

/** Gives `item` to the ring. Returns AGAIN after `timeout_ns` (0 polls, negative waits for ever),
 * ABORT when closed. blocks  while full */
dn_status dn_ring_push(dn_ring *ring, void *item, int64_t timeout_ns);

/** Takes the oldest item. Returns AGAIN after `timeout_ns`, ABORT when the ring is closed and
 * empty. blocks  while empty */
dn_status dn_ring_pop(dn_ring *ring, int64_t timeout_ns, void **item);

/** No more pushes; poppers drain what is left and then get ABORT. */
void dn_ring_close(dn_ring *ring);

/** What the trace shows: items now, and nanoseconds that all pushers were blocked and all poppers
 * starved so far. */
typedef struct dn_ring_stats {
    size_t depth, capacity;
    int64_t blocked_ns, starved_ns;
    double mean_depth; /**< over pushes and pops */
} dn_ring_stats;
dn_ring_stats dn_ring_read(dn_ring *ring);

#endif
