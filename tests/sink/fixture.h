#ifndef DN_TEST_SINK_FIXTURE_H
#define DN_TEST_SINK_FIXTURE_H
/** A small pipeline's end: a schema with every kind of column, chunks whose content follows from
 * their offsets, and a fresh output folder. */
#include "base/memory.h"
#include "sink/ledger.h"
#include "sink/sinks.h"
#include "test.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const mood_labels[] = {"sad", "neutral", "glad"};
static const char *const language_labels[] = {"de", "en", "ja", "tr"};
enum { F_ID, F_TEXT, F_USER, F_LANGUAGE, F_SCORE, F_LABEL, F_IDS, N_FIELDS };

static dn_schema fixture_schema;

static inline void fixture_make_schema(void) {
    const dn_field fields[N_FIELDS] = {
        [F_ID] = {"id", DN_I64, 1, NULL, 0, "1", "Number in the corpus", "records", false},
        [F_TEXT] = {"text", DN_BYTES, 1, NULL, 0, "", "Text", "records", false},
        [F_USER] = {"user", DN_BYTES, 1, NULL, 0, "", "Author", "records", false},
        [F_LANGUAGE] = {"language", DN_LABEL, 1, language_labels, 4, "", "Language", "records",
                        false},
        [F_SCORE] = {"score.mood", DN_F32, 3, mood_labels, 3, "1", "Probability", "scores", false},
        [F_LABEL] = {"label.mood", DN_LABEL, 1, mood_labels, 3, "", "Class", "labels", false},
        [F_IDS] = {"ids", DN_IDS, 1, NULL, 0, "", "Token ids", "records", true},
    };
    fixture_schema.n = 0;
    for (int i = 0; i < N_FIELDS; i++) {
        int index;
        dn_schema_add(&fixture_schema, fields[i], &index);
    }
}

/* Every 7th record is a repeat, every 11th filtered, every 13th (where bad letters are wanted)
 * dead. */
static inline dn_fate fixture_fate(int64_t offset, bool with_dead) {
    return with_dead && offset % 13 == 5 ? DN_DEAD
           : offset % 7 == 3             ? DN_REPEAT
           : offset % 11 == 4            ? DN_FILTERED
                                         : DN_KEPT;
}

static inline void fixture_fill_row(dn_chunk *chunk, uint32_t row, int64_t offset) {
    dn_arena *arena = &chunk->arena;
    char text[96];
    int n = snprintf(text, sizeof text, "tweet %lld \xf0\x9f\x90\xa6 %.*s", (long long)offset,
                     (int)(offset % 40), "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq");
    dn_chunk_i64(chunk, F_ID)[row] = offset * 10;
    dn_chunk_bytes(chunk, F_TEXT)[row] = dn_arena_copy(arena, (dn_span){text, (size_t)n});
    dn_span user = {text, (size_t)(offset % 8)};
    dn_chunk_bytes(chunk, F_USER)[row] = offset % 5 ? dn_arena_copy(arena, user) : (dn_span){0};
    dn_chunk_label(chunk, F_LANGUAGE)[row] = offset % 9 ? (uint8_t)(offset % 4) : DN_NO_LABEL;
    for (int c = 0; c < 3; c++) {
        dn_chunk_f32(chunk, F_SCORE)[row * 3 + c] = (float)(offset % 100) / 100 + (float)c;
    }
    dn_chunk_label(chunk, F_LABEL)[row] = (uint8_t)(offset % 3);
}

/** A chunk of the offsets [first, next). ownership: the caller */
static inline dn_chunk *fixture_chunk(int32_t partition, int64_t first, int64_t next,
                                      bool with_dead) {
    dn_chunk *chunk = dn_chunk_new(&fixture_schema);
    chunk->topic = "tweets";
    chunk->partition = partition;
    chunk->next = next;
    for (int64_t offset = first; offset < next; offset++) {
        int64_t event_ms = offset % 17 ? 1500000000000 + offset : DN_NULL_I64;
        uint32_t row = dn_chunk_append(chunk, offset, event_ms, DN_NULL_I64);
        fixture_fill_row(chunk, row, offset);
        dn_fate fate = fixture_fate(offset, with_dead);
        if (fate == DN_DEAD) {
            dn_chunk_bury(chunk, row, "decode", "bad JSON", DN_SPAN("at byte 12: no value"),
                          DN_SPAN("{\"text\": }"));
        } else if (fate != DN_KEPT) {
            dn_chunk_drop(chunk, row, fate);
        }
    }
    dn_chunk_select(chunk);
    return chunk;
}

static char fixture_folder[64];

static const dn_sink_ops *fixture_ops;
static void *fixture_conf;

static inline void fixture_conf_free(void) {
    if (fixture_ops && fixture_ops->props) {
        dn_props_free(fixture_ops->props, fixture_conf);
    }
    free(fixture_conf);
    fixture_conf = NULL;
    fixture_ops = NULL;
}

static inline int fixture_remove(const char *path, const struct stat *info, int kind,
                                 struct FTW *where) {
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void fixture_clean(void) {
    fixture_conf_free();
    nftw(fixture_folder, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/** A fresh folder for results, and the schema. */
static inline void fixture_begin(void) {
    snprintf(fixture_folder, sizeof fixture_folder, "/tmp/dunlin-sink-XXXXXX");
    if (!mkdtemp(fixture_folder)) {
        abort();
    }
    fixture_make_schema();
}

static inline dn_sink_env fixture_env(int n_partitions) {
    return (dn_sink_env){.job = "tweets",
                         .pipeline = "enrich",
                         .output = fixture_folder,
                         .run_id = "test",
                         .resolved_job = "pipelines: {}\n",
                         .model_sha256 = "00",
                         .schema = &fixture_schema,
                         .topic = "tweets",
                         .rank = 0,
                         .size = 1,
                         .n_partitions = n_partitions};
}

/** Opens a sink with the settings "name=value", NULL-terminated. Its conf and env live until the
 * next opening. */
static inline dn_status fixture_open_with(const dn_sink_ops *ops, const dn_sink_env *env,
                                          const char *const *settings, dn_sink **sink) {
    static dn_sink_env kept;
    fixture_conf_free();
    void *conf = fixture_conf = dn_alloc(ops->conf_size + 1);
    fixture_ops = ops;
    kept = *env;
    if (ops->props) {
        DN_TRY(dn_props_init(ops->props, conf));
    }
    for (int i = 0; settings && settings[i]; i++) {
        char *copy = dn_strdup(settings[i]);
        char *equals = strchr(copy, '=');
        *equals = '\0';
        dn_status status = dn_prop_set(dn_prop_find(ops->props, copy), conf, equals + 1);
        free(copy);
        DN_TRY(status);
    }
    const dn_bind bind = {.schema = &fixture_schema, .job = "tweets", .pipeline = "enrich"};
    if (ops->bind) {
        DN_TRY(ops->bind(conf, &bind));
    }
    return ops->open(conf, &kept, sink);
}

static inline dn_status fixture_open(const dn_sink_ops *ops, int n_partitions, dn_sink **sink) {
    dn_sink_env env = fixture_env(n_partitions);
    return fixture_open_with(ops, &env, NULL, sink);
}

/** Writes the offsets [first, next) in chunks of up to `step`. */
static inline dn_status fixture_write(const dn_sink_ops *ops, dn_sink *sink, int32_t partition,
                                      int64_t first, int64_t next, int64_t step, bool with_dead) {
    for (int64_t offset = first; offset < next; offset += step) {
        int64_t end = offset + step < next ? offset + step : next;
        dn_chunk *chunk = fixture_chunk(partition, offset, end, with_dead);
        dn_status status = ops->write(sink, chunk);
        dn_chunk_free(chunk);
        DN_TRY(status);
    }
    return DN_OK;
}

static inline char *fixture_path(const char *kind, int partition, int64_t first) {
    return dn_format("%s/%s/tweets/%d/%020lld.h5", fixture_folder, kind, partition,
                     (long long)first);
}

static inline bool fixture_exists(char *path) {
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

#endif
