#ifndef DN_TEXT_WORDPIECE_H
#define DN_TEXT_WORDPIECE_H
/** BERT's tokeniser, id by id as the reference library has it (Hugging Face BertTokenizerFast):
 * clean, split ideographs, strip accents, lower-case, split punctuation, then the longest pieces of
 * the vocabulary; words of more than DN_WORDPIECE_WORD code points are [UNK]. As there, the special
 * tokens written out in a text ("[SEP]") are those tokens.
 *
 * The table is const and shared; what a thread learns (its words and their ids) is in its own
 * cache, and no result depends on it. */
#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

enum { DN_WORDPIECE_WORD = 100 };

typedef struct dn_wordpiece dn_wordpiece;
typedef struct dn_wordpiece_cache dn_wordpiece_cache;

/** Reads `dir`/vocab.txt and, where it is there, `dir`/tokenizer_config.json (do_lower_case,
 * strip_accents, tokenize_chinese_chars). MODEL errors name the file and the line or field.
 *  ownership  the caller: dn_wordpiece_close     cost  some 50 ms */
dn_status dn_wordpiece_open(const char *dir, dn_wordpiece **out);
void dn_wordpiece_close(dn_wordpiece *tokeniser);

/** Number of tokens. */
int32_t dn_wordpiece_size(const dn_wordpiece *tokeniser);

/** MODEL error that names both files unless the embedding of `model` has a row for each token and
 * no more. */
dn_status dn_wordpiece_check(const dn_wordpiece *tokeniser, const char *model, int64_t n_rows);

/** A token's text; 0 <= id < size.   lends  until close */
dn_span dn_wordpiece_token(const dn_wordpiece *tokeniser, int32_t id);

/** A thread's cache: 3.5 MB, never more.   ownership  the caller: dn_wordpiece_cache_free */
dn_wordpiece_cache *dn_wordpiece_cache_new(void);
void dn_wordpiece_cache_free(dn_wordpiece_cache *cache);

/** What a cache has seen, for measuring. */
typedef struct dn_wordpiece_stats {
    int64_t texts;
    int64_t cut; /**< texts that had more tokens than there was room for */
    int64_t hits,
        misses; /**< pieces of text between blanks and ASCII punctuation that were known, or not */
    int64_t floods; /**< times the cache was full and began again */
} dn_wordpiece_stats;
dn_wordpiece_stats dn_wordpiece_stats_of(const dn_wordpiece_cache *cache);

/** Writes [CLS], the tokens, [SEP]. What would go beyond `max_tokens` (2 or more) is cut off before
 * [SEP]; room for text.len + 2 is never exceeded. `text` is valid UTF-8. returns  the number of
 * ids, 2 to max_tokens     cost  O(text), no malloc     thread  one per cache */
int32_t dn_wordpiece_encode(const dn_wordpiece *tokeniser, dn_wordpiece_cache *cache, dn_span text,
                            int32_t max_tokens, int32_t *ids);

#endif
