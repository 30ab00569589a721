#ifndef DN_TEXT_CHARMAP_H
#define DN_TEXT_CHARMAP_H
/** What BERT's normaliser and pre-tokeniser do with each code point, worked out once at set-up:
 *
 *    clean      control characters away, white space -> blank
 *    CJK        each ideograph is a word of its own
 *    strip      canonical decomposition, marks away
 *    lower      lower case
 *    split      punctuation characters are words of their own
 *
 * Code points do not influence each other, but for one thing: canonical order sorts the marks that
 * stay behind a letter by their class, up to the next starter. So a text is folded by looking up
 * each code point on its own and putting marks in their place.
 *
 *    action:  | code point 21 | class 8 | kind 3 |
 *
 * A code point of 0 is the one looked up, so that the many blocks of characters that stay as they
 * are look alike and are kept once; with MANY it is an index into `many`. */
#include <stdbool.h>
#include <stdint.h>

typedef enum dn_charmap_kind {
    DN_CHAR_KEEP = 0, /**< the code point goes into the word */
    DN_CHAR_DROP,     /**< nothing */
    DN_CHAR_STARTER,  /**< nothing, but marks are not sorted across it */
    DN_CHAR_BLANK,    /**< ends the word */
    DN_CHAR_ALONE,    /**< ends the word and is one itself */
    DN_CHAR_MANY,     /**< many[index] actions, from many[index + 1] on */
} dn_charmap_kind;

typedef struct dn_charmap_options {
    bool lower;
    bool strip_accents;
    bool split_cjk;
} dn_charmap_options;

enum { DN_CHARMAP_BLOCK = 256, DN_CHARMAP_BLOCKS = 0x110000 / DN_CHARMAP_BLOCK };

/** Const after new; shared by any number of threads. A few hundred KB. */
typedef struct dn_charmap {
    uint16_t block[DN_CHARMAP_BLOCKS]; /**< equal blocks are kept once */
    uint32_t *action;                  /**< [block][DN_CHARMAP_BLOCK] */
    uint32_t *many;
} dn_charmap;

/** ownership  the caller: dn_charmap_free     cost  some 10 ms */
dn_charmap *dn_charmap_new(dn_charmap_options options);
void dn_charmap_free(dn_charmap *charmap);

static inline uint32_t dn_charmap_action(const dn_charmap *charmap, uint32_t code) {
    return charmap->action[charmap->block[code / DN_CHARMAP_BLOCK] * DN_CHARMAP_BLOCK +
                           code % DN_CHARMAP_BLOCK];
}
static inline dn_charmap_kind dn_charmap_kind_of(uint32_t action) {
    return (dn_charmap_kind)(action & 7);
}
static inline uint8_t dn_charmap_class(uint32_t action) {
    return (uint8_t)(action >> 3);
}
static inline uint32_t dn_charmap_code(uint32_t action) {
    return action >> 11;
}

#endif
