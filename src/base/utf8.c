#include "base/utf8.h"

static const uint64_t HIGH_BITS = 0x8080808080808080u;

size_t dn_utf8_valid_prefix(dn_span bytes) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    while (at < end) {
        uint64_t word;
        while (end - at >= 8 && (memcpy(&word, at, 8), (word & HIGH_BITS) == 0)) {
            at += 8;
        }
        if (at == end) {
            break;
        }
        int length = dn_utf8_length(at, end);
        if (length == 0) {
            break;
        }
        at += length;
    }
    return (size_t)(at - bytes.ptr);
}
