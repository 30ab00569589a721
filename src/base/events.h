#ifndef DN_BASE_EVENTS_H
#define DN_BASE_EVENTS_H
/** A lock-free ring of fixed-size events from one thread to one other: how hot threads feed the
 * trace.
 *
 * A full ring drops the event and counts it: tracing is best effort and never slows the data path.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dn_events dn_events;

/** Room for `capacity` (a power of two) events of `size_bytes`. */
dn_events *dn_events_new(size_t capacity, size_t size_bytes);
void dn_events_free(dn_events *events);

/** thread  the one writer    blocks  never */
void dn_events_put(dn_events *events, const void *event);

/** False when empty.     thread  the one reader */
bool dn_events_take(dn_events *events, void *event);

/** Events dropped so far because the ring was full. */
uint64_t dn_events_lost(const dn_events *events);

#endif
