#include "flow/bus.h"

#include "base/memory.h"
#include "base/ring.h"

#include <stdlib.h>

enum { BATCHES = 16, BLOCK_BYTES = 1 << 18, FIRST_ROOM = 1024 };

struct dn_bus {
    char *topic;
    int n_partitions;
    int64_t *start; /* [n_partitions] */
    dn_ring *full;
    dn_ring *idle; /* batches to use again: as many as were ever under way at once */
};

static dn_bus_batch *batch_new(void) {
    dn_bus_batch *batch = dn_alloc(sizeof *batch);
    dn_arena_init(&batch->arena, BLOCK_BYTES);
    batch->room = FIRST_ROOM;
    batch->record = dn_alloc_array(FIRST_ROOM, sizeof *batch->record);
    return batch;
}

static void batch_free(dn_bus_batch *batch) {
    dn_arena_free(&batch->arena);
    free(batch->record);
    free(batch);
}

dn_bus *dn_bus_new(const char *topic, int n_partitions) {
    dn_bus *bus = dn_alloc(sizeof *bus);
    bus->topic = dn_strdup(topic);
    bus->n_partitions = n_partitions;
    bus->start = dn_alloc_array((size_t)n_partitions, sizeof *bus->start);
    for (int p = 0; p < n_partitions; p++) {
        bus->start[p] = -1;
    }
    bus->full = dn_ring_new(BATCHES);
    bus->idle = dn_ring_new(2 * BATCHES);
    return bus;
}

static void drain(dn_ring *ring) {
    void *batch;
    while (dn_ring_pop(ring, 0, &batch) == DN_OK) {
        batch_free(batch);
    }
    dn_ring_free(ring);
}

void dn_bus_free(dn_bus *bus) {
    if (!bus) {
        return;
    }
    drain(bus->full);
    drain(bus->idle);
    free(bus->start);
    free(bus->topic);
    free(bus);
}

const char *dn_bus_topic(const dn_bus *bus) {
    return bus->topic;
}

int dn_bus_partitions(const dn_bus *bus) {
    return bus->n_partitions;
}

void dn_bus_set_start(dn_bus *bus, int32_t partition, int64_t offset) {
    bus->start[partition] = offset;
}

int64_t dn_bus_start(const dn_bus *bus, int32_t partition) {
    return bus->start[partition];
}

dn_bus_batch *dn_bus_take(dn_bus *bus) {
    void *batch;
    return dn_ring_pop(bus->idle, 0, &batch) == DN_OK ? batch : batch_new();
}

void dn_bus_give_back(dn_bus *bus, dn_bus_batch *batch) {
    dn_arena_reset(&batch->arena);
    batch->n = 0;
    if (dn_ring_push(bus->idle, batch, 0) != DN_OK) {
        batch_free(batch);
    }
}

void dn_bus_add(dn_bus_batch *batch, int64_t offset, int64_t sent_ns, dn_span key, dn_span value) {
    if (batch->n == batch->room) {
        batch->room *= 2;
        batch->record = dn_grow(batch->record, (size_t)batch->room, sizeof *batch->record);
    }
    batch->record[batch->n++] = (dn_bus_record){
        .offset = offset,
        .sent_ns = sent_ns,
        .key = key.ptr ? dn_arena_copy(&batch->arena, key) : key,
        .value = value.ptr ? dn_arena_copy(&batch->arena, value) : value,
    };
}

dn_status dn_bus_push(dn_bus *bus, dn_bus_batch *batch) {
    if (dn_ring_push(bus->full, batch, -1) != DN_OK) {
        dn_bus_give_back(bus, batch);
        return DN_FAIL(DRAINED, "the pipeline that reads topic %s has ended", bus->topic);
    }
    return DN_OK;
}

dn_status dn_bus_pop(dn_bus *bus, int64_t timeout_ns, dn_bus_batch **batch) {
    void *item;
    DN_TRY(dn_ring_pop(bus->full, timeout_ns, &item));
    *batch = item;
    return DN_OK;
}

void dn_bus_end(dn_bus *bus) {
    dn_ring_close(bus->full);
}
