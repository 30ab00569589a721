/* Bad records, kept with the reason: every pipeline has this sink, before its others, so that a
 * durable cursor proves that the letters below it are durable too. A restart begins below that
 * point and meets letters again: those below this sink's own cursor are dropped. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "sink/segment.h"
#include "sink/sinks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum raw_form { RAW_BYTES, RAW_MASKED, RAW_HASH } raw_form;
static const char *const raw_forms[] = {"raw", "masked", "hash", NULL};

typedef struct dead_conf {
    int raw;
    int64_t rows, bytes, age_ns;
} dead_conf;

struct dn_sink {
    dn_segments *segments;
    char *folder;
    raw_form form;
    char *scratch;
    size_t scratch_bytes;
    int64_t write_ns;
};

static const dn_prop props[] = {
    {"raw", DN_P_CHOICE, offsetof(dead_conf, raw), "raw", 0, 0, raw_forms,
     "The record's bytes: raw as they came, masked (letters as x, digits as 0), or their hash "
     "only."},
    {"rows", DN_P_COUNT, offsetof(dead_conf, rows), "64Ki", 1, 1e12, NULL,
     "A file is closed when it holds this many letters."},
    {"bytes", DN_P_BYTES, offsetof(dead_conf, bytes), "64MiB", 4096, 1e15, NULL,
     "A file is closed when it holds this much."},
    {"age", DN_P_DURATION, offsetof(dead_conf, age_ns), "60s", 1e6, 1e18, NULL,
     "A file is closed when its first letter is this old."},
    {0},
};

enum { OFFSET, TIMESTAMP, STAGE, REASON, DETAIL, RAW, N_COLUMNS };

static const dn_h5_spec columns[N_COLUMNS] = {
    [OFFSET] = {.path = "/records/offset",
                .type = DN_H5_I64,
                .units = "1",
                .long_name = "Offset of the record in its partition"},
    [TIMESTAMP] = {.path = "/records/timestamp",
                   .type = DN_H5_I64,
                   .units = "milliseconds since 1970-01-01T00:00:00Z",
                   .long_name = "Event time",
                   .nullable = true},
    [STAGE] = {.path = "/records/stage", .type = DN_H5_TEXT, .long_name = "Who found it"},
    [REASON] = {.path = "/records/reason", .type = DN_H5_TEXT, .long_name = "Class of the fault"},
    [DETAIL] = {.path = "/records/detail",
                .type = DN_H5_TEXT,
                .long_name = "What exactly, and where"},
    [RAW] = {.path = "/records/raw", .type = DN_H5_TEXT, .long_name = "The record's bytes"},
};

static void dead_close(dn_sink *sink) {
    dn_segments_free(sink->segments);
    free(sink->folder);
    free(sink->scratch);
    free(sink);
}

static dn_status dead_open(const void *conf, const dn_sink_env *env, dn_sink **sink) {
    const dead_conf *dead = conf;
    dn_sink *made = dn_alloc(sizeof *made);
    made->form = (raw_form)dead->raw;
    made->folder = dn_format("%s/dead/%s", env->output, env->pipeline);
    const dn_segment_conf segment_conf = {
        .kind = DN_KIND_DEAD,
        .folder = made->folder,
        .env = env,
        .columns = columns,
        .n_columns = N_COLUMNS,
        .max_rows = dead->rows,
        .max_bytes = dead->bytes,
        .max_age_ns = dead->age_ns,
        .only_with_rows = true,
    };
    dn_status status = dn_segments_open(&segment_conf, &made->segments);
    if (status != DN_OK) {
        dead_close(made);
        return status;
    }
    *sink = made;
    return DN_OK;
}

static int64_t dead_cursor(const dn_sink *sink, int32_t partition) {
    return dn_segments_cursor(sink->segments, partition);
}

static char *scratch(dn_sink *sink, size_t size) {
    if (size > sink->scratch_bytes) {
        sink->scratch = dn_grow(sink->scratch, size, 1);
        sink->scratch_bytes = size;
    }
    return sink->scratch;
}

/* Keeps length, punctuation and structure, so that a fault can still be seen; bytes above ASCII
 * count as letters. */
static char mask(char c) {
    unsigned char byte = (unsigned char)c;
    if (byte >= '0' && byte <= '9') {
        return '0';
    }
    bool letter = byte >= 0x80 || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
    return letter ? 'x' : c;
}

static dn_span raw_of(dn_sink *sink, dn_span raw) {
    if (sink->form == RAW_BYTES) {
        return raw;
    }
    if (sink->form == RAW_HASH) {
        char *text = scratch(sink, 32);
        int n = snprintf(text, 32, "xxh3:%016" PRIx64, dn_hash64(raw, 0));
        return (dn_span){text, (size_t)n};
    }
    char *text = scratch(sink, raw.len + 1);
    for (size_t i = 0; i < raw.len; i++) {
        text[i] = mask(raw.ptr[i]);
    }
    return (dn_span){text, raw.len};
}

static dn_status append_letter(dn_sink *sink, const dn_chunk *chunk, const dn_letter *letter,
                               dn_segment *segment) {
    const dn_span texts[N_COLUMNS] = {
        [STAGE] = dn_span_of(letter->stage),
        [REASON] = dn_span_of(letter->reason),
        [DETAIL] = letter->detail,
        [RAW] = raw_of(sink, letter->raw),
    };
    DN_TRY(dn_h5_append(segment->column[OFFSET], &chunk->offset[letter->row], 1));
    DN_TRY(dn_h5_append(segment->column[TIMESTAMP], &chunk->event_ms[letter->row], 1));
    for (int i = STAGE; i < N_COLUMNS; i++) {
        DN_TRY(dn_h5_append_texts(segment->column[i], &texts[i], 1));
        segment->n_bytes += (int64_t)texts[i].len;
    }
    segment->n_rows++;
    segment->n_bytes += 2 * (int64_t)sizeof(int64_t);
    segment->counts.records_in++;
    segment->counts.dead_letters++;
    return DN_OK;
}

/* The open segment answers for the chunk; one is opened only by a letter. */
static dn_status write_letters(dn_sink *sink, const dn_chunk *chunk, int64_t cursor,
                               dn_segment **segment) {
    for (uint32_t i = 0; i < chunk->n_letters; i++) {
        const dn_letter *letter = &chunk->letters[i];
        if (chunk->offset[letter->row] < cursor) {
            continue;
        }
        DN_TRY(dn_segments_begin(sink->segments, chunk->partition, chunk->offset[letter->row],
                                 segment));
        dn_status status = append_letter(sink, chunk, letter, *segment);
        if (status != DN_OK) {
            return dn_segments_poison(sink->segments, *segment, status);
        }
    }
    return DN_OK;
}

static dn_status dead_write(dn_sink *sink, const dn_chunk *chunk) {
    int64_t cursor = dn_segments_cursor(sink->segments, chunk->partition);
    if (chunk->next <= cursor) {
        return DN_OK;
    }
    int64_t start_ns = dn_mono_ns();
    dn_segment *segment = dn_segments_current(sink->segments, chunk->partition);
    DN_TRY(write_letters(sink, chunk, cursor, &segment));
    if (segment) {
        segment->next = chunk->next;
    }
    sink->write_ns += dn_mono_ns() - start_ns;
    return DN_OK;
}

static int32_t dead_due(const dn_sink *sink, int64_t mono_ns) {
    return dn_segments_due(sink->segments, mono_ns);
}

static dn_status dead_commit(dn_sink *sink, int32_t partition) {
    return dn_segments_commit(sink->segments, partition);
}

static void dead_stats(const dn_sink *sink, dn_sink_stats *stats) {
    dn_segments_stats(sink->segments, stats);
    stats->busy_ns += sink->write_ns;
}

const dn_sink_ops dn_sink_dead_letters = {
    .name = "dead_letters",
    .summary = "Bad records with stage, reason and bytes, as HDF5; part of every pipeline.",
    .props = props,
    .conf_size = sizeof(dead_conf),
    .open = dead_open,
    .cursor = dead_cursor,
    .write = dead_write,
    .due = dead_due,
    .commit = dead_commit,
    .stats = dead_stats,
    .close = dead_close,
};
