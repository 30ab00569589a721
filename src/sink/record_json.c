#include "sink/record_json.h"

#include "base/memory.h"
#include "base/time_text.h"

#include <stdlib.h>
#include <string.h>

enum { OBJECT, LABELS, SCORES };
_Static_assert(SCORES + 1 == DN_RECORD_PARTS, "the parts of a record");

/* Writes a value that is not null, behind piece `first` of the column and between the others. */
typedef void writer(const dn_record_format *format, const dn_record_column *column,
                    const dn_chunk *chunk, uint32_t row, dn_out *out);

struct dn_record_column {
    int index; /* in the schema */
    int n;     /* floats of a row; labels that it may have */
    int first; /* piece */
    writer *write;
};

static inline dn_span piece(const dn_record_format *format, int i) {
    return (dn_span){format->text.ptr + format->begin[i], format->begin[i + 1] - format->begin[i]};
}

/* ---- rows */

static void write_text(const dn_record_format *format, const dn_record_column *column,
                       const dn_chunk *chunk, uint32_t row, dn_out *out) {
    dn_span text = dn_chunk_bytes(chunk, column->index)[row];
    if (text.ptr) {
        dn_out_value(out, piece(format, column->first));
        dn_out_string(out, text);
    }
}

/* It becomes part of the record. */
static void write_json(const dn_record_format *format, const dn_record_column *column,
                       const dn_chunk *chunk, uint32_t row, dn_out *out) {
    dn_span json = dn_chunk_bytes(chunk, column->index)[row];
    if (json.ptr) {
        dn_out_value(out, piece(format, column->first));
        dn_out_bytes(out, json.ptr, json.len);
    }
}

static void write_number(const dn_record_format *format, const dn_record_column *column,
                         const dn_chunk *chunk, uint32_t row, dn_out *out) {
    int64_t number = dn_chunk_i64(chunk, column->index)[row];
    if (number != DN_NULL_I64) {
        dn_out_value(out, piece(format, column->first));
        dn_out_i64(out, number);
    }
}

/* RFC 3339; milliseconds, which readers take too, for a year that it cannot say. */
static void write_time(const dn_record_format *format, const dn_record_column *column,
                       const dn_chunk *chunk, uint32_t row, dn_out *out) {
    char text[DN_TIME_TEXT_MAX];
    int length = dn_time_write(dn_chunk_i64(chunk, column->index)[row], text);
    if (length == 0) {
        write_number(format, column, chunk, row, out);
        return;
    }
    dn_out_value(out, piece(format, column->first));
    dn_out_string(out, (dn_span){text, (size_t)length});
}

static void write_label(const dn_record_format *format, const dn_record_column *column,
                        const dn_chunk *chunk, uint32_t row, dn_out *out) {
    uint8_t label = dn_chunk_label(chunk, column->index)[row];
    if (label != DN_NO_LABEL && label < column->n) {
        dn_out_value(out, piece(format, column->first + label));
    }
}

static void write_scores(const dn_record_format *format, const dn_record_column *column,
                         const dn_chunk *chunk, uint32_t row, dn_out *out) {
    const float *score = dn_chunk_f32(chunk, column->index) + (size_t)row * (size_t)column->n;
    /* NaN in the first is null: scores come all together. */
    if (score[0] != score[0]) {
        return;
    }
    dn_out_value(out, piece(format, column->first));
    for (int k = 0; k < column->n; k++) {
        dn_out_f32(out, score[k]);
        dn_span behind = piece(format, column->first + k + 1);
        dn_out_bytes(out, behind.ptr, behind.len);
    }
}

static void write_columns(const dn_record_format *format, int from, int to, const dn_chunk *chunk,
                          uint32_t row, dn_out *out) {
    for (const dn_record_column *c = format->column + from; c < format->column + to; c++) {
        c->write(format, c, chunk, row, out);
    }
}

void dn_record_write(const dn_record_format *format, const dn_chunk *chunk, uint32_t row,
                     dn_out *out) {
    static const char *const opening[] = {[LABELS] = "\"labels\":{", [SCORES] = "\"scores\":{"};
    const int *end = format->end;
    dn_out_open(out, '{');
    write_columns(format, 0, end[OBJECT], chunk, row, out);
    for (int part = LABELS; part <= SCORES; part++) {
        if (end[part] > end[part - 1]) {
            dn_out_value(out, dn_span_of(opening[part]));
            write_columns(format, end[part - 1], end[part], chunk, row, out);
            dn_out_close(out, '}');
        }
    }
    dn_out_close(out, '}');
}

/* ---- columns and their pieces */

static const char *const usual[] = {"id", "created_at", "user", "text", "language", NULL};

/* The name in JSON, where it is not the column's: what the decode stage reads by default. */
static const char *json_name(const dn_field *field) {
    const char *dot = strchr(field->name, '.');
    bool grouped = strcmp(field->group, "labels") == 0 || strcmp(field->group, "scores") == 0;
    return grouped && dot ? dot + 1 : strcmp(field->name, "language") == 0 ? "lang" : field->name;
}

/* A column that holds JSON already. */
static bool is_json(const dn_field *field) {
    return field->type == DN_BYTES && strcmp(field->group, "entities") == 0;
}

/* Takes what is in `out` and empties it. */
static void add_piece(dn_record_format *format, dn_out *out) {
    dn_out_bytes(&format->text, out->ptr, out->len);
    format->begin = dn_grow(format->begin, (size_t)format->n_pieces + 2, sizeof *format->begin);
    format->begin[0] = 0;
    format->begin[++format->n_pieces] = format->text.len;
    dn_out_reset(out);
}

static void add_label_pieces(dn_record_format *format, const dn_field *field, dn_out *out) {
    for (int i = 0; i < field->n_labels; i++) {
        dn_out_key(out, json_name(field));
        dn_out_string(out, dn_span_of(field->labels[i]));
        add_piece(format, out);
    }
}

/* A number, an array, or an object where the numbers have names. */
static void add_score_pieces(dn_record_format *format, const dn_field *field, dn_out *out) {
    bool named = field->n_labels > 0, alone = !named && field->width == 1;
    dn_out_key(out, json_name(field));
    if (!alone) {
        dn_out_open(out, named ? '{' : '[');
    }
    for (int k = 0; k < field->width; k++) {
        if (k) {
            dn_out_bytes(out, ",", 1);
        }
        if (named) {
            dn_out_key(out, field->labels[k]);
        }
        add_piece(format, out);
    }
    if (!alone) {
        dn_out_close(out, named ? '}' : ']');
    }
    add_piece(format, out);
}

static void add_name_piece(dn_record_format *format, const dn_field *field, dn_out *out) {
    dn_out_key(out, json_name(field));
    add_piece(format, out);
}

static const struct {
    int part;
    writer *write;
    void (*add_pieces)(dn_record_format *format, const dn_field *field, dn_out *out);
} kinds[] = {[DN_BYTES] = {OBJECT, write_text, add_name_piece},
             [DN_I64] = {OBJECT, write_number, add_name_piece},
             [DN_F32] = {SCORES, write_scores, add_score_pieces},
             [DN_LABEL] = {LABELS, write_label, add_label_pieces}};

static void add_column(const dn_schema *schema, int index, dn_record_format *format, int *n) {
    const dn_field *field = &schema->field[index];
    bool time = field->type == DN_I64 && strcmp(field->name, "created_at") == 0;
    format->column[(*n)++] = (dn_record_column){
        .index = index,
        .n = field->type == DN_F32 ? field->width : field->n_labels,
        .first = format->n_pieces,
        .write = time             ? write_time
                 : is_json(field) ? write_json
                                  : kinds[field->type].write,
    };
    dn_out out = {0};
    kinds[field->type].add_pieces(format, field, &out);
    dn_out_free(&out);
}

/* Columns of a schema, in the order of a record. */
typedef struct choice {
    int n;
    int field[DN_MAX_FIELDS + sizeof usual / sizeof *usual];
} choice;

static void choose_usual(const dn_schema *schema, choice *chosen) {
    for (int i = 0; usual[i]; i++) {
        int field = dn_schema_find(schema, usual[i]);
        if (field >= 0) {
            chosen->field[chosen->n++] = field;
        }
    }
    for (int f = 0; f < schema->n; f++) {
        const dn_field *field = &schema->field[f];
        bool scores = field->type == DN_F32 && field->n_labels > 0;
        if (field->type == DN_LABEL || scores || is_json(field)) {
            chosen->field[chosen->n++] = f;
        }
    }
}

static dn_status choose(const dn_schema *schema, const dn_list *fields, const char *who,
                        choice *chosen) {
    for (int i = 0; i < fields->n && i < DN_MAX_FIELDS; i++) {
        int field = dn_schema_find(schema, fields->item[i]);
        if (field < 0 || schema->field[field].type == DN_IDS) {
            return DN_FAIL(CONFIG, "%s: fields: there is no column '%s' that can be written", who,
                           fields->item[i]);
        }
        chosen->field[chosen->n++] = field;
    }
    if (fields->n == 0) {
        choose_usual(schema, chosen);
    }
    return DN_OK;
}

dn_status dn_record_bind(const dn_schema *schema, const dn_list *fields, const char *who,
                         dn_record_format *format) {
    choice chosen = {0};
    DN_TRY(choose(schema, fields, who, &chosen));
    *format =
        (dn_record_format){.column = dn_alloc_array((size_t)chosen.n + 1, sizeof *format->column)};
    int n = 0;
    for (int part = OBJECT; part <= SCORES; part++) {
        for (int i = 0; i < chosen.n; i++) {
            if (kinds[schema->field[chosen.field[i]].type].part == part) {
                add_column(schema, chosen.field[i], format, &n);
            }
        }
        format->end[part] = n;
    }
    return DN_OK;
}

void dn_record_unbind(dn_record_format *format) {
    dn_out_free(&format->text);
    free(format->begin);
    free(format->column);
    *format = (dn_record_format){0};
}
