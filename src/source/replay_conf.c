/* What a job file says about the sources "corpus" and "generator". */
#include "base/hash.h"
#include "base/memory.h"
#include "io/stream.h"
#include "source/replay.h"

#include <stdlib.h>

enum { PARTITIONS_MAX = 4096 };

/* Rows that both tables have. */
// clang-format off
#define PARTITIONS \
    {.name = "partitions", \
     .type = DN_P_COUNT, \
     .offset = offsetof(dn_replay_conf, n_partitions), \
     .initial = "12", \
     .min = 1, \
     .max = PARTITIONS_MAX, \
     .text = "Number of partitions the records are dealt to."}
#define PARTITION_BY \
    {.name = "partition_by", \
     .type = DN_P_CHOICE, \
     .offset = offsetof(dn_replay_conf, key), \
     .initial = "language+text", \
     .choices = dn_key_names, \
     .text = "What decides the partition; repeats of a text meet in one partition with " \
             "language+text and text."}
#define PACE \
    {.name = "pace", \
     .type = DN_P_TEXT, \
     .offset = offsetof(dn_replay_conf, pace), \
     .initial = "max", \
     .text = "max, recorded (by created_at), or a multiple of it such as 8x or 1e4x."}
#define LIMIT \
    {.name = "limit", \
     .type = DN_P_COUNT, \
     .offset = offsetof(dn_replay_conf, limit), \
     .initial = "0", \
     .text = "Read the first so many records; 0 reads all."}
#define NAME \
    {.name = "name", \
     .type = DN_P_TEXT, \
     .offset = offsetof(dn_replay_conf, name), \
     .initial = "", \
     .text = "Name under which results are kept; the file's name without its endings where it is " \
             "empty."}
// clang-format on

static const dn_prop corpus_props[] = {
    {.name = "path",
     .type = DN_P_PATH,
     .offset = offsetof(dn_replay_conf, path),
     .text = "The corpus: CSV (RFC 4180, with a header line), JSON Lines or Dunlin's packed form; "
             "plain, gzip, zstd "
             "or xz."},
    {.name = "format",
     .type = DN_P_CHOICE,
     .offset = offsetof(dn_replay_conf, format),
     .initial = "auto",
     .choices = dn_format_names,
     .text = "Its format; auto looks at the first bytes."},
    {.name = "fields",
     .type = DN_P_MAP,
     .offset = offsetof(dn_replay_conf, fields),
     .text = "Name in the corpus of created_at, user, text, lang and id (the last becomes the "
             "column source_id); what "
             "is left out is recognised where the header is known."},
    PARTITIONS,
    PARTITION_BY,
    PACE,
    LIMIT,
    NAME,
    {0},
};

static const dn_prop generator_props[] = {
    {.name = "rows",
     .type = DN_P_COUNT,
     .offset = offsetof(dn_replay_conf, n_rows),
     .initial = "1M",
     .text = "How many records to make."},
    {.name = "seed",
     .type = DN_P_COUNT,
     .offset = offsetof(dn_replay_conf, seed),
     .initial = "1",
     .text = "Equal seeds give equal records on every machine."},
    {.name = "bad_share",
     .type = DN_P_REAL,
     .offset = offsetof(dn_replay_conf, bad_share),
     .initial = "0.1%",
     .max = 1,
     .text = "Share of records that cannot be read."},
    PARTITIONS,
    PARTITION_BY,
    PACE,
    LIMIT,
    NAME,
    {0},
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

dn_reader_spec dn_replay_spec(const dn_replay_conf *conf) {
    return (dn_reader_spec){.path = conf->file,
                            .fields = &conf->fields,
                            .key = (dn_key)conf->key,
                            .n_partitions = (int32_t)conf->n_partitions,
                            .size = 1};
}

/** Opens and closes the corpus, so that a wrong file or column shows before the run. */
static dn_status probe(const dn_replay_conf *conf) {
    dn_reader_spec spec = dn_replay_spec(conf);
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

static dn_status add_columns(dn_replay_conf *conf, const dn_bind *bind) {
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

static dn_status corpus_bind(void *conf, const dn_bind *bind) {
    dn_replay_conf *c = conf;
    bool relative = bind->base_dir && *bind->base_dir && c->path[0] != '/';
    DN_TRY(parse_pace(c->pace, &c->speed));
    c->file = relative ? dn_format("%s/%s", bind->base_dir, c->path) : dn_strdup(c->path);
    c->topic = c->name && *c->name ? dn_strdup(c->name) : stem_of(c->path);
    DN_TRY(probe(c));
    return add_columns(c, bind);
}

static dn_status generator_bind(void *conf, const dn_bind *bind) {
    dn_replay_conf *c = conf;
    DN_TRY(parse_pace(c->pace, &c->speed));
    c->generated = true;
    c->file = dn_strdup("(generated)");
    c->topic = dn_strdup(c->name && *c->name ? c->name : "generated");
    return add_columns(c, bind);
}

static dn_status replay_describe(const void *conf, const dn_map *kafka, const char **topic,
                                 int *n_partitions) {
    const dn_replay_conf *c = conf;
    (void)kafka;
    *topic = c->topic;
    *n_partitions = (int)c->n_partitions;
    return DN_OK;
}

enum { IDENTITY_BYTES = 16 << 10 };

/* Its first bytes, decompressed, and how it is dealt: a corpus that grows, or comes in another
 * wrapping, stays the same. */
static dn_status corpus_identity(const void *conf, uint64_t *identity) {
    const dn_replay_conf *c = conf;
    dn_stream *stream;
    char bytes[IDENTITY_BYTES];
    size_t n = 0, got = 1;
    DN_TRY(dn_stream_open(c->file, &stream));
    dn_status status = DN_OK;
    while (status == DN_OK && n < sizeof bytes && got) {
        status = dn_stream_read(stream, bytes + n, sizeof bytes - n, &got);
        n += status == DN_OK ? got : 0;
    }
    dn_stream_close(stream);
    *identity = dn_hash64((dn_span){bytes, n}, (uint64_t)c->n_partitions * 16 + (uint64_t)c->key);
    return n ? DN_OK : status;
}

static dn_status generator_identity(const void *conf, uint64_t *identity) {
    const dn_replay_conf *c = conf;
    const struct {
        int64_t seed, n_partitions, key;
        double bad_share;
    } all = {c->seed, c->n_partitions, c->key, c->bad_share};
    *identity = dn_hash64((dn_span){(const char *)&all, sizeof all}, 0);
    return DN_OK;
}

static void replay_unbind(void *conf) {
    dn_replay_conf *c = conf;
    free(c->file);
    free(c->topic);
    c->file = c->topic = NULL;
}

const dn_source_ops dn_source_corpus = {
    .name = "corpus",
    .summary = "A recorded corpus (CSV, JSON Lines or packed), dealt to partitions by key.",
    .props = corpus_props,
    .conf_size = sizeof(dn_replay_conf),
    .bind = corpus_bind,
    .describe = replay_describe,
    .identity = corpus_identity,
    .open = dn_replay_open,
    .poll = dn_replay_poll,
    .stats = dn_replay_stats,
    .close = dn_replay_close,
    .unbind = replay_unbind,
};

const dn_source_ops dn_source_generator = {
    .name = "generator",
    .summary =
        "Made-up tweets with known truth, the same on every machine, dealt to partitions by key.",
    .props = generator_props,
    .conf_size = sizeof(dn_replay_conf),
    .bind = generator_bind,
    .describe = replay_describe,
    .identity = generator_identity,
    .open = dn_replay_open,
    .poll = dn_replay_poll,
    .stats = dn_replay_stats,
    .close = dn_replay_close,
    .unbind = replay_unbind,
};
