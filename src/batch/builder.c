#include "batch/builder.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/** Where a row of the batch numbered `epoch` is; of any other batch: empty. */
typedef struct slot {
    uint32_t epoch;
    int32_t row;
    uint64_t hash;
} slot;

struct dn_builder {
    int max_tokens, max_rows;
    int n_tokens, n_rows;
    int32_t *token, *row_start;
    slot *slots;
    uint32_t slot_mask, epoch;
};

dn_status dn_builder_new(int max_tokens, int max_rows, dn_builder **out) {
    if (max_tokens < 1 || max_rows < 1) {
        return DN_FAIL(CONFIG, "a batch of %d tokens and %d rows holds no text", max_tokens,
                       max_rows);
    }
    dn_builder *builder = dn_alloc(sizeof *builder);
    uint32_t n_slots = 4;
    while (n_slots < 2 * (uint32_t)max_rows) {
        n_slots *= 2;
    }
    *builder = (dn_builder){
        .max_tokens = max_tokens,
        .max_rows = max_rows,
        .token = dn_alloc_array((size_t)max_tokens, sizeof(int32_t)),
        .row_start = dn_alloc_array((size_t)max_rows + 1, sizeof(int32_t)),
        .slots = dn_alloc_array(n_slots, sizeof(slot)),
        .slot_mask = n_slots - 1,
    };
    dn_builder_reset(builder);
    *out = builder;
    return DN_OK;
}

void dn_builder_free(dn_builder *builder) {
    if (builder) {
        free(builder->token);
        free(builder->row_start);
        free(builder->slots);
        free(builder);
    }
}

static bool same_row(const dn_builder *builder, int row, const int32_t *id, int n) {
    const int32_t *start = builder->row_start + row;
    return start[1] - start[0] == n &&
           memcmp(builder->token + start[0], id, (size_t)n * sizeof *id) == 0;
}

void dn_builder_announce(const dn_builder *builder, uint64_t hash) {
    __builtin_prefetch(&builder->slots[(uint32_t)hash & builder->slot_mask]);
}

int dn_builder_find(const dn_builder *builder, uint64_t hash, const int32_t *id, int n) {
    for (uint32_t i = (uint32_t)hash;; i++) {
        const slot *at = &builder->slots[i & builder->slot_mask];
        if (at->epoch != builder->epoch) {
            return -1;
        }
        if (at->hash == hash && same_row(builder, at->row, id, n)) {
            return at->row;
        }
    }
}

int dn_builder_add(dn_builder *builder, const int32_t *id, int n) {
    if (builder->n_rows == builder->max_rows) {
        return DN_BATCH_FULL_ROWS;
    }
    if (n > builder->max_tokens - builder->n_tokens) {
        return DN_BATCH_FULL_TOKENS;
    }
    memcpy(builder->token + builder->n_tokens, id, (size_t)n * sizeof *id);
    builder->n_tokens += n;
    builder->row_start[++builder->n_rows] = builder->n_tokens;
    return builder->n_rows - 1;
}

/** At most half the slots are taken, so the walk ends. */
void dn_builder_publish(dn_builder *builder, int row, uint64_t hash) {
    uint32_t i = (uint32_t)hash;
    while (builder->slots[i & builder->slot_mask].epoch == builder->epoch) {
        i++;
    }
    builder->slots[i & builder->slot_mask] = (slot){builder->epoch, row, hash};
}

dn_batch dn_builder_batch(const dn_builder *builder) {
    return (dn_batch){builder->n_rows, builder->n_tokens, builder->token, builder->row_start};
}

void dn_builder_reset(dn_builder *builder) {
    builder->n_rows = builder->n_tokens = 0;
    if (++builder->epoch == 0) {
        memset(builder->slots, 0, ((size_t)builder->slot_mask + 1) * sizeof *builder->slots);
        builder->epoch = 1;
    }
}
