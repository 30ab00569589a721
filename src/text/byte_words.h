#ifndef DN_TEXT_BYTE_WORDS_H
#define DN_TEXT_BYTE_WORDS_H
/** How GPT-2 and RoBERTa cut a text into words before merging bytes:
 *
 *    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * Words cover the text: nothing is dropped, a blank goes with the word behind it. */
#include "base/span.h"
#include "text/codemap.h"

typedef enum dn_byte_class { DN_OTHER = 0, DN_LETTER, DN_NUMBER, DN_WHITE } dn_byte_class;

/** Const after init; shared. */
typedef struct dn_byte_words {
    uint8_t ascii[128];
    dn_codemap *map; /**< dn_byte_class of each code point */
} dn_byte_words;

void dn_byte_words_init(dn_byte_words *words);
void dn_byte_words_free(dn_byte_words *words);

/** End of the word that begins at `at`, which is before `end`, in valid UTF-8.     cost  O(word) */
const char *dn_byte_word_end(const dn_byte_words *words, const char *at, const char *end);

#endif
