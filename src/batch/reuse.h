#ifndef DN_BATCH_REUSE_H
#define DN_BATCH_REUSE_H
/** Scores of texts seen before, so that equal texts are scored once. A third of real tweets repeat.
 *
 *    stripe 0..15, each with its lock:
 *
 *    index   sets of 4: [tag, position] ...       log  | hash n ids.. scores.. | hash n ids.. |
 * free | └───────────────────────▲                                       ▲ tail
 *
 * The log is a ring: new entries overwrite the oldest, and an index entry whose position has been
 * overwritten is dead. A hit is compared in full, ids with ids, so a collision of hashes costs a
 * miss and never a wrong score. Scores do not depend on their batch, so reuse changes no result.
 * The memory is bounded and reserved by new. */
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dn_reuse dn_reuse;

/** A table of about `bytes` in all for `width` floats a text and `token_width` a token. CONFIG
 * error below 64 KiB.   ownership  the caller: dn_reuse_free */
dn_status dn_reuse_new(size_t bytes, int width, int token_width, dn_reuse **out);
void dn_reuse_free(dn_reuse *reuse);

/** The hash will be looked for or added soon: brings its set closer. A table of 32 MiB lies in no
 * core's cache, and its miss was most of a lookup's time.      thread  any */
void dn_reuse_announce(const dn_reuse *reuse, uint64_t hash);

/** Copies the scores of these ids, score[width] and token_score[n][token_width] (NULL where that is
 * 0); false when they are not there. `hash` is any function of the
 * ids, of which all 64 bits should be good.     thread  any     blocks  for another's copy in the
 * same stripe */
bool dn_reuse_find(dn_reuse *reuse, uint64_t hash, const int32_t *id, int n, float *score,
                   float *token_score);

/** Keeps a copy. Ids too long for the table are not kept.     thread  any */
void dn_reuse_add(dn_reuse *reuse, uint64_t hash, const int32_t *id, int n, const float *score,
                  const float *token_score);

#endif
