/* What the readers have in common: checks of a record, and the choice of a reader. */
#include "base/time_text.h"
#include "base/utf8.h"
#include "source/feed.h"
#include "source/reader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { DETAIL_KEPT = 40 };

const char *const dn_format_names[] = {"auto", "csv", "jsonl", "packed", NULL};

static const dn_reader_ops *const readers[] = {NULL, &dn_reader_csv, &dn_reader_jsonl,
                                               &dn_reader_packed};

enum { AUTO, CSV, JSONL, PACKED };

static int format_of(dn_span head) {
    static const char hdf5[] = "\x89HDF\r\n\x1a\n";
    if (head.len >= sizeof hdf5 - 1 && !memcmp(head.ptr, hdf5, sizeof hdf5 - 1)) {
        return PACKED;
    }
    size_t i = 0;
    while (i < head.len && strchr(" \t\r\n", head.ptr[i]) && head.ptr[i]) {
        i++;
    }
    bool nothing = i == head.len; /* no record in JSON Lines, but no header either */
    return nothing || head.ptr[i] == '{' ? JSONL : CSV;
}

dn_status dn_reader_choose(const char *path, int format, const dn_reader_ops **ops) {
    if (format == AUTO) {
        dn_feed feed;
        dn_status status = dn_feed_open(&feed, path);
        if (status == DN_OK) {
            dn_feed_more(&feed);
            format = format_of((dn_span){feed.data + feed.begin, feed.end - feed.begin});
        }
        dn_feed_close(&feed);
        DN_TRY(status);
    }
    *ops = readers[format];
    return DN_OK;
}

void dn_record_spoil(dn_record *record, const char *reason, dn_span raw, char *detail,
                     size_t detail_size, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(detail, detail_size, fmt, args);
    va_end(args);
    *record = (dn_record){
        .number = record->number, .created_ms = INT64_MIN, .reason = reason, .raw = raw};
    record->detail = (dn_span){detail, (size_t)n < detail_size ? (size_t)n : detail_size - 1};
    record->size_bytes = (uint32_t)(raw.len + record->detail.len);
}

/** Reason of the first flaw in a field's bytes, or NULL. */
static const char *flaw_of(dn_span bytes, size_t *at) {
    if (bytes.len == 0) {
        return NULL;
    }
    const char *nul = memchr(bytes.ptr, 0, bytes.len);
    *at = nul ? (size_t)(nul - bytes.ptr) : dn_utf8_valid_prefix(bytes);
    return nul ? "NUL" : *at < bytes.len ? "bad UTF-8" : NULL;
}

/** An empty cell of a table says as much as an absent field. */
static dn_span null_if_empty(dn_span value) {
    return value.len ? value : (dn_span){NULL, 0};
}

static bool check_fields(dn_record *record, char *detail, size_t detail_size) {
    const struct {
        const char *name;
        dn_span bytes;
    } fields[] = {{"text", record->text},
                  {"user", record->user},
                  {"language", record->language},
                  {"id", record->source_id}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t at = 0;
        const char *reason = flaw_of(fields[i].bytes, &at);
        if (reason) {
            dn_record_spoil(record, reason, record->raw, detail, detail_size,
                            "byte %zu of the field %s", at, fields[i].name);
            return false;
        }
    }
    return true;
}

void dn_record_check(dn_record *record, dn_span created_at, char *detail, size_t detail_size) {
    if (!check_fields(record, detail, detail_size)) {
        return;
    }
    if (record->text.len == 0) {
        bool absent = !record->text.ptr;
        dn_record_spoil(record, absent ? "no text" : "empty text", record->raw, detail, detail_size,
                        absent ? "the record has no text" : "the text is empty");
        return;
    }
    record->created_ms = INT64_MIN;
    if (created_at.len && !dn_time_any(created_at, &record->created_ms)) {
        int shown = created_at.len < DETAIL_KEPT ? (int)created_at.len : DETAIL_KEPT;
        dn_record_spoil(record, "bad time", record->raw, detail, detail_size,
                        "created_at is '%.*s': neither ISO 8601 nor milliseconds", shown,
                        created_at.ptr);
        return;
    }
    record->user = null_if_empty(record->user);
    record->language = null_if_empty(record->language);
    record->source_id = null_if_empty(record->source_id);
    record->size_bytes = (uint32_t)(record->text.len + record->user.len + record->language.len +
                                    record->source_id.len);
}

int32_t dn_record_place(const dn_record *record, dn_key key, int32_t n_partitions) {
    return record->reason
               ? dn_partition_of_bad(record->number, n_partitions)
               : dn_partition_of(key, record->user, record->text, record->language, n_partitions);
}
