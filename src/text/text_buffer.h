#ifndef DN_TEXT_TEXT_BUFFER_H
#define DN_TEXT_TEXT_BUFFER_H
/** Bytes that are appended to and used again from text to text: one that has seen its longest text
 * never calls malloc again. Zeroed at first; one thread at a time. */
#include "base/memory.h"
#include "base/span.h"

#include <stdlib.h>

typedef struct dn_text_buffer {
    char *ptr;
    size_t len, room;
} dn_text_buffer;

static inline void dn_text_reserve(dn_text_buffer *buffer, size_t more) {
    if (buffer->room - buffer->len < more) {
        buffer->room = (buffer->len + more) * 2;
        buffer->ptr = dn_grow(buffer->ptr, buffer->room, 1);
    }
}

static inline void dn_text_put(dn_text_buffer *buffer, const char *bytes, size_t n) {
    dn_text_reserve(buffer, n + 1);
    memcpy(buffer->ptr + buffer->len, bytes, n);
    buffer->len += n;
}

static inline void dn_text_put_byte(dn_text_buffer *buffer, char byte) {
    dn_text_reserve(buffer, 1);
    buffer->ptr[buffer->len++] = byte;
}

static inline dn_span dn_text_view(const dn_text_buffer *buffer) {
    return (dn_span){buffer->ptr ? buffer->ptr : "", buffer->len};
}

static inline void dn_text_free(dn_text_buffer *buffer) {
    free(buffer->ptr);
    *buffer = (dn_text_buffer){0};
}

#endif
