#ifndef DN_TEXT_CHARSET_H
#define DN_TEXT_CHARSET_H
/** Mail's character sets into UTF-8: UTF-8 itself, and sets of one byte by table. The C library's
 * iconv would know more, but what it knows depends on the machine, and a row's result must not. */
#include "text/text_buffer.h"

#include <stdint.h>

typedef struct dn_charset {
    const char *name;      /**< lower case, letters and digits only */
    const uint16_t *upper; /**< [128] code points of the bytes from 0x80 on, 0: none */
} dn_charset;

/** Appends `bytes` as valid UTF-8 without U+0000 and other control characters but tab and line
 * feed; CR LF and a lone CR become line feeds. `name` is the declared set, empty for none. What no
 * table can read becomes one U+FFFD for each run of it; returns the bytes that became so.
 *
 * Bytes that are valid UTF-8 are taken for it where the declared set is unknown or none, and, with
 * `raw`, whatever is declared: a message that travelled in a JSON string was made UTF-8 on the way,
 * and text of another set is valid UTF-8 by chance almost never.     cost  O(bytes) */
size_t dn_charset_decode(dn_span name, bool raw, dn_span bytes, dn_text_buffer *out);

#endif
