#include "io/json_write.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "io/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_ROOM = 256 };

static void grow(dn_out *out, size_t size) {
    size_t room = out->room ? 2 * out->room : FIRST_ROOM;
    while (room - out->len < size) {
        room *= 2;
    }
    out->ptr = dn_grow(out->ptr, room, 1);
    out->room = room;
}

static inline char *reserve(dn_out *out, size_t size) {
    if (out->room - out->len < size) {
        grow(out, size);
    }
    return out->ptr + out->len;
}

void dn_out_reset(dn_out *out) {
    out->len = 0;
}

void dn_out_free(dn_out *out) {
    free(out->ptr);
    *out = (dn_out){0};
}

void dn_out_bytes(dn_out *out, const void *bytes, size_t size) {
    if (size) {
        memcpy(reserve(out, size), bytes, size);
        out->len += size;
    }
}

static inline void put(dn_out *out, char c) {
    *reserve(out, 1) = c;
    out->len++;
}

/* Whether a value may follow the byte without a comma. */
static const bool opens[256] = {
    ['{'] = true, ['['] = true, [':'] = true, [','] = true, ['\n'] = true};

static inline void separate(dn_out *out) {
    if (out->len && !opens[(unsigned char)out->ptr[out->len - 1]]) {
        put(out, ',');
    }
}

void dn_out_value(dn_out *out, dn_span json) {
    separate(out);
    dn_out_bytes(out, json.ptr, json.len);
}

void dn_out_open(dn_out *out, char bracket) {
    separate(out);
    put(out, bracket);
}

void dn_out_close(dn_out *out, char bracket) {
    put(out, bracket);
}

void dn_out_key(dn_out *out, const char *name) {
    dn_out_string(out, dn_span_of(name));
    put(out, ':');
}

/* The escape of each byte that needs one: a letter behind a backslash, or 'u'. */
static const char escape_of[256] = {
    [0] = 'u',  [1] = 'u',  [2] = 'u',  [3] = 'u',  [4] = 'u',   [5] = 'u',     [6] = 'u',
    [7] = 'u',  [8] = 'b',  [9] = 't',  [10] = 'n', [11] = 'u',  [12] = 'f',    [13] = 'r',
    [14] = 'u', [15] = 'u', [16] = 'u', [17] = 'u', [18] = 'u',  [19] = 'u',    [20] = 'u',
    [21] = 'u', [22] = 'u', [23] = 'u', [24] = 'u', [25] = 'u',  [26] = 'u',    [27] = 'u',
    [28] = 'u', [29] = 'u', [30] = 'u', [31] = 'u', ['"'] = '"', ['\\'] = '\\', [127] = 'u',
};

static void put_escape(dn_out *out, unsigned char c) {
    char text[8] = {'\\', escape_of[c]};
    int size = 2;
    if (text[1] == 'u') {
        size = snprintf(text, sizeof text, "\\u%04x", c);
    }
    dn_out_bytes(out, text, (size_t)size);
}

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS (ONES << 7)

/* Marks bytes that need a look: those with an escape and all beyond ASCII. A borrow can only mark
 * bytes above a true hit, so that the lowest one is true. */
static inline uint64_t special_bytes(uint64_t word) {
    uint64_t quote = word ^ (ONES * '"'), slash = word ^ (ONES * '\\'), del = word ^ (ONES * 127);
    return ((quote - ONES) | (slash - ONES) | (del - ONES) | (word - ONES * 0x20) | word) & HIGHS;
}

/* The first byte from `at` on that cannot be copied as it is. */
static const char *plain_end(const char *at, const char *end) {
    while (at < end) {
        uint64_t word;
        while (end - at >= 8) {
            memcpy(&word, at, 8);
            uint64_t hits = special_bytes(word);
            if (hits) {
                at += __builtin_ctzll(hits) >> 3;
                break;
            }
            at += 8;
        }
        int length = at < end ? dn_utf8_length(at, end) : 0;
        if (length == 0 || escape_of[(unsigned char)*at]) {
            break;
        }
        at += length;
    }
    return at;
}

void dn_out_string(dn_out *out, dn_span text) {
    if (!text.ptr) {
        dn_out_null(out);
        return;
    }
    separate(out);
    put(out, '"');
    const char *at = text.ptr, *end = at + text.len;
    for (;;) {
        const char *stop = plain_end(at, end);
        dn_out_bytes(out, at, (size_t)(stop - at));
        if (stop == end) {
            break;
        }
        if (escape_of[(unsigned char)*stop]) {
            put_escape(out, (unsigned char)*stop);
        } else {
            dn_out_bytes(out, "\xef\xbf\xbd", 3);
        }
        at = stop + 1;
    }
    put(out, '"');
}

void dn_out_i64(dn_out *out, int64_t number) {
    separate(out);
    out->len += (size_t)dn_decimal_i64(number, reserve(out, DN_DECIMAL_MAX));
}

void dn_out_f32(dn_out *out, float number) {
    if (!isfinite(number)) {
        dn_out_null(out);
        return;
    }
    separate(out);
    out->len += (size_t)dn_decimal_f32(number, reserve(out, DN_DECIMAL_MAX));
}

void dn_out_f64(dn_out *out, double number) {
    if (!isfinite(number)) {
        dn_out_null(out);
        return;
    }
    separate(out);
    out->len += (size_t)dn_decimal_f64(number, reserve(out, DN_DECIMAL_MAX));
}

void dn_out_bool(dn_out *out, bool value) {
    dn_out_value(out, value ? DN_SPAN("true") : DN_SPAN("false"));
}

void dn_out_null(dn_out *out) {
    dn_out_value(out, DN_SPAN("null"));
}

void dn_out_newline(dn_out *out) {
    put(out, '\n');
}
