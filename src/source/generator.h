#ifndef DN_SOURCE_GENERATOR_H
#define DN_SOURCE_GENERATOR_H
/** Made-up tweets as a stream of JSON Lines bytes; tweets.h says what is in them, corpus.h writes
 * them to files. */
#include "source/tweets.h"

typedef struct dn_generator dn_generator;

/** ownership: the caller     thread  one at a time */
dn_generator *dn_generator_new(int64_t n_rows, uint64_t seed, double bad_share);
void dn_generator_free(dn_generator *generator);

/** A dn_feed_pull. */
size_t dn_generator_pull(void *generator, char *out, size_t size);

/** A share as records per million. */
uint32_t dn_bad_ppm(double share);

#endif
