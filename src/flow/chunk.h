#ifndef DN_FLOW_CHUNK_H
#define DN_FLOW_CHUNK_H
/** The unit of flow: consecutive records of one partition, at most 1,024 of them and 1 MiB of
 * payload.
 *
 *    offset[]     100  101  104  105      rising, gaps legal
 *    fate[]      kept dead kept repeat    what became of each record
 *    sel[]          0         2           rows still in the stream, rising: what stages loop over
 *    column[c]    ...                     one array per field of the schema, views into the arena
 *
 * A chunk belongs to one thread at a time. Null in a column: ptr == NULL (BYTES), DN_NULL_I64,
 * DN_NO_LABEL, id == NULL (IDS); NaN (F32). Columns are null until a stage fills them. */
#include "base/arena.h"
#include "flow/schema.h"

#include <stdint.h>

enum { DN_CHUNK_ROWS = 1024, DN_CHUNK_BYTES = 1 << 20 };
#define DN_NULL_I64 INT64_MIN

typedef enum dn_fate {
    DN_KEPT = 0, /**< goes to the sinks */
    DN_REPEAT,   /**< dropped by dedup */
    DN_FILTERED, /**< dropped by a rule */
    DN_DEAD,     /**< bad input: in letters[] */
    DN_FATES
} dn_fate;

/** A bad record. */
typedef struct dn_letter {
    uint32_t row;
    const char *stage;  /**< a literal: who found it */
    const char *reason; /**< a literal, a few words: a class for counting ("bad JSON") */
    dn_span detail;     /**< what exactly and where; in the chunk's arena */
    dn_span raw;        /**< the record's bytes as they came */
} dn_letter;

/** Nanoseconds this chunk spent, for the trace. */
typedef struct dn_chunk_times {
    int64_t polled_mono_ns; /**< when the poll thread handed it over */
    int64_t text_ns;        /**< in text stages */
    int64_t model_ns;       /**< share of the batches its rows were in */
} dn_chunk_times;

typedef struct dn_chunk {
    const dn_schema *schema;
    dn_arena arena;
    const char *topic; /**< topic or corpus name; lends from the source */
    int32_t partition;
    uint64_t
        sequence; /**< 0, 1, 2 ... within the partition in this run: sinks write in this order */
    int64_t next; /**< the partition's cursor once this chunk is durable: first offset not in it */
    uint32_t n_rows;
    uint32_t payload_bytes;
    int64_t offset[DN_CHUNK_ROWS];
    int64_t
        event_ms[DN_CHUNK_ROWS];    /**< event time, milliseconds since 1970; DN_NULL_I64 unknown */
    int64_t sent_ns[DN_CHUNK_ROWS]; /**< intended send time, wall clock; DN_NULL_I64 unknown */
    uint8_t fate[DN_CHUNK_ROWS];
    uint32_t n_sel;
    uint16_t sel[DN_CHUNK_ROWS];
    uint32_t n_letters;
    dn_letter *letters;
    uint32_t n_cut;       /**< texts longer than the model reads, counted by the stage that cuts */
    uint32_t n_undecided; /**< labels that are "und", counted by the models */
    void *column[DN_MAX_FIELDS];
    dn_chunk_times times;
    void *scorer_data;     /**< the scorer's own, while it holds the chunk */
    struct dn_chunk *link; /**< of the list that holds the chunk */
} dn_chunk;

/** A chunk for the schema: its column arrays are reserved once. ownership: the caller */
dn_chunk *dn_chunk_new(const dn_schema *schema);
void dn_chunk_free(dn_chunk *chunk);

/** Empties it for the next use; the memory stays. */
void dn_chunk_reset(dn_chunk *chunk);

/** Appends a record (source side): its row. All columns of the row are null. Requires room (n_rows
 * < DN_CHUNK_ROWS). The record is in the selection. */
uint32_t dn_chunk_append(dn_chunk *chunk, int64_t offset, int64_t event_ms, int64_t sent_ns);

/** Takes a row out of the stream (fate REPEAT or FILTERED). Call dn_chunk_select afterwards, once
 * per stage. */
static inline void dn_chunk_drop(dn_chunk *chunk, uint32_t row, dn_fate fate) {
    chunk->fate[row] = (uint8_t)fate;
}

/** Makes a dead letter of a row. `raw` and `detail` must live as long as the chunk (arena or
 * source). Call dn_chunk_select afterwards. */
void dn_chunk_bury(dn_chunk *chunk, uint32_t row, const char *stage, const char *reason,
                   dn_span detail, dn_span raw);

/** Rebuilds sel[] from fate[]: rows with DN_KEPT. */
void dn_chunk_select(dn_chunk *chunk);

static inline dn_span *dn_chunk_bytes(const dn_chunk *chunk, int field) {
    return (dn_span *)chunk->column[field];
}
static inline int64_t *dn_chunk_i64(const dn_chunk *chunk, int field) {
    return (int64_t *)chunk->column[field];
}
static inline float *dn_chunk_f32(const dn_chunk *chunk, int field) {
    return (float *)chunk->column[field];
}
static inline uint8_t *dn_chunk_label(const dn_chunk *chunk, int field) {
    return (uint8_t *)chunk->column[field];
}
static inline dn_ids *dn_chunk_ids(const dn_chunk *chunk, int field) {
    return (dn_ids *)chunk->column[field];
}

#endif
