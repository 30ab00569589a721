#include "cmd/example_rows.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "io/json.h"
#include "io/stream.h"
#include "source/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 20, MAX_BYTES = 1 << 30 };

/** A file in memory and how far it was read. */
typedef struct file {
    const char *path;
    char *bytes;
    const char *at, *end;
    int line; /**< of the line at `at` */
} file;

typedef struct rows {
    const dn_examples_from *from;
    dn_example_visit *visit;
    void *ctx;
} rows;

/* ---- files ---- */

static dn_status open_file(const char *path, file *f) {
    dn_stream *stream;
    size_t got = BLOCK, size = 0;
    *f = (file){.path = path, .line = 1};
    DN_TRY(dn_stream_open(path, &stream));
    dn_status status = DN_OK;
    while (status == DN_OK && got > 0) {
        f->bytes = dn_grow(f->bytes, size + BLOCK, 1);
        status = dn_stream_read(stream, f->bytes + size, BLOCK, &got);
        size += status == DN_OK ? got : 0;
        if (size > MAX_BYTES) {
            status = DN_FAIL(DATA, "%s: larger than 1 GiB: give fewer examples", path);
        }
    }
    dn_stream_close(stream);
    f->at = f->bytes;
    f->end = f->bytes + size;
    if (size >= 3 && memcmp(f->bytes, "\xef\xbb\xbf", 3) == 0) {
        f->at += 3;
    }
    if (size >= 2 &&
        (memcmp(f->bytes, "\xff\xfe", 2) == 0 || memcmp(f->bytes, "\xfe\xff", 2) == 0)) {
        status = DN_FAIL(DATA, "%s:1: is UTF-16, by its first two bytes: save it as UTF-8", path);
    }
    return status;
}

static dn_span peek_line(const file *f) {
    const char *stop = memchr(f->at, '\n', (size_t)(f->end - f->at));
    dn_span line = {f->at, (size_t)((stop ? stop : f->end) - f->at)};
    line.len -= line.len && line.ptr[line.len - 1] == '\r';
    return line;
}

/** The next line and its number; false at the end. */
static bool next_line(file *f, dn_span *line, int *number) {
    if (f->at >= f->end) {
        return false;
    }
    *line = peek_line(f);
    *number = f->line++;
    const char *stop = memchr(f->at, '\n', (size_t)(f->end - f->at));
    f->at = stop ? stop + 1 : f->end;
    return true;
}

static bool is_blank(dn_span line) {
    for (size_t i = 0; i < line.len; i++) {
        if (!strchr(" \t", line.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* ---- a text a line, a label a line ---- */

static dn_status read_pairs(const rows *r, file *f) {
    file labels;
    dn_example_row row;
    dn_status status = open_file(r->from->labels, &labels);
    int line = 0;
    while (status == DN_OK) {
        bool text = next_line(f, &row.text, &row.line);
        bool label = next_line(&labels, &row.label, &line);
        if (!text && !label) {
            break;
        }
        status = text && label ? r->visit(r->ctx, &row)
                 : text ? DN_FAIL(DATA, "%s: ends after line %d, but %s goes on", labels.path,
                                  labels.line - 1, f->path)
                        : DN_FAIL(DATA, "%s: ends after line %d, but %s goes on", f->path,
                                  f->line - 1, labels.path);
    }
    free(labels.bytes);
    return status;
}

/* ---- JSON Lines ---- */

static dn_status need_text(const dn_json_at *root, const char *key, dn_span *out) {
    dn_json_at at;
    const char *text;
    DN_TRY(dn_json_need(root, key, DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &text));
    *out = dn_span_of(text);
    return DN_OK;
}

static const char *text_column(const rows *r) {
    return r->from->text_column ? r->from->text_column : "text";
}

static const char *label_column(const rows *r) {
    return r->from->label_column ? r->from->label_column : "label";
}

static dn_status read_object(const rows *r, const char *path, dn_span line, int number) {
    char *origin = dn_format("%s:%d", path, number);
    dn_example_row row = {.line = number};
    dn_json *doc;
    dn_status status = dn_json_parse(line, origin, DN_E_DATA, &doc);
    free(origin);
    DN_TRY(status);
    dn_json_at root = dn_json_root(doc);
    status = dn_json_kind_of(&root) == DN_JSON_OBJECT ? need_text(&root, text_column(r), &row.text)
                                                      : dn_json_fail(&root, "is no object");
    status = status == DN_OK ? need_text(&root, label_column(r), &row.label) : status;
    status = status == DN_OK ? r->visit(r->ctx, &row) : status;
    dn_json_free(doc);
    return status;
}

static dn_status read_objects(const rows *r, file *f) {
    dn_span line;
    int number;
    while (next_line(f, &line, &number)) {
        if (!is_blank(line)) {
            DN_TRY(read_object(r, f->path, line, number));
        }
    }
    return DN_OK;
}

/* ---- columns ---- */

/** Where the two columns stand. */
typedef struct columns {
    int n, text, label;
} columns;

static dn_status find_column(const char *path, const dn_span *names, int n, const char *wanted,
                             const char *option, int *out) {
    char known[256] = "";
    for (*out = 0; *out < n; ++*out) {
        if (dn_span_is(names[*out], wanted)) {
            return DN_OK;
        }
    }
    for (int i = 0; i < n && strlen(known) < sizeof known - 64; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%.*s", i ? ", " : "",
                 (int)(names[i].len < 40 ? names[i].len : 40), names[i].ptr);
    }
    return DN_FAIL(CONFIG, "%s:1: has no column \"%s\", but %s; name yours with --%s", path, wanted,
                   known, option);
}

static dn_status find_columns(const rows *r, const dn_span *names, int n, columns *out) {
    out->n = n;
    DN_TRY(find_column(r->from->path, names, n, text_column(r), "text", &out->text));
    return find_column(r->from->path, names, n, label_column(r), "label", &out->label);
}

static dn_status wrong_count(const char *path, int line, int n, int expected) {
    return DN_FAIL(DATA, "%s:%d: has %d columns where the header has %d", path, line, n, expected);
}

static int split_tabs(dn_span line, dn_span *field) {
    int n = 0;
    for (const char *at = line.ptr, *end = line.ptr + line.len, *stop; at <= end; at = stop + 1) {
        stop = memchr(at, '\t', (size_t)(end - at));
        stop = stop ? stop : end;
        if (n < DN_CSV_FIELDS_MAX) {
            field[n] = (dn_span){at, (size_t)(stop - at)};
        }
        n++;
    }
    return n;
}

static dn_status read_tabs(const rows *r, file *f) {
    dn_span line, field[DN_CSV_FIELDS_MAX];
    columns c;
    int number;
    next_line(f, &line, &number);
    int n = split_tabs(line, field);
    DN_TRY(find_columns(r, field, n < DN_CSV_FIELDS_MAX ? n : DN_CSV_FIELDS_MAX, &c));
    c.n = n;
    while (next_line(f, &line, &number)) {
        if (is_blank(line)) {
            continue;
        }
        n = split_tabs(line, field);
        if (n != c.n) {
            return wrong_count(f->path, number, n, c.n);
        }
        dn_example_row row = {field[c.text], field[c.label], number};
        DN_TRY(r->visit(r->ctx, &row));
    }
    return DN_OK;
}

static size_t pull(void *ctx, char *out, size_t size) {
    file *f = ctx;
    size_t left = (size_t)(f->end - f->at), n = size < left ? size : left;
    memcpy(out, f->at, n);
    f->at += n;
    return n;
}

/** Goes on to the line of byte `position` behind `begin`. */
static int line_of(file *f, const char **counted, const char *begin, uint64_t position) {
    for (const char *to = begin + position; *counted < to; ++*counted) {
        f->line += **counted == '\n';
    }
    return f->line;
}

static dn_status read_record(const rows *r, dn_csv *csv, columns *c, const char *path, int line,
                             dn_csv_state state) {
    if (state == DN_CSV_BAD) {
        return DN_FAIL(DATA, "%s:%d: %s", path, line, csv->why);
    }
    if (state == DN_CSV_OVERSIZE || csv->n_fields > DN_CSV_FIELDS_MAX) {
        return DN_FAIL(DATA, "%s:%d: the record is too large: a quote may be missing", path, line);
    }
    if (c->n == 0) {
        for (int i = 0; i < csv->n_fields; i++) {
            dn_csv_value(csv, i);
        }
        csv->n_expected = csv->n_fields;
        return find_columns(r, csv->field, csv->n_fields, c);
    }
    if (csv->n_fields != c->n) {
        return wrong_count(path, line, csv->n_fields, c->n);
    }
    dn_example_row row = {dn_csv_value(csv, c->text), dn_csv_value(csv, c->label), line};
    return r->visit(r->ctx, &row);
}

static dn_status read_commas(const rows *r, file *f) {
    const char *begin = f->at, *counted = f->at;
    dn_feed feed;
    dn_csv csv = {.feed = &feed};
    dn_csv_state state;
    columns c = {0};
    dn_status status;
    dn_feed_open_pull(&feed, f->path, pull, f);
    do {
        status = dn_csv_next(&csv, &state);
        if (status == DN_OK && state != DN_CSV_END) {
            int line = line_of(f, &counted, begin, csv.position);
            status = read_record(r, &csv, &c, f->path, line, state);
        }
    } while (status == DN_OK && state != DN_CSV_END);
    dn_feed_close(&feed);
    return status;
}

/* ---- the whole ---- */

dn_status dn_example_rows_read(const dn_examples_from *from, dn_example_visit *visit, void *ctx) {
    rows r = {from, visit, ctx};
    file f;
    dn_status status = open_file(from->path, &f);
    if (status == DN_OK) {
        dn_span first = peek_line(&f);
        status = from->labels                         ? read_pairs(&r, &f)
                 : first.len && *first.ptr == '{'     ? read_objects(&r, &f)
                 : memchr(first.ptr, '\t', first.len) ? read_tabs(&r, &f)
                                                      : read_commas(&r, &f);
    }
    free(f.bytes);
    return status;
}
