#include "flow/labels.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 10 };

typedef int64_t counts[DN_MAX_LABEL_COLUMNS][DN_LABEL_CODES];

struct dn_labels {
    const dn_schema *schema;
    int n, field[DN_MAX_LABEL_COLUMNS];
    counts total, block[BLOCKS];          /**< the newest blocks, in turn */
    int64_t n_rows, n_blocks, block_rows; /**< n_rows: of the block that grows */
    dn_labels_window *window;
    void *ctx;
};

dn_labels *dn_labels_new(const dn_schema *schema, int64_t window_rows, dn_labels_window *window,
                         void *ctx) {
    dn_labels *l = dn_alloc(sizeof *l);
    l->schema = schema;
    l->block_rows = window_rows > BLOCKS ? window_rows / BLOCKS : 1;
    l->window = window;
    l->ctx = ctx;
    for (int i = 0; i < schema->n && l->n < DN_MAX_LABEL_COLUMNS; i++) {
        const dn_field *field = &schema->field[i];
        if (field->type == DN_LABEL && field->group && strcmp(field->group, "labels") == 0) {
            l->field[l->n++] = i;
        }
    }
    return l;
}

void dn_labels_free(dn_labels *labels) {
    free(labels);
}

/** The block is full: whoever looks at windows may, and the oldest block gives way. */
static void turn(dn_labels *l) {
    l->n_blocks++;
    l->n_rows = 0;
    if (l->window && l->n_blocks >= BLOCKS) {
        l->window(l->ctx, l);
    }
    memset(l->block[l->n_blocks % BLOCKS], 0, sizeof l->block[0]);
}

/** Rows sel[begin .. end) of the chunk. */
static void count(dn_labels *l, const dn_chunk *chunk, uint32_t begin, uint32_t end) {
    for (int c = 0; c < l->n; c++) {
        const uint8_t *label = dn_chunk_label(chunk, l->field[c]);
        int64_t *total = l->total[c], *newest = l->block[l->n_blocks % BLOCKS][c];
        for (uint32_t i = begin; i < end; i++) {
            uint8_t code = label[chunk->sel[i]];
            total[code]++;
            newest[code]++;
        }
    }
}

void dn_labels_add(dn_labels *l, const dn_chunk *chunk) {
    for (uint32_t begin = 0, end; begin < chunk->n_sel; begin = end) {
        int64_t room = l->block_rows - l->n_rows, left = chunk->n_sel - begin;
        end = begin + (uint32_t)(left < room ? left : room);
        count(l, chunk, begin, end);
        l->n_rows += end - begin;
        if (l->n_rows == l->block_rows) {
            turn(l);
        }
    }
}

int dn_labels_columns(const dn_labels *labels) {
    return labels ? labels->n : 0;
}

const dn_field *dn_labels_field(const dn_labels *labels, int column) {
    return &labels->schema->field[labels->field[column]];
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
