/* A topic that another pipeline of the same rank reads, through memory. Its cursor is the place
 * where that pipeline starts (flow/bus.h): what the reader has made durable need not be written
 * again, everything else is. */
#include "base/clock.h"
#include "base/memory.h"
#include "flow/bus.h"
#include "sink/sinks.h"
#include "sink/topic.h"

#include <stdlib.h>

struct dn_sink {
    const dn_topic_sink_conf *conf;
    dn_bus *bus;
    int64_t *cursor; /* [partitions of the bus] */
    dn_sink_stats stats;
};

static dn_status memory_open(const void *conf, const dn_sink_env *env, dn_sink **out) {
    const dn_topic_sink_conf *c = conf;
    dn_bus *bus = env->bus;
    if (!bus) {
        return DN_FAIL(INTERNAL, "topic %s was opened in memory, but nobody made its bus", c->name);
    }
    int n = dn_bus_partitions(bus);
    if (n != env->n_partitions) {
        return DN_FAIL(
            CONFIG,
            "topic %s has %d partitions and its source %d; without a broker they must be equal",
            c->name, n, env->n_partitions);
    }
    dn_sink *sink = dn_alloc(sizeof *sink);
    sink->conf = c;
    sink->bus = bus;
    sink->cursor = dn_alloc_array((size_t)n, sizeof *sink->cursor);
    for (int p = 0; p < n; p++) {
        sink->cursor[p] = dn_bus_start(bus, p);
    }
    *out = sink;
    return DN_OK;
}

static int64_t memory_cursor(const dn_sink *sink, int32_t partition) {
    return sink->cursor[partition] < 0 ? DN_CURSOR_NONE : sink->cursor[partition];
}

static void add(dn_sink *sink, const dn_chunk *chunk, uint32_t row, dn_bus_batch *batch) {
    dn_span key = dn_topic_sink_key(sink->conf, chunk, row);
    dn_span value = dn_topic_sink_value(sink->conf, chunk, row);
    dn_bus_add(batch, chunk->offset[row], chunk->sent_ns[row], key, value);
    sink->stats.rows++;
    sink->stats.bytes += (int64_t)(key.len + value.len);
}

static dn_status memory_write(dn_sink *sink, const dn_chunk *chunk) {
    int64_t begin = dn_mono_ns(), *cursor = &sink->cursor[chunk->partition];
    dn_bus_batch *batch = dn_bus_take(sink->bus);
    batch->partition = chunk->partition;
    batch->next = chunk->next;
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        if (chunk->offset[chunk->sel[i]] >= *cursor &&
            dn_topic_sink_wants(sink->conf, chunk, chunk->sel[i])) {
            add(sink, chunk, chunk->sel[i], batch);
        }
    }
    *cursor = chunk->next > *cursor ? chunk->next : *cursor;
    sink->stats.busy_ns += dn_mono_ns() - begin;
    if (batch->n == 0) {
        dn_bus_give_back(sink->bus, batch);
        return DN_OK;
    }
    return dn_bus_push(sink->bus, batch);
}

static int32_t memory_due(const dn_sink *sink, int64_t mono_ns) {
    (void)sink, (void)mono_ns;
    return DN_NOTHING_DUE;
}

static dn_status memory_commit(dn_sink *sink, int32_t partition) {
    (void)partition;
    sink->stats.commits++;
    return DN_OK;
}

static void memory_stats(const dn_sink *sink, dn_sink_stats *stats) {
    *stats = sink->stats;
}

static void memory_close(dn_sink *sink) {
    if (sink) {
        dn_bus_end(sink->bus);
        free(sink->cursor);
        free(sink);
    }
}

const dn_sink_ops dn_sink_memory_topic = {
    .name = "topic_memory",
    .summary = "A topic that another pipeline of the same rank reads, in memory.",
    .props = dn_topic_sink_props,
    .conf_size = sizeof(dn_topic_sink_conf),
    .bind = dn_topic_sink_bind,
    .prepare = &dn_topic_prepare,
    .open = memory_open,
    .cursor = memory_cursor,
    .write = memory_write,
    .due = memory_due,
    .commit = memory_commit,
    .stats = memory_stats,
    .close = memory_close,
    .unbind = dn_topic_sink_unbind,
};
