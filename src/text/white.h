#ifndef DN_TEXT_WHITE_H
#define DN_TEXT_WHITE_H
/** White space as Unicode has it (White_Space): a set that no longer changes. */
#include "base/utf8.h"

static inline bool dn_is_white(uint32_t code) {
    if (code < 0x80) {
        return code == ' ' || (code >= '\t' && code <= '\r');
    }
    return code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
           code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

/** Start of the code point that ends before `at`, in valid text with begin < at. */
static inline const char *dn_utf8_before(const char *at) {
    do {
        at--;
    } while (((unsigned char)*at & 0xc0) == 0x80);
    return at;
}

/** Where the white space that ends at `at` begins. */
static inline const char *dn_white_before(const char *begin, const char *at) {
    while (at > begin) {
        int length;
        const char *before = dn_utf8_before(at);
        if (!dn_is_white(dn_utf8_decode(before, &length))) {
            break;
        }
        at = before;
    }
    return at;
}

/** Where the white space that begins at `at` ends. */
static inline const char *dn_white_after(const char *at, const char *end) {
    int length;
    while (at < end && dn_is_white(dn_utf8_decode(at, &length))) {
        at += length;
    }
    return at;
}

#endif
