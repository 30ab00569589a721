/* value -> id, created_at, user, text, language: one JSON object a record, as jobs/README.md fixes
 * it. What cannot be read becomes a dead letter, and the stream goes on. */
#include "base/time_text.h"
#include "io/scan.h"
#include "text/stages.h"

#include <stdio.h>

enum { ID, CREATED_AT, USER, TEXT, LANGUAGE, COLUMNS };

enum { UNIT_MS, UNIT_S };

typedef struct decode_conf {
    dn_map fields;
    int time_unit;
    int64_t max_text_bytes;
    int value, column[COLUMNS];
    dn_scan scan;
} decode_conf;

static const char *const time_units[] = {"ms", "s", NULL};

static const dn_prop props[] = {
    {.name = "fields",
     .type = DN_P_MAP,
     .offset = offsetof(decode_conf, fields),
     .text =
         "JSON field of a column where it has another name: id, created_at, user, text, language "
         "(lang)."},
    {.name = "time_unit",
     .type = DN_P_CHOICE,
     .offset = offsetof(decode_conf, time_unit),
     .initial = "ms",
     .choices = time_units,
     .text = "Unit of created_at where it is a number, since 1970; texts are RFC 3339."},
    {.name = "max_text",
     .type = DN_P_BYTES,
     .offset = offsetof(decode_conf, max_text_bytes),
     .initial = "64KiB",
     .min = 1,
     .max = 1 << 30,
     .text = "A record whose text is longer becomes a dead letter."},
    {0},
};

/* The columns, the JSON field that fills each by default, and what that field may be. */
static const struct {
    dn_field field;
    const char *json;
} columns[COLUMNS] = {
    [ID] = {{.name = "id",
             .type = DN_I64,
             .width = 1,
             .units = "",
             .long_name = "number of the record in its corpus",
             .group = "records"},
            "id"},
    [CREATED_AT] = {{.name = "created_at",
                     .type = DN_I64,
                     .width = 1,
                     .units = "ms",
                     .long_name = "event time, milliseconds since 1970-01-01 UTC",
                     .group = "records"},
                    "created_at"},
    [USER] = {{.name = "user",
               .type = DN_BYTES,
               .width = 1,
               .units = "",
               .long_name = "author",
               .group = "records"},
              "user"},
    [TEXT] = {{.name = "text",
               .type = DN_BYTES,
               .width = 1,
               .units = "",
               .long_name = "text as it came",
               .group = "records"},
              "text"},
    [LANGUAGE] = {{.name = "language",
                   .type = DN_BYTES,
                   .width = 1,
                   .units = "",
                   .long_name = "language as the source states it",
                   .group = "records"},
                  "lang"},
};

/* Why a record cannot be used. Both texts are literals; `at` is a position in the record. */
typedef struct fault {
    const char *reason, *detail;
    size_t at;
} fault;

static dn_status check_map(const dn_map *fields) {
    for (int i = 0; i < fields->n; i++) {
        int c = 0;
        while (c < COLUMNS && strcmp(columns[c].field.name, fields->key[i]) != 0) {
            c++;
        }
        if (c == COLUMNS) {
            return DN_FAIL(CONFIG,
                           "decode: fields: '%s' is no column; there are id, created_at, user, "
                           "text and language",
                           fields->key[i]);
        }
    }
    return DN_OK;
}

static dn_status decode_bind(void *conf, const dn_bind *bind) {
    decode_conf *c = conf;
    DN_TRY(check_map(&c->fields));
    DN_TRY(dn_schema_need(bind->schema, "decode", "value", DN_BYTES, &c->value));
    const char *json[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        const char *mapped = dn_map_get(&c->fields, columns[i].field.name);
        json[i] = mapped ? mapped : columns[i].json;
        DN_TRY(dn_schema_add(bind->schema, columns[i].field, &c->column[i]));
    }
    return dn_scan_compile(json, COLUMNS, &c->scan);
}

static bool is_absent(const dn_scan_value *value) {
    return value->type == DN_SCAN_ABSENT || value->type == DN_SCAN_NULL;
}

static bool set_fault(fault *why, const char *reason, const char *detail, size_t at) {
    *why = (fault){reason, detail, at};
    return false;
}

static bool read_id(const dn_scan_value *value, int64_t *id, fault *why) {
    *id = DN_NULL_I64;
    return is_absent(value) || dn_scan_i64(value, id) ||
           set_fault(why, "bad id", "the id is not an integer of 64 bits", value->at);
}

static bool read_time(const decode_conf *c, const dn_scan_value *value, int64_t *ms, fault *why) {
    *ms = DN_NULL_I64;
    if (is_absent(value)) {
        return true;
    }
    int64_t number, factor = c->time_unit == UNIT_S ? 1000 : 1;
    if (value->type == DN_SCAN_STRING && dn_time_rfc3339(value->bytes, ms)) {
        return true;
    }
    if (dn_scan_i64(value, &number) && !__builtin_mul_overflow(number, factor, ms)) {
        return true;
    }
    return set_fault(why, "bad time", "created_at is neither RFC 3339 nor an integer", value->at);
}

static bool read_text(const decode_conf *c, const dn_scan_value *value, fault *why) {
    if (is_absent(value)) {
        return set_fault(why, "no text", "the record has no text", value->at);
    }
    if (value->type != DN_SCAN_STRING) {
        return set_fault(why, "bad text", "the text is not a string", value->at);
    }
    if (value->bytes.len == 0) {
        return set_fault(why, "empty text", "the text is empty", value->at);
    }
    if ((int64_t)value->bytes.len > c->max_text_bytes) {
        return set_fault(why, "oversize text", "the text is longer than max_text", value->at);
    }
    return true;
}

static bool read_label(const dn_scan_value *value, dn_span *out, fault *why) {
    *out = (dn_span){NULL, 0};
    if (is_absent(value)) {
        return true;
    }
    *out = value->bytes;
    return value->type == DN_SCAN_STRING ||
           set_fault(why, "bad field", "user or language is not a string", value->at);
}

static bool decode_row(const decode_conf *c, dn_chunk *chunk, uint16_t row, fault *why) {
    dn_span record = dn_chunk_bytes(chunk, c->value)[row];
    dn_scan_value value[COLUMNS];
    dn_scan_error error;
    if (!record.ptr) {
        return set_fault(why, "empty record", "the record has no value", 0);
    }
    if (!dn_scan_record(&c->scan, record, &chunk->arena, value, &error)) {
        return set_fault(why, error.reason, error.detail, error.at);
    }
    int64_t id, created_ms;
    dn_span user, language;
    if (!read_text(c, &value[TEXT], why) || !read_id(&value[ID], &id, why) ||
        !read_time(c, &value[CREATED_AT], &created_ms, why) ||
        !read_label(&value[USER], &user, why) || !read_label(&value[LANGUAGE], &language, why)) {
        return false;
    }
    dn_chunk_i64(chunk, c->column[ID])[row] = id;
    dn_chunk_i64(chunk, c->column[CREATED_AT])[row] = created_ms;
    dn_chunk_bytes(chunk, c->column[USER])[row] = user;
    dn_chunk_bytes(chunk, c->column[TEXT])[row] = value[TEXT].bytes;
    dn_chunk_bytes(chunk, c->column[LANGUAGE])[row] = language;
    if (created_ms != DN_NULL_I64) {
        chunk->event_ms[row] = created_ms;
    }
    return true;
}

static void bury(const decode_conf *c, dn_chunk *chunk, uint16_t row, const fault *why) {
    char text[160];
    int size = snprintf(text, sizeof text, "byte %zu: %s", why->at, why->detail);
    dn_span detail = dn_arena_copy(&chunk->arena, (dn_span){text, (size_t)size});
    dn_chunk_bury(chunk, row, "decode", why->reason, detail, dn_chunk_bytes(chunk, c->value)[row]);
}

static dn_status decode_run(const void *conf, void *worker, dn_chunk *chunk) {
    (void)worker;
    const decode_conf *c = conf;
    uint32_t n_letters = chunk->n_letters;
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        fault why;
        if (!decode_row(c, chunk, chunk->sel[i], &why)) {
            bury(c, chunk, chunk->sel[i], &why);
        }
    }
    if (chunk->n_letters != n_letters) {
        dn_chunk_select(chunk);
    }
    return DN_OK;
}

const dn_stage_ops dn_stage_decode = {
    .name = "decode",
    .summary = "Reads the fields of a JSON record; what cannot be read becomes a dead letter.",
    .order = DN_PURE,
    .props = props,
    .conf_size = sizeof(decode_conf),
    .bind = decode_bind,
    .run = decode_run,
};
