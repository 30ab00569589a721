#include "trace/chrome.h"

#include "base/memory.h"
#include "io/h5.h"
#include "io/json_write.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A segment while it is exported: its file, and how its clock becomes microseconds on the common
 * axis. */
typedef struct segment {
    dn_h5_file *file;
    dn_h5_info *infos;
    int n_infos;
    int64_t rank, start_mono_ns, start_wall_ns;
} segment;

typedef struct exporter {
    FILE *out;
    dn_out line;
    int64_t zero_wall_ns;
    bool begun;
} exporter;

static double micros(const exporter *e, const segment *s, int64_t mono_ns) {
    return (double)(mono_ns - s->start_mono_ns + s->start_wall_ns - e->zero_wall_ns) / 1e3;
}

static void put_number(dn_out *out, const char *name, double value) {
    dn_out_key(out, name);
    dn_out_f64(out, value);
}

static void put_text(dn_out *out, const char *name, const char *value) {
    dn_out_key(out, name);
    dn_out_string(out, dn_span_of(value));
}

static void begin_event(exporter *e, const char *phase, const char *name, int64_t rank,
                        int64_t thread) {
    dn_out_open(&e->line, '{');
    put_text(&e->line, "ph", phase);
    put_text(&e->line, "name", name);
    dn_out_key(&e->line, "pid");
    dn_out_i64(&e->line, rank);
    dn_out_key(&e->line, "tid");
    dn_out_i64(&e->line, thread);
}

static void end_event(exporter *e) {
    dn_out_close(&e->line, '}');
    fputs(e->begun ? ",\n" : "\n", e->out);
    fwrite(e->line.ptr, 1, e->line.len, e->out);
    dn_out_reset(&e->line);
    e->begun = true;
}

static void put_name(exporter *e, const char *what, int64_t rank, int64_t thread, const char *word,
                     int64_t number) {
    char name[64];
    snprintf(name, sizeof name, "%s %lld", word, (long long)number);
    begin_event(e, "M", what, rank, thread);
    dn_out_key(&e->line, "args");
    dn_out_open(&e->line, '{');
    put_text(&e->line, "name", name);
    dn_out_close(&e->line, '}');
    end_event(e);
}

/* Integer columns of a table, read whole: a segment has at most 64 Ki batches. */
typedef struct table {
    uint64_t n;
    int64_t *column[8];
    uint8_t *label[3];
} table;

static void table_free(table *t) {
    for (size_t i = 0; i < sizeof t->column / sizeof *t->column; i++) {
        free(t->column[i]);
    }
    for (size_t i = 0; i < sizeof t->label / sizeof *t->label; i++) {
        free(t->label[i]);
    }
}

static dn_status read_column(const segment *s, const char *path, dn_h5_type type, size_t bytes,
                             table *t, void **values) {
    const dn_h5_info *info = dn_h5_find(s->infos, s->n_infos, path);
    if (!info || info->type != type || info->width != 1 || (t->n && info->n_rows != t->n)) {
        return DN_FAIL(DATA, "%s is missing or damaged in a trace file", path);
    }
    t->n = info->n_rows;
    *values = dn_alloc_array(t->n + 1, bytes);
    return dn_h5_read(s->file, path, 0, t->n, *values);
}

static dn_status read_table(const segment *s, const char *const *numbers, const char *const *labels,
                            table *t) {
    for (int i = 0; numbers[i]; i++) {
        DN_TRY(read_column(s, numbers[i], DN_H5_I64, 8, t, (void **)&t->column[i]));
    }
    for (int i = 0; labels[i]; i++) {
        DN_TRY(read_column(s, labels[i], DN_H5_ENUM, 1, t, (void **)&t->label[i]));
    }
    return DN_OK;
}

static const char *label_of(const segment *s, const char *path, uint8_t label) {
    const dn_h5_info *info = dn_h5_find(s->infos, s->n_infos, path);
    return label < info->n_labels ? info->labels[label] : "";
}

enum { CLOSED, MODEL, THREAD, ROWS, TOKENS, REUSED, WAIT, QUEUE, THREADS_A_MODEL = 256 };

/* Threads of all models on one axis. */
static int64_t track_of(const table *t, uint64_t i) {
    return t->label[2][i] * THREADS_A_MODEL + t->column[THREAD][i];
}

static void put_batch(exporter *e, const segment *s, const table *t, uint64_t i) {
    begin_event(e, "X", label_of(s, "/batches/pipeline", t->label[0][i]), s->rank, track_of(t, i));
    int64_t queue_ns = t->column[QUEUE] ? t->column[QUEUE][i] : 0;
    put_number(&e->line, "ts", micros(e, s, t->column[CLOSED][i] + queue_ns));
    put_number(&e->line, "dur", (double)t->column[MODEL][i] / 1e3);
    dn_out_key(&e->line, "args");
    dn_out_open(&e->line, '{');
    put_text(&e->line, "closed by", label_of(s, "/batches/reason", t->label[1][i]));
    put_number(&e->line, "rows", (double)t->column[ROWS][i]);
    put_number(&e->line, "tokens", (double)t->column[TOKENS][i]);
    put_number(&e->line, "reused", (double)t->column[REUSED][i]);
    put_number(&e->line, "wait_us", (double)t->column[WAIT][i] / 1e3);
    dn_out_close(&e->line, '}');
    end_event(e);
}

static dn_status put_batches(exporter *e, const segment *s) {
    bool has_queue = dn_h5_find(s->infos, s->n_infos, "/batches/queue_ns") != NULL;
    const char *const numbers[] = {"/batches/closed_mono_ns",
                                   "/batches/model_ns",
                                   "/batches/thread",
                                   "/batches/rows",
                                   "/batches/tokens",
                                   "/batches/reused",
                                   "/batches/wait_ns",
                                   has_queue ? "/batches/queue_ns" : NULL,
                                   NULL};
    static const char *const labels[] = {"/batches/pipeline", "/batches/reason", "/batches/model",
                                         NULL};
    table t = {0};
    dn_status status = read_table(s, numbers, labels, &t);
    int64_t n_named[UINT8_MAX + 1] = {0}; /* threads of each model that have a name */
    for (uint64_t i = 0; i < t.n && status == DN_OK; i++) {
        uint8_t model = t.label[2][i];
        for (; n_named[model] <= t.column[THREAD][i]; n_named[model]++) {
            put_name(e, "thread_name", s->rank, model * THREADS_A_MODEL + n_named[model],
                     label_of(s, "/batches/model", model), n_named[model]);
        }
        put_batch(e, s, &t, i);
    }
    table_free(&t);
    return status;
}

static void put_counter(exporter *e, const segment *s, const char *name, int64_t mono_ns,
                        const char *series, double value) {
    begin_event(e, "C", name, s->rank, 0);
    put_number(&e->line, "ts", micros(e, s, mono_ns));
    dn_out_key(&e->line, "args");
    dn_out_open(&e->line, '{');
    put_number(&e->line, series, value);
    dn_out_close(&e->line, '}');
    end_event(e);
}

static dn_status put_memory(exporter *e, const segment *s) {
    static const char *const numbers[] = {"/system/mono_ns", "/system/rss_bytes", NULL};
    static const char *const labels[] = {NULL};
    table t = {0};
    dn_status status = read_table(s, numbers, labels, &t);
    for (uint64_t i = 0; i < t.n && status == DN_OK; i++) {
        put_counter(e, s, "resident memory", t.column[0][i], "MiB",
                    (double)t.column[1][i] / (1 << 20));
    }
    table_free(&t);
    return status;
}

static dn_status put_lag(exporter *e, const segment *s) {
    static const char *const numbers[] = {"/flow/mono_ns", "/flow/lag", NULL};
    static const char *const labels[] = {"/flow/pipeline", NULL};
    table t = {0};
    dn_status status = read_table(s, numbers, labels, &t);
    for (uint64_t i = 0; i < t.n && status == DN_OK; i++) {
        put_counter(e, s, "lag", t.column[0][i], label_of(s, labels[0], t.label[0][i]),
                    (double)t.column[1][i]);
    }
    table_free(&t);
    return status;
}

static dn_status read_names(const segment *s, uint64_t n, uint64_t **ends, char **bytes) {
    const dn_h5_info *info = dn_h5_find(s->infos, s->n_infos, "/queues/queue/offsets");
    if (!info || info->type != DN_H5_U64 || info->n_rows != n + 1) {
        return DN_FAIL(DATA, "/queues/queue is missing or damaged in a trace file");
    }
    *ends = dn_alloc_array(n + 1, sizeof **ends);
    DN_TRY(dn_h5_read(s->file, info->path, 0, n + 1, *ends));
    *bytes = dn_alloc((*ends)[n] + 1);
    return dn_h5_read(s->file, "/queues/queue/bytes", 0, (*ends)[n], *bytes);
}

static dn_status put_queues(exporter *e, const segment *s) {
    static const char *const numbers[] = {"/queues/mono_ns", "/queues/depth", NULL};
    static const char *const labels[] = {"/queues/pipeline", NULL};
    table t = {0};
    uint64_t *ends = NULL;
    char *bytes = NULL;
    dn_status status = read_table(s, numbers, labels, &t);
    if (status == DN_OK) {
        status = read_names(s, t.n, &ends, &bytes);
    }
    for (uint64_t i = 0; i < t.n && status == DN_OK; i++) {
        char name[128];
        snprintf(name, sizeof name, "queue %s %.*s", label_of(s, labels[0], t.label[0][i]),
                 (int)(ends[i + 1] - ends[i]), bytes + ends[i]);
        put_counter(e, s, name, t.column[0][i], "chunks", (double)t.column[1][i]);
    }
    free(ends);
    free(bytes);
    table_free(&t);
    return status;
}

static dn_status segment_open(const char *path, segment *s) {
    *s = (segment){0};
    DN_TRY(dn_h5_open(path, &s->file));
    dn_status status = dn_h5_list(s->file, &s->infos, &s->n_infos);
    if (status == DN_OK) {
        status = dn_h5_get_i64(s->file, "/", "rank", &s->rank);
    }
    if (status == DN_OK) {
        status = dn_h5_get_i64(s->file, "/", "start_mono_ns", &s->start_mono_ns);
    }
    if (status == DN_OK) {
        status = dn_h5_get_i64(s->file, "/", "start_wall_ns", &s->start_wall_ns);
    }
    return status;
}

static void segment_close(segment *s) {
    dn_h5_infos_free(s->infos, s->n_infos);
    dn_h5_abandon(s->file);
}

static dn_status put_segment(exporter *e, const segment *s) {
    put_name(e, "process_name", s->rank, 0, "rank", s->rank);
    DN_TRY(put_batches(e, s));
    DN_TRY(put_memory(e, s));
    DN_TRY(put_lag(e, s));
    return put_queues(e, s);
}

static int is_segment(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return n > 3 && strcmp(entry->d_name + n - 3, ".h5") == 0;
}

static dn_status list_segments(const char *folder, char ***paths, int *n) {
    struct stat info;
    if (stat(folder, &info) == 0 && S_ISREG(info.st_mode)) {
        *paths = dn_alloc(sizeof **paths);
        (*paths)[0] = dn_strdup(folder);
        *n = 1;
        return DN_OK;
    }
    struct dirent **entries;
    int found = scandir(folder, &entries, is_segment, alphasort);
    if (found < 0) {
        return DN_FAIL(NO_INPUT, "%s: cannot be listed: %s", folder, strerror(errno));
    }
    *paths = dn_alloc_array((size_t)found + 1, sizeof **paths);
    for (*n = 0; *n < found; ++*n) {
        (*paths)[*n] = dn_format("%s/%s", folder, entries[*n]->d_name);
        free(entries[*n]);
    }
    free(entries);
    return found ? DN_OK : DN_FAIL(NO_INPUT, "%s: holds no trace files", folder);
}

/* Calls put_segment for every file, or, before that, finds the earliest start. */
static dn_status each_segment(exporter *e, char **paths, int n, bool find_zero) {
    for (int i = 0; i < n; i++) {
        segment s;
        dn_status status = segment_open(paths[i], &s);
        if (status == DN_OK && find_zero) {
            e->zero_wall_ns = s.start_wall_ns < e->zero_wall_ns ? s.start_wall_ns : e->zero_wall_ns;
        } else if (status == DN_OK) {
            status = put_segment(e, &s);
        }
        if (s.file) {
            segment_close(&s);
        }
        DN_TRY(status);
    }
    return DN_OK;
}

dn_status dn_trace_chrome(const char *folder, FILE *out) {
    char **paths = NULL;
    int n = 0;
    exporter e = {.out = out, .zero_wall_ns = INT64_MAX};
    dn_status status = list_segments(folder, &paths, &n);
    if (status == DN_OK) {
        status = each_segment(&e, paths, n, true);
    }
    if (status == DN_OK) {
        fputs("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [", out);
        status = each_segment(&e, paths, n, false);
        fputs("\n]}\n", out);
    }
    for (int i = 0; i < n; i++) {
        free(paths[i]);
    }
    free(paths);
    dn_out_free(&e.line);
    return status;
}
