/* A recorded corpus as a stream: every rank reads it and keeps its own partitions; offsets are
 * record numbers. */
#include "source/replay.h"
#include "base/clock.h"
#include "base/memory.h"
#include "source/generator.h"

#include <stdlib.h>

enum { CLOCK_EVERY = 64 };

static const int64_t LINGER_NS = 5000000;

struct dn_source {
    const dn_replay_conf *conf;
    const dn_reader_ops *ops;
    dn_reader *reader;
    dn_generator *generator; /**< NULL: a file is read */
    dn_bins *bins;
    int64_t *start; /**< [n_partitions] */
    int64_t first;  /**< lowest number wanted by this rank */
    int rank, size;
    dn_record record; /**< read, not yet in a bin */
    int32_t partition;
    bool pending, ended, failed;
    dn_failure failure;
    int64_t now_wall_ns, now_mono_ns; /**< at most CLOCK_EVERY records old when the pace is max */
    unsigned until_clock;
    bool origin_set; /**< the schedule begins with the first record that is wanted and has a time */
    int64_t origin_ms, origin_wall_ns, due_wall_ns;
    dn_source_stats stats;
};

void dn_replay_close(dn_source *source) {
    if (!source) {
        return;
    }
    if (source->reader) {
        source->ops->close(source->reader);
    }
    dn_generator_free(source->generator);
    dn_bins_free(source->bins);
    free(source->start);
    free(source);
}

/** Where this rank's partitions begin, and the lowest of these. */
static void set_start(dn_source *source, const dn_source_env *env) {
    int64_t n = source->conf->n_partitions;
    source->start = dn_alloc_array((size_t)n, sizeof *source->start);
    source->first = INT64_MAX;
    for (int64_t p = env->rank; p < n; p += env->size) {
        source->start[p] = env->start && env->start[p] > 0 ? env->start[p] : 0;
        source->first = source->start[p] < source->first ? source->start[p] : source->first;
    }
}

/** The file, or the generator behind the reader of JSON Lines. */
static dn_status open_reader(dn_source *source) {
    const dn_replay_conf *conf = source->conf;
    dn_reader_spec spec = dn_replay_spec(conf);
    spec.rank = source->rank;
    spec.size = source->size;
    spec.start = source->start;
    if (conf->generated) {
        source->generator = dn_generator_new(conf->n_rows, (uint64_t)conf->seed, conf->bad_share);
        spec.pull = dn_generator_pull;
        spec.pull_ctx = source->generator;
        source->ops = &dn_reader_jsonl;
    } else {
        DN_TRY(dn_reader_choose(conf->file, conf->format, &source->ops));
    }
    return source->ops->open(&spec, &source->reader);
}

dn_status dn_replay_open(const void *conf, const dn_source_env *env, dn_source **source) {
    dn_status status;
    dn_source *s = dn_alloc(sizeof *s);
    s->conf = conf;
    s->rank = env->rank;
    s->size = env->size;
    s->stats = (dn_source_stats){.total_records = -1, .lag = -1};
    set_start(s, env);
    s->bins = dn_bins_new(s->conf->columns, (int32_t)s->conf->n_partitions, s->rank, s->size);
    DN_TRY_GO(open_reader(s), err_close);
    *source = s;
    return DN_OK;
err_close:
    dn_replay_close(s);
    return status;
}

static void read_clocks(dn_source *source) {
    source->now_wall_ns = dn_wall_ns();
    source->now_mono_ns = dn_mono_ns();
    source->until_clock = CLOCK_EVERY;
}

static bool is_wanted(const dn_source *source) {
    return source->partition % source->size == source->rank &&
           source->record.number >= source->start[source->partition];
}

/** The intended send time: event time from the first record on, never backwards. */
static void schedule(dn_source *source) {
    int64_t created_ms = source->record.created_ms;
    if (!source->origin_set) {
        source->origin_wall_ns = source->due_wall_ns = source->now_wall_ns;
        source->origin_ms = created_ms;
        source->origin_set = created_ms != INT64_MIN;
    } else if (created_ms != INT64_MIN) {
        double after_ns = (double)(created_ms - source->origin_ms) * 1e6 / source->conf->speed;
        int64_t due = source->origin_wall_ns + (int64_t)after_ns;
        source->due_wall_ns = due > source->due_wall_ns ? due : source->due_wall_ns;
    }
}

/** Makes a wanted record pending, or sets `ended`. A failure waits until all that was read before
 * it is delivered. */
static void read_record(dn_source *source, int64_t *n_left) {
    while (!source->pending && !source->ended && (*n_left)-- > 0) {
        bool end = false;
        if (source->ops->next(source->reader, &source->record, &source->partition, &end) != DN_OK) {
            source->failed = source->ended = true;
            source->failure = *dn_failure_last();
            return;
        }
        source->ended =
            end || (source->conf->limit && source->record.number >= source->conf->limit);
        if (source->ended) {
            return;
        }
        if (source->conf->speed > 0 && source->record.number >= source->first) {
            schedule(source);
        }
        source->pending = is_wanted(source);
    }
}

static void deliver(dn_source *source, int32_t partition, dn_chunk *chunk, dn_poll *what) {
    dn_bins_empty(source->bins, partition, chunk);
    chunk->topic = source->conf->topic;
    source->stats.records += chunk->n_rows;
    source->stats.bytes += chunk->payload_bytes;
    *what = DN_POLL_CHUNK;
}

/** What is left in the bins, then the failure or the end. */
static dn_status finish(dn_source *source, dn_chunk *chunk, dn_poll *what) {
    int32_t partition = dn_bins_oldest(source->bins, INT64_MAX);
    if (partition >= 0) {
        deliver(source, partition, chunk, what);
        return DN_OK;
    }
    if (source->failed) {
        dn_failure_set(&source->failure);
        return DN_FATAL;
    }
    *what = DN_POLL_END;
    return DN_OK;
}

/** Until the pending record is due, a bin has waited long enough, or `until_mono_ns`. True: the
 * record is due. */
static bool await(dn_source *source, int64_t until_mono_ns) {
    read_clocks(source);
    int64_t wait_ns = source->due_wall_ns - source->now_wall_ns;
    source->stats.lag = wait_ns < 0 ? -wait_ns : 0;
    if (wait_ns <= 0) {
        return true;
    }
    int64_t wake_ns = source->now_mono_ns + (wait_ns < LINGER_NS ? wait_ns : LINGER_NS);
    dn_sleep_until_ns(wake_ns < until_mono_ns ? wake_ns : until_mono_ns);
    read_clocks(source);
    return source->now_wall_ns >= source->due_wall_ns;
}

dn_status dn_replay_poll(dn_source *source, int64_t timeout_ns, dn_chunk *chunk, dn_poll *what) {
    enum { CHECK_EVERY = 4096 };
    bool paced = source->conf->speed > 0;
    read_clocks(source);
    int64_t until_ns = source->now_mono_ns + timeout_ns;
    for (;;) {
        int64_t n_left = CHECK_EVERY;
        read_record(source, &n_left);
        if (source->ended) {
            return finish(source, chunk, what);
        }
        if (source->until_clock-- == 0 || paced || !source->pending) {
            read_clocks(source);
        }
        bool due = source->pending && (!paced || await(source, until_ns));
        int32_t old = paced ? dn_bins_oldest(source->bins, source->now_mono_ns - LINGER_NS) : -1;
        if (due && !dn_bins_fit(source->bins, source->partition, &source->record)) {
            old = source->partition;
        }
        if (old >= 0) {
            deliver(source, old, chunk, what);
            return DN_OK;
        }
        if (due) {
            int64_t sent_ns = paced ? source->due_wall_ns : source->now_wall_ns;
            dn_bins_add(source->bins, source->partition, &source->record, sent_ns,
                        source->now_mono_ns);
            source->pending = false;
        }
        if (source->now_mono_ns >= until_ns) {
            *what = DN_POLL_IDLE;
            return DN_OK;
        }
    }
}

/** Records of this rank in all, judged by how far the corpus has been read. */
static int64_t total_records(const dn_source *source) {
    enum { RECORDS_MIN = 1000 };
    dn_progress progress = source->ops->progress(source->reader);
    double share = progress.total ? (double)progress.done / (double)progress.total : 0;
    int64_t limit = source->conf->limit ? source->conf->limit : source->conf->n_rows;
    if (limit) {
        double of_limit = (double)source->record.number / (double)limit;
        share = of_limit > share ? of_limit : share;
    }
    if (share == 0 || source->stats.records < RECORDS_MIN) {
        return -1;
    }
    return (int64_t)((double)source->stats.records / share);
}

void dn_replay_stats(const dn_source *source, dn_source_stats *stats) {
    *stats = source->stats;
    stats->total_records = source->ended ? source->stats.records : total_records(source);
}
