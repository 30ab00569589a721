#ifndef DN_TEXT_NGRAMS_H
#define DN_TEXT_NGRAMS_H
/** A text as what it is written with, in any language: words and pairs of words, and runs of 2 to 5
 * characters of a word with the blank on both sides, each hashed to one of DN_NGRAM_BUCKETS
 * numbers.
 *
 *    "No, thanks"  ->  no  ,  thanks  |  "no ,"  ", thanks"  |  " n" "no" "o " " no" "no " ...
 *
 * Letters are in lower case, accents stay, white space and control characters are blanks, and each
 * punctuation mark is a word of its own. A bucket's value is 1 + log(how often, 255 at most); those
 * of the words and those of the characters are each of length 1 together.
 *
 * thread  one at a time per dn_ngrams      errors  none      blocks  never */
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { DN_NGRAM_BITS = 18, DN_NGRAM_BUCKETS = 1 << DN_NGRAM_BITS };

/** Which n-grams there are and which bucket each has: another number where that changes, so that
 * weights made for other buckets are refused. 1 was XXH3 of the bytes. */
enum { DN_NGRAMS_RULE = 2 };

typedef struct dn_ngram {
    int32_t bucket;
    float value;
} dn_ngram;

typedef struct dn_ngrams dn_ngrams;
dn_ngrams *dn_ngrams_new(void);
void dn_ngrams_free(dn_ngrams *ngrams);

/** Those of valid UTF-8, each bucket once, in the order in which they are met, words and pairs
 * before runs of characters; the number of them.
 *  lends  until the next call      cost  O(bytes), no malloc once the longest text has been seen */
int dn_ngrams_of(dn_ngrams *ngrams, dn_span text, const dn_ngram **out);

/** A set of buckets: bit b % 32 of word b / 32. */
enum { DN_BUCKET_SET_BITS = 32, DN_BUCKET_SET_WORDS = DN_NGRAM_BUCKETS / DN_BUCKET_SET_BITS };
static inline bool dn_bucket_set_has(const uint32_t *set, uint32_t bucket) {
    return set[bucket / DN_BUCKET_SET_BITS] >> bucket % DN_BUCKET_SET_BITS & 1;
}

/** Only those whose bucket is in the set, with the values that they have among all. */
int dn_ngrams_among(dn_ngrams *ngrams, dn_span text, const uint32_t *set, const dn_ngram **out);

#endif
