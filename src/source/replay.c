/* A recorded corpus as a stream: every rank reads it and keeps its own partitions; offsets are
 * record numbers. */
#include "base/clock.h"
#include "base/memory.h"
#include "source/bins.h"
#include "source/sources.h"

#include <stdlib.h>

enum { CLOCK_EVERY = 64, PARTITIONS_MAX = 4096 };

static const int64_t LINGER_NS = 5000000;

typedef struct replay_conf {
    char *path;
    int format;
    dn_map fields;
    int64_t n_partitions;
    int key;
    char *pace;
    int64_t limit;
    char *name;
    char *file; /**< path from the working directory */
    char *topic;
    double speed; /**< of event time against wall time; 0: as fast as can be */
    dn_bins_columns columns;
} replay_conf;

static const dn_prop props[] = {
    {.name = "path",
     .type = DN_P_PATH,
     .offset = offsetof(replay_conf, path),
     .text = "The corpus: CSV (RFC 4180, with a header line), JSON Lines or Dunlin's packed form; "
             "plain, gzip, zstd "
             "or xz."},
    {.name = "format",
     .type = DN_P_CHOICE,
     .offset = offsetof(replay_conf, format),
     .initial = "auto",
     .choices = dn_format_names,
     .text = "Its format; auto looks at the first bytes."},
    {.name = "fields",
     .type = DN_P_MAP,
     .offset = offsetof(replay_conf, fields),
     .text = "Name in the corpus of created_at, user, text, lang and id (the last becomes the "
             "column source_id); what "
             "is left out is recognised where the header is known."},
    {.name = "partitions",
     .type = DN_P_COUNT,
     .offset = offsetof(replay_conf, n_partitions),
     .initial = "12",
     .min = 1,
     .max = PARTITIONS_MAX,
     .text = "Number of partitions the records are dealt to."},
    {.name = "partition_by",
     .type = DN_P_CHOICE,
     .offset = offsetof(replay_conf, key),
     .initial = "language+text",
     .choices = dn_key_names,
     .text = "What decides the partition; repeats of a text meet in one partition with "
             "language+text and text."},
    {.name = "pace",
     .type = DN_P_TEXT,
     .offset = offsetof(replay_conf, pace),
     .initial = "max",
     .text = "max, recorded (by created_at), or a multiple of it such as 8x or 1e4x."},
    {.name = "limit",
     .type = DN_P_COUNT,
     .offset = offsetof(replay_conf, limit),
     .initial = "0",
     .text = "Read the first so many records; 0 reads all."},
    {.name = "name",
     .type = DN_P_TEXT,
     .offset = offsetof(replay_conf, name),
     .initial = "",
     .text = "Name under which results are kept; the file's name without its endings where it is "
             "empty."},
    {0},
};

struct dn_source {
    const replay_conf *conf;
    const dn_reader_ops *ops;
    dn_reader *reader;
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

static dn_status parse_pace(const char *pace, double *speed) {
    char *end;
    *speed = 0;
    if (!strcmp(pace, "max")) {
        return DN_OK;
    }
    if (!strcmp(pace, "recorded")) {
        *speed = 1;
        return DN_OK;
    }
    *speed = strtod(pace, &end);
    if (end == pace || strcmp(end, "x") != 0 || !(*speed >= 1e-3 && *speed <= 1e9)) {
        return DN_FAIL(
            CONFIG, "pace: '%s' is none of max, recorded and a multiple from 0.001x to 1e9x", pace);
    }
    return DN_OK;
}

/** "dir/a.csv.xz" -> "a". */
static char *stem_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char *stem = dn_strdup(slash ? slash + 1 : path);
    static const char *const endings[] = {".gz",    ".xz",     ".zst",  ".csv",
                                          ".jsonl", ".ndjson", ".json", ".h5"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t size = strlen(stem), n = strlen(endings[i]);
        if (size > n && !strcmp(stem + size - n, endings[i])) {
            stem[size - n] = 0;
        }
    }
    return stem;
}

static dn_reader_spec spec_of(const replay_conf *conf) {
    return (dn_reader_spec){.path = conf->file,
                            .fields = &conf->fields,
                            .key = (dn_key)conf->key,
                            .n_partitions = (int32_t)conf->n_partitions,
                            .size = 1};
}

/** Opens and closes the corpus, so that a wrong file or column shows before the run. */
static dn_status probe(const replay_conf *conf) {
    dn_reader_spec spec = spec_of(conf);
    const dn_reader_ops *ops;
    dn_reader *reader;
    DN_TRY(dn_reader_choose(conf->file, conf->format, &ops));
    DN_TRY(ops->open(&spec, &reader));
    ops->close(reader);
    return DN_OK;
}

static dn_status add_column(const dn_bind *bind, const char *name, dn_type type, const char *units,
                            const char *long_name, int *index) {
    return dn_schema_add(bind->schema,
                         (dn_field){.name = name,
                                    .type = type,
                                    .width = 1,
                                    .units = units,
                                    .long_name = long_name,
                                    .group = "records"},
                         index);
}

static dn_status add_columns(replay_conf *conf, const dn_bind *bind) {
    dn_bins_columns *c = &conf->columns;
    c->source_id = -1;
    DN_TRY(add_column(bind, "id", DN_I64, "", "number of the record in its corpus", &c->id));
    DN_TRY(add_column(bind, "created_at", DN_I64, "ms",
                      "event time, milliseconds since 1970-01-01 UTC", &c->created_at));
    DN_TRY(add_column(bind, "user", DN_BYTES, "", "author", &c->user));
    DN_TRY(add_column(bind, "text", DN_BYTES, "", "text as it came", &c->text));
    DN_TRY(add_column(bind, "language", DN_BYTES, "", "language as the source states it",
                      &c->language));
    if (dn_map_get(&conf->fields, "id")) {
        DN_TRY(
            add_column(bind, "source_id", DN_BYTES, "", "identifier in the corpus", &c->source_id));
    }
    return DN_OK;
}

static dn_status replay_bind(void *conf, const dn_bind *bind) {
    replay_conf *c = conf;
    bool relative = bind->base_dir && *bind->base_dir && c->path[0] != '/';
    DN_TRY(parse_pace(c->pace, &c->speed));
    c->file = relative ? dn_format("%s/%s", bind->base_dir, c->path) : dn_strdup(c->path);
    c->topic = c->name && *c->name ? dn_strdup(c->name) : stem_of(c->path);
    DN_TRY(probe(c));
    return add_columns(c, bind);
}

static dn_status replay_describe(const void *conf, const dn_map *kafka, const char **topic,
                                 int *n_partitions) {
    const replay_conf *c = conf;
    (void)kafka;
    *topic = c->topic;
    *n_partitions = (int)c->n_partitions;
    return DN_OK;
}

static void replay_close(dn_source *source) {
    if (!source) {
        return;
    }
    if (source->reader) {
        source->ops->close(source->reader);
    }
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

static dn_status replay_open(const void *conf, const dn_source_env *env, dn_source **source) {
    dn_status status;
    dn_source *s = dn_alloc(sizeof *s);
    s->conf = conf;
    s->rank = env->rank;
    s->size = env->size;
    s->stats = (dn_source_stats){.total_records = -1, .lag = -1};
    set_start(s, env);
    s->bins = dn_bins_new(s->conf->columns, (int32_t)s->conf->n_partitions, s->rank, s->size);
    dn_reader_spec spec = spec_of(s->conf);
    spec.rank = env->rank;
    spec.size = env->size;
    spec.start = s->start;
    DN_TRY_GO(dn_reader_choose(spec.path, s->conf->format, &s->ops), err_close);
    DN_TRY_GO(s->ops->open(&spec, &s->reader), err_close);
    *source = s;
    return DN_OK;
err_close:
    replay_close(s);
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

static dn_status replay_poll(dn_source *source, int64_t timeout_ns, dn_chunk *chunk,
                             dn_poll *what) {
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
    if (source->conf->limit) {
        double of_limit = (double)source->record.number / (double)source->conf->limit;
        share = of_limit > share ? of_limit : share;
    }
    if (share == 0 || source->stats.records < RECORDS_MIN) {
        return -1;
    }
    return (int64_t)((double)source->stats.records / share);
}

static void replay_stats(const dn_source *source, dn_source_stats *stats) {
    *stats = source->stats;
    stats->total_records = source->ended ? source->stats.records : total_records(source);
}

static void replay_unbind(void *conf) {
    replay_conf *c = conf;
    free(c->file);
    free(c->topic);
    c->file = c->topic = NULL;
}

const dn_source_ops dn_source_corpus = {
    .name = "corpus",
    .summary = "A recorded corpus (CSV, JSON Lines or packed), dealt to partitions by key.",
    .props = props,
    .conf_size = sizeof(replay_conf),
    .bind = replay_bind,
    .describe = replay_describe,
    .open = replay_open,
    .poll = replay_poll,
    .stats = replay_stats,
    .close = replay_close,
    .unbind = replay_unbind,
};
