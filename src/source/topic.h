#ifndef DN_SOURCE_TOPIC_H
#define DN_SOURCE_TOPIC_H
/** What the two kinds of a topic source share: settings and columns, so that stages see no
 * difference.
 *
 *    topic.c          a topic of a Kafka broker
 *    topic_memory.c   a topic between two pipelines of one rank (flow/bus.h)
 *
 * Columns: `key` and `value`, bytes as they were written. */
#include "flow/source.h"

typedef struct dn_topic_source_conf {
    char *name;
    int64_t partitions;
    int64_t prefetch_bytes;
    int on_gap;
    int key, value; /**< columns */
} dn_topic_source_conf;

enum { DN_GAP_ERROR, DN_GAP_EARLIEST };

extern const dn_prop dn_topic_source_props[];

/** Adds the columns. */
dn_status dn_topic_source_bind(void *conf, const dn_bind *bind);

/** Appends a record to a chunk with room, copying key and value. */
void dn_topic_source_append(const dn_topic_source_conf *conf, dn_chunk *chunk, int64_t offset,
                            int64_t sent_ns, dn_span key, dn_span value);

/** Whether a value of that size still belongs into the chunk. */
bool dn_topic_source_fits(const dn_chunk *chunk, size_t value_bytes);

#endif
