#include "sink/record_json.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static const char *const usual[] = {"id", "created_at", "user", "text", "language", NULL};

/* The name in JSON, where it is not the column's: what the decode stage reads by default. */
static const char *json_name(const dn_field *field) {
    const char *dot = strchr(field->name, '.');
    bool grouped = strcmp(field->group, "labels") == 0 || strcmp(field->group, "scores") == 0;
    return grouped && dot ? dot + 1 : strcmp(field->name, "language") == 0 ? "lang" : field->name;
}

/* A column that holds JSON already: it becomes part of the record. */
static bool is_json(const dn_field *field) {
    return field->type == DN_BYTES && strcmp(field->group, "entities") == 0;
}

static void choose(dn_record_format *format, const dn_schema *schema, int field) {
    format->field[format->n] = field;
    format->name[format->n++] = json_name(&schema->field[field]);
    format->has_labels |= schema->field[field].type == DN_LABEL;
    format->has_scores |= schema->field[field].type == DN_F32;
}

static void choose_usual(const dn_schema *schema, dn_record_format *format) {
    for (int i = 0; usual[i]; i++) {
        int field = dn_schema_find(schema, usual[i]);
        if (field >= 0) {
            choose(format, schema, field);
        }
    }
    for (int f = 0; f < schema->n; f++) {
        const dn_field *field = &schema->field[f];
        bool scores = field->type == DN_F32 && field->n_labels > 0;
        if (field->type == DN_LABEL || scores || is_json(field)) {
            choose(format, schema, f);
        }
    }
}

dn_status dn_record_bind(const dn_schema *schema, const dn_list *fields, const char *who,
                         dn_record_format *format) {
    *format = (dn_record_format){0};
    for (int i = 0; i < fields->n && i < DN_MAX_FIELDS; i++) {
        int field = dn_schema_find(schema, fields->item[i]);
        if (field < 0 || schema->field[field].type == DN_IDS) {
            return DN_FAIL(CONFIG, "%s: fields: there is no column '%s' that can be written", who,
                           fields->item[i]);
        }
        choose(format, schema, field);
    }
    if (fields->n == 0) {
        choose_usual(schema, format);
    }
    return DN_OK;
}

/* RFC 3339 with milliseconds where there are some. */
static void write_time(int64_t ms, dn_out *out) {
    char text[32];
    int64_t fraction = ((ms % 1000) + 1000) % 1000;
    dn_wall_format((ms - fraction) * 1000000, text);
    if (fraction) {
        snprintf(text + strlen(text) - 1, 6, ".%03dZ", (int)fraction);
    }
    dn_out_string(out, dn_span_of(text));
}

static void write_number(const dn_field *field, int64_t number, dn_out *out) {
    if (strcmp(field->name, "created_at") == 0) {
        write_time(number, out);
    } else {
        dn_out_i64(out, number);
    }
}

static void write_plain(const dn_record_format *format, int i, const dn_chunk *chunk, uint32_t row,
                        dn_out *out) {
    const dn_field *field = &chunk->schema->field[format->field[i]];
    if (field->type == DN_BYTES && dn_chunk_bytes(chunk, format->field[i])[row].ptr) {
        dn_span text = dn_chunk_bytes(chunk, format->field[i])[row];
        dn_out_key(out, format->name[i]);
        if (is_json(field)) {
            dn_out_bytes(out, text.ptr, text.len);
        } else {
            dn_out_string(out, text);
        }
    } else if (field->type == DN_I64 && dn_chunk_i64(chunk, format->field[i])[row] != DN_NULL_I64) {
        dn_out_key(out, format->name[i]);
        write_number(field, dn_chunk_i64(chunk, format->field[i])[row], out);
    }
}

static void write_label(const dn_field *field, const char *name, uint8_t label, dn_out *out) {
    if (label != DN_NO_LABEL && label < field->n_labels) {
        dn_out_key(out, name);
        dn_out_string(out, dn_span_of(field->labels[label]));
    }
}

static void write_scores(const dn_field *field, const char *name, const float *score, dn_out *out) {
    /* NaN in the first is null: scores come all together. */
    if (score[0] != score[0]) {
        return;
    }
    /* A vector has no names for its numbers. */
    bool named = field->n_labels > 0;
    dn_out_key(out, name);
    if (!named && field->width == 1) {
        dn_out_f32(out, score[0]);
        return;
    }
    dn_out_open(out, named ? '{' : '[');
    for (int k = 0; k < field->width; k++) {
        if (named) {
            dn_out_key(out, field->labels[k]);
        }
        dn_out_f32(out, score[k]);
    }
    dn_out_close(out, named ? '}' : ']');
}

static void write_group(const dn_record_format *format, dn_type type, const dn_chunk *chunk,
                        uint32_t row, dn_out *out) {
    dn_out_key(out, type == DN_LABEL ? "labels" : "scores");
    dn_out_open(out, '{');
    for (int i = 0; i < format->n; i++) {
        const dn_field *field = &chunk->schema->field[format->field[i]];
        if (field->type != type) {
            continue;
        }
        if (type == DN_LABEL) {
            write_label(field, format->name[i], dn_chunk_label(chunk, format->field[i])[row], out);
        } else {
            write_scores(field, format->name[i],
                         dn_chunk_f32(chunk, format->field[i]) + (size_t)row * (size_t)field->width,
                         out);
        }
    }
    dn_out_close(out, '}');
}

void dn_record_write(const dn_record_format *format, const dn_chunk *chunk, uint32_t row,
                     dn_out *out) {
    dn_out_open(out, '{');
    for (int i = 0; i < format->n; i++) {
        write_plain(format, i, chunk, row, out);
    }
    if (format->has_labels) {
        write_group(format, DN_LABEL, chunk, row, out);
    }
    if (format->has_scores) {
        write_group(format, DN_F32, chunk, row, out);
    }
    dn_out_close(out, '}');
}
