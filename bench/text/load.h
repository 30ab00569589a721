#ifndef DN_BENCH_TEXT_LOAD_H
#define DN_BENCH_TEXT_LOAD_H
/** The records that are timed: lines of a file, or a small set of our own. */
#include "base/span.h"
#include "base/status.h"

#include <stdio.h>

typedef struct load {
    char *bytes;
    dn_span *record; /**< [n] views into bytes */
    size_t n;
} load;

/** The first `n_max` lines of a JSON Lines file, plain or compressed. NO_INPUT, DATA.   ownership
 * load_free */
dn_status load_read(const char *path, size_t n_max, load *out);

/** `n` tweet-like records, always the same ones: words by a Zipf law, a fifth Cyrillic, links,
 * mentions, hashtags, emoji, entities, escapes.   ownership  load_free */
void load_make(size_t n, load *out);

/** Writes the records, one a line. */
dn_status load_write(const load *l, const char *path);

void load_free(load *l);

#endif
