#include "cmd/texts.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "io/json.h"
#include "source/tweets.h"
#include "text/normalise.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 1 };

/** Where they go. */
typedef struct reading {
    dn_convention convention;
    dn_normaliser normaliser;
    dn_texts *out;
} reading;

static void keep(reading *r, dn_span text) {
    dn_span clean = dn_normalise(&r->normaliser, r->convention, text);
    char *copy = dn_alloc(clean.len + 1);
    memcpy(copy, clean.ptr, clean.len);
    r->out->text[r->out->n++] = (dn_span){copy, clean.len};
}

static dn_status open_reading(const char *normalise, int most, dn_texts *out, reading *r) {
    *out = (dn_texts){.text = dn_alloc_array((size_t)most, sizeof *out->text)};
    *r = (reading){.out = out};
    return dn_convention_find(normalise, &r->convention);
}

dn_status dn_texts_read(const char *path, const char *normalise, int most, dn_texts *out) {
    reading r;
    char *line = NULL;
    size_t room = 0;
    DN_TRY(open_reading(normalise, most, out, &r));
    FILE *file = fopen(path, "r");
    if (!file) {
        return DN_FAIL(NO_INPUT, "--texts %s: %s", path, strerror(errno));
    }
    for (ssize_t n; out->n < most && (n = getline(&line, &room, file)) >= 0;) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) {
            n--;
        }
        dn_span text = {line, (size_t)n};
        if (dn_utf8_valid_prefix(text) == text.len) {
            keep(&r, text);
        }
    }
    bool broken = ferror(file);
    fclose(file);
    free(line);
    dn_normaliser_free(&r.normaliser);
    if (broken) {
        return DN_FAIL(IO, "--texts %s: cannot be read", path);
    }
    return out->n ? DN_OK : DN_FAIL(DATA, "--texts %s: has no line that is UTF-8", path);
}

static dn_status keep_tweet(reading *r, dn_span line) {
    dn_json *doc;
    dn_json_at text;
    const char *word;
    DN_TRY(dn_json_parse(line, "a made-up tweet", DN_E_INTERNAL, &doc));
    dn_json_at root = dn_json_root(doc);
    dn_status status = dn_json_need(&root, "text", DN_JSON_TEXT, &text);
    status = status == DN_OK ? dn_json_text(&text, &word) : status;
    if (status == DN_OK) {
        keep(r, dn_span_of(word));
    }
    dn_json_free(doc);
    return status;
}

dn_status dn_texts_make(const char *normalise, int n, dn_texts *out) {
    reading r;
    DN_TRY(open_reading(normalise, n, out, &r));
    dn_tweets *tweets = dn_tweets_new(SEED, 0);
    char *line = dn_alloc(3 * DN_TWEET_MAX);
    dn_status status = DN_OK;
    for (int i = 0; i < n && status == DN_OK; i++) {
        dn_tweet_truth truth;
        status = keep_tweet(&r, (dn_span){line, dn_tweet_line(tweets, i, line, &truth)});
    }
    free(line);
    dn_tweets_free(tweets);
    dn_normaliser_free(&r.normaliser);
    return status;
}

void dn_texts_free(dn_texts *texts) {
    for (int i = 0; i < texts->n; i++) {
        free((void *)(uintptr_t)texts->text[i].ptr);
    }
    free(texts->text);
    *texts = (dn_texts){0};
}
