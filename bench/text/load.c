#include "load.h"

#include "base/memory.h"
#include "io/json_write.h"
#include "io/stream.h"

#include <errno.h>
#include <stdlib.h>

enum { READ_BYTES = 1 << 20, RANK_OCTAVES = 15 };

static void take_lines(load *l, size_t size, size_t n_max) {
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        n += l->bytes[i] == '\n';
    }
    l->record = dn_alloc_array(n + 1, sizeof *l->record);
    for (const char *at = l->bytes, *end = at + size; at < end && l->n < n_max;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        if (stop > at) {
            l->record[l->n++] = (dn_span){at, (size_t)(stop - at)};
        }
        at = newline ? newline + 1 : end;
    }
}

dn_status load_read(const char *path, size_t n_max, load *out) {
    dn_stream *stream = NULL;
    dn_out all = {0};
    char *part = dn_alloc(READ_BYTES);
    size_t got = 1;
    dn_status status;
    *out = (load){0};
    DN_TRY_GO(dn_stream_open(path, &stream), done);
    while (got) {
        DN_TRY_GO(dn_stream_read(stream, part, READ_BYTES, &got), done);
        dn_out_bytes(&all, part, got);
    }
    out->bytes = all.ptr;
    take_lines(out, all.len, n_max);
    all.ptr = NULL;
    status = out->n ? DN_OK : DN_FAIL(DATA, "%s: there is no record in it", path);
done:
    dn_stream_close(stream);
    dn_out_free(&all);
    free(part);
    return status;
}

/* SplitMix64. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t *state, uint64_t n) {
    return next_random(state) % n;
}

/* Words of syllables; the same number always gives the same word. Rank r is drawn about as often as
 * 1 / r. */
static void add_word(dn_out *out, uint64_t *state, bool cyrillic) {
    static const char *const latin[] = {"th", "e",  "in", "ti",  "on", "er", "re", "so",
                                        "al", "ma", "po", "ing", "st", "a",  "No", "We"};
    static const char *const other[] = {"на", "по", "то", "ра", "ст", "ко", "ни", "пре",
                                        "во", "л",  "о",  "ка", "ть", "и",  "Мо", "не"};
    uint64_t octave = below(state, RANK_OCTAVES);
    uint64_t rank = (1u << octave) + below(state, 1u << octave);
    uint64_t word = rank;
    for (uint64_t n = 1 + below(&word, 2) + (rank > 50) + (rank > 1000); n; n--) {
        const char *part = (cyrillic ? other : latin)[below(&word, 16)];
        dn_out_bytes(out, part, strlen(part));
    }
}

static void add_text(dn_out *out, uint64_t *state, bool cyrillic) {
    static const char *const extras[] = {"@Some_User1 ", "#hashtag ", "&amp; ",      "\U0001f602 ",
                                         "\"so\" ",      "don't ",    "RT @other: ", "1,000 ",
                                         "— ",           "  ",        "…\n"};
    uint64_t n_words = 4 + below(state, 17);
    for (uint64_t i = 0; i < n_words; i++) {
        if (below(state, 8) == 0) {
            const char *extra = extras[below(state, sizeof extras / sizeof *extras)];
            dn_out_bytes(out, extra, strlen(extra));
        }
        add_word(out, state, cyrillic);
        const char *gap = below(state, 12) ? " " : ". ";
        dn_out_bytes(out, gap, strlen(gap));
    }
    if (below(state, 4)) {
        char link[40];
        int size = snprintf(link, sizeof link, "https://t.example/%010llx",
                            (unsigned long long)(next_random(state) >> 24));
        dn_out_bytes(out, link, (size_t)size);
    }
}

static void add_record(dn_out *out, dn_out *text, uint64_t *state, size_t number) {
    bool cyrillic = below(state, 5) == 0;
    char user[24];
    snprintf(user, sizeof user, "author_%u", (unsigned)below(state, 3000));
    dn_out_reset(text);
    add_text(text, state, cyrillic);
    dn_out_open(out, '{');
    dn_out_key(out, "id");
    dn_out_i64(out, (int64_t)number);
    dn_out_key(out, "created_at");
    dn_out_i64(out, 1502755200000 + (int64_t)number * 100);
    dn_out_key(out, "user");
    dn_out_string(out, dn_span_of(user));
    dn_out_key(out, "text");
    dn_out_string(out, (dn_span){text->ptr, text->len});
    dn_out_key(out, "lang");
    dn_out_string(out, cyrillic ? DN_SPAN("Russian") : DN_SPAN("English"));
    dn_out_close(out, '}');
    dn_out_newline(out);
}

void load_make(size_t n, load *out) {
    dn_out all = {0}, text = {0};
    uint64_t state = 1;
    for (size_t i = 0; i < n; i++) {
        add_record(&all, &text, &state, i);
    }
    *out = (load){.bytes = all.ptr};
    take_lines(out, all.len, n);
    dn_out_free(&text);
}

dn_status load_write(const load *l, const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) {
        return DN_FAIL(CANT_CREATE, "%s: %s", path, strerror(errno));
    }
    for (size_t i = 0; i < l->n; i++) {
        fprintf(file, "%.*s\n", (int)l->record[i].len, l->record[i].ptr);
    }
    return fclose(file) == 0 ? DN_OK : DN_FAIL(IO, "%s: %s", path, strerror(errno));
}

void load_free(load *l) {
    free(l->bytes);
    free(l->record);
    *l = (load){0};
}
