#include "flow/chunk.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { ARENA_BLOCK = 256 << 10, MAX_LETTERS = DN_CHUNK_ROWS };

static const size_t cell_bytes[] = {[DN_BYTES] = sizeof(dn_span),
                                    [DN_I64] = sizeof(int64_t),
                                    [DN_F32] = sizeof(float),
                                    [DN_LABEL] = sizeof(uint8_t),
                                    [DN_IDS] = sizeof(dn_ids)};

static size_t row_bytes(const dn_field *field) {
    return cell_bytes[field->type] * (size_t)(field->type == DN_F32 ? field->width : 1);
}

dn_chunk *dn_chunk_new(const dn_schema *schema) {
    dn_chunk *chunk = dn_alloc(sizeof *chunk);
    chunk->schema = schema;
    dn_arena_init(&chunk->arena, ARENA_BLOCK);
    chunk->letters = dn_alloc_array(MAX_LETTERS, sizeof *chunk->letters);
    for (int i = 0; i < schema->n; i++) {
        chunk->column[i] = dn_alloc_array(DN_CHUNK_ROWS, row_bytes(&schema->field[i]));
    }
    return chunk;
}

void dn_chunk_free(dn_chunk *chunk) {
    if (!chunk) {
        return;
    }
    for (int i = 0; i < chunk->schema->n; i++) {
        free(chunk->column[i]);
    }
    free(chunk->letters);
    dn_arena_free(&chunk->arena);
    free(chunk);
}

void dn_chunk_reset(dn_chunk *chunk) {
    dn_arena_reset(&chunk->arena);
    chunk->topic = NULL;
    chunk->partition = 0;
    chunk->sequence = 0;
    chunk->next = 0;
    chunk->n_rows = chunk->n_sel = chunk->n_letters = chunk->n_cut = 0;
    chunk->n_undecided = 0;
    chunk->payload_bytes = 0;
    chunk->times = (dn_chunk_times){0};
    chunk->scorer_data = NULL;
}

static void set_null(const dn_chunk *chunk, int field, uint32_t row) {
    const dn_field *f = &chunk->schema->field[field];
    switch (f->type) {
    case DN_BYTES:
        dn_chunk_bytes(chunk, field)[row] = (dn_span){NULL, 0};
        break;
    case DN_I64:
        dn_chunk_i64(chunk, field)[row] = DN_NULL_I64;
        break;
    case DN_F32:
        for (int i = 0; i < f->width; i++) {
            dn_chunk_f32(chunk, field)[row * (uint32_t)f->width + (uint32_t)i] = NAN;
        }
        break;
    case DN_LABEL:
        dn_chunk_label(chunk, field)[row] = DN_NO_LABEL;
        break;
    case DN_IDS:
        dn_chunk_ids(chunk, field)[row] = (dn_ids){NULL, 0};
        break;
    }
}

uint32_t dn_chunk_append(dn_chunk *chunk, int64_t offset, int64_t event_ms, int64_t sent_ns) {
    assert(chunk->n_rows < DN_CHUNK_ROWS);
    uint32_t row = chunk->n_rows++;
    chunk->offset[row] = offset;
    chunk->event_ms[row] = event_ms;
    chunk->sent_ns[row] = sent_ns;
    chunk->fate[row] = DN_KEPT;
    chunk->sel[chunk->n_sel++] = (uint16_t)row;
    for (int field = 0; field < chunk->schema->n; field++) {
        set_null(chunk, field, row);
    }
    return row;
}

void dn_chunk_bury(dn_chunk *chunk, uint32_t row, const char *stage, const char *reason,
                   dn_span detail, dn_span raw) {
    assert(chunk->fate[row] != DN_DEAD && chunk->n_letters < MAX_LETTERS);
    chunk->fate[row] = DN_DEAD;
    chunk->letters[chunk->n_letters++] = (dn_letter){row, stage, reason, detail, raw};
}

void dn_chunk_select(dn_chunk *chunk) {
    chunk->n_sel = 0;
    for (uint32_t row = 0; row < chunk->n_rows; row++) {
        if (chunk->fate[row] == DN_KEPT) {
            chunk->sel[chunk->n_sel++] = (uint16_t)row;
        }
    }
}
