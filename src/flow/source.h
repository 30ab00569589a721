#ifndef DN_FLOW_SOURCE_H
#define DN_FLOW_SOURCE_H
/** Where records come from. One const struct per source, called by the pipeline's poll thread only.
 */
#include "flow/stage.h"

typedef struct dn_source dn_source; /**< each source's own state */
typedef struct dn_source_ops dn_source_ops;

typedef enum dn_poll {
    DN_POLL_CHUNK, /**< the chunk holds at least one record */
    DN_POLL_IDLE,  /**< nothing within the time */
    DN_POLL_END,   /**< bounded input: every partition of this rank is at its end */
} dn_poll;

/** Which part of the input this rank reads, from where, and how the run behaves. lends until close
 */
typedef struct dn_source_env {
    const char *job, *pipeline, *output;
    int rank, size; /**< partition p belongs to rank p mod size */
    int n_partitions;
    const int64_t *start; /**< [n_partitions] first offset wanted; -1: from the beginning; foreign
                             partitions ignored */
    bool bounded; /**< end at the end of what is there now (--until end), else go on for ever */
    const dn_map *kafka; /**< librdkafka properties of the job, "bootstrap.servers" among them */
    /** For a topic that another pipeline of this rank feeds: true once that one ended; then `*last`
     * is the last offset it had acknowledged for the partition in this run, -1 for none. NULL: not
     * fed. */
    bool (*fed)(void *ctx, int32_t partition, int64_t *last);
    void *fed_ctx;
    void *bus; /**< dn_bus of a fused topic, or NULL */
} dn_source_env;

/** Numbers the summary shows. */
typedef struct dn_source_stats {
    int64_t records, bytes;
    int64_t
        total_records; /**< known size of a bounded input on this rank, -1 unknown: for the ETA */
    int64_t lag;       /**< records behind (topic) or ns behind schedule (replay), -1 unknown */
} dn_source_stats;

struct dn_source_ops {
    const char *name, *summary;
    bool in_kafka; /**< what describe names is a topic of the broker */
    const dn_prop *props;
    size_t conf_size;
    /** Adds the columns it fills. */
    dn_status (*bind)(void *conf, const dn_bind *bind);
    /** Name of the topic or corpus, and its number of partitions (may ask the broker: `kafka` as in
     * the env). */
    dn_status (*describe)(const void *conf, const dn_map *kafka, const char **topic,
                          int *n_partitions);
    /** A number that is another one for another input, where offsets of one mean nothing in the
     * other (record numbers of a corpus). NULL: offsets belong to the topic. */
    dn_status (*identity)(const void *conf, uint64_t *identity);
    dn_status (*open)(const void *conf, const dn_source_env *env, dn_source **source);
    /** Fills the empty chunk with records of one partition: rows, columns, topic, partition, next,
     * payload_bytes; the pipeline sets sequence. Records that are bad already (CSV syntax) are
     * appended and buried. blocks  up to timeout_ns */
    dn_status (*poll)(dn_source *source, int64_t timeout_ns, dn_chunk *chunk, dn_poll *what);
    /** All sinks hold everything of the partition below `next`. NULL: not interested. thread: one
     * sink's at a time */
    void (*committed)(dn_source *source, int32_t partition, int64_t next);
    void (*stats)(const dn_source *source, dn_source_stats *stats);
    /** Records of a partition that are there and not read yet, -1 unknown. NULL: unknown. thread:
     * any */
    int64_t (*lag)(const dn_source *source, int32_t partition);
    void (*close)(dn_source *source);
    void (*unbind)(void *conf);
};

#endif
