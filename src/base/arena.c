#include "base/arena.h"

#include "base/memory.h"

#include <stdalign.h>
#include <stdlib.h>

enum { ALIGN = 16 };

struct dn_arena_block {
    dn_arena_block *next;
    size_t used;
    size_t size;
    alignas(ALIGN) char bytes[];
};

void dn_arena_init(dn_arena *arena, size_t block_bytes) {
    *arena = (dn_arena){.block_bytes = block_bytes};
}

static dn_arena_block *block_new(size_t size) {
    dn_arena_block *block = dn_alloc_aligned(ALIGN, sizeof *block + size);
    block->size = size;
    return block;
}

/* The next block that can hold `size`: one kept from before a reset, or a new one put behind the
 * current. */
static dn_arena_block *advance(dn_arena *arena, size_t size) {
    dn_arena_block *block = arena->current ? arena->current->next : arena->first;
    if (block && block->size >= size) {
        block->used = 0;
        return arena->current = block;
    }
    dn_arena_block *fresh = block_new(size > arena->block_bytes ? size : arena->block_bytes);
    fresh->next = block;
    if (arena->current) {
        arena->current->next = fresh;
    } else {
        arena->first = fresh;
    }
    return arena->current = fresh;
}

void *dn_arena_take(dn_arena *arena, size_t size) {
    size_t rounded = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    dn_arena_block *block = arena->current;
    if (!block || block->size - block->used < rounded) {
        block = advance(arena, rounded);
    }
    void *memory = block->bytes + block->used;
    block->used += rounded;
    return memory;
}

void *dn_arena_zeroed(dn_arena *arena, size_t size) {
    return memset(dn_arena_take(arena, size), 0, size);
}

dn_span dn_arena_copy(dn_arena *arena, dn_span bytes) {
    char *copy = dn_arena_take(arena, bytes.len + 1);
    if (bytes.len) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    copy[bytes.len] = '\0';
    return (dn_span){copy, bytes.len};
}

void dn_arena_reset(dn_arena *arena) {
    arena->current = arena->first;
    if (arena->first) {
        arena->first->used = 0;
    }
}

void dn_arena_free(dn_arena *arena) {
    for (dn_arena_block *block = arena->first; block;) {
        dn_arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->first = arena->current = NULL;
}

size_t dn_arena_held_bytes(const dn_arena *arena) {
    size_t bytes = 0;
    for (const dn_arena_block *block = arena->first; block; block = block->next) {
        bytes += block->size;
    }
    return bytes;
}
