#include "flow/reorder.h"

#include "base/memory.h"

#include <stdlib.h>

typedef struct lane {
    uint64_t next;   /* sequence whose turn it is */
    dn_chunk *early; /* waiting, rising by sequence, linked through the chunk */
} lane;

struct dn_reorder {
    int n_partitions;
    dn_chunk *ready, **ready_end; /* in their turn, not taken yet */
    lane lane[];
};

dn_reorder *dn_reorder_new(int n_partitions) {
    dn_reorder *reorder = dn_alloc(sizeof *reorder + (size_t)n_partitions * sizeof(lane));
    reorder->n_partitions = n_partitions;
    reorder->ready_end = &reorder->ready;
    return reorder;
}

void dn_reorder_free(dn_reorder *reorder) {
    free(reorder);
}

static void append_ready(dn_reorder *reorder, dn_chunk *chunk) {
    chunk->link = NULL;
    *reorder->ready_end = chunk;
    reorder->ready_end = &chunk->link;
}

void dn_reorder_put(dn_reorder *reorder, dn_chunk *chunk) {
    lane *own = &reorder->lane[chunk->partition];
    dn_chunk **place = &own->early;
    while (*place && (*place)->sequence < chunk->sequence) {
        place = &(*place)->link;
    }
    chunk->link = *place;
    *place = chunk;
    while (own->early && own->early->sequence == own->next) {
        dn_chunk *due = own->early;
        own->early = due->link;
        own->next++;
        append_ready(reorder, due);
    }
}

dn_chunk *dn_reorder_take(dn_reorder *reorder) {
    dn_chunk *chunk = reorder->ready;
    if (chunk) {
        reorder->ready = chunk->link;
        if (!reorder->ready) {
            reorder->ready_end = &reorder->ready;
        }
        chunk->link = NULL;
    }
    return chunk;
}
