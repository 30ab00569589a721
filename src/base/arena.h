#ifndef DN_BASE_ARENA_H
#define DN_BASE_ARENA_H
/** A bump allocator: memory follows the unit of work and is given back at once.
 *
 *    block 0            block 1
 *    [used | free ] --> [used | free ] --> NULL
 *
 * reset() keeps the blocks, so an arena that has seen its largest load never calls malloc again. */
#include "base/span.h"

#include <stddef.h>

typedef struct dn_arena_block dn_arena_block;

typedef struct dn_arena {
    dn_arena_block *first;
    dn_arena_block *current;
    size_t block_bytes;
} dn_arena;

/** Makes an empty arena that grows by blocks of `block_bytes`; nothing is reserved yet. */
void dn_arena_init(dn_arena *arena, size_t block_bytes);

/** Memory of `size` bytes aligned to 16; never NULL (the process ends with E1502 when memory is
 * exhausted). ownership  the arena's, until reset or free      thread  one at a time      cost O(1)
 */
void *dn_arena_take(dn_arena *arena, size_t size);

/** Like take, zeroed. */
void *dn_arena_zeroed(dn_arena *arena, size_t size);

/** Copies bytes (and a NUL behind them) into the arena. */
dn_span dn_arena_copy(dn_arena *arena, dn_span bytes);

/** Everything taken is gone; the blocks stay. */
void dn_arena_reset(dn_arena *arena);

void dn_arena_free(dn_arena *arena);

/** Bytes held in blocks. */
size_t dn_arena_held_bytes(const dn_arena *arena);

#endif
