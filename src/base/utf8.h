#ifndef DN_BASE_UTF8_H
#define DN_BASE_UTF8_H
/** UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#include "base/span.h"

#include <stdint.h>

enum { DN_UTF8_MAX = 4 }; /**< bytes of the longest code point */

/** Length of the valid code point at `at`, 0 when the bytes up to `end` do not begin with one.
 * Requires at < end. */
static inline int dn_utf8_length(const char *at, const char *end) {
    const unsigned char *p = (const unsigned char *)at;
    ptrdiff_t left = end - at;
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] < 0xc2 || left < 2 || (p[1] & 0xc0) != 0x80) {
        return 0;
    }
    if (p[0] < 0xe0) {
        return 2;
    }
    if (left < 3 || (p[2] & 0xc0) != 0x80) {
        return 0;
    }
    if (p[0] < 0xf0) {
        bool overlong = p[0] == 0xe0 && p[1] < 0xa0;
        bool surrogate = p[0] == 0xed && p[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    bool outside = p[0] > 0xf4 || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
    return outside || left < 4 || (p[3] & 0xc0) != 0x80 ? 0 : 4;
}

/** The code point at `at`, which must be valid; `*length` its bytes. */
static inline uint32_t dn_utf8_decode(const char *at, int *length) {
    const unsigned char *p = (const unsigned char *)at;
    if (p[0] < 0x80) {
        *length = 1;
        return p[0];
    }
    if (p[0] < 0xe0) {
        *length = 2;
        return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    }
    if (p[0] < 0xf0) {
        *length = 3;
        return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    }
    *length = 4;
    return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

/** Writes a scalar value; its bytes, 1 to 4. `out` holds DN_UTF8_MAX. */
static inline int dn_utf8_encode(uint32_t code, char *out) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/** Whether a number is a Unicode scalar value: what UTF-8 can encode. */
static inline bool dn_utf8_is_scalar(uint32_t code) {
    return code < 0xd800 || (code >= 0xe000 && code <= 0x10ffff);
}

/** Length of the longest valid prefix: bytes.len when all is valid, else the position of the first
 * bad byte. */
static inline size_t dn_utf8_valid_prefix(dn_span bytes) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    while (at < end) {
        uint64_t word;
        while (end - at >= 8 && (memcpy(&word, at, 8), (word & 0x8080808080808080u) == 0)) {
            at += 8;
        }
        int length = at < end ? dn_utf8_length(at, end) : 0;
        if (length == 0) {
            break;
        }
        at += length;
    }
    return (size_t)(at - bytes.ptr);
}

#endif
