#ifndef DN_TEXT_FOLD_H
#define DN_TEXT_FOLD_H
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
 *    action:  | code point 21 | class 8 | kind 3 |        MANY: index into `many` instead of a code
 * point */
#include <stdbool.h>
#include <stdint.h>

typedef enum dn_fold_kind {
    DN_FOLD_KEEP = 0, /**< the code point goes into the word */
    DN_FOLD_DROP,     /**< nothing */
    DN_FOLD_STARTER,  /**< nothing, but marks are not sorted across it */
    DN_FOLD_BLANK,    /**< ends the word */
    DN_FOLD_ALONE,    /**< ends the word and is one itself */
    DN_FOLD_MANY,     /**< many[index] actions, from many[index + 1] on */
} dn_fold_kind;

typedef struct dn_fold_options {
    bool lower;
    bool strip_accents;
    bool split_cjk;
} dn_fold_options;

enum { DN_FOLD_BLOCK = 256, DN_FOLD_BLOCKS = 0x110000 / DN_FOLD_BLOCK };

/** Const after new; shared by any number of threads. About 600 KB. */
typedef struct dn_fold {
    uint16_t block[DN_FOLD_BLOCKS]; /**< equal blocks are kept once */
    uint32_t *action;               /**< [block][DN_FOLD_BLOCK] */
    uint32_t *many;
} dn_fold;

/** ownership  the caller: dn_fold_free     cost  some 10 ms */
dn_fold *dn_fold_new(dn_fold_options options);
void dn_fold_free(dn_fold *fold);

static inline uint32_t dn_fold_action(const dn_fold *fold, uint32_t code) {
    return fold->action[fold->block[code / DN_FOLD_BLOCK] * DN_FOLD_BLOCK + code % DN_FOLD_BLOCK];
}
static inline dn_fold_kind dn_fold_kind_of(uint32_t action) {
    return (dn_fold_kind)(action & 7);
}
static inline uint8_t dn_fold_class(uint32_t action) {
    return (uint8_t)(action >> 3);
}
static inline uint32_t dn_fold_code(uint32_t action) {
    return action >> 11;
}

#endif
