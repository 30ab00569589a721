#ifndef DN_TEXT_CHARSMAP_H
#define DN_TEXT_CHARSMAP_H
/** SentencePiece's compiled normalisation ("precompiled_charsmap"): what a piece of text becomes.
 *
 *    bytes of the trie, u32 LE | trie: u32 LE units | texts, each ended by a zero byte
 *
 * The reference looks up each grapheme of fewer than six bytes, then its code points one by one,
 * and takes the shortest beginning that the trie knows for the whole: kept as it is, since the ids
 * depend on it. */
#include "base/span.h"
#include "base/status.h"

#include "text/codemap.h"

typedef struct dn_charsmap {
    uint32_t *unit;
    uint32_t n_units;
    char *text;
    size_t text_size, longest; /**< bytes of the longest that one piece becomes */
    bool plain_ascii[128];     /**< stays as it is, alone */
    dn_codemap *joins;         /**< bit 0: to what stands before, bit 1: to what follows */
} dn_charsmap;

/** Takes the bytes of the file. `where` names them in MODEL errors.
 *  ownership  the caller: dn_charsmap_free */
dn_status dn_charsmap_init(dn_charsmap *map, dn_span bytes, const char *where);
void dn_charsmap_free(dn_charsmap *map);

/** Writes the normal form of `text` (valid UTF-8) to `out`, which has room for dn_charsmap_room;
 * returns its bytes.     cost  O(text) */
size_t dn_charsmap_apply(const dn_charsmap *map, dn_span text, char *out);
size_t dn_charsmap_room(const dn_charsmap *map, size_t size);

/** Whether a code point may share a grapheme with an ASCII blank before or behind it. */
static inline bool dn_charsmap_joins_before(const dn_charsmap *map, uint32_t code) {
    return code >= 0x80 && dn_codemap_get(map->joins, code) & 1;
}
static inline bool dn_charsmap_joins_behind(const dn_charsmap *map, uint32_t code) {
    return code >= 0x80 && dn_codemap_get(map->joins, code) & 2;
}

#endif
