#ifndef DN_TEXT_WORD_CACHE_H
#define DN_TEXT_WORD_CACHE_H
/** Remembers what became of a piece of text, since words repeat (Zipf): one per thread, bounded,
 * never allocates after new. When it is full it forgets everything and begins again, which costs
 * less than choosing what to forget: the words that matter are back within a few hundred texts.
 *
 *    slot[hash] -> (tag, at)       store: | bytes 16 bits, n ids 16 | key, padded to 4 | ids | ...
 */
#include "base/span.h"

#include <stdint.h>

enum { DN_WORD_BYTES = 255, DN_WORD_IDS = 255 }; /**< longest key and value that are kept */

typedef struct dn_word_slot {
    uint32_t tag; /**< upper half of the hash */
    uint32_t at;  /**< index in store; 0: free */
} dn_word_slot;

typedef struct dn_word_cache {
    dn_word_slot *slot;
    uint32_t *store;
    uint32_t n_slots, n_store; /**< sizes */
    uint32_t used_slots, used_store;
    int64_t hits, misses, floods; /**< floods: times it was full */
} dn_word_cache;

/** Room for `n_words` (a power of two) and `store_bytes` of keys and ids.   ownership  the caller:
 * dn_word_cache_free */
void dn_word_cache_init(dn_word_cache *cache, uint32_t n_words, uint32_t store_bytes);
void dn_word_cache_free(dn_word_cache *cache);

/** The hash that find and put take; any bytes, len > 0. */
uint64_t dn_word_hash(const char *bytes, size_t len);

/** The ids of a key, NULL when it is not known.   lends  until the next put */
const int32_t *dn_word_cache_find(dn_word_cache *cache, uint64_t hash, dn_span key, int32_t *n);

/** Adds a key that is not there. Requires key.len <= DN_WORD_BYTES and n <= DN_WORD_IDS. */
void dn_word_cache_put(dn_word_cache *cache, uint64_t hash, dn_span key, const int32_t *id,
                       int32_t n);

#endif
