/* A corpus in JSON Lines: one object a line, fields at its top level. */
#include "base/memory.h"
#include "io/scan.h"
#include "source/feed.h"
#include "source/reader.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RAW_KEPT = 4096, ARENA_BLOCK = 64 << 10 };

struct dn_reader {
    dn_feed feed;
    dn_scan scan;
    int value[DN_ROLES]; /**< which value of the scan, -1: not wanted */
    dn_arena arena;      /**< unescaped strings of this record */
    int64_t number;
    dn_key key;
    int32_t n_partitions;
    char detail[192];
    char kept[RAW_KEPT];
};

/** A line without its end. */
typedef struct text_line {
    dn_span bytes;
    uint64_t position, size_bytes;
    bool oversize, whole; /**< whole: a line end follows */
} text_line;

static dn_status compile(dn_reader *reader, const dn_map *fields) {
    const char *role_name[DN_ROLES], *name[DN_ROLES];
    int n = 0;
    DN_TRY(dn_fields_resolve(fields, role_name));
    for (int role = 0; role < DN_ROLES; role++) {
        reader->value[role] = role_name[role] ? n : -1;
        if (role_name[role]) {
            name[n++] = role_name[role];
        }
    }
    return dn_scan_compile(name, n, &reader->scan);
}

static void jsonl_close(dn_reader *reader) {
    if (reader) {
        dn_feed_close(&reader->feed);
        dn_arena_free(&reader->arena);
        free(reader);
    }
}

static dn_status jsonl_open(const dn_reader_spec *spec, dn_reader **reader) {
    dn_status status;
    dn_reader *r = dn_alloc(sizeof *r);
    dn_arena_init(&r->arena, ARENA_BLOCK);
    r->key = spec->key;
    r->n_partitions = spec->n_partitions;
    DN_TRY_GO(compile(r, spec->fields), err_close);
    if (spec->pull) {
        dn_feed_open_pull(&r->feed, spec->path, spec->pull, spec->pull_ctx);
    } else {
        DN_TRY_GO(dn_feed_open(&r->feed, spec->path), err_close);
    }
    *reader = r;
    return DN_OK;
err_close:
    jsonl_close(r);
    return status;
}

/** Passes over the rest of a line that is too long, in bounded memory; its beginning is kept. */
static void skip_oversize(dn_reader *reader, text_line *line) {
    dn_feed *feed = &reader->feed;
    memcpy(reader->kept, feed->data + feed->begin, RAW_KEPT);
    line->bytes = (dn_span){reader->kept, RAW_KEPT};
    line->oversize = true;
    line->size_bytes = 0;
    for (;;) {
        const char *begin = feed->data + feed->begin;
        const char *end = memchr(begin, '\n', feed->end - feed->begin);
        size_t size = end ? (size_t)(end - begin) : feed->end - feed->begin;
        line->size_bytes += size;
        line->whole = end != NULL;
        feed->begin += size + (end != NULL);
        if (end || feed->ended) {
            return;
        }
        dn_feed_more(feed);
    }
}

/** The next line; false at the end of the data. */
static bool next_line(dn_reader *reader, text_line *line) {
    dn_feed *feed = &reader->feed;
    size_t seen = 0;
    for (;;) {
        const char *begin = feed->data + feed->begin;
        size_t held = feed->end - feed->begin;
        const char *end = seen < held ? memchr(begin + seen, '\n', held - seen) : NULL;
        size_t size = end ? (size_t)(end - begin) : held;
        line->position = dn_feed_position(feed, begin);
        if (size > DN_RECORD_MAX) {
            skip_oversize(reader, line);
            return true;
        }
        if (end || feed->ended) {
            line->whole = end != NULL;
            line->oversize = false;
            line->bytes = (dn_span){begin, size - (size > 0 && begin[size - 1] == '\r')};
            feed->begin += size + (end != NULL);
            return size > 0 || end;
        }
        seen = held;
        dn_feed_more(feed);
    }
}

static bool is_blank(dn_span bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != ' ' && bytes.ptr[i] != '\t') {
            return false;
        }
    }
    return true;
}

static dn_status cut(const dn_reader *reader, const text_line *line) {
    const dn_feed *feed = &reader->feed;
    if (feed->broken) {
        dn_failure_set(&feed->failure);
        return DN_FATAL;
    }
    return DN_FAIL(DATA,
                   "%s: the corpus is cut: it ends at byte %" PRIu64
                   " inside the record that begins at byte %" PRIu64,
                   feed->path, feed->base + feed->end, line->position);
}

static bool is_absent(const dn_scan_value *value) {
    return value->type == DN_SCAN_ABSENT || value->type == DN_SCAN_NULL;
}

/** The value of a role; null when it is absent. False when it is of a kind that has no text. */
static bool take(const dn_reader *reader, const dn_scan_value *values, dn_role role, bool numbers,
                 dn_span *out) {
    *out = (dn_span){NULL, 0};
    if (reader->value[role] < 0 || is_absent(&values[reader->value[role]])) {
        return true;
    }
    const dn_scan_value *value = &values[reader->value[role]];
    *out = value->bytes;
    return value->type == DN_SCAN_STRING || (numbers && value->type == DN_SCAN_NUMBER);
}

static void take_fields(dn_reader *reader, const dn_scan_value *values, dn_span raw,
                        dn_record *record) {
    dn_span created_at;
    record->raw = raw;
    bool texts = take(reader, values, DN_ROLE_TEXT, false, &record->text);
    bool labels = take(reader, values, DN_ROLE_USER, true, &record->user) &&
                  take(reader, values, DN_ROLE_LANGUAGE, false, &record->language) &&
                  take(reader, values, DN_ROLE_ID, true, &record->source_id);
    if (!texts) {
        dn_record_spoil(record, "bad text", raw, reader->detail, sizeof reader->detail,
                        "the text is not a string");
    } else if (!labels) {
        dn_record_spoil(record, "bad field", raw, reader->detail, sizeof reader->detail,
                        "user, lang or id is not a string");
    } else if (!take(reader, values, DN_ROLE_CREATED_AT, true, &created_at)) {
        dn_record_spoil(record, "bad time", raw, reader->detail, sizeof reader->detail,
                        "created_at is neither a string nor a number");
    } else {
        dn_record_check(record, created_at, reader->detail, sizeof reader->detail);
    }
}

/** Reads one line into the record. AGAIN: it is no record but the torn end of the file. */
static dn_status read_record(dn_reader *reader, const text_line *line, dn_record *record) {
    dn_scan_value values[DN_SCAN_FIELDS];
    dn_scan_error error;
    dn_arena_reset(&reader->arena);
    if (line->oversize) {
        dn_record_spoil(record, "oversize", line->bytes, reader->detail, sizeof reader->detail,
                        "%" PRIu64 " bytes at byte %" PRIu64 " of the corpus, at most %d are read",
                        line->size_bytes, line->position, DN_RECORD_MAX);
    } else if (dn_scan_record(&reader->scan, line->bytes, &reader->arena, values, &error)) {
        take_fields(reader, values, line->bytes, record);
    } else if (!line->whole) {
        return cut(reader, line);
    } else {
        dn_record_spoil(record, error.reason, line->bytes, reader->detail, sizeof reader->detail,
                        "%s at byte %zu of the record, which begins at byte %" PRIu64
                        " of the corpus",
                        error.detail, error.at, line->position);
    }
    return DN_OK;
}

static dn_status jsonl_next(dn_reader *reader, dn_record *record, int32_t *partition, bool *end) {
    text_line line;
    do {
        *end = !next_line(reader, &line);
        if (reader->feed.broken && (*end || !line.whole)) {
            return cut(reader, &line);
        }
    } while (!*end && is_blank(line.bytes));
    if (*end) {
        return DN_OK;
    }
    record->number = reader->number;
    record->reason = NULL;
    record->stable = false;
    DN_TRY(read_record(reader, &line, record));
    reader->number++;
    *partition = dn_record_place(record, reader->key, reader->n_partitions);
    return DN_OK;
}

static dn_progress jsonl_progress(const dn_reader *reader) {
    dn_progress progress = {0, 0};
    if (!reader->feed.stream) {
        return progress;
    }
    dn_stream_progress(reader->feed.stream, &progress.done, &progress.total);
    return progress;
}

const dn_reader_ops dn_reader_jsonl = {"jsonl", jsonl_open, jsonl_next, jsonl_progress,
                                       jsonl_close};
