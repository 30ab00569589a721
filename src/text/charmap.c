#include "text/charmap.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { REMOVE = 1, BLANK = 2, CJK = 4, MARK = 8, DECOMPOSES = 16, PUNCTUATION = 32 };

typedef struct fold_range {
    uint32_t first, last;
    uint8_t flags, order;
} fold_range;

typedef struct lower_range {
    uint32_t first, last;
    int32_t distance;
    uint32_t second;
} lower_range;

#include "text/unicode_tables.inc"

enum {
    N_RANGES = sizeof fold_ranges / sizeof *fold_ranges,
    N_LOWER = sizeof lower_ranges / sizeof *lower_ranges,
    LONGEST =
        8, /* code points that one becomes: 4 by decomposition, 3 by lower case; both never meet */
};

/* The table under construction. */
typedef struct builder {
    dn_charmap_options options;
    dn_charmap *charmap;
    uint32_t n_blocks, n_many, many_room;
    uint64_t *hash; /* of each block kept */
} builder;

static const fold_range *range_of(uint32_t code) {
    static const fold_range none = {0};
    size_t low = 0, high = N_RANGES;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (fold_ranges[middle].last < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < N_RANGES && fold_ranges[low].first <= code ? &fold_ranges[low] : &none;
}

/* Where the reference's lower case is its own, NULL elsewhere. */
static const lower_range *lower_exception(uint32_t code) {
    const lower_range *r = lower_ranges, *end = r + N_LOWER;
    while (r < end && r->last < code) {
        r++;
    }
    return r < end && r->first <= code ? r : NULL;
}

static int lower_of(uint32_t code, uint32_t *out) {
    const lower_range *r = lower_exception(code);
    if (!r) {
        out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
        return 1;
    }
    out[0] = (uint32_t)((int32_t)code + r->distance);
    out[1] = r->second;
    return r->second ? 2 : 1;
}

static int decompose(uint32_t code, uint32_t *out) {
    utf8proc_int32_t parts[LONGEST];
    int boundary = 0;
    int n = (int)utf8proc_decompose_char((utf8proc_int32_t)code, parts, LONGEST, UTF8PROC_DECOMPOSE,
                                         &boundary);
    assert(n > 0 && n <= LONGEST);
    for (int i = 0; i < n; i++) {
        out[i] = (uint32_t)parts[i];
    }
    return n;
}

static uint32_t make_action(dn_charmap_kind kind, uint8_t order, uint32_t code) {
    return code << 11 | (uint32_t)order << 3 | kind;
}

/* The actions of one code point of the decomposition of `itself`: stripped, in lower case, split
 * off. */
static int finish(const builder *b, uint32_t code, uint32_t itself, bool is_cjk, uint32_t *out) {
    const fold_range *range = range_of(code);
    bool strip = b->options.strip_accents;
    if (strip && range->flags & MARK) {
        out[0] = make_action(range->order ? DN_CHAR_DROP : DN_CHAR_STARTER, 0, 0);
        return 1;
    }
    uint32_t lower[2] = {code};
    int n = b->options.lower ? lower_of(code, lower) : 1;
    for (int i = 0; i < n; i++) {
        bool alone = is_cjk || range_of(lower[i])->flags & PUNCTUATION;
        uint8_t order = strip && i == 0 ? range->order : 0;
        out[i] = make_action(alone ? DN_CHAR_ALONE : DN_CHAR_KEEP, order,
                             lower[i] == itself ? 0 : lower[i]);
    }
    return n;
}

static uint32_t keep_many(builder *b, const uint32_t *actions, int n) {
    if (b->n_many + (uint32_t)n + 1 > b->many_room) {
        b->many_room = 2 * b->many_room + 1024;
        b->charmap->many = dn_grow(b->charmap->many, b->many_room, sizeof *actions);
    }
    uint32_t index = b->n_many;
    b->charmap->many[index] = (uint32_t)n;
    memcpy(b->charmap->many + index + 1, actions, (size_t)n * sizeof *actions);
    b->n_many += (uint32_t)n + 1;
    return make_action(DN_CHAR_MANY, 0, index);
}

static uint32_t action_of(builder *b, uint32_t code) {
    const fold_range *range = range_of(code);
    if (range->flags & (REMOVE | BLANK)) {
        return make_action(range->flags & REMOVE ? DN_CHAR_DROP : DN_CHAR_BLANK, 0, 0);
    }
    uint32_t parts[LONGEST] = {code}, actions[2 * LONGEST];
    bool split = b->options.strip_accents && range->flags & DECOMPOSES;
    int n_parts = split ? decompose(code, parts) : 1, n = 0;
    bool is_cjk = b->options.split_cjk && range->flags & CJK;
    for (int i = 0; i < n_parts; i++) {
        n += finish(b, parts[i], code, is_cjk, actions + n);
    }
    return n == 1 ? actions[0] : keep_many(b, actions, n);
}

/* Index of an equal block that is already there, or of this one, now there. */
static uint16_t keep_block(builder *b, const uint32_t *actions) {
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < DN_CHARMAP_BLOCK; i++) {
        hash = (hash ^ actions[i]) * 1099511628211u;
    }
    size_t bytes = DN_CHARMAP_BLOCK * sizeof *actions;
    for (uint32_t k = 0; k < b->n_blocks; k++) {
        if (b->hash[k] == hash &&
            memcmp(b->charmap->action + k * DN_CHARMAP_BLOCK, actions, bytes) == 0) {
            return (uint16_t)k;
        }
    }
    b->charmap->action = dn_grow(b->charmap->action, b->n_blocks + 1, bytes);
    memcpy(b->charmap->action + b->n_blocks * DN_CHARMAP_BLOCK, actions, bytes);
    b->hash[b->n_blocks] = hash;
    return (uint16_t)b->n_blocks++;
}

dn_charmap *dn_charmap_new(dn_charmap_options options) {
    dn_charmap *charmap = dn_alloc(sizeof *charmap);
    builder b = {.options = options, .charmap = charmap};
    b.hash = dn_alloc_array(DN_CHARMAP_BLOCKS, sizeof *b.hash);
    for (uint32_t block = 0; block < DN_CHARMAP_BLOCKS; block++) {
        uint32_t actions[DN_CHARMAP_BLOCK];
        for (uint32_t i = 0; i < DN_CHARMAP_BLOCK; i++) {
            actions[i] = action_of(&b, block * DN_CHARMAP_BLOCK + i);
        }
        charmap->block[block] = keep_block(&b, actions);
    }
    free(b.hash);
    return charmap;
}

void dn_charmap_free(dn_charmap *charmap) {
    if (charmap) {
        free(charmap->action);
        free(charmap->many);
        free(charmap);
    }
}
