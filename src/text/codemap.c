#include "text/codemap.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static uint16_t keep_block(dn_codemap *map, uint32_t *n_blocks, const uint8_t *cells) {
    for (uint32_t k = 0; k < *n_blocks; k++) {
        if (memcmp(map->cell + k * DN_CODEMAP_BLOCK, cells, DN_CODEMAP_BLOCK) == 0) {
            return (uint16_t)k;
        }
    }
    map->cell = dn_grow(map->cell, *n_blocks + 1, DN_CODEMAP_BLOCK);
    memcpy(map->cell + *n_blocks * DN_CODEMAP_BLOCK, cells, DN_CODEMAP_BLOCK);
    return (uint16_t)(*n_blocks)++;
}

dn_codemap *dn_codemap_new(uint8_t (*cell_of)(uint32_t code)) {
    dn_codemap *map = dn_alloc(sizeof *map);
    uint32_t n_blocks = 0;
    for (uint32_t block = 0; block < DN_CODEMAP_BLOCKS; block++) {
        uint8_t cells[DN_CODEMAP_BLOCK];
        for (uint32_t i = 0; i < DN_CODEMAP_BLOCK; i++) {
            cells[i] = cell_of(block * DN_CODEMAP_BLOCK + i);
        }
        map->block[block] = keep_block(map, &n_blocks, cells);
    }
    return map;
}

void dn_codemap_free(dn_codemap *map) {
    if (map) {
        free(map->cell);
        free(map);
    }
}
