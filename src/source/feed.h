#ifndef DN_SOURCE_FEED_H
#define DN_SOURCE_FEED_H
/** A window on a stream that holds one whole record, so that parsers see contiguous bytes.
 *
 *    data   [ gone | record being parsed ... | free ]
 *           0      begin                     end     capacity
 *
 * A parser that meets `end` inside a record calls more() and begins that record again. The window
 * grows by doubling up to the largest record, so every byte is parsed at most twice on average and
 * memory stays bounded. */
#include "io/stream.h"

#include <stdbool.h>

/** Bytes that come from elsewhere than a file: fills up to `size` bytes, returns how many; 0 is the
 * end. */
typedef size_t dn_feed_pull(void *ctx, char *out, size_t size);

typedef struct dn_feed {
    dn_stream *stream; /**< NULL: `pull` gives the bytes */
    dn_feed_pull *pull;
    void *pull_ctx;
    const char *path; /**< lends */
    char *data;
    size_t begin, end, capacity;
    uint64_t base; /**< decoded position of data[0] */
    bool ended;    /**< nothing follows `end` */
    bool broken;   /**< the stream broke there; `failure` says how */
    dn_failure failure;
} dn_feed;

/** A record of either text format is at most this long, quotes and line end included. */
enum { DN_RECORD_MAX = 1 << 20 };

/** Opens the file; skips a UTF-8 byte order mark. NO_INPUT, IO.
 *  ownership  dn_feed_close(), also after an error; `path` must live as long */
dn_status dn_feed_open(dn_feed *feed, const char *path);

/** The same over a function. `name` stands for the path. */
void dn_feed_open_pull(dn_feed *feed, const char *name, dn_feed_pull *pull, void *ctx);

/** Makes [begin, end) longer, or sets `ended`. Never fails: damage is kept in `failure` and shows
 * as the end, so that whole records before it are delivered first. Pointers into data are void
 * afterwards.     blocks  on the disk */
void dn_feed_more(dn_feed *feed);

/** Decoded byte position of a pointer into data. */
static inline uint64_t dn_feed_position(const dn_feed *feed, const char *at) {
    return feed->base + (uint64_t)(at - feed->data);
}

void dn_feed_close(dn_feed *feed);

#endif
