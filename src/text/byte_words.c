#include "text/byte_words.h"

#include "text/white.h"

#include <utf8proc.h>

/* Where the reference's \p{L} and \p{N} are of another Unicode version than utf8proc's. */
typedef struct class_range {
    uint32_t first, last;
    uint8_t class;
} class_range;

#include "text/class_tables.inc"

static uint8_t class_of(uint32_t code) {
    for (size_t i = 0; i < sizeof class_ranges / sizeof *class_ranges; i++) {
        if (code >= class_ranges[i].first && code <= class_ranges[i].last) {
            return class_ranges[i].class;
        }
    }
    if (dn_is_white(code)) {
        return DN_WHITE;
    }
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) {
        return DN_LETTER;
    }
    bool number = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
    return number ? DN_NUMBER : DN_OTHER;
}

void dn_byte_words_init(dn_byte_words *words) {
    words->map = dn_codemap_new(class_of);
    for (uint32_t c = 0; c < 128; c++) {
        words->ascii[c] = dn_codemap_get(words->map, c);
    }
}

void dn_byte_words_free(dn_byte_words *words) {
    dn_codemap_free(words->map);
    words->map = NULL;
}

static inline uint8_t class_at(const dn_byte_words *words, const char *at, int *length) {
    unsigned char c = (unsigned char)*at;
    if (c < 0x80) {
        *length = 1;
        return words->ascii[c];
    }
    uint32_t code = dn_utf8_decode(at, length);
    return dn_codemap_get(words->map, code);
}

/* Bytes of 's, 't, 're, 've, 'm, 'll or 'd at an apostrophe, 0 for none. */
static size_t contraction(const char *at, const char *end) {
    size_t left = (size_t)(end - at);
    if (left >= 3) {
        const char *two = at + 1;
        if (memcmp(two, "re", 2) == 0 || memcmp(two, "ve", 2) == 0 || memcmp(two, "ll", 2) == 0) {
            return 3;
        }
    }
    return left >= 2 && memchr("stmd", at[1], 4) ? 2 : 0;
}

static const char *run_end(const dn_byte_words *words, uint8_t class, const char *at,
                           const char *end) {
    int length;
    while (at < end && class_at(words, at, &length) == class) {
        at += length;
    }
    return at;
}

/* White space that is not a single blank before a word: up to the last of it, which the next word
 * may take; all of it at the end of the text. */
static const char *white_end(const dn_byte_words *words, const char *at, const char *end) {
    const char *stop = run_end(words, DN_WHITE, at, end);
    if (stop == end) {
        return end;
    }
    const char *last = dn_utf8_before(stop);
    return last > at ? last : stop;
}

const char *dn_byte_word_end(const dn_byte_words *words, const char *at, const char *end) {
    int length;
    if (*at == '\'') {
        size_t size = contraction(at, end);
        if (size) {
            return at + size;
        }
    }
    const char *first = at + (*at == ' ' && at + 1 < end);
    uint8_t class = class_at(words, first, &length);
    return class == DN_WHITE ? white_end(words, at, end)
                             : run_end(words, class, first + length, end);
}
