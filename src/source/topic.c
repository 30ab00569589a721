/* A Kafka topic as a stream: every rank reads its own partitions.
 *
 *    queue of partition 2 ─┐
 *    queue of partition 5 ─┼─▶ one partition at a time, in turn ─▶ chunk
 *    queue of partition 8 ─┘
 *
 * A chunk ends when it is full, at the end of the partition, when another partition has records
 * waiting, or 5 ms after its first record. The end of a partition is the EOF event: offsets cannot
 * tell, since markers and aborted records take some. */
#include "source/topic.h"

#include "base/clock.h"
#include "base/memory.h"
#include "io/kafka_client.h"
#include "io/kafka_consumer.h"
#include "source/sources.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* A partition of this rank. */
typedef struct slot {
    int64_t eof;    /* offset of the last EOF event, -1: none yet */
    int64_t target; /* end of the partition, undecided transactions included, at the first EOF
                       event; -1: none yet */
    bool ended;
    _Atomic int64_t next; /* first offset not delivered */
} slot;

struct dn_source {
    const dn_topic_source_conf *conf;
    dn_source_env env;
    dn_kafka_consumer *consumer;
    int n_slots, turn;
    int32_t *partition; /* [n_slots] */
    int64_t *start;     /* [n_slots] */
    slot *slot;         /* [n_slots] */
    int carried;        /* slot whose next record waits in `record`, -1: none */
    dn_kafka_record record;
    int64_t recount_ns; /* when to look at the number of partitions again */
    int64_t total;
    _Atomic int64_t records, bytes;
};

static const int64_t linger_ns = 5 * INT64_C(1000000);
static const int64_t recount_every_ns = 60 * INT64_C(1000000000);

/* ---- open */

static dn_status topic_describe(const void *conf, const dn_map *kafka, const char **topic,
                                int *n_partitions) {
    const dn_topic_source_conf *c = conf;
    dn_kafka_client *client;
    int n = 0;
    DN_TRY(dn_kafka_client_open(kafka, &client));
    dn_status status = dn_kafka_topic_partitions(client, c->name, &n);
    dn_kafka_client_close(client);
    DN_TRY(status);
    if (n == 0) {
        return DN_FAIL(
            TOPIC, "topic %s does not exist; make it, or declare it under topics: in the job file",
            c->name);
    }
    if (c->partitions && c->partitions != n) {
        return DN_FAIL(TOPIC, "topic %s has %d partitions; the job wants %lld", c->name, n,
                       (long long)c->partitions);
    }
    *topic = c->name;
    *n_partitions = n;
    return DN_OK;
}

static dn_source *source_new(const dn_topic_source_conf *conf, const dn_source_env *env) {
    dn_source *source = dn_alloc(sizeof *source);
    source->conf = conf;
    source->env = *env;
    source->carried = -1;
    source->total = -1;
    size_t room = (size_t)(env->n_partitions / env->size + 1);
    source->partition = dn_alloc_array(room, sizeof *source->partition);
    source->start = dn_alloc_array(room, sizeof *source->start);
    source->slot = dn_alloc_array(room, sizeof *source->slot);
    for (int32_t p = env->rank; p < env->n_partitions; p += env->size) {
        int i = source->n_slots++;
        source->partition[i] = p;
        source->start[i] = env->start ? env->start[p] : -1;
        source->slot[i].eof = source->slot[i].target = -1;
    }
    return source;
}

static dn_status open_consumer(dn_source *source) {
    char *group = dn_format("%s.%s", source->env.job, source->env.pipeline);
    char *client_id = dn_format("%.20s.in.%d", group, source->env.rank);
    dn_kafka_consumer_conf conf = {
        .kafka = source->env.kafka,
        .topic = source->conf->name,
        .group = group,
        .client_id = client_id,
        .n_slots = source->n_slots,
        .partition = source->partition,
        .prefetch_bytes = source->conf->prefetch_bytes,
    };
    dn_status status = dn_kafka_consumer_open(&conf, &source->consumer);
    free(group);
    free(client_id);
    return status;
}

/* The records from `wanted` on are not there: gone by retention, or the topic was made anew. */
static dn_status meet_gap(const dn_source *source, int i, int64_t wanted, int64_t first,
                          int64_t end) {
    if (source->conf->on_gap == DN_GAP_EARLIEST) {
        return DN_OK;
    }
    return DN_FAIL(TOPIC,
                   "topic %s, partition %d: offset %lld is needed to go on, but the topic has %lld "
                   "to %lld; records were deleted (retention) or the topic was made anew. on_gap: "
                   "earliest goes on with what there is",
                   source->conf->name, source->partition[i], (long long)wanted, (long long)first,
                   (long long)end);
}

/* Gaps show at once, not when the first fetch is refused; and the sizes are known for the progress
 * display. */
static dn_status find_start(dn_source *source, dn_kafka_client *client, int i, int64_t *total) {
    int64_t first, end, *start = &source->start[i];
    DN_TRY(dn_kafka_topic_range(client, source->conf->name, source->partition[i], &first, &end));
    if (*start >= 0 && (*start < first || *start > end)) {
        DN_TRY(meet_gap(source, i, *start, first, end));
        *start = first;
    }
    *start = *start < 0 ? first : *start;
    atomic_store(&source->slot[i].next, *start);
    *total += end - *start;
    return DN_OK;
}

static dn_status find_starts(dn_source *source) {
    dn_kafka_client *client;
    int64_t total = 0;
    DN_TRY(dn_kafka_client_open(source->env.kafka, &client));
    dn_status status = DN_OK;
    for (int i = 0; i < source->n_slots && status == DN_OK; i++) {
        status = find_start(source, client, i, &total);
    }
    dn_kafka_client_close(client);
    source->total = source->env.bounded && !source->env.fed ? total : -1;
    return status;
}

/* The broker refused an offset: it deletes faster than we read. */
static dn_status skip_gap(dn_source *source, int i) {
    dn_kafka_client *client;
    int64_t first, end, wanted = atomic_load(&source->slot[i].next);
    DN_TRY(dn_kafka_client_open(source->env.kafka, &client));
    dn_status status =
        dn_kafka_topic_range(client, source->conf->name, source->partition[i], &first, &end);
    dn_kafka_client_close(client);
    DN_TRY(status);
    DN_TRY(meet_gap(source, i, wanted, first, end));
    atomic_store(&source->slot[i].next, first);
    return dn_kafka_consumer_seek(source->consumer, i, first);
}

static dn_status check_partitions(dn_source *source) {
    int n;
    DN_TRY(dn_kafka_consumer_partitions(source->consumer, &n));
    source->recount_ns = dn_mono_ns() + recount_every_ns;
    if (n != source->env.n_partitions) {
        return DN_FAIL(TOPIC,
                       "topic %s had %d partitions and has %d now; start the job again to read all",
                       source->conf->name, source->env.n_partitions, n);
    }
    return DN_OK;
}

static void topic_close(dn_source *source) {
    if (source) {
        dn_kafka_consumer_close(source->consumer);
        free(source->partition);
        free(source->start);
        free(source->slot);
        free(source);
    }
}

static dn_status topic_open(const void *conf, const dn_source_env *env, dn_source **out) {
    dn_source *source = source_new(conf, env);
    dn_status status;
    DN_TRY_GO(open_consumer(source), err_open);
    DN_TRY_GO(check_partitions(source), err_open);
    DN_TRY_GO(find_starts(source), err_open);
    DN_TRY_GO(dn_kafka_consumer_start(source->consumer, source->start), err_open);
    *out = source;
    return DN_OK;
err_open:
    topic_close(source);
    return status;
}

/* ---- poll */

static void append(dn_source *source, int i, dn_chunk *chunk) {
    const dn_kafka_record *r = &source->record;
    dn_topic_source_append(source->conf, chunk, r->offset, r->sent_ns, r->key, r->value);
    atomic_store_explicit(&source->slot[i].next, r->offset + 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&source->records, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&source->bytes, (int64_t)(r->key.len + r->value.len),
                              memory_order_relaxed);
}

/* In a bounded run a partition ends at an EOF event. The first one may come too early: a writer's
 * commit returns before the broker has marked all partitions, and until then the event stands
 * before the transaction. So it must not be before the end that the partition had at the first
 * event; if another pipeline feeds it, it must be behind the last record that this one wrote. */
static bool at_end(dn_source *source, int i) {
    slot *s = &source->slot[i];
    int64_t last = -1;
    if (s->ended || !source->env.bounded) {
        return s->ended;
    }
    if (source->env.fed && !source->env.fed(source->env.fed_ctx, source->partition[i], &last)) {
        return false;
    }
    s->ended = s->eof >= 0 && s->eof >= s->target && s->eof > last;
    if (s->ended) {
        dn_kafka_consumer_stop(source->consumer, i);
    }
    return s->ended;
}

static bool all_ended(dn_source *source) {
    bool all = true;
    for (int i = 0; i < source->n_slots; i++) {
        all = at_end(source, i) && all;
    }
    return all && source->env.bounded;
}

static void note_eof(dn_source *source, int i, dn_chunk *chunk) {
    slot *s = &source->slot[i];
    s->eof = source->record.offset;
    if (s->target < 0) {
        s->target = dn_kafka_consumer_known_end(source->consumer, i);
    }
    /* Over the markers behind the last record. */
    if (chunk->n_rows && s->eof > chunk->next) {
        chunk->next = s->eof;
    }
    if (s->eof > atomic_load_explicit(&s->next, memory_order_relaxed)) {
        atomic_store_explicit(&s->next, s->eof, memory_order_relaxed);
    }
}

/* The next slot after this one that has something, -1 when none has. */
static int find_ready(const dn_source *source) {
    for (int k = 0; k < source->n_slots; k++) {
        int i = (source->turn + k) % source->n_slots;
        if (!source->slot[i].ended && dn_kafka_consumer_ready(source->consumer, i)) {
            return i;
        }
    }
    return -1;
}

/* How long a chunk that is not full may wait for more of its partition. */
static int64_t patience(const dn_source *source, const dn_chunk *chunk, int64_t begin_ns) {
    if (chunk->n_rows == 0 || find_ready(source) >= 0) {
        return 0;
    }
    return begin_ns + linger_ns - dn_mono_ns();
}

/* Appends what the slot has; `*more` is false when the chunk should go. */
static dn_status take(dn_source *source, int i, int64_t wait_ns, dn_chunk *chunk, bool *more) {
    dn_kafka_event event;
    DN_TRY(dn_kafka_consumer_next(source->consumer, i, wait_ns, &source->record, &event));
    *more = event == DN_KAFKA_RECORD;
    if (event == DN_KAFKA_EOF) {
        note_eof(source, i, chunk);
    } else if (event == DN_KAFKA_GAP) {
        return skip_gap(source, i);
    } else if (event == DN_KAFKA_RECORD) {
        if (dn_topic_source_fits(chunk, source->record.key.len + source->record.value.len)) {
            append(source, i, chunk);
        } else {
            source->carried = i;
            *more = false;
        }
    }
    return DN_OK;
}

static dn_status fill(dn_source *source, int i, dn_chunk *chunk) {
    int64_t begin_ns = dn_mono_ns();
    bool more = true;
    if (source->carried == i) {
        append(source, i, chunk);
        source->carried = -1;
    }
    while (more && chunk->n_rows < DN_CHUNK_ROWS) {
        DN_TRY(take(source, i, 0, chunk, &more));
        int64_t wait_ns = more || source->carried == i || source->slot[i].eof == chunk->next
                              ? 0
                              : patience(source, chunk, begin_ns);
        if (wait_ns > 0) {
            DN_TRY(take(source, i, wait_ns, chunk, &more));
        }
    }
    chunk->topic = source->conf->name;
    chunk->partition = source->partition[i];
    source->turn = (i + 1) % source->n_slots;
    return DN_OK;
}

static dn_status topic_poll(dn_source *source, int64_t timeout_ns, dn_chunk *chunk, dn_poll *what) {
    int64_t end = dn_mono_ns() + timeout_ns;
    *what = DN_POLL_IDLE;
    do {
        int i = source->carried >= 0 ? source->carried : find_ready(source);
        if (i >= 0) {
            DN_TRY(fill(source, i, chunk));
        } else if (all_ended(source)) {
            *what = DN_POLL_END;
            return DN_OK;
        } else {
            int64_t left = end - dn_mono_ns();
            DN_TRY(dn_kafka_consumer_wait(source->consumer, left > 0 ? left : 0));
        }
    } while (chunk->n_rows == 0 && dn_mono_ns() < end);
    *what = chunk->n_rows ? DN_POLL_CHUNK : DN_POLL_IDLE;
    return dn_mono_ns() > source->recount_ns ? check_partitions(source) : DN_OK;
}

static void topic_stats(const dn_source *source, dn_source_stats *stats) {
    *stats = (dn_source_stats){
        .records = atomic_load_explicit(&source->records, memory_order_relaxed),
        .bytes = atomic_load_explicit(&source->bytes, memory_order_relaxed),
        .total_records = source->total,
    };
    for (int i = 0; i < source->n_slots && stats->lag >= 0; i++) {
        int64_t end = dn_kafka_consumer_known_end(source->consumer, i);
        int64_t behind = end - atomic_load_explicit(&source->slot[i].next, memory_order_relaxed);
        stats->lag = end < 0 ? -1 : stats->lag + (behind > 0 ? behind : 0);
    }
}

static int64_t topic_lag(const dn_source *source, int32_t partition) {
    for (int i = 0; i < source->n_slots; i++) {
        if (source->partition[i] == partition) {
            int64_t end = dn_kafka_consumer_known_end(source->consumer, i);
            int64_t next = atomic_load_explicit(&source->slot[i].next, memory_order_relaxed);
            return end < 0 ? -1 : end > next ? end - next : 0;
        }
    }
    return -1;
}

const dn_source_ops dn_source_kafka_topic = {
    .name = "topic",
    .summary = "A topic of a Kafka broker; each rank reads its own partitions.",
    .in_kafka = true,
    .props = dn_topic_source_props,
    .conf_size = sizeof(dn_topic_source_conf),
    .bind = dn_topic_source_bind,
    .describe = topic_describe,
    .open = topic_open,
    .poll = topic_poll,
    .stats = topic_stats,
    .lag = topic_lag,
    .close = topic_close,
};
