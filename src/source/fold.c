#include "source/partition.h"

#include <stdbool.h>

/** Bytes of ASCII: 0 left out, else what stays. */
static char fold_ascii(char c) {
    if (c >= 'A' && c <= 'Z') {
        return (char)(c + 32);
    }
    return ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) ? c : 0;
}

static bool is_word(char c) {
    return fold_ascii(c) || c == '_' || (c & 0x80);
}

static const char *skip_word(const char *p, const char *end) {
    while (p < end && is_word(*p)) {
        p++;
    }
    return p;
}

static bool starts(const char *p, const char *end, const char *literal, size_t size) {
    return (size_t)(end - p) >= size && memcmp(p, literal, size) == 0;
}

/** Behind a link: up to a blank or a byte that is not ASCII. */
static const char *skip_link(const char *p, const char *end) {
    while (p<end && * p> ' ') {
        p++;
    }
    return p;
}

/** Behind `&name;`, or p + 1 when it is a plain ampersand. */
static const char *skip_entity(const char *p, const char *end) {
    enum { NAME_MAX_BYTES = 8 };
    const char *q = p + 1;
    while (q < end && q - p <= NAME_MAX_BYTES && (fold_ascii(*q) || *q == '#')) {
        q++;
    }
    return q < end && *q == ';' && q > p + 1 ? q + 1 : p + 1;
}

/** Behind what begins at p and is left out as a whole, or NULL when nothing of the kind begins
 * there. */
static const char *skip_marker(const char *p, const char *end, bool word_start) {
    if (*p == '@') {
        return skip_word(p + 1, end);
    }
    if (*p == '&') {
        return skip_entity(p, end);
    }
    if (word_start && (starts(p, end, "http://", 7) || starts(p, end, "https://", 8))) {
        return skip_link(p, end);
    }
    if (word_start && starts(p, end, "RT", 2) && (p + 2 == end || !is_word(p[2]))) {
        return p + 2;
    }
    return NULL;
}

/** Two-byte letters that differ from their lower case by 32 code points, and where they begin. */
typedef struct cased {
    uint16_t first, last;
    uint16_t distance;
} cased;

static uint32_t lower(uint32_t c) {
    static const cased ranges[] = {{0xc0, 0xd6, 32},
                                   {0xd8, 0xde, 32},
                                   {0x391, 0x3a9, 32},
                                   {0x400, 0x40f, 80},
                                   {0x410, 0x42f, 32}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return c + ranges[i].distance;
        }
    }
    return c;
}

static size_t length_of(uint8_t lead) {
    return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
}

/** Punctuation, arrows, dingbats (U+2000 to U+2BFF), CJK punctuation, variation selectors, emoji,
 * Latin-1 signs. */
static bool left_out(const uint8_t *p, size_t n) {
    if (n == 3) {
        return (p[0] == 0xe2 && p[1] <= 0xaf) || (p[0] == 0xe3 && p[1] == 0x80) ||
               (p[0] == 0xef && p[1] == 0xb8);
    }
    bool times_or_over = n == 2 && p[0] == 0xc3 && (p[1] == 0x97 || p[1] == 0xb7);
    return times_or_over || (n == 2 && p[0] == 0xc2) || (n == 4 && p[1] == 0x9f) || n == 1;
}

/** Copies one character of several bytes; returns its length in the text, adds its length in `out`
 * to `*size`. */
static size_t fold_wide(const char *p, size_t left, char *out, size_t *size) {
    uint8_t b[4] = {0};
    size_t n = length_of((uint8_t)*p);
    n = n > left ? left : n;
    memcpy(b, p, n);
    if (left_out(b, n)) {
        return n;
    }
    if (n == 2) {
        uint32_t c = lower((uint32_t)(b[0] & 0x1f) << 6 | (b[1] & 0x3f));
        b[0] = (uint8_t)(0xc0 | c >> 6);
        b[1] = (uint8_t)(0x80 | (c & 0x3f));
    }
    memcpy(out + *size, b, n);
    *size += n;
    return n;
}

size_t dn_text_fold(dn_span text, char out[DN_FOLDED_MAX]) {
    const char *p = text.ptr, *end = p + text.len;
    size_t size = 0;
    bool word_start = true;
    while (p < end && size + 4 <= DN_FOLDED_MAX) {
        if (*p & 0x80) {
            p += fold_wide(p, (size_t)(end - p), out, &size);
            word_start = false;
            continue;
        }
        bool may_skip = *p == '@' || *p == '&' || (word_start && (*p == 'h' || *p == 'R'));
        const char *behind = may_skip ? skip_marker(p, end, word_start) : NULL;
        if (behind) {
            p = behind;
            word_start = false;
            continue;
        }
        char c = fold_ascii(*p++);
        out[size] = c;
        size += c != 0;
        word_start = c == 0;
    }
    return size;
}
