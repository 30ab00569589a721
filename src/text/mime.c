#include "text/mime.h"
#include "text/charset.h"
#include "text/html_text.h"
#include "text/mime_header.h"
#include "text/transfer.h"

#include <ctype.h>
#include <strings.h>

typedef struct entity {
    dn_mime_header header;
    dn_span body;
} entity;

/* How far a part of a multipart/alternative is wanted. */
enum { UNWANTED, HTML, MULTIPART, PLAIN };

static bool refuse(dn_mime *mime, const char *fault, const char *detail, const char *at) {
    mime->fault = fault;
    mime->detail = detail;
    mime->fault_at = (size_t)(at - mime->begin);
    return false;
}

static bool open_entity(dn_mime *mime, dn_span bytes, entity *e) {
    dn_mime_header_read(bytes, &e->header);
    size_t size = (size_t)(e->header.body - bytes.ptr);
    e->body = (dn_span){e->header.body, bytes.len - size};
    return size <= DN_MIME_HEADER_BYTES ||
           refuse(mime, "oversize header", "the header is longer than 1 MiB", bytes.ptr);
}

bool dn_mime_is_message(dn_span text) {
    dn_mime_header header;
    dn_mime_header_read(text, &header);
    return header.n_fields >= 2 && header.n_known >= 1 && !header.broken;
}

/* --- encoded words -------------------------------------------------------------------------- */

enum { WORD_BYTES = 4096 }; /* RFC 2047 allows 75 */

typedef struct encoded_word {
    dn_span charset, text;
    bool base64;
    const char *behind;
} encoded_word;

/* Reads "=?charset?B?text?=" at `at`. */
static bool read_word(const char *at, const char *end, encoded_word *word) {
    const char *part[3];
    const char *p = at + 1;
    end = end - at > WORD_BYTES ? at + WORD_BYTES : end;
    if (end - at < 8 || at[0] != '=' || at[1] != '?') {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        part[i] = ++p;
        if (i == 2) {
            p = memmem(p, (size_t)(end - p), "?=", 2);
        } else {
            p = memchr(p, '?', (size_t)(end - p));
        }
        if (!p) {
            return false;
        }
    }
    char kind = (char)(part[1][0] | 0x20);
    dn_span charset = {part[0], (size_t)(part[1] - part[0]) - 1};
    const char *language = memchr(charset.ptr, '*', charset.len);
    charset.len = language ? (size_t)(language - charset.ptr) : charset.len;
    *word = (encoded_word){charset, {part[2], (size_t)(p - part[2])}, kind == 'b', p + 2};
    return part[2] - part[1] == 2 && (kind == 'b' || kind == 'q');
}

static bool is_white(dn_span s) {
    size_t i = 0;
    while (i < s.len && isspace((unsigned char)s.ptr[i])) {
        i++;
    }
    return i == s.len;
}

static bool same_name(dn_span a, dn_span b) {
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* Decodes the run of encoded words that begins with `word`; behind the last of them. Words of one
 * set are joined before they are decoded, since some programs cut characters in two. */
static const char *put_words(dn_mime *mime, encoded_word word, const char *end,
                             dn_text_buffer *out) {
    bool more = true;
    const char *behind = word.behind;
    while (more) {
        dn_span charset = word.charset;
        mime->bytes.len = 0;
        do {
            mime->n_damaged += word.base64 ? dn_base64_decode(word.text, &mime->bytes)
                                           : dn_quoted_decode(word.text, true, &mime->bytes);
            behind = word.behind;
            const char *next = memchr(behind, '=', (size_t)(end - behind));
            more = next && is_white((dn_span){behind, (size_t)(next - behind)}) &&
                   read_word(next, end, &word);
        } while (more && same_name(charset, word.charset));
        mime->n_damaged +=
            (int64_t)dn_charset_decode(charset, false, dn_text_view(&mime->bytes), out);
    }
    return behind;
}

void dn_mime_header_text(dn_mime *mime, dn_span value, dn_text_buffer *out) {
    const char *at = value.ptr, *end = value.ptr + value.len;
    size_t begin = out->len;
    while (at < end) {
        encoded_word word;
        const char *next = at;
        while (next < end && !read_word(next, end, &word)) {
            next++;
        }
        mime->n_damaged +=
            (int64_t)dn_charset_decode(DN_SPAN(""), true, (dn_span){at, (size_t)(next - at)}, out);
        at = next < end ? put_words(mime, word, end, out) : end;
    }
    /* folded lines, and line ends in encoded words, are blanks; a run of blanks is one */
    size_t to = begin;
    for (size_t i = begin; i < out->len; i++) {
        char c = out->ptr[i];
        bool blank = c == ' ' || c == '\n' || c == '\t';
        if (!blank || (to > begin && out->ptr[to - 1] != ' ')) {
            out->ptr[to++] = blank ? ' ' : c;
        }
    }
    out->len = to > begin && out->ptr[to - 1] == ' ' ? to - 1 : to;
}

/* --- leaves --------------------------------------------------------------------------------- */

/* The body's bytes without their transfer encoding; a view into the message or into scratch. */
static dn_span transfer_decode(dn_mime *mime, const entity *e, bool *raw) {
    dn_span encoding = dn_mime_value(e->header.encoding);
    *raw = false;
    mime->bytes.len = 0;
    if (dn_mime_is(encoding, "base64")) {
        mime->n_damaged += dn_base64_decode(e->body, &mime->bytes);
    } else if (dn_mime_is(encoding, "quoted-printable")) {
        mime->n_damaged += dn_quoted_decode(e->body, false, &mime->bytes);
    } else {
        *raw = true;
        return e->body;
    }
    return dn_text_view(&mime->bytes);
}

static void put_leaf(dn_mime *mime, const entity *e, bool html) {
    bool raw;
    dn_span bytes = transfer_decode(mime, e, &raw);
    dn_span charset = dn_mime_parameter(e->header.type, "charset");
    dn_text_buffer *out = html ? &mime->decoded : &mime->text;
    if (mime->text.len && mime->text.ptr[mime->text.len - 1] != '\n') {
        dn_text_put_byte(&mime->text, '\n');
    }
    mime->decoded.len = 0;
    int64_t n_lost = (int64_t)dn_charset_decode(charset, raw, bytes, out);
    mime->lost_at = n_lost && !mime->n_lost ? (size_t)(e->body.ptr - mime->begin) : mime->lost_at;
    mime->n_damaged += n_lost;
    mime->n_lost += n_lost;
    if (html) {
        dn_html_text(dn_text_view(&mime->decoded), &mime->text);
    }
}

/* --- parts ---------------------------------------------------------------------------------- */

static bool put_entity(dn_mime *mime, dn_span bytes, const char *usual_type, int depth);

/* Whether a line is "--boundary"; `last` for "--boundary--". */
static bool is_boundary(const char *at, const char *end, dn_span boundary, bool *last) {
    if ((size_t)(end - at) < boundary.len + 2 || at[0] != '-' || at[1] != '-' ||
        memcmp(at + 2, boundary.ptr, boundary.len) != 0) {
        return false;
    }
    at += 2 + boundary.len;
    *last = end - at >= 2 && at[0] == '-' && at[1] == '-';
    return is_white((dn_span){at + 2 * *last, (size_t)(end - at) - 2 * (size_t)*last});
}

/* Moves *at behind the next boundary line; `before` is where that line begins, the end where there
 * is none. */
static bool find_boundary(const char **at, const char *end, dn_span boundary, const char **before,
                          bool *last) {
    for (const char *line = *at; line < end; line++) {
        const char *lf = *line == '-' ? memchr(line, '\n', (size_t)(end - line)) : NULL;
        if (*line == '-' && is_boundary(line, lf ? lf : end, boundary, last)) {
            *before = line;
            *at = lf ? lf + 1 : end;
            return true;
        }
        line = memmem(line, (size_t)(end - line), "\n--", 3);
        if (!line) {
            break;
        }
    }
    *at = end;
    *before = end;
    *last = true;
    return false;
}

typedef struct part_walk {
    const char *at, *end;
    dn_span boundary;
    bool last, found; /* found: there is a boundary line at all */
} part_walk;

static part_walk walk_begin(const entity *e) {
    part_walk w = {.at = e->body.ptr, .end = e->body.ptr + e->body.len};
    const char *before;
    w.boundary = dn_mime_parameter(e->header.type, "boundary");
    w.found = w.boundary.len && find_boundary(&w.at, w.end, w.boundary, &before, &w.last);
    w.last = w.last || !w.found;
    return w;
}

static bool walk_next(dn_mime *mime, part_walk *w, dn_span *part) {
    if (w->last || w->at == w->end) {
        return false;
    }
    const char *begin = w->at, *before;
    mime->n_damaged += !find_boundary(&w->at, w->end, w->boundary, &before, &w->last);
    size_t n = (size_t)(before - begin);
    n -= n && begin[n - 1] == '\n'; /* the line end before a boundary belongs to it */
    *part = (dn_span){begin, n};
    return true;
}

static bool is_attachment(const dn_mime_header *header) {
    return dn_mime_is(dn_mime_value(header->disposition), "attachment");
}

static int wanted(const dn_mime_header *header) {
    dn_span type = dn_mime_value(header->type);
    if (is_attachment(header)) {
        return UNWANTED;
    }
    if (!type.len || dn_mime_is(type, "text/plain")) {
        return PLAIN;
    }
    return dn_mime_begins(type, "multipart/") ? MULTIPART
           : dn_mime_is(type, "text/html")    ? HTML
                                              : UNWANTED;
}

static bool put_alternative(dn_mime *mime, const entity *e, int depth) {
    size_t before = mime->text.len;
    for (int rank = PLAIN; rank >= HTML; rank--) {
        dn_span part;
        for (part_walk w = walk_begin(e); walk_next(mime, &w, &part);) {
            dn_mime_header header;
            dn_mime_header_read(part, &header);
            if (wanted(&header) != rank) {
                continue;
            }
            if (!put_entity(mime, part, "text/plain", depth)) {
                return false;
            }
            dn_span made = dn_text_view(&mime->text);
            if (!is_white((dn_span){made.ptr + before, made.len - before})) {
                return true;
            }
        }
    }
    return true;
}

static bool put_parts(dn_mime *mime, const entity *e, dn_span type, int depth) {
    bool digest = dn_mime_is(type, "multipart/digest");
    bool related = dn_mime_is(type, "multipart/related");
    dn_span part;
    for (part_walk w = walk_begin(e); walk_next(mime, &w, &part);) {
        if (!put_entity(mime, part, digest ? "message/rfc822" : "text/plain", depth)) {
            return false;
        }
        if (related) {
            break; /* the others are pictures of the first */
        }
    }
    return true;
}

static bool put_multipart(dn_mime *mime, const entity *e, dn_span type, int depth) {
    if (!walk_begin(e).found) {
        mime->n_damaged++; /* no boundary: what is there is text */
        put_leaf(mime, e, false);
        return true;
    }
    return dn_mime_is(type, "multipart/alternative") ? put_alternative(mime, e, depth + 1)
                                                     : put_parts(mime, e, type, depth + 1);
}

static bool is_text(dn_span type) {
    static const char *const others[] = {"text/calendar", "text/css", "text/rtf", "text/x-vcard",
                                         "text/directory"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (dn_mime_is(type, others[i])) {
            return false;
        }
    }
    return dn_mime_begins(type, "text/") || dn_mime_is(type, "text") ||
           !memchr(type.ptr, '/', type.len);
}

static bool put_opened(dn_mime *mime, const entity *e, const char *usual_type, int depth) {
    dn_span type = dn_mime_value(e->header.type);
    type = type.len ? type : dn_span_of(usual_type);
    if (depth > 0 && is_attachment(&e->header)) {
        return true;
    }
    if (dn_mime_begins(type, "multipart/")) {
        return put_multipart(mime, e, type, depth);
    }
    if (dn_mime_is(type, "message/rfc822")) {
        return !mime->attached || put_entity(mime, e->body, "text/plain", depth + 1);
    }
    if (is_text(type)) {
        put_leaf(mime, e, dn_mime_is(type, "text/html"));
    }
    return true;
}

static bool put_entity(dn_mime *mime, dn_span bytes, const char *usual_type, int depth) {
    entity e;
    if (depth > DN_MIME_DEPTH) {
        return refuse(mime, "deep nesting", "parts nest deeper than 50", bytes.ptr);
    }
    if (++mime->n_parts > DN_MIME_PARTS) {
        return refuse(mime, "too many parts", "there are more than 1,000 parts", bytes.ptr);
    }
    return open_entity(mime, bytes, &e) && put_opened(mime, &e, usual_type, depth);
}

bool dn_mime_read(dn_mime *mime, dn_span message) {
    entity e;
    mime->begin = message.ptr;
    mime->subject.len = mime->text.len = 0;
    mime->n_damaged = mime->n_lost = 0;
    mime->n_parts = 1;
    if (!open_entity(mime, message, &e)) {
        return false;
    }
    mime->n_damaged += e.header.broken;
    if (e.header.subject.ptr) {
        dn_mime_header_text(mime, e.header.subject, &mime->subject);
    }
    return put_opened(mime, &e, "text/plain", 0);
}

void dn_mime_free(dn_mime *mime) {
    dn_text_buffer *const buffers[] = {&mime->subject, &mime->text, &mime->bytes, &mime->decoded};
    for (int i = 0; i < 4; i++) {
        dn_text_free(buffers[i]);
    }
}
