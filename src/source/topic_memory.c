/* A topic that another pipeline of the same rank feeds through memory. Offsets are those of that
 * pipeline's source. */
#include "base/clock.h"
#include "base/memory.h"
#include "flow/bus.h"
#include "source/sources.h"
#include "source/topic.h"

#include <stdatomic.h>
#include <stdlib.h>

struct dn_source {
    const dn_topic_source_conf *conf;
    int64_t *first; /* [n_partitions] what lies below is not wanted */
    dn_bus *bus;
    dn_bus_batch *batch; /* being read, NULL: none */
    int at;
    _Atomic int64_t records, bytes;
};

static dn_status memory_describe(const void *conf, const dn_map *kafka, const char **topic,
                                 int *n_partitions) {
    const dn_topic_source_conf *c = conf;
    (void)kafka;
    if (c->partitions == 0) {
        return DN_FAIL(
            CONFIG,
            "topic %s: without a broker the source needs the number of partitions: declare the "
            "topic under topics:",
            c->name);
    }
    *topic = c->name;
    *n_partitions = (int)c->partitions;
    return DN_OK;
}

static dn_status memory_open(const void *conf, const dn_source_env *env, dn_source **out) {
    const dn_topic_source_conf *c = conf;
    if (!env->bus) {
        return DN_FAIL(CONFIG,
                       "topic %s is written by no pipeline of this job, and there is no broker",
                       c->name);
    }
    dn_source *source = dn_alloc(sizeof *source);
    source->conf = c;
    source->bus = env->bus;
    source->first = dn_alloc_array((size_t)env->n_partitions, sizeof *source->first);
    for (int p = 0; p < env->n_partitions; p++) {
        source->first[p] = env->start ? env->start[p] : -1;
    }
    *out = source;
    return DN_OK;
}

static void append(dn_source *source, const dn_bus_record *record, dn_chunk *chunk) {
    dn_topic_source_append(source->conf, chunk, record->offset, record->sent_ns, record->key,
                           record->value);
    atomic_fetch_add_explicit(&source->records, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&source->bytes, (int64_t)(record->key.len + record->value.len),
                              memory_order_relaxed);
}

/* Appends what fits; a batch that is read to its end goes back. */
static void fill(dn_source *source, dn_chunk *chunk) {
    dn_bus_batch *batch = source->batch;
    for (; source->at < batch->n; source->at++) {
        const dn_bus_record *record = &batch->record[source->at];
        if (record->offset < source->first[batch->partition]) {
            continue;
        }
        if (!dn_topic_source_fits(chunk, record->key.len + record->value.len)) {
            break;
        }
        append(source, record, chunk);
    }
    chunk->topic = source->conf->name;
    chunk->partition = batch->partition;
    if (source->at == batch->n) {
        chunk->next = batch->next;
        dn_bus_give_back(source->bus, batch);
        source->batch = NULL;
    }
}

static dn_status memory_poll(dn_source *source, int64_t timeout_ns, dn_chunk *chunk,
                             dn_poll *what) {
    int64_t end = dn_mono_ns() + timeout_ns;
    *what = DN_POLL_IDLE;
    while (chunk->n_rows == 0) {
        int64_t left = end - dn_mono_ns();
        dn_status status = DN_OK;
        if (!source->batch) {
            source->at = 0;
            status = dn_bus_pop(source->bus, left > 0 ? left : 0, &source->batch);
        }
        if (status != DN_OK) {
            *what = status == DN_ABORT ? DN_POLL_END : DN_POLL_IDLE;
            return DN_OK;
        }
        fill(source, chunk);
    }
    *what = DN_POLL_CHUNK;
    return DN_OK;
}

static void memory_stats(const dn_source *source, dn_source_stats *stats) {
    *stats = (dn_source_stats){
        .records = atomic_load_explicit(&source->records, memory_order_relaxed),
        .bytes = atomic_load_explicit(&source->bytes, memory_order_relaxed),
        .total_records = -1,
        .lag = -1,
    };
}

/* The writer must not wait for a reader that is no more. */
static void memory_close(dn_source *source) {
    if (!source) {
        return;
    }
    dn_bus_end(source->bus);
    if (source->batch) {
        dn_bus_give_back(source->bus, source->batch);
    }
    free(source->first);
    free(source);
}

const dn_source_ops dn_source_memory_topic = {
    .name = "topic_memory",
    .summary = "A topic that another pipeline of the same rank writes, in memory.",
    .props = dn_topic_source_props,
    .conf_size = sizeof(dn_topic_source_conf),
    .bind = dn_topic_source_bind,
    .describe = memory_describe,
    .open = memory_open,
    .poll = memory_poll,
    .stats = memory_stats,
    .close = memory_close,
};
