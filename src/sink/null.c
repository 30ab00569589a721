/* Counts and drops: the end of a pipeline that is only measured. It has no cursor, so a restart
 * begins anew. */
#include "base/memory.h"
#include "sink/sinks.h"

#include <stdlib.h>

struct dn_sink {
    dn_sink_stats stats;
};

static dn_status null_open(const void *conf, const dn_sink_env *env, dn_sink **sink) {
    (void)conf;
    (void)env;
    *sink = dn_alloc(sizeof **sink);
    return DN_OK;
}

static int64_t null_cursor(const dn_sink *sink, int32_t partition) {
    (void)sink;
    (void)partition;
    return DN_CURSOR_NONE;
}

static dn_status null_write(dn_sink *sink, const dn_chunk *chunk) {
    sink->stats.rows += chunk->n_sel;
    sink->stats.bytes += chunk->payload_bytes;
    return DN_OK;
}

static int32_t null_due(const dn_sink *sink, int64_t mono_ns) {
    (void)sink;
    (void)mono_ns;
    return DN_NOTHING_DUE;
}

static dn_status null_commit(dn_sink *sink, int32_t partition) {
    (void)partition;
    sink->stats.commits++;
    return DN_OK;
}

static void null_stats(const dn_sink *sink, dn_sink_stats *stats) {
    *stats = sink->stats;
}

static void null_close(dn_sink *sink) {
    free(sink);
}

const dn_sink_ops dn_sink_null = {
    .name = "null",
    .summary = "Counts and drops.",
    .open = null_open,
    .cursor = null_cursor,
    .write = null_write,
    .due = null_due,
    .commit = null_commit,
    .stats = null_stats,
    .close = null_close,
};
