#include "source/bins.h"

#include "base/memory.h"

#include <stdlib.h>

enum { ARENA_BLOCK = 256 << 10 };

typedef struct row {
    int64_t number, created_ms, sent_ns;
    dn_span user, text, language, source_id;
    const char *reason;
    dn_span detail, raw;
} row;

typedef struct bin {
    int32_t partition;
    uint32_t n, bytes;
    int64_t first_mono_ns;
    dn_arena arena;
    row *rows;
} bin;

struct dn_bins {
    dn_bins_columns columns;
    int rank, size, n;
    bin *bin; /**< [n], partition = rank + size * index */
};

dn_bins *dn_bins_new(dn_bins_columns columns, int32_t n_partitions, int rank, int size) {
    dn_bins *bins = dn_alloc(sizeof *bins);
    bins->columns = columns;
    bins->rank = rank;
    bins->size = size;
    bins->n = (n_partitions - rank + size - 1) / size;
    bins->n = bins->n < 0 ? 0 : bins->n;
    bins->bin = dn_alloc_array((size_t)bins->n + 1, sizeof *bins->bin);
    for (int i = 0; i < bins->n; i++) {
        bins->bin[i].partition = rank + size * i;
        bins->bin[i].rows = dn_alloc_array(DN_CHUNK_ROWS, sizeof(row));
        dn_arena_init(&bins->bin[i].arena, ARENA_BLOCK);
    }
    return bins;
}

void dn_bins_free(dn_bins *bins) {
    if (!bins) {
        return;
    }
    for (int i = 0; i < bins->n; i++) {
        free(bins->bin[i].rows);
        dn_arena_free(&bins->bin[i].arena);
    }
    free(bins->bin);
    free(bins);
}

static bin *bin_of(const dn_bins *bins, int32_t partition) {
    return &bins->bin[partition / bins->size];
}

bool dn_bins_fit(const dn_bins *bins, int32_t partition, const dn_record *record) {
    const bin *b = bin_of(bins, partition);
    return b->n == 0 || (b->n < DN_CHUNK_ROWS && b->bytes + record->size_bytes <= DN_CHUNK_BYTES);
}

/** Appends to memory taken before, so that a record costs one allocation. */
static dn_span put(char **to, dn_span bytes) {
    if (!bytes.ptr) {
        return bytes;
    }
    char *at = *to;
    memcpy(at, bytes.ptr, bytes.len);
    *to += bytes.len;
    return (dn_span){at, bytes.len};
}

void dn_bins_add(dn_bins *bins, int32_t partition, const dn_record *record, int64_t sent_ns,
                 int64_t mono_ns) {
    bin *b = bin_of(bins, partition);
    row *r = &b->rows[b->n];
    *r = (row){record->number,   record->created_ms, sent_ns,        record->user,   record->text,
               record->language, record->source_id,  record->reason, record->detail, record->raw};
    if (!record->stable) {
        char *to = dn_arena_take(&b->arena, record->size_bytes + 1);
        r->user = put(&to, record->user);
        r->text = put(&to, record->text);
        r->language = put(&to, record->language);
        r->source_id = put(&to, record->source_id);
        if (record->reason) {
            r->detail = put(&to, record->detail);
            r->raw = put(&to, record->raw);
        }
    }
    b->first_mono_ns = b->n ? b->first_mono_ns : mono_ns;
    b->bytes += record->size_bytes;
    b->n++;
}

int32_t dn_bins_oldest(const dn_bins *bins, int64_t mono_ns) {
    const bin *oldest = NULL;
    for (int i = 0; i < bins->n; i++) {
        const bin *b = &bins->bin[i];
        bool waits = b->n && b->first_mono_ns <= mono_ns;
        if (waits && (!oldest || b->first_mono_ns < oldest->first_mono_ns)) {
            oldest = b;
        }
    }
    return oldest ? oldest->partition : -1;
}

static void set_span(const dn_chunk *chunk, int column, uint32_t at, dn_span value) {
    if (column >= 0) {
        dn_chunk_bytes(chunk, column)[at] = value;
    }
}

static void emit(const dn_bins_columns *columns, const row *r, dn_chunk *chunk) {
    uint32_t at = dn_chunk_append(chunk, r->number, r->created_ms, r->sent_ns);
    dn_chunk_i64(chunk, columns->id)[at] = r->number;
    if (r->reason) {
        dn_chunk_bury(chunk, at, "corpus", r->reason, r->detail, r->raw);
        return;
    }
    dn_chunk_i64(chunk, columns->created_at)[at] = r->created_ms;
    set_span(chunk, columns->user, at, r->user);
    set_span(chunk, columns->text, at, r->text);
    set_span(chunk, columns->language, at, r->language);
    set_span(chunk, columns->source_id, at, r->source_id);
}

void dn_bins_empty(dn_bins *bins, int32_t partition, dn_chunk *chunk) {
    bin *b = bin_of(bins, partition);
    dn_arena arena = chunk->arena;
    chunk->arena = b->arena;
    b->arena = arena;
    for (uint32_t i = 0; i < b->n; i++) {
        emit(&bins->columns, &b->rows[i], chunk);
    }
    if (chunk->n_letters) {
        dn_chunk_select(chunk);
    }
    chunk->partition = partition;
    chunk->next = b->n ? b->rows[b->n - 1].number + 1 : 0;
    chunk->payload_bytes = b->bytes;
    b->n = b->bytes = 0;
}
