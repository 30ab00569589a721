#ifndef DN_TEXT_TOKENISER_H
#define DN_TEXT_TOKENISER_H
/** Text to token ids, id by id as the reference library has them (Hugging Face tokenizers), for
 * three kinds of model:
 *
 *    wordpiece   BERT, MiniLM, DistilBERT, ELECTRA   vocab.txt, or tokenizer.json
 *    bpe         RoBERTa, GPT-2 (of bytes)           vocab.json + merges.txt, or tokenizer.json
 *    unigram     XLM-R                               sentencepiece.bpe.model, or tokenizer.json
 *
 * The table is const and shared; what a thread learns (its words and their ids) is in its own
 * cache, and no result depends on it. */
#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

typedef struct dn_tokeniser dn_tokeniser;
typedef struct dn_token_cache dn_token_cache;

/** Reads what `dir` has of the files above; tokenizer.json goes before the others, as it does for
 * the reference. MODEL errors name the file and the line or field: what is damaged, and what is
 * sound but of a kind that would give other ids here.
 *  ownership  the caller: dn_tokeniser_close     cost  10 to 700 ms, by the size of the vocabulary
 */
dn_status dn_tokeniser_open(const char *dir, dn_tokeniser **out);
void dn_tokeniser_close(dn_tokeniser *tokeniser);

/** "wordpiece", "bpe" or "unigram". */
const char *dn_tokeniser_kind(const dn_tokeniser *tokeniser);

/** Number of tokens: ids are smaller. */
int32_t dn_tokeniser_size(const dn_tokeniser *tokeniser);

/** The id of what the vocabulary lacks, -1: it lacks nothing. */
int32_t dn_tokeniser_unknown(const dn_tokeniser *tokeniser);

/** MODEL error that names both files unless the embedding of `model` fits: a row for each token,
 * and for WordPiece no more (the others are often padded). */
dn_status dn_tokeniser_check(const dn_tokeniser *tokeniser, const char *model, int64_t n_rows);

/** Most ids that a text of `size_bytes` can have, special tokens included. */
int64_t dn_tokeniser_room(const dn_tokeniser *tokeniser, size_t size_bytes);

/** A thread's cache: 3.5 MB (unigram 7), never more between texts.
 *  ownership  the caller: dn_token_cache_free */
dn_token_cache *dn_token_cache_new(void);
void dn_token_cache_free(dn_token_cache *cache);

/** What a cache has seen, for measuring. */
typedef struct dn_token_stats {
    int64_t texts;
    int64_t cut;          /**< texts that had more tokens than there was room for */
    int64_t hits, misses; /**< pieces of text that were known, or not */
    int64_t floods;       /**< times the cache was full and began again */
} dn_token_stats;
dn_token_stats dn_token_stats_of(const dn_token_cache *cache);

/** Writes the tokens of `text` between the special tokens of the model ([CLS] and [SEP], <s> and
 * </s>). What would go beyond `max_tokens` (2 or more) is cut off before the last special token.
 * `text` is valid UTF-8.
 *  returns  the number of ids, at most max_tokens     cost  O(text), log of the longest word for
 * bpe; no malloc but for texts longer than all before     thread  one per cache, which serves one
 * tokeniser only */
int32_t dn_tokeniser_encode(const dn_tokeniser *tokeniser, dn_token_cache *cache, dn_span text,
                            int32_t max_tokens, int32_t *ids);

/** A text that is longer than a model reads at once, as windows one behind the other:
 *
 *    [CLS] a b c d [SEP] [CLS] d e f g [SEP] [CLS] g h [SEP]      tokens 6, overlap 1
 *
 * All but the last have `tokens` ids. Each begins with the last `overlap` of the one before. */
typedef struct dn_windows {
    int32_t tokens;  /**< ids of a window, special tokens included */
    int32_t most;    /**< windows of a text; 1: texts are cut at `tokens` */
    int32_t overlap; /**< below tokens less the special ones */
} dn_windows;

/** As dn_tokeniser_encode, in windows: what does not fit `most` of them is cut off.
 *  returns  the number of ids, at most tokens x most */
int32_t dn_tokeniser_encode_windows(const dn_tokeniser *tokeniser, dn_token_cache *cache,
                                    dn_span text, const dn_windows *windows, int32_t *ids);

#endif
