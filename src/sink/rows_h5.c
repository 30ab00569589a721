/* The rows sink: the kept rows of a pipeline as columns in HDF5. Files, recovery and publishing are
 * in segment.c; here a chunk becomes columns: the rows that are still selected and not below the
 * cursor are gathered, column by column. */
#include "base/clock.h"
#include "base/memory.h"
#include "sink/segment.h"
#include "sink/sinks.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct rows_conf {
    int64_t rows, bytes, age_ns, deflate;
    dn_list columns;
} rows_conf;

enum { N_KEYS = 2 }; /* offset and timestamp come from the chunk itself */

typedef struct column {
    int field;
    dn_type type;
    size_t row_bytes;
} column;

struct dn_sink {
    dn_segments *segments;
    char *folder;
    column column[DN_MAX_FIELDS];
    int n_columns;
    int64_t write_ns;
    uint16_t row[DN_CHUNK_ROWS]; /* selected rows of the chunk at hand */
    dn_span text[DN_CHUNK_ROWS];
    int64_t number[DN_CHUNK_ROWS];
    char *fixed; /* scores or labels of a chunk */
};

static const dn_prop props[] = {
    {"rows", DN_P_COUNT, offsetof(rows_conf, rows), "1Mi", 1, 1e12, NULL,
     "A file is closed when it holds this many rows."},
    {"bytes", DN_P_BYTES, offsetof(rows_conf, bytes), "256MiB", 4096, 1e15, NULL,
     "A file is closed when it holds this much."},
    {"age", DN_P_DURATION, offsetof(rows_conf, age_ns), "60s", 1e6, 1e18, NULL,
     "A file is closed when its first row is this old: how much work a crash may cost."},
    {"deflate", DN_P_COUNT, offsetof(rows_conf, deflate), "0", 0, 9, NULL,
     "Compression (shuffle and deflate) of the columns; 0 for none."},
    {"columns", DN_P_LIST, offsetof(rows_conf, columns), NULL, 0, 0, NULL,
     "Columns to keep; all when empty. offset and timestamp are always there."},
    {0},
};

static dn_status rows_bind(void *conf, const dn_bind *bind) {
    const rows_conf *rows = conf;
    for (int i = 0; i < rows->columns.n; i++) {
        const char *name = rows->columns.item[i];
        int field = dn_schema_find(bind->schema, name);
        if (field < 0) {
            const char *near = NULL;
            for (int f = 0; f < bind->schema->n && !near; f++) {
                near =
                    dn_near(name, bind->schema->field[f].name) ? bind->schema->field[f].name : NULL;
            }
            return DN_FAIL(CONFIG, "sink rows_h5: there is no column '%s'%s%s%s", name,
                           near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        if (bind->schema->field[field].type == DN_IDS) {
            return DN_FAIL(CONFIG, "sink rows_h5: column '%s' holds token ids, which are not kept",
                           name);
        }
    }
    return DN_OK;
}

static bool wanted(const rows_conf *conf, const dn_field *field) {
    if (field->type == DN_IDS || (conf->columns.n == 0 && field->transient)) {
        return false;
    }
    for (int i = 0; i < conf->columns.n; i++) {
        if (strcmp(conf->columns.item[i], field->name) == 0) {
            return true;
        }
    }
    return conf->columns.n == 0;
}

/* "score.sentiment" of group "scores" is /scores/sentiment: the group says it already. */
static char *path_of(const dn_field *field) {
    const char *group = field->group ? field->group : "records";
    const char *name = field->name;
    const char *dot = strchr(name, '.');
    if (dot && strncmp(group, name, (size_t)(dot - name)) == 0) {
        name = dot + 1;
    }
    return dn_format("/%s/%s", group, name);
}

static const dn_h5_type h5_type[] = {
    [DN_BYTES] = DN_H5_TEXT,
    [DN_I64] = DN_H5_I64,
    [DN_F32] = DN_H5_F32,
    [DN_LABEL] = DN_H5_ENUM,
};

static size_t row_bytes_of(const dn_field *field) {
    static const unsigned char bytes[] = {
        [DN_BYTES] = sizeof(uint64_t), [DN_I64] = 8, [DN_F32] = 4, [DN_LABEL] = 1};
    return bytes[field->type] * (size_t)(field->width > 1 ? field->width : 1);
}

static dn_status check_path(const dn_h5_spec *spec, int n, const dn_field *field) {
    for (int i = 0; i < n; i++) {
        if (strcmp(spec[i].path, spec[n].path) == 0) {
            return DN_FAIL(CONFIG, "sink rows_h5: two columns would be stored as %s; rename '%s'",
                           spec[n].path, field->name);
        }
    }
    return DN_OK;
}

/* Fills the specs behind the keys, and which field each of them takes. */
static dn_status choose_columns(const rows_conf *conf, const dn_schema *schema, dn_sink *sink,
                                dn_h5_spec *spec) {
    size_t widest = 1;
    for (int f = 0; f < schema->n; f++) {
        const dn_field *field = &schema->field[f];
        if (!wanted(conf, field)) {
            continue;
        }
        int n = sink->n_columns++;
        spec[N_KEYS + n] = (dn_h5_spec){
            .path = path_of(field),
            .type = h5_type[field->type],
            .width = field->type == DN_F32 ? field->width : 1,
            .labels = field->labels,
            .n_labels = field->n_labels,
            .units = field->units,
            .long_name = field->long_name,
            .nullable = true,
        };
        sink->column[n] = (column){f, field->type, row_bytes_of(field)};
        widest = sink->column[n].row_bytes > widest ? sink->column[n].row_bytes : widest;
        DN_TRY(check_path(spec, N_KEYS + n, field));
    }
    sink->fixed = dn_alloc_array(DN_CHUNK_ROWS, widest);
    return DN_OK;
}

static dn_status open_segments(const rows_conf *conf, const dn_sink_env *env,
                               const dn_h5_spec *spec, dn_sink *sink) {
    sink->folder = dn_format("%s/rows", env->output);
    const dn_segment_conf segment_conf = {
        .kind = DN_KIND_ROWS,
        .folder = sink->folder,
        .env = env,
        .columns = spec,
        .n_columns = N_KEYS + sink->n_columns,
        .max_rows = conf->rows,
        .max_bytes = conf->bytes,
        .max_age_ns = conf->age_ns,
        .deflate = (int)conf->deflate,
    };
    return dn_segments_open(&segment_conf, &sink->segments);
}

static void rows_close(dn_sink *sink) {
    dn_segments_free(sink->segments);
    free(sink->folder);
    free(sink->fixed);
    free(sink);
}

static dn_status rows_open(const void *conf, const dn_sink_env *env, dn_sink **sink) {
    dn_h5_spec spec[N_KEYS + DN_MAX_FIELDS] = {
        {.path = "/records/offset",
         .type = DN_H5_I64,
         .units = "1",
         .long_name = "Offset of the record in its partition"},
        {.path = "/records/timestamp",
         .type = DN_H5_I64,
         .units = "milliseconds since 1970-01-01T00:00:00Z",
         .long_name = "Event time",
         .nullable = true},
    };
    dn_sink *made = dn_alloc(sizeof *made);
    dn_status status = choose_columns(conf, env->schema, made, spec);
    if (status == DN_OK) {
        status = open_segments(conf, env, spec, made);
    }
    for (int i = 0; i < made->n_columns; i++) {
        free((char *)spec[N_KEYS + i].path);
    }
    if (status != DN_OK) {
        rows_close(made);
        return status;
    }
    *sink = made;
    return DN_OK;
}

static int64_t rows_cursor(const dn_sink *sink, int32_t partition) {
    return dn_segments_cursor(sink->segments, partition);
}

static void count_fates(const dn_chunk *chunk, int64_t cursor, dn_counts *counts) {
    int64_t n[DN_FATES] = {0};
    for (uint32_t row = 0; row < chunk->n_rows; row++) {
        n[chunk->fate[row]] += chunk->offset[row] >= cursor;
    }
    counts->rows_out += n[DN_KEPT];
    counts->repeats_dropped += n[DN_REPEAT];
    counts->filtered += n[DN_FILTERED];
    counts->dead_letters += n[DN_DEAD];
    counts->records_in += n[DN_KEPT] + n[DN_REPEAT] + n[DN_FILTERED] + n[DN_DEAD];
}

static uint32_t select_rows(dn_sink *sink, const dn_chunk *chunk, int64_t cursor) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        if (chunk->offset[chunk->sel[i]] >= cursor) {
            sink->row[n++] = chunk->sel[i];
        }
    }
    return n;
}

static dn_status append_numbers(dn_sink *sink, const int64_t *values, uint32_t n,
                                dn_h5_column *target) {
    for (uint32_t i = 0; i < n; i++) {
        sink->number[i] = values[sink->row[i]];
    }
    return dn_h5_append(target, sink->number, n);
}

static dn_status append_texts(dn_sink *sink, const dn_chunk *chunk, const column *c, uint32_t n,
                              dn_segment *segment, dn_h5_column *target) {
    const dn_span *values = dn_chunk_bytes(chunk, c->field);
    for (uint32_t i = 0; i < n; i++) {
        sink->text[i] = values[sink->row[i]];
        segment->n_bytes += (int64_t)sink->text[i].len;
    }
    return dn_h5_append_texts(target, sink->text, n);
}

/* Scores and labels: rows of a fixed size. */
static dn_status append_fixed(dn_sink *sink, const dn_chunk *chunk, const column *c, uint32_t n,
                              dn_h5_column *target) {
    const char *values = chunk->column[c->field];
    char *out = sink->fixed;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(out + i * c->row_bytes, values + sink->row[i] * c->row_bytes, c->row_bytes);
    }
    return dn_h5_append(target, out, n);
}

static dn_status append_column(dn_sink *sink, const dn_chunk *chunk, const column *c, uint32_t n,
                               dn_segment *segment, dn_h5_column *target) {
    segment->n_bytes += (int64_t)(n * c->row_bytes);
    if (c->type == DN_BYTES) {
        return append_texts(sink, chunk, c, n, segment, target);
    }
    return append_fixed(sink, chunk, c, n, target);
}

static dn_status append_rows(dn_sink *sink, const dn_chunk *chunk, uint32_t n,
                             dn_segment *segment) {
    DN_TRY(append_numbers(sink, chunk->offset, n, segment->column[0]));
    DN_TRY(append_numbers(sink, chunk->event_ms, n, segment->column[1]));
    for (int i = 0; i < sink->n_columns; i++) {
        DN_TRY(
            append_column(sink, chunk, &sink->column[i], n, segment, segment->column[N_KEYS + i]));
    }
    segment->n_rows += n;
    segment->n_bytes += (int64_t)(n * N_KEYS * sizeof(int64_t));
    return DN_OK;
}

static dn_status rows_write(dn_sink *sink, const dn_chunk *chunk) {
    int64_t cursor = dn_segments_cursor(sink->segments, chunk->partition);
    if (chunk->next <= cursor) {
        return DN_OK;
    }
    int64_t start_ns = dn_mono_ns();
    dn_segment *segment;
    int64_t first = chunk->n_rows ? chunk->offset[0] : chunk->next;
    DN_TRY(dn_segments_begin(sink->segments, chunk->partition, first, &segment));
    uint32_t n = select_rows(sink, chunk, cursor);
    dn_status status = n ? append_rows(sink, chunk, n, segment) : DN_OK;
    if (status != DN_OK) {
        return dn_segments_poison(sink->segments, segment, status);
    }
    count_fates(chunk, cursor, &segment->counts);
    segment->next = chunk->next;
    sink->write_ns += dn_mono_ns() - start_ns;
    return DN_OK;
}

static int32_t rows_due(const dn_sink *sink, int64_t mono_ns) {
    return dn_segments_due(sink->segments, mono_ns);
}

static dn_status rows_commit(dn_sink *sink, int32_t partition) {
    return dn_segments_commit(sink->segments, partition);
}

static void rows_stats(const dn_sink *sink, dn_sink_stats *stats) {
    dn_segments_stats(sink->segments, stats);
    stats->busy_ns += sink->write_ns;
}

const dn_sink_ops dn_sink_rows_h5 = {
    .name = "rows_h5",
    .summary =
        "Kept rows as HDF5 columns, a file per partition and range of offsets, exactly once.",
    .props = props,
    .conf_size = sizeof(rows_conf),
    .bind = rows_bind,
    .open = rows_open,
    .cursor = rows_cursor,
    .write = rows_write,
    .due = rows_due,
    .commit = rows_commit,
    .stats = rows_stats,
    .close = rows_close,
};
