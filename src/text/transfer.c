#include "text/transfer.h"

static int digit64(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int64_t dn_base64_decode(dn_span text, dn_text_buffer *out) {
    uint32_t bits = 0;
    int n_bits = 0;
    int64_t n_damaged = 0;
    dn_text_reserve(out, text.len / 4 * 3 + 3);
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit64(text.ptr[i]);
        if (text.ptr[i] == '=') {
            n_bits = 0; /* what follows a padding begins anew: some programs join encoded parts */
        } else if (digit >= 0) {
            bits = bits << 6 | (uint32_t)digit;
            n_bits += 6;
            if (n_bits >= 8) {
                n_bits -= 8;
                out->ptr[out->len++] = (char)(bits >> n_bits);
            }
        } else {
            n_damaged += !is_space(text.ptr[i]);
        }
    }
    return n_damaged + (n_bits == 6);
}

static int digit16(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of a soft line end behind the '=' at `i`, 0 for none. */
static size_t soft_end(dn_span text, size_t i) {
    size_t at = i + 1;
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t' || text.ptr[at] == '\r')) {
        at++;
    }
    return at == text.len ? at - i - 1 : text.ptr[at] == '\n' ? at - i : 0;
}

int64_t dn_quoted_decode(dn_span text, bool header, dn_text_buffer *out) {
    int64_t n_damaged = 0;
    dn_text_reserve(out, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '=') {
            out->ptr[out->len++] = (char)(header && c == '_' ? ' ' : c);
            continue;
        }
        int high = i + 2 < text.len ? digit16(text.ptr[i + 1]) : -1;
        int low = i + 2 < text.len ? digit16(text.ptr[i + 2]) : -1;
        size_t soft = header ? 0 : soft_end(text, i);
        if (high >= 0 && low >= 0) {
            out->ptr[out->len++] = (char)(high << 4 | low);
            i += 2;
        } else if (soft || (!header && i + 1 == text.len)) {
            i += soft;
        } else {
            out->ptr[out->len++] = '=';
            n_damaged++;
        }
    }
    return n_damaged;
}
