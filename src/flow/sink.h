#ifndef DN_FLOW_SINK_H
#define DN_FLOW_SINK_H
/** Where results go. Each sink keeps its own cursor, the next offset per partition, together with
 * its data: a restart begins at the lowest cursor of the pipeline's sinks and each sink drops what
 * lies below its own.
 *
 * Called by the sink's own thread only, before which cursor() is called once. Order for a chunk:
 * its dead letters are written, then it visits the sinks in turn. Before a sink's commit the dead
 * letters are made durable, so a durable cursor proves that those below it are durable too. */
#include "flow/source.h"

typedef struct dn_sink dn_sink;

enum { DN_ALL_PARTITIONS = -1, DN_NOTHING_DUE = -2 };
#define DN_CURSOR_NONE INT64_C(-1)

/** What a sink knows of its run. lends until close */
typedef struct dn_sink_env {
    const char *job, *pipeline, *output;
    const char *run_id, *resolved_job,
        *model_sha256; /**< provenance, for HDF5 attributes; may be "" */
    const dn_schema *schema;
    const char
        *source_identity; /**< 16 hex digits, "" where the source has none: see dn_source_ops */
    const char *topic;    /**< the source's */
    bool topic_in_kafka;  /**< and it is on the broker, so that offsets can be committed for it */
    int rank, size, n_partitions;
    const dn_map *kafka;
    void *bus;    /**< dn_bus of a fused topic, or NULL */
    int n_before; /**< sinks of the same kind that stand before it in the pipeline */
} dn_sink_env;

typedef struct dn_sink_stats {
    int64_t rows, bytes, commits;
    int64_t busy_ns;
} dn_sink_stats;

typedef struct dn_sink_ops {
    const char *name, *summary;
    const dn_prop *props;
    size_t conf_size;
    /** Finds the columns it writes; all but those that sinks add for `prepare` are there. */
    dn_status (*bind)(void *conf, const dn_bind *bind);
    /** Opens, recovers what an earlier run left, and knows its cursors. */
    dn_status (*open)(const void *conf, const dn_sink_env *env, dn_sink **sink);
    /** Durable cursor of a partition, DN_CURSOR_NONE when it has none. */
    int64_t (*cursor)(const dn_sink *sink, int32_t partition);
    /** What can be made of a chunk's kept rows before their order is known, so that the one sink
     * thread only moves bytes: run behind the models by several threads, with the sink's conf (its
     * bind, unbind and props are not used). It fills columns that the sink added in bind. NULL:
     * nothing. */
    const dn_stage_ops *prepare;
    /** Writes the kept rows of the chunk whose offset is at or above its cursor, and moves its
     * pending cursor to chunk->next. Also counts the chunk's fates for the rows it passes. */
    dn_status (*write)(dn_sink *sink, const dn_chunk *chunk);
    /** A partition (or DN_ALL_PARTITIONS) whose pending data should be made durable now, or
     * DN_NOTHING_DUE. */
    int32_t (*due)(const dn_sink *sink, int64_t mono_ns);
    /** Makes pending data durable, for one partition or all; on OK cursor() tells the new cursors.
     * ABORT: the sink has made everything since the last commit undone and again (topic), call
     * commit again.     blocks  yes */
    dn_status (*commit)(dn_sink *sink, int32_t partition);
    void (*stats)(const dn_sink *sink, dn_sink_stats *stats);
    /** Gives up what is not committed, frees. Commit first. */
    void (*close)(dn_sink *sink);
    void (*unbind)(void *conf);
} dn_sink_ops;

#endif
