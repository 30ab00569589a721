#include "text/normalise.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>

enum { FIRST_ROOM = 1024 };

/* What a byte may begin in step 2. */
enum { PLAIN = 0, SPACE, WIDE_SPACE, MENTION, LINK };

static const uint8_t begins[256] = {
    ['\t'] = SPACE,      ['\n'] = SPACE,      ['\v'] = SPACE,      ['\f'] = SPACE,
    ['\r'] = SPACE,      [' '] = SPACE,       ['@'] = MENTION,     ['h'] = LINK,
    [0xc2] = WIDE_SPACE, [0xe1] = WIDE_SPACE, [0xe2] = WIDE_SPACE, [0xe3] = WIDE_SPACE,
};

static const dn_span becomes[] = {
    [SPACE] = {" ", 1}, [WIDE_SPACE] = {" ", 1}, [MENTION] = {"@user", 5}, [LINK] = {"http", 4}};

static const struct {
    const char *name; /* with the semicolon */
    size_t len;
    uint32_t code;
} named[] = {
    {"amp;", 4, '&'},  {"lt;", 3, '<'},    {"gt;", 3, '>'},
    {"quot;", 5, '"'}, {"apos;", 5, '\''}, {"nbsp;", 5, 0xa0},
};

dn_status dn_convention_find(const char *name, dn_convention *out) {
    static const char *const names[] = {"tweeteval", "none"};
    for (int i = 0; i < 2; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (dn_convention)i;
            return DN_OK;
        }
    }
    return DN_FAIL(CONFIG, "\"%s\" is no normalisation; there are tweeteval and none", name);
}

static void reserve(dn_normaliser *n, size_t size) {
    if (n->decoded && n->room >= size) {
        return;
    }
    size_t room = n->room ? n->room : FIRST_ROOM;
    while (room < size) {
        room *= 2;
    }
    n->decoded = dn_grow(n->decoded, room, 1);
    n->folded = dn_grow(n->folded, 2 * room + 8, 1); /* step 2 makes at most 2 n + 1 bytes */
    n->room = room;
}

static int digit_value(char c, int base) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return base == 16 && lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* A numeric reference behind "&#": its length up to and with the semicolon, 0 for none. */
static size_t match_number(const char *at, const char *end, uint32_t *code) {
    bool is_hex = at < end && (*at == 'x' || *at == 'X');
    const char *first = at + is_hex;
    int base = is_hex ? 16 : 10, most = is_hex ? 6 : 7, digit;
    const char *p = first;
    for (*code = 0; p < end && p - first < most && (digit = digit_value(*p, base)) >= 0; p++) {
        *code = *code * (uint32_t)base + (uint32_t)digit;
    }
    bool is_reference = p > first && p < end && *p == ';' && *code && dn_utf8_is_scalar(*code);
    return is_reference ? (size_t)(p + 1 - at) : 0;
}

/* A character reference at the ampersand: its length, 0 for none. */
static size_t match_entity(const char *at, const char *end, uint32_t *code) {
    at++;
    if (at < end && *at == '#') {
        size_t length = match_number(at + 1, end, code);
        return length ? length + 2 : 0;
    }
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if ((size_t)(end - at) >= named[i].len && memcmp(at, named[i].name, named[i].len) == 0) {
            *code = named[i].code;
            return named[i].len + 1;
        }
    }
    return 0;
}

/* Step 1. */
static dn_span decode_entities(dn_span text, char *out) {
    const char *at = text.ptr, *end = at + text.len;
    char *to = out;
    while (at < end) {
        const char *ampersand = memchr(at, '&', (size_t)(end - at));
        const char *stop = ampersand ? ampersand : end;
        memcpy(to, at, (size_t)(stop - at));
        to += stop - at;
        at = stop;
        if (!ampersand) {
            break;
        }
        uint32_t code;
        size_t length = match_entity(at, end, &code);
        if (length) {
            to += dn_utf8_encode(code, to);
            at += length;
        } else {
            *to++ = *at++;
        }
    }
    return (dn_span){out, (size_t)(to - out)};
}

/* Bytes of the white space beyond ASCII at `at`, 0 for none: U+0085 A0 1680 2000-200A 2028 2029
 * 202F 205F 3000. */
static size_t match_wide_space(const char *at, const char *end) {
    const unsigned char *p = (const unsigned char *)at;
    if (p[0] == 0xc2) {
        return end - at >= 2 && (p[1] == 0x85 || p[1] == 0xa0) ? 2 : 0;
    }
    if (end - at < 3) {
        return 0;
    }
    uint32_t tail = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    bool is_space = (tail >= 0xe28080 && tail <= 0xe2808a) || tail == 0xe280a8 ||
                    tail == 0xe280a9 || tail == 0xe280af || tail == 0xe2819f || tail == 0xe38080 ||
                    tail == 0xe19a80;
    return is_space ? 3 : 0;
}

static size_t match_space(const char *at, const char *end) {
    switch (begins[(unsigned char)*at]) {
    case SPACE:
        return 1;
    case WIDE_SPACE:
        return match_wide_space(at, end);
    default:
        return 0;
    }
}

static bool is_name_byte(char c) {
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static const char *skip_spaces(const char *at, const char *end) {
    for (size_t length; at < end && (length = match_space(at, end)) > 0;) {
        at += length;
    }
    return at;
}

/* End of the link at `at`, or `at` when there is none. */
static const char *skip_link(const char *at, const char *end) {
    size_t left = (size_t)(end - at);
    bool is_link = (left >= 7 && memcmp(at, "http://", 7) == 0) ||
                   (left >= 8 && memcmp(at, "https://", 8) == 0);
    if (!is_link) {
        return at;
    }
    for (at += 7; at < end && !match_space(at, end);) {
        at++;
    }
    return at;
}

/* End of the mention at `at`, or `at` when there is none. */
static const char *skip_mention(const char *begin, const char *at, const char *end) {
    if (at > begin && is_name_byte(at[-1])) {
        return at;
    }
    const char *p = at + 1;
    while (p < end && is_name_byte(*p)) {
        p++;
    }
    return p > at + 1 ? p : at;
}

/* End of the piece at `at`; `at` itself when none begins there after all. */
static const char *piece_end(const char *begin, const char *at, const char *end) {
    switch (begins[(unsigned char)*at]) {
    case SPACE:
    case WIDE_SPACE:
        return skip_spaces(at, end);
    case MENTION:
        return skip_mention(begin, at, end);
    case LINK:
        return skip_link(at, end);
    default:
        return at;
    }
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef int8_t mask16 __attribute__((vector_size(16)));

static inline mask16 is_wide_lead(bytes16 x) {
    return (x == 0xc2) | (x - 0xe1 <= 2);
}

/* First byte from `at` on where a piece may begin. 16 bytes are looked at in one go, each with the
 * one behind it: one blank between words, by far the most frequent piece, becomes itself, and so do
 * nearly all h. */
static const char *plain_end(const char *at, const char *end) {
    while (end - at > 16) {
        bytes16 here, next;
        uint64_t half[2];
        memcpy(&here, at, 16);
        memcpy(&next, at + 1, 16);
        mask16 control = here - 9 <= 4;
        mask16 next_space = (next == ' ') | (next - 9 <= 4) | is_wide_lead(next);
        mask16 hit = (here == '@') | ((here == 'h') & (next == 't')) | control |
                     is_wide_lead(here) | ((here == ' ') & next_space);
        memcpy(half, &hit, 16);
        if (half[0] | half[1]) {
            return half[0] ? at + (__builtin_ctzll(half[0]) >> 3)
                           : at + 8 + (__builtin_ctzll(half[1]) >> 3);
        }
        at += 16;
    }
    while (at < end && begins[(unsigned char)*at] == PLAIN) {
        at++;
    }
    return at;
}

/* Step 2. White space at the end leaves one blank, taken back at last; at the start it is skipped.
 */
static dn_span fold_pieces(dn_span text, char *out) {
    const char *begin = text.ptr, *end = begin + text.len;
    const char *at = skip_spaces(begin, end);
    char *to = out;
    while (at < end) {
        const char *stop = plain_end(at, end);
        memcpy(to, at, (size_t)(stop - at));
        to += stop - at;
        at = stop;
        if (at == end) {
            break;
        }
        const char *behind = piece_end(begin, at, end);
        if (behind == at) {
            *to++ = *at++;
            continue;
        }
        dn_span with = becomes[begins[(unsigned char)*at]];
        memcpy(to, with.ptr, with.len);
        to += with.len;
        at = behind;
    }
    if (to > out && to[-1] == ' ') {
        to--;
    }
    return (dn_span){out, (size_t)(to - out)};
}

dn_span dn_normalise(dn_normaliser *normaliser, dn_convention convention, dn_span text) {
    if (convention == DN_CONVENTION_NONE || text.len == 0) {
        return text;
    }
    reserve(normaliser, text.len);
    dn_span decoded = text;
    if (memchr(text.ptr, '&', text.len)) {
        decoded = decode_entities(text, normaliser->decoded);
    }
    dn_span folded = fold_pieces(decoded, normaliser->folded);
    return dn_span_equal(folded, text) ? text : folded;
}

void dn_normaliser_free(dn_normaliser *normaliser) {
    free(normaliser->decoded);
    free(normaliser->folded);
    *normaliser = (dn_normaliser){0};
}
