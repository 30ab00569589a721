#ifndef DN_FLOW_BUS_H
#define DN_FLOW_BUS_H
/** A topic that lives in memory: one pipeline of a rank writes it, another of the same rank reads
 * it (`--broker none`).
 *
 *    sink thread of the writer ──▶ bounded ring of batches ──▶ poll thread of the reader
 *
 * A batch is what became of one chunk of the writer: records of one partition, under the offsets of
 * the writer's own source. Nothing is stored, so nothing needs a cursor of its own: the writer's
 * cursor is the place where the reader starts, told with dn_bus_set_start before the writer's sink
 * is opened. After a crash the writer begins there again.
 *
 * Order of calls: new; set_start, after the reader's sinks are open; then sink and source in any
 * order. */
#include "base/arena.h"
#include "base/status.h"

#include <stdint.h>

typedef struct dn_bus dn_bus;

typedef struct dn_bus_record {
    int64_t offset;  /**< in the writer's source */
    int64_t sent_ns; /**< INT64_MIN: unknown */
    dn_span key, value;
} dn_bus_record;

typedef struct dn_bus_batch {
    dn_arena arena; /**< of keys and values */
    int32_t partition;
    int64_t next; /**< the cursor behind the writer's chunk */
    int n, room;
    dn_bus_record *record;
} dn_bus_batch;

/** ownership: the caller, after both pipelines are closed */
dn_bus *dn_bus_new(const char *topic, int n_partitions);
void dn_bus_free(dn_bus *bus);

const char *dn_bus_topic(const dn_bus *bus);
int dn_bus_partitions(const dn_bus *bus);

/** Where the reader starts; -1: at the beginning (the initial value). thread: main, before the
 * threads start */
void dn_bus_set_start(dn_bus *bus, int32_t partition, int64_t offset);
int64_t dn_bus_start(const dn_bus *bus, int32_t partition);

/** An empty batch. ownership: the caller, until push or give_back. thread: any   blocks: never */
dn_bus_batch *dn_bus_take(dn_bus *bus);
void dn_bus_give_back(dn_bus *bus, dn_bus_batch *batch);

/** Copies a record into the batch. */
void dn_bus_add(dn_bus_batch *batch, int64_t offset, int64_t sent_ns, dn_span key, dn_span value);

/** Gives a batch to the reader. DRAINED when the reader has ended.     blocks  while the ring is
 * full */
dn_status dn_bus_push(dn_bus *bus, dn_bus_batch *batch);

/** Takes the oldest batch: AGAIN after timeout_ns, ABORT when the writer has ended and nothing is
 * left. */
dn_status dn_bus_pop(dn_bus *bus, int64_t timeout_ns, dn_bus_batch **batch);

/** No more goes in: the reader gets what is left and then the end, a writer that waits is woken.
 * Called when either pipeline has ended or failed (dn_pipeline_env.ended), any number of times.
 * thread: any */
void dn_bus_end(dn_bus *bus);

#endif
