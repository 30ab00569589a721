#ifndef DN_TEXT_CODEMAP_H
#define DN_TEXT_CODEMAP_H
/** A byte for each code point, worked out once at set-up; equal blocks of 256 are kept once. */
#include <stdint.h>

enum { DN_CODEMAP_BLOCK = 256, DN_CODEMAP_BLOCKS = 0x110000 / DN_CODEMAP_BLOCK };

/** Const after new; shared by any number of threads. Some 50 KB. */
typedef struct dn_codemap {
    uint16_t block[DN_CODEMAP_BLOCKS];
    uint8_t *cell; /**< [block][DN_CODEMAP_BLOCK] */
} dn_codemap;

/** ownership  the caller: dn_codemap_free     cost  a call per code point */
dn_codemap *dn_codemap_new(uint8_t (*cell_of)(uint32_t code));
void dn_codemap_free(dn_codemap *map);

static inline uint8_t dn_codemap_get(const dn_codemap *map, uint32_t code) {
    return map
        ->cell[map->block[code / DN_CODEMAP_BLOCK] * DN_CODEMAP_BLOCK + code % DN_CODEMAP_BLOCK];
}

#endif
