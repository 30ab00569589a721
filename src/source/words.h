#ifndef DN_SOURCE_WORDS_H
#define DN_SOURCE_WORDS_H
/** What the generator knows of languages: common words (facts of a language, the commonest first),
 * stems and endings from which rarer words are built by rule, and how the tweets of a language look
 * in numbers. No text of anybody is in here. */
#include <stdint.h>

enum { DN_RANK_BUCKETS = 16 };

typedef struct dn_tongue {
    const char *code;   /**< ISO 639-1 */
    uint16_t per_mille; /**< share of the records; the rows add up to 1000 */
    const char *common; /**< blank between words */
    const char *stems;  /**< for words that are not common: stem + ending, then stem + stem */
    const char *endings;
    const char *join; /**< between words: a blank, or nothing */
    /** Share per mille of the words whose rank is in [2^k - 1, 2^(k+1) - 1). */
    uint16_t rank_weight[DN_RANK_BUCKETS];
    uint8_t n_words[16];            /**< sixteen equally likely numbers of words */
    uint16_t url, hashtag, mention; /**< per mille of the tweets that have one or more */
} dn_tongue;

extern const dn_tongue dn_tongues[];
extern const int dn_n_tongues;

#endif
