#include "base/events.h"

#include "base/memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

/* Writer's and reader's counters live on lines of their own, so that they do not steal them from
 * each other. */
struct dn_events {
    size_t capacity, size_bytes;
    alignas(CACHE_LINE) _Atomic uint64_t written;
    _Atomic uint64_t lost;
    alignas(CACHE_LINE) _Atomic uint64_t read;
    alignas(CACHE_LINE) char slot[];
};

dn_events *dn_events_new(size_t capacity, size_t size_bytes) {
    assert(capacity && (capacity & (capacity - 1)) == 0);
    dn_events *events = dn_alloc_aligned(CACHE_LINE, sizeof *events + capacity * size_bytes);
    events->capacity = capacity;
    events->size_bytes = size_bytes;
    return events;
}

void dn_events_free(dn_events *events) {
    free(events);
}

static char *slot_of(dn_events *events, uint64_t number) {
    return events->slot + (number & (events->capacity - 1)) * events->size_bytes;
}

void dn_events_put(dn_events *events, const void *event) {
    uint64_t written = atomic_load_explicit(&events->written, memory_order_relaxed);
    if (written - atomic_load_explicit(&events->read, memory_order_acquire) == events->capacity) {
        atomic_fetch_add_explicit(&events->lost, 1, memory_order_relaxed);
        return;
    }
    memcpy(slot_of(events, written), event, events->size_bytes);
    atomic_store_explicit(&events->written, written + 1, memory_order_release);
}

bool dn_events_take(dn_events *events, void *event) {
    uint64_t read = atomic_load_explicit(&events->read, memory_order_relaxed);
    if (read == atomic_load_explicit(&events->written, memory_order_acquire)) {
        return false;
    }
    memcpy(event, slot_of(events, read), events->size_bytes);
    atomic_store_explicit(&events->read, read + 1, memory_order_release);
    return true;
}

uint64_t dn_events_lost(const dn_events *events) {
    return atomic_load_explicit(&events->lost, memory_order_relaxed);
}
