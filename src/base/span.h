#ifndef DN_BASE_SPAN_H
#define DN_BASE_SPAN_H
/** A view of bytes that somebody else owns. ptr == NULL means null (absent); an empty text has ptr
 * != NULL, len == 0. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct dn_span {
    const char *ptr;
    size_t len;
} dn_span;

#define DN_SPAN(literal) ((dn_span){"" literal, sizeof(literal) - 1})

static inline dn_span dn_span_of(const char *text) {
    return (dn_span){text, text ? strlen(text) : 0};
}

static inline bool dn_span_equal(dn_span a, dn_span b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool dn_span_is(dn_span a, const char *text) {
    return dn_span_equal(a, dn_span_of(text));
}

#endif
