#include "io/json_write.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_ROOM = 256 };

static char *reserve(dn_out *out, size_t size) {
    if (out->room - out->len < size) {
        size_t room = out->room ? 2 * out->room : FIRST_ROOM;
        while (room - out->len < size) {
            room *= 2;
        }
        out->ptr = dn_grow(out->ptr, room, 1);
        out->room = room;
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

static void put(dn_out *out, char c) {
    *reserve(out, 1) = c;
    out->len++;
}

static void separate(dn_out *out) {
    if (out->len && !strchr("{[:\n", out->ptr[out->len - 1])) {
        put(out, ',');
    }
}

static void value_text(dn_out *out, const char *text) {
    separate(out);
    dn_out_bytes(out, text, strlen(text));
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

void dn_out_string(dn_out *out, dn_span text) {
    if (!text.ptr) {
        dn_out_null(out);
        return;
    }
    separate(out);
    put(out, '"');
    const char *end = text.ptr + text.len, *run = text.ptr;
    for (const char *at = run; at < end;) {
        int length = dn_utf8_length(at, end);
        if (length > 0 && !escape_of[(unsigned char)*at]) {
            at += length;
            continue;
        }
        dn_out_bytes(out, run, (size_t)(at - run));
        if (length > 0) {
            put_escape(out, (unsigned char)*at);
        } else {
            dn_out_bytes(out, "\xef\xbf\xbd", 3);
        }
        run = ++at;
    }
    dn_out_bytes(out, run, (size_t)(end - run));
    put(out, '"');
}

void dn_out_i64(dn_out *out, int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    value_text(out, text);
}

void dn_out_f32(dn_out *out, float number) {
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number) {
            break;
        }
    }
    value_text(out, isfinite(number) ? text : "null");
}

void dn_out_f64(dn_out *out, double number) {
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    value_text(out, isfinite(number) ? text : "null");
}

void dn_out_bool(dn_out *out, bool value) {
    value_text(out, value ? "true" : "false");
}

void dn_out_null(dn_out *out) {
    value_text(out, "null");
}

void dn_out_newline(dn_out *out) {
    put(out, '\n');
}
