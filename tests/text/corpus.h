#ifndef DN_TEST_CORPUS_H
#define DN_TEST_CORPUS_H
/** The texts of the real corpus, where $DUNLIN_DATA (default ../shared/data) has it. */
#include "base/memory.h"
#include "source/csv.h"
#include "test.h"

#include <unistd.h>

typedef struct corpus {
    dn_feed feed;
    dn_csv csv;
    char *path;
    int content; /* index of the column */
} corpus;

/** Opens a file of it and finds its column `content`; false when it is not there. */
static inline bool corpus_open_file(corpus *c, const char *name) {
    const char *data = getenv("DUNLIN_DATA");
    dn_csv_state state;
    *c = (corpus){.content = -1};
    c->path = dn_format("%s/%s", data ? data : "../shared/data", name);
    if (access(c->path, R_OK) != 0) {
        return false;
    }
    EXPECT(dn_feed_open(&c->feed, c->path) == DN_OK);
    c->csv.feed = &c->feed;
    EXPECT(dn_csv_next(&c->csv, &state) == DN_OK && state == DN_CSV_RECORD);
    for (int i = 0; i < c->csv.n_fields; i++) {
        c->content = dn_span_is(dn_csv_value(&c->csv, i), "content") ? i : c->content;
    }
    EXPECT(c->content >= 0);
    return true;
}

/** The part that fits into an automatic test: three days. */
static inline bool corpus_open(corpus *c) {
    return corpus_open_file(c, "ira_3days_2017-08-15_17.csv.xz");
}

/** The next text; false at the end.   lends  until the next call */
static inline bool corpus_next(corpus *c, dn_span *text) {
    dn_csv_state state;
    bool more = dn_csv_next(&c->csv, &state) == DN_OK && state == DN_CSV_RECORD;
    if (more) {
        *text = dn_csv_value(&c->csv, c->content);
    }
    return more;
}

static inline void corpus_close(corpus *c) {
    if (c->feed.stream) {
        dn_feed_close(&c->feed);
    }
    free(c->path);
}

#endif
