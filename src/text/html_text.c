#include "text/html_text.h"
#include "base/utf8.h"

#include <ctype.h>
#include <stdint.h>
#include <strings.h>

typedef struct writer {
    dn_text_buffer *out;
    size_t begin;   /* of this text in `out` */
    int depth;      /* of blockquotes */
    int ends;       /* line ends to write before the next character, at most 2 */
    bool blank;     /* a blank is due before it */
    bool line_open; /* the line has characters */
} writer;

enum { INLINE, LINE, PARAGRAPH, CELL, QUOTE, SKIP };

typedef struct tag_kind {
    const char *name;
    int kind;
} tag_kind;

static const tag_kind tags[] = {
    {"br", LINE},          {"p", PARAGRAPH},   {"div", LINE},     {"tr", LINE},
    {"li", LINE},          {"td", CELL},       {"th", CELL},      {"table", PARAGRAPH},
    {"ul", PARAGRAPH},     {"ol", PARAGRAPH},  {"dl", PARAGRAPH}, {"dt", LINE},
    {"dd", LINE},          {"h1", PARAGRAPH},  {"h2", PARAGRAPH}, {"h3", PARAGRAPH},
    {"h4", PARAGRAPH},     {"h5", PARAGRAPH},  {"h6", PARAGRAPH}, {"hr", PARAGRAPH},
    {"pre", PARAGRAPH},    {"center", LINE},   {"body", LINE},    {"option", LINE},
    {"section", LINE},     {"article", LINE},  {"header", LINE},  {"footer", LINE},
    {"blockquote", QUOTE}, {"script", SKIP},   {"style", SKIP},   {"title", SKIP},
    {"head", INLINE},      {"textarea", LINE}, {"address", LINE}, {"form", LINE},
};

static const struct {
    const char *name;
    uint32_t code;
} entities[] = {
    {"amp", '&'},      {"lt", '<'},       {"gt", '>'},        {"quot", '"'},     {"apos", '\''},
    {"nbsp", ' '},     {"copy", 0xa9},    {"reg", 0xae},      {"trade", 0x2122}, {"euro", 0x20ac},
    {"pound", 0xa3},   {"yen", 0xa5},     {"cent", 0xa2},     {"sect", 0xa7},    {"deg", 0xb0},
    {"middot", 0xb7},  {"bull", 0x2022},  {"hellip", 0x2026}, {"ndash", 0x2013}, {"mdash", 0x2014},
    {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201c},  {"rdquo", 0x201d}, {"laquo", 0xab},
    {"raquo", 0xbb},   {"iexcl", 0xa1},   {"iquest", 0xbf},   {"auml", 0xe4},    {"ouml", 0xf6},
    {"uuml", 0xfc},    {"Auml", 0xc4},    {"Ouml", 0xd6},     {"Uuml", 0xdc},    {"szlig", 0xdf},
    {"eacute", 0xe9},  {"egrave", 0xe8},  {"ecirc", 0xea},    {"euml", 0xeb},    {"agrave", 0xe0},
    {"aacute", 0xe1},  {"acirc", 0xe2},   {"atilde", 0xe3},   {"aring", 0xe5},   {"aelig", 0xe6},
    {"ccedil", 0xe7},  {"iacute", 0xed},  {"igrave", 0xec},   {"icirc", 0xee},   {"iuml", 0xef},
    {"ntilde", 0xf1},  {"oacute", 0xf3},  {"ograve", 0xf2},   {"ocirc", 0xf4},   {"otilde", 0xf5},
    {"oslash", 0xf8},  {"uacute", 0xfa},  {"ugrave", 0xf9},   {"ucirc", 0xfb},   {"Eacute", 0xc9},
    {"Agrave", 0xc0},  {"Aacute", 0xc1},  {"Ccedil", 0xc7},   {"Ntilde", 0xd1},  {"Oacute", 0xd3},
    {"Uacute", 0xda},  {"Iacute", 0xcd},  {"shy", 0xad},      {"zwnj", 0x200c},  {"zwj", 0x200d},
    {"times", 0xd7},   {"rarr", 0x2192},
};

static void put_text(writer *w, const char *bytes, size_t n) {
    if (w->out->len > w->begin && w->ends) {
        dn_text_put(w->out, "\n\n", (size_t)w->ends);
        w->line_open = false;
    }
    if (!w->line_open && w->depth) {
        dn_text_put(w->out, "> ", 2);
    }
    if (w->line_open && w->blank) {
        dn_text_put_byte(w->out, ' ');
    }
    dn_text_put(w->out, bytes, n);
    w->line_open = true;
    w->blank = false;
    w->ends = 0;
}

static void end_line(writer *w, int ends) {
    w->ends = w->ends > ends ? w->ends : ends;
    w->blank = false;
}

/* The entity at `at`, an '&': its bytes, 0 when it is none. */
static size_t read_entity(const char *at, const char *end, uint32_t *code) {
    size_t n = 1;
    while (at + n < end && n < 12 && (isalnum((unsigned char)at[n]) || at[n] == '#')) {
        n++;
    }
    size_t whole = n + (at + n < end && at[n] == ';');
    if (n > 2 && at[1] == '#') {
        bool hex = at[2] == 'x' || at[2] == 'X';
        char digits[12] = {0}, *stop;
        memcpy(digits, at + 2 + hex, n - 2 - (size_t)hex);
        unsigned long value = strtoul(digits, &stop, hex ? 16 : 10);
        bool fits = *digits && !*stop && value >= ' ' && dn_utf8_is_scalar((uint32_t)value);
        *code = value == 0xa0 ? ' ' : (uint32_t)value;
        return fits && value <= 0x10ffff ? whole : 0;
    }
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        if (strlen(entities[i].name) == n - 1 && memcmp(entities[i].name, at + 1, n - 1) == 0) {
            *code = entities[i].code;
            return whole;
        }
    }
    return 0;
}

static bool begins_with(const char *at, const char *end, const char *word) {
    size_t n = strlen(word);
    return (size_t)(end - at) >= n && strncasecmp(at, word, n) == 0;
}

/* Behind the next "</name", and its '>'; `end` where there is none. */
static const char *skip_element(const char *at, const char *end, const char *name) {
    size_t n = strlen(name);
    while ((at = memchr(at, '<', (size_t)(end - at))) != NULL) {
        if (end - at > 2 && at[1] == '/' && begins_with(at + 2, end, name)) {
            const char *close = memchr(at + 2 + n, '>', (size_t)(end - at) - 2 - n);
            return close ? close + 1 : end;
        }
        at++;
    }
    return end;
}

/* Behind the tag whose name begins at `at`: quoted attributes may hold '>', but a quote that is
 * never closed ends at the first '>' after all. */
static const char *tag_end(const char *at, const char *end) {
    const char *first = memchr(at, '>', (size_t)(end - at));
    if (!first) {
        return end;
    }
    char quote = 0;
    for (const char *p = at; p < end && p < first + 4096; p++) {
        if (quote ? *p == quote : *p == '"' || *p == '\'') {
            quote = quote ? 0 : *p;
        } else if (!quote && *p == '>') {
            return p + 1;
        }
    }
    return first + 1;
}

static const tag_kind *find_tag(const char *name, size_t n) {
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (strlen(tags[i].name) == n && strncasecmp(tags[i].name, name, n) == 0) {
            return &tags[i];
        }
    }
    return NULL;
}

static const char *apply_tag(writer *w, const char *name, size_t n, bool closes, const char *behind,
                             const char *end) {
    const tag_kind *tag = find_tag(name, n);
    int kind = tag ? tag->kind : INLINE;
    if (kind == LINE || kind == PARAGRAPH || kind == QUOTE) {
        end_line(w, kind == LINE ? 1 : 2);
    } else if (kind == CELL) {
        w->blank = true;
    } else if (kind == SKIP && !closes) {
        return skip_element(behind, end, tag->name);
    }
    if (kind == QUOTE) {
        w->depth += closes ? -(w->depth > 0) : 1;
    }
    return behind;
}

/* What begins at `at`, a '<': behind it, or `at` itself when it is only a character. */
static const char *read_tag(writer *w, const char *at, const char *end) {
    if (begins_with(at, end, "<!--")) {
        const char *close = memmem(at + 4, (size_t)(end - at) - 4, "-->", 3);
        return close ? close + 3 : tag_end(at + 4, end);
    }
    const char *name = at + 1 + (at + 1 < end && at[1] == '/');
    if (name == end || (!isalpha((unsigned char)*name) && *name != '!' && *name != '?')) {
        return at;
    }
    size_t n = 0;
    while (name + n < end && isalnum((unsigned char)name[n])) {
        n++;
    }
    return apply_tag(w, name, n, name > at + 1, tag_end(name + n, end), end);
}

/* One character of text, or an entity; behind it. */
static const char *read_text(writer *w, const char *at, const char *end) {
    uint32_t code = 0;
    size_t n = *at == '&' ? read_entity(at, end, &code) : 0;
    if (n && code == ' ') {
        w->blank = true;
        return at + n;
    }
    if (n) {
        char utf8[DN_UTF8_MAX];
        put_text(w, utf8, (size_t)dn_utf8_encode(code, utf8));
        return at + n;
    }
    do {
        n++;
    } while (at + n < end && !isspace((unsigned char)at[n]) && at[n] != '<' && at[n] != '&');
    put_text(w, at, n);
    return at + n;
}

void dn_html_text(dn_span html, dn_text_buffer *out) {
    writer w = {.out = out, .begin = out->len};
    const char *at = html.ptr, *end = html.ptr + html.len;
    while (at < end) {
        const char *behind = *at == '<' ? read_tag(&w, at, end) : at;
        if (behind > at) {
            at = behind;
        } else if (isspace((unsigned char)*at)) {
            w.blank = true;
            at++;
        } else {
            at = read_text(&w, at, end);
        }
    }
}
