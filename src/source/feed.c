#include "source/feed.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 << 10 };

/** Room behind `end`: the record moves to the front, and the window doubles when it already stands
 * there. */
static void make_room(dn_feed *feed) {
    if (feed->begin > 0) {
        memmove(feed->data, feed->data + feed->begin, feed->end - feed->begin);
        feed->base += feed->begin;
        feed->end -= feed->begin;
        feed->begin = 0;
    }
    if (feed->end == feed->capacity) {
        feed->capacity *= 2;
        feed->data = dn_grow(feed->data, feed->capacity, 1);
    }
}

void dn_feed_more(dn_feed *feed) {
    size_t got = 0;
    if (feed->ended) {
        return;
    }
    make_room(feed);
    char *to = feed->data + feed->end;
    size_t room = feed->capacity - feed->end;
    if (feed->pull) {
        got = feed->pull(feed->pull_ctx, to, room);
    } else if (dn_stream_read(feed->stream, to, room, &got) != DN_OK) {
        feed->broken = true;
        feed->failure = *dn_failure_last();
    }
    feed->ended = got == 0;
    feed->end += got;
}

dn_status dn_feed_open(dn_feed *feed, const char *path) {
    static const char mark[] = "\xef\xbb\xbf";
    *feed = (dn_feed){.path = path};
    DN_TRY(dn_stream_open(path, &feed->stream));
    feed->capacity = FIRST_CAPACITY;
    feed->data = dn_alloc(feed->capacity);
    while (feed->end < sizeof mark - 1 && !feed->ended) {
        dn_feed_more(feed);
    }
    if (feed->end >= sizeof mark - 1 && !memcmp(feed->data, mark, sizeof mark - 1)) {
        feed->begin = sizeof mark - 1;
    }
    return DN_OK;
}

void dn_feed_open_pull(dn_feed *feed, const char *name, dn_feed_pull *pull, void *ctx) {
    *feed = (dn_feed){.path = name, .pull = pull, .pull_ctx = ctx};
    feed->capacity = FIRST_CAPACITY;
    feed->data = dn_alloc(feed->capacity);
}

void dn_feed_close(dn_feed *feed) {
    dn_stream_close(feed->stream);
    free(feed->data);
    *feed = (dn_feed){0};
}
