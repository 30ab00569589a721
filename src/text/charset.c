#include "text/charset.h"
#include "base/utf8.h"

#include <ctype.h>

#include "text/charset_tables.inc"

enum { NAME_BYTES = 24, SETS = sizeof sets / sizeof *sets };

/* "ISO_8859-1:1987" and "iso8859-1" are one name: letters and digits, up to a colon. */
static size_t plain_name(dn_span name, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < name.len && name.ptr[i] != ':' && n < NAME_BYTES - 1; i++) {
        if (isalnum((unsigned char)name.ptr[i])) {
            out[n++] = (char)tolower((unsigned char)name.ptr[i]);
        }
    }
    out[n] = 0;
    return n;
}

static const dn_charset *find(const char *name) {
    for (int i = 0; i < SETS; i++) {
        if (strcmp(sets[i].name, name) == 0) {
            return &sets[i];
        }
    }
    return NULL;
}

/* An ASCII character: line ends are made one, other controls go. */
static void put_ascii(char byte, char next, dn_text_buffer *out) {
    if (byte == '\r') {
        if (next != '\n') {
            dn_text_put_byte(out, '\n');
        }
    } else if ((unsigned char)byte >= ' ' ? byte != 0x7f : byte == '\n' || byte == '\t') {
        dn_text_put_byte(out, byte);
    }
}

/* The character at `at`: its bytes in the input, 0 where there is none; `code` what it is. */
static int read_code(const uint16_t *upper, const char *at, const char *end, uint32_t *code) {
    int length = 1;
    if (upper) {
        *code = upper[(unsigned char)*at & 0x7f];
        return *code != 0;
    }
    length = dn_utf8_length(at, end);
    if (length) {
        *code = dn_utf8_decode(at, &length);
    }
    return length;
}

/* `upper` NULL: UTF-8. */
static size_t decode(const uint16_t *upper, dn_span bytes, dn_text_buffer *out) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    size_t n_lost = 0;
    bool lost = false;
    while (at < end) {
        if (!((unsigned char)*at & 0x80)) {
            put_ascii(*at, at + 1 < end ? at[1] : 0, out);
            lost = false;
            at++;
            continue;
        }
        uint32_t code = 0;
        int length = read_code(upper, at, end, &code);
        if (length && (code < 0x80 || code >= 0xa0)) {
            char utf8[DN_UTF8_MAX];
            dn_text_put(out, utf8, (size_t)dn_utf8_encode(code, utf8));
        } else if (!length && !lost) {
            dn_text_put(out, "\xef\xbf\xbd", 3);
        }
        lost = !length;
        n_lost += !length;
        at += length ? length : 1;
    }
    return n_lost;
}

/* ISO 2022: bytes of ASCII that are something else between ESC $ and ESC (, which is lost. */
static size_t decode_shifted(dn_span bytes, dn_text_buffer *out) {
    const char *at = bytes.ptr, *end = bytes.ptr + bytes.len;
    size_t n_lost = 0;
    while (at < end) {
        const char *shift = memmem(at, (size_t)(end - at), "\033$", 2);
        const char *stop = shift ? shift : end;
        n_lost += decode(NULL, (dn_span){at, (size_t)(stop - at)}, out);
        const char *back = shift ? memmem(shift, (size_t)(end - shift), "\033(", 2) : NULL;
        at = back && end - back > 3 ? back + 3 : end;
        if (shift) {
            dn_text_put(out, "\xef\xbf\xbd", 3);
            n_lost += (size_t)(at - shift);
        }
    }
    return n_lost;
}

size_t dn_charset_decode(dn_span name, bool raw, dn_span bytes, dn_text_buffer *out) {
    char plain[NAME_BYTES];
    bool named = plain_name(name, plain) && strcmp(plain, "usascii") != 0;
    if (strncmp(plain, "iso2022", 7) == 0) {
        return decode_shifted(bytes, out);
    }
    const dn_charset *set = named ? find(plain) : NULL;
    bool utf8 =
        strcmp(plain, "utf8") == 0 || ((raw || !set) && dn_utf8_valid_prefix(bytes) == bytes.len);
    if (!utf8 && !set && !named) {
        set = &sets[0];
    }
    /* an unknown set: its ASCII is read, the rest is lost */
    return decode(utf8 || !set ? NULL : set->upper, bytes, out);
}
