#ifndef DN_SINK_TOPIC_H
#define DN_SINK_TOPIC_H
/** What the three kinds of a topic sink share: settings, and how a row becomes a record.
 *
 *    topic.c          a topic of a Kafka broker, in transactions
 *    topic_memory.c   a topic between two pipelines of one rank (flow/bus.h)
 *    jsonl.c          files, where there is no broker and nobody reads
 *
 * The records are made by several threads (dn_topic_prepare), as a column that topics with the same
 * fields share. */
#include "flow/sink.h"
#include "sink/record_json.h"

enum { DN_MAX_ONLY = 32 };

/** A label that a row must have. */
typedef struct dn_topic_only {
    int field;
    uint8_t label;
} dn_topic_only;

typedef struct dn_topic_sink_conf {
    char *name;
    dn_list fields, only;
    char *key;
    int compression;
    int64_t linger_ns, batch_bytes, commit_ns;
    dn_record_format format; /**< bound */
    char *column;            /**< bound: name of the records' column */
    int record_field;        /**< bound */
    int key_field;           /**< bound; -1: none */
    int n_only;              /**< bound */
    dn_topic_only one_of[DN_MAX_ONLY];
} dn_topic_sink_conf;

extern const dn_prop dn_topic_sink_props[];
extern const char *const dn_compression_words[];

extern const dn_stage_ops dn_topic_prepare;

dn_status dn_topic_sink_bind(void *conf, const dn_bind *bind);
void dn_topic_sink_unbind(void *conf);

/** Whether the row is one of the topic's: all are, or those with one of the labels of `only`. */
bool dn_topic_sink_wants(const dn_topic_sink_conf *conf, const dn_chunk *chunk, uint32_t row);

/** Key of a row, null where it has none. lends from the chunk */
dn_span dn_topic_sink_key(const dn_topic_sink_conf *conf, const dn_chunk *chunk, uint32_t row);

/** Record of a row that the topic wants. lends from the chunk */
dn_span dn_topic_sink_value(const dn_topic_sink_conf *conf, const dn_chunk *chunk, uint32_t row);

/** Kafka only: last offset of the sink's topic that was acknowledged in this run, -1: none. thread:
 * any */
int64_t dn_topic_sink_last_acked(const dn_sink *sink, int32_t partition);

#endif
