#ifndef DN_SOURCE_TWEETS_H
#define DN_SOURCE_TWEETS_H
/** Made-up tweets whose truth is known, bit for bit the same on every machine.
 *
 * Record n is a pure function of (seed, bad_ppm, n): integers only, random numbers counted from
 * hashes of the position, no state between records. A repeat names an earlier original m < n, whose
 * text is composed again:
 *
 *    n      kind of n          text
 *    ...    original           words of the author's language, links, tags, mentions
 *    ...    exact of m         text(m)
 *    ...    variant of m       text(m) with other links, RT @user:; equal after folding
 *    ...    near m             text(m) with one other word
 *    ...    bad                a record that cannot be read, and why
 */
#include <stddef.h>
#include <stdint.h>

enum { DN_TWEET_MAX = 2048, DN_TWEET_OVERSIZE = (1 << 20) + 64 };

typedef struct dn_tweets dn_tweets;

typedef enum dn_tweet_kind {
    DN_TWEET_ORIGINAL,
    DN_TWEET_EXACT,
    DN_TWEET_VARIANT,
    DN_TWEET_NEAR,
    DN_TWEET_BAD,
    DN_TWEET_KINDS
} dn_tweet_kind;

extern const char *const dn_tweet_kind_names[DN_TWEET_KINDS];

/** What is known of a record. */
typedef struct dn_tweet_truth {
    dn_tweet_kind kind;
    int64_t of;           /**< the original it repeats, -1: none */
    const char *language; /**< ISO 639-1 */
    const char *reason;   /**< BAD: what a reader must find, else NULL */
} dn_tweet_truth;

/** `bad_ppm`: bad records per million. ownership: the caller     thread  const after this, shared
 * by any number */
dn_tweets *dn_tweets_new(uint64_t seed, uint32_t bad_ppm);
void dn_tweets_free(dn_tweets *tweets);

/** Record n as a JSON line with its line end. Returns its length; `out` holds DN_TWEET_OVERSIZE
 * bytes (3 * DN_TWEET_MAX are enough where bad_ppm is 0).     cost  2 us */
size_t dn_tweet_line(const dn_tweets *tweets, int64_t n, char *out, dn_tweet_truth *truth);

#endif
