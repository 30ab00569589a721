#include "text/charsmap.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

enum { GRAPHEME_BYTES = 6 }; /* graphemes of as many are looked at by code point only */

static uint32_t unit_offset(uint32_t unit) {
    return (unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* The text that the shortest known beginning of `piece` becomes; false when none is known. */
static bool find(const dn_charsmap *map, dn_span piece, dn_span *out) {
    uint32_t at = unit_offset(map->unit[0]);
    for (size_t i = 0; i < piece.len; i++) {
        uint32_t c = (unsigned char)piece.ptr[i];
        at ^= c;
        if (c == 0 || at >= map->n_units || (map->unit[at] & (1u << 31 | 0xff)) != c) {
            return false;
        }
        bool leaf = map->unit[at] >> 8 & 1;
        at ^= unit_offset(map->unit[at]);
        if (leaf) {
            uint32_t index = at < map->n_units ? map->unit[at] & 0x7fffffff : UINT32_MAX;
            if (index >= map->text_size || ((unsigned char)map->text[index] & 0xc0) == 0x80) {
                return false;
            }
            *out = dn_span_of(map->text + index);
            return true;
        }
    }
    return false;
}

static uint8_t joins_of(uint32_t code) {
    utf8proc_int32_t state = 0;
    bool before = dn_utf8_is_scalar(code) &&
                  !utf8proc_grapheme_break_stateful(' ', (utf8proc_int32_t)code, &state);
    state = 0;
    bool behind = dn_utf8_is_scalar(code) &&
                  !utf8proc_grapheme_break_stateful((utf8proc_int32_t)code, ' ', &state);
    return (uint8_t)(before | behind << 1);
}

static uint32_t load_u32(const char *at) {
    const unsigned char *p = (const unsigned char *)at;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void take_bytes(dn_charsmap *map, dn_span bytes) {
    map->unit = dn_alloc_array(map->n_units, sizeof *map->unit);
    for (uint32_t i = 0; i < map->n_units; i++) {
        map->unit[i] = load_u32(bytes.ptr + 4 + 4 * (size_t)i);
    }
    const char *text = bytes.ptr + 4 + 4 * (size_t)map->n_units;
    map->text_size = (size_t)(bytes.ptr + bytes.len - text);
    map->text = dn_alloc(map->text_size + 1);
    memcpy(map->text, text, map->text_size);
    for (size_t i = 0; i < map->text_size; i += strlen(map->text + i) + 1) {
        size_t size = strlen(map->text + i);
        map->longest = size > map->longest ? size : map->longest;
    }
}

dn_status dn_charsmap_init(dn_charsmap *map, dn_span bytes, const char *where) {
    *map = (dn_charsmap){.n_units = 0};
    uint32_t size = bytes.len >= 4 ? load_u32(bytes.ptr) : 0;
    if (size == 0 || size % 4 || size > bytes.len - 4) {
        return DN_FAIL(MODEL, "%s: the table of %zu bytes is damaged", where, bytes.len);
    }
    map->n_units = size / 4;
    take_bytes(map, bytes);
    if (dn_utf8_valid_prefix((dn_span){map->text, map->text_size}) < map->text_size) {
        dn_charsmap_free(map);
        return DN_FAIL(MODEL, "%s: its texts are not UTF-8", where);
    }
    for (int c = 1; c < 128; c++) {
        char text = (char)c;
        dn_span to;
        map->plain_ascii[c] = c != '\r' && !find(map, (dn_span){&text, 1}, &to);
    }
    map->joins = dn_codemap_new(joins_of);
    return DN_OK;
}

void dn_charsmap_free(dn_charsmap *map) {
    free(map->unit);
    free(map->text);
    dn_codemap_free(map->joins);
    *map = (dn_charsmap){.n_units = 0};
}

size_t dn_charsmap_room(const dn_charsmap *map, size_t size) {
    return size * (map->longest > 1 ? map->longest : 1) + 1;
}

/* End of the grapheme that begins at `at`. */
static const char *grapheme_end(const char *at, const char *end) {
    int length;
    utf8proc_int32_t state = 0, code = (utf8proc_int32_t)dn_utf8_decode(at, &length);
    for (at += length; at < end; at += length) {
        utf8proc_int32_t next = (utf8proc_int32_t)dn_utf8_decode(at, &length);
        if (utf8proc_grapheme_break_stateful(code, next, &state)) {
            break;
        }
        code = next;
    }
    return at;
}

static size_t put(const dn_charsmap *map, dn_span piece, char *out) {
    dn_span to;
    if (!find(map, piece, &to)) {
        to = piece;
    }
    memcpy(out, to.ptr, to.len);
    return to.len;
}

static size_t put_grapheme(const dn_charsmap *map, const char *at, const char *end, char *out) {
    dn_span to;
    size_t size = 0;
    int length;
    if (end - at < GRAPHEME_BYTES && find(map, (dn_span){at, (size_t)(end - at)}, &to)) {
        memcpy(out, to.ptr, to.len);
        return to.len;
    }
    for (; at < end; at += length) {
        dn_utf8_decode(at, &length);
        size += put(map, (dn_span){at, (size_t)length}, out + size);
    }
    return size;
}

size_t dn_charsmap_apply(const dn_charsmap *map, dn_span text, char *out) {
    size_t size = 0;
    for (const char *at = text.ptr, *end = at + text.len; at < end;) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x80 && map->plain_ascii[c] && (at + 1 == end || (unsigned char)at[1] < 0x80)) {
            out[size++] = *at++;
            continue;
        }
        const char *stop = grapheme_end(at, end);
        size += put_grapheme(map, at, stop, out + size);
        at = stop;
    }
    return size;
}
