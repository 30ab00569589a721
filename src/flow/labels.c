#include "flow/labels.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 10, KNOWN = 0, UNKNOWN = 1, NAME_BYTES = 64 };

static const char *const piece_classes[] = {[KNOWN] = "known", [UNKNOWN] = "unknown"};

typedef int64_t counts[DN_MAX_LABEL_COLUMNS][DN_LABEL_CODES];

typedef struct counted counted;
typedef void counter(const counted *c, const dn_chunk *chunk, uint32_t begin, uint32_t end,
                     int64_t *total, int64_t *newest);

struct counted {
    char name[NAME_BYTES];
    counter *count;
    const dn_field *field;
    int index;                     /* of the field */
    int language;                  /* that says a row's language, -1: rows of all have labels */
    bool foreign[DN_NO_LABEL + 1]; /* by the row's label there */
};

struct dn_labels {
    int n;
    counted column[DN_MAX_LABEL_COLUMNS];
    counts total, block[BLOCKS];          /* the newest blocks, in turn */
    int64_t n_rows, n_blocks, block_rows; /* n_rows: of the block that grows */
    dn_labels_window *window;
    void *ctx;
};

/* ---- counting ---- */

static int code_of(const counted *c, const dn_chunk *chunk, uint32_t row) {
    int code = dn_chunk_label(chunk, c->index)[row];
    bool foreign = code == DN_NO_LABEL && c->language >= 0 &&
                   c->foreign[dn_chunk_label(chunk, c->language)[row]];
    return foreign ? DN_OTHER_LANGUAGE : code;
}

static void count_labels(const counted *c, const dn_chunk *chunk, uint32_t begin, uint32_t end,
                         int64_t *total, int64_t *newest) {
    for (uint32_t i = begin; i < end; i++) {
        int code = code_of(c, chunk, chunk->sel[i]);
        total[code]++;
        newest[code]++;
    }
}

static int64_t unknown_of(const counted *c, dn_ids ids) {
    int64_t n = 0;
    for (int32_t i = 0; i < ids.n; i++) {
        n += ids.id[i] == c->field->unknown_id;
    }
    return n;
}

static void count_pieces(const counted *c, const dn_chunk *chunk, uint32_t begin, uint32_t end,
                         int64_t *total, int64_t *newest) {
    int64_t all = 0, unknown = 0;
    for (uint32_t i = begin; i < end; i++) {
        dn_ids ids = dn_chunk_ids(chunk, c->index)[chunk->sel[i]];
        all += ids.n;
        unknown += unknown_of(c, ids);
    }
    total[KNOWN] += all - unknown;
    newest[KNOWN] += all - unknown;
    total[UNKNOWN] += unknown;
    newest[UNKNOWN] += unknown;
}

static void count_texts(const counted *c, const dn_chunk *chunk, uint32_t begin, uint32_t end,
                        int64_t *total, int64_t *newest) {
    for (uint32_t i = begin; i < end; i++) {
        dn_ids ids = dn_chunk_ids(chunk, c->index)[chunk->sel[i]];
        int code = !ids.id ? DN_NO_LABEL : unknown_of(c, ids) > 0 ? UNKNOWN : KNOWN;
        total[code]++;
        newest[code]++;
    }
}

/* ---- columns ---- */

static bool names(const char *list, const char *code) {
    size_t n = strlen(code);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, code, n) == 0 && (at[n] == ',' || !at[n])) {
            return true;
        }
    }
    return false;
}

/** Which labels of the language column its makers do not fill rows of. */
static void find_foreign(const dn_schema *schema, counted *c) {
    const char *by = c->field->languages[0] ? c->field->language : NULL;
    c->language = by ? dn_schema_find(schema, by) : -1;
    if (c->language < 0 || schema->field[c->language].type != DN_LABEL) {
        c->language = -1;
        return;
    }
    const dn_field *languages = &schema->field[c->language];
    for (int i = 0; i < languages->n_labels; i++) {
        c->foreign[i] = strcmp(languages->labels[i], DN_UNDECIDED) != 0 &&
                        !names(c->field->languages, languages->labels[i]);
    }
}

static void add_column(dn_labels *l, const dn_schema *schema, int index, counter *count,
                       const char *name, const char *suffix) {
    if (l->n < DN_MAX_LABEL_COLUMNS) {
        counted *c = &l->column[l->n++];
        *c = (counted){.count = count, .field = &schema->field[index], .index = index};
        snprintf(c->name, sizeof c->name, "%s%s", name, suffix);
        find_foreign(schema, c);
    }
}

static void add_field(dn_labels *l, const dn_schema *schema, int index) {
    const dn_field *field = &schema->field[index];
    if (field->type == DN_LABEL && field->group && strcmp(field->group, "labels") == 0) {
        add_column(l, schema, index, count_labels, field->name, "");
    }
    if (field->type == DN_IDS && field->has_unknown) {
        const char *suffix = strchr(field->name, '.');
        add_column(l, schema, index, count_texts, "unknown.texts", suffix ? suffix : "");
        add_column(l, schema, index, count_pieces, "unknown.pieces", suffix ? suffix : "");
    }
}

dn_labels *dn_labels_new(const dn_schema *schema, int64_t window_rows, dn_labels_window *window,
                         void *ctx) {
    dn_labels *l = dn_alloc(sizeof *l);
    l->block_rows = window_rows > BLOCKS ? window_rows / BLOCKS : 1;
    l->window = window;
    l->ctx = ctx;
    for (int i = 0; i < schema->n; i++) {
        add_field(l, schema, i);
    }
    return l;
}

void dn_labels_free(dn_labels *labels) {
    free(labels);
}

/* ---- windows ---- */

/** The block is full: whoever looks at windows may, and the oldest block gives way. */
static void turn(dn_labels *l) {
    l->n_blocks++;
    l->n_rows = 0;
    if (l->window && l->n_blocks >= BLOCKS) {
        l->window(l->ctx, l);
    }
    memset(l->block[l->n_blocks % BLOCKS], 0, sizeof l->block[0]);
}

void dn_labels_add(dn_labels *l, const dn_chunk *chunk) {
    for (uint32_t begin = 0, end; begin < chunk->n_sel; begin = end) {
        int64_t room = l->block_rows - l->n_rows, left = chunk->n_sel - begin;
        end = begin + (uint32_t)(left < room ? left : room);
        for (int i = 0; i < l->n; i++) {
            const counted *c = &l->column[i];
            c->count(c, chunk, begin, end, l->total[i], l->block[l->n_blocks % BLOCKS][i]);
        }
        l->n_rows += end - begin;
        if (l->n_rows == l->block_rows) {
            turn(l);
        }
    }
}

/* ---- reading ---- */

int dn_labels_columns(const dn_labels *labels) {
    return labels ? labels->n : 0;
}

const char *dn_labels_name(const dn_labels *labels, int column) {
    return labels->column[column].name;
}

const char *dn_labels_class(const dn_labels *labels, int column, int code) {
    const counted *c = &labels->column[column];
    bool pieces = c->count == count_pieces;
    if (code == DN_NO_LABEL && !pieces) {
        return "null";
    }
    if (code == DN_OTHER_LANGUAGE && c->language >= 0) {
        return "null:language";
    }
    if (c->field->type == DN_IDS) {
        return code <= UNKNOWN ? piece_classes[code] : NULL;
    }
    return code < c->field->n_labels ? c->field->labels[code] : NULL;
}

const int64_t *dn_labels_total(const dn_labels *labels, int column) {
    return labels->total[column];
}

void dn_labels_newest(const dn_labels *labels, int column, int64_t *count) {
    memset(count, 0, DN_LABEL_CODES * sizeof *count);
    for (int b = 0; b < BLOCKS; b++) {
        for (int code = 0; code < DN_LABEL_CODES; code++) {
            count[code] += labels->block[b][column][code];
        }
    }
}
