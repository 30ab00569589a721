/* A Kafka topic as a sink: rows and cursors in one transaction (io/kafka_txn.h), about once a
 * second.
 *
 * Cursors are committed offsets of the group <job>.<pipeline>: of the source's topic where the
 * source is one, so that Kafka's own tools show the lag; else (a corpus) of this topic, whose
 * partitions then stand for the corpus's. Of several topics of a pipeline each has a producer and
 * cursors of its own: those behind the first are called <pipeline>.<topic>. */
#include "sink/topic.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "io/kafka_txn.h"
#include "sink/sinks.h"

#include <stdlib.h>
#include <string.h>

struct dn_sink {
    const dn_topic_sink_conf *conf;
    dn_kafka_txn *txn;
    int n_partitions;           /* of the source */
    int64_t *durable, *pending; /* [n_partitions] cursors; -1: none */
    int64_t *change;            /* [n_partitions] scratch */
    int64_t oldest_ns;          /* when the first uncommitted chunk came, 0: none */
    dn_sink_stats stats;
};

/* Kept records are held in memory until the commit. */
static const int64_t pending_max_bytes = INT64_C(64) << 20;

static dn_sink *sink_new(const dn_topic_sink_conf *conf, int n_partitions) {
    dn_sink *sink = dn_alloc(sizeof *sink);
    sink->conf = conf;
    sink->n_partitions = n_partitions;
    sink->durable = dn_alloc_array((size_t)n_partitions, sizeof *sink->durable);
    sink->pending = dn_alloc_array((size_t)n_partitions, sizeof *sink->pending);
    sink->change = dn_alloc_array((size_t)n_partitions, sizeof *sink->change);
    return sink;
}

static void topic_close(dn_sink *sink) {
    if (sink) {
        dn_kafka_txn_close(sink->txn);
        free(sink->durable);
        free(sink->pending);
        free(sink->change);
        free(sink);
    }
}

static dn_status topic_open(const void *conf, const dn_sink_env *env, dn_sink **out) {
    const dn_topic_sink_conf *c = conf;
    dn_sink *sink = sink_new(c, env->n_partitions);
    char *own = env->n_before ? dn_format("%s.%s", env->pipeline, c->name) : NULL;
    dn_kafka_txn_conf txn = {
        .kafka = env->kafka,
        .job = env->job,
        .pipeline = own ? own : env->pipeline,
        .corpus = env->topic_in_kafka ? NULL : env->source_identity,
        .rank = env->rank,
        .size = env->size,
        .topic = c->name,
        .cursor_topic = env->topic_in_kafka ? env->topic : c->name,
        .n_cursors = env->n_partitions,
        .compression = dn_compression_words[c->compression],
        .linger_ns = c->linger_ns,
        .batch_bytes = c->batch_bytes,
    };
    dn_status status = dn_kafka_txn_open(&txn, sink->durable, &sink->txn);
    free(own);
    if (status != DN_OK) {
        topic_close(sink);
        return status;
    }
    memcpy(sink->pending, sink->durable, (size_t)env->n_partitions * sizeof *sink->pending);
    *out = sink;
    return DN_OK;
}

static int64_t topic_cursor(const dn_sink *sink, int32_t partition) {
    return sink->durable[partition] < 0 ? DN_CURSOR_NONE : sink->durable[partition];
}

/* The chunk's own partition where the topic has as many as the source, so that order and
 * neighbourhood are kept. */
static int32_t partition_of(const dn_sink *sink, const dn_chunk *chunk, dn_span key) {
    int n = dn_kafka_txn_partitions(sink->txn);
    if (n == sink->n_partitions || !key.ptr) {
        return chunk->partition % n;
    }
    return (int32_t)(dn_hash64(key, 0) % (uint64_t)n);
}

static dn_status put(dn_sink *sink, const dn_chunk *chunk, uint32_t row) {
    dn_span key = dn_topic_sink_key(sink->conf, chunk, row);
    dn_span value = dn_topic_sink_value(sink->conf, chunk, row);
    sink->stats.rows++;
    sink->stats.bytes += (int64_t)(key.len + value.len);
    return dn_kafka_txn_put(sink->txn, partition_of(sink, chunk, key), key, value,
                            chunk->sent_ns[row]);
}

static dn_status topic_write(dn_sink *sink, const dn_chunk *chunk) {
    int64_t begin = dn_mono_ns(), *pending = &sink->pending[chunk->partition];
    if (chunk->next <= *pending) {
        return DN_OK;
    }
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint32_t row = chunk->sel[i];
        if (chunk->offset[row] >= *pending && dn_topic_sink_wants(sink->conf, chunk, row)) {
            DN_TRY(put(sink, chunk, row));
        }
    }
    *pending = chunk->next;
    sink->oldest_ns = sink->oldest_ns ? sink->oldest_ns : begin;
    sink->stats.busy_ns += dn_mono_ns() - begin;
    return DN_OK;
}

static int32_t topic_due(const dn_sink *sink, int64_t mono_ns) {
    bool old = sink->oldest_ns && mono_ns - sink->oldest_ns >= sink->conf->commit_ns;
    bool full = dn_kafka_txn_pending_bytes(sink->txn) >= pending_max_bytes;
    return old || full ? DN_ALL_PARTITIONS : DN_NOTHING_DUE;
}

/* Always all partitions: a producer has one transaction. */
static dn_status topic_commit(dn_sink *sink, int32_t partition) {
    (void)partition;
    int64_t begin = dn_mono_ns();
    if (sink->oldest_ns == 0) {
        return DN_OK;
    }
    for (int p = 0; p < sink->n_partitions; p++) {
        sink->change[p] = sink->pending[p] > sink->durable[p] ? sink->pending[p] : -1;
    }
    DN_TRY(dn_kafka_txn_commit(sink->txn, sink->change));
    memcpy(sink->durable, sink->pending, (size_t)sink->n_partitions * sizeof *sink->durable);
    sink->oldest_ns = 0;
    sink->stats.commits++;
    sink->stats.busy_ns += dn_mono_ns() - begin;
    return DN_OK;
}

static void topic_stats(const dn_sink *sink, dn_sink_stats *stats) {
    *stats = sink->stats;
}

int64_t dn_topic_sink_last_acked(const dn_sink *sink, int32_t partition) {
    return dn_kafka_txn_last_acked(sink->txn, partition);
}

const dn_sink_ops dn_sink_kafka_topic = {
    .name = "topic",
    .summary = "A topic of a Kafka broker, exactly once, in transactions.",
    .props = dn_topic_sink_props,
    .conf_size = sizeof(dn_topic_sink_conf),
    .bind = dn_topic_sink_bind,
    .prepare = &dn_topic_prepare,
    .open = topic_open,
    .cursor = topic_cursor,
    .write = topic_write,
    .due = topic_due,
    .commit = topic_commit,
    .stats = topic_stats,
    .close = topic_close,
    .unbind = dn_topic_sink_unbind,
};
