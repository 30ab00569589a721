#include "text/mime_header.h"

#include <ctype.h>
#include <strings.h>

enum { SUBJECT, TYPE, ENCODING, DISPOSITION, KEPT };

/* The fields that are read, then others that tell a message from any text with a colon. */
static const char *const names[] = {"Subject",
                                    "Content-Type",
                                    "Content-Transfer-Encoding",
                                    "Content-Disposition",
                                    "From",
                                    "To",
                                    "Date",
                                    "Received",
                                    "Return-Path",
                                    "Message-ID",
                                    "MIME-Version",
                                    "Delivered-To",
                                    "Reply-To",
                                    "Newsgroups"};
enum { NAMES = sizeof names / sizeof *names };

bool dn_mime_begins(dn_span value, const char *word) {
    size_t n = strlen(word);
    return value.len >= n && (n == 0 || strncasecmp(value.ptr, word, n) == 0);
}

bool dn_mime_is(dn_span value, const char *word) {
    return value.len == strlen(word) && dn_mime_begins(value, word);
}

static dn_span trim(dn_span s) {
    while (s.len && isspace((unsigned char)s.ptr[0])) {
        s = (dn_span){s.ptr + 1, s.len - 1};
    }
    while (s.len && isspace((unsigned char)s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

static const char *line_end(const char *at, const char *end) {
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    return lf ? lf : end;
}

/* Bytes of a field's name, 0 when the line is no field. */
static size_t name_length(const char *at, const char *end) {
    const char *p = at;
    while (p<end && * p> ' ' && *p < 0x7f && *p != ':') {
        p++;
    }
    size_t n = (size_t)(p - at);
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++; /* old mail has blanks before the colon */
    }
    return p < end && *p == ':' ? n : 0;
}

static void take(dn_mime_header *header, dn_span name, dn_span value) {
    dn_span *kept[KEPT] = {&header->subject, &header->type, &header->encoding,
                           &header->disposition};
    header->n_fields++;
    for (int i = 0; i < NAMES; i++) {
        if (dn_mime_is(name, names[i])) {
            header->n_known++;
            if (i < KEPT && !kept[i]->ptr) {
                *kept[i] = value;
            }
        }
    }
}

/* The end of the field that begins at `at`: before the line end that no folded line follows. */
static const char *field_end(const char *at, const char *end) {
    const char *stop = line_end(at, end);
    while (stop + 1 < end && (stop[1] == ' ' || stop[1] == '\t')) {
        const char *next = line_end(stop + 1, end);
        dn_span folded = trim((dn_span){stop + 1, (size_t)(next - stop) - 1});
        if (!folded.len) {
            break; /* a line of blanks ends the header for those who write it so */
        }
        stop = next;
    }
    return stop;
}

void dn_mime_header_read(dn_span entity, dn_mime_header *header) {
    *header = (dn_mime_header){.broken = false};
    const char *at = entity.ptr, *end = entity.ptr + entity.len;
    if (entity.len > 5 && memcmp(at, "From ", 5) == 0) {
        at = line_end(at, end);
        at += at < end;
    }
    while (at < end) {
        const char *stop = line_end(at, end);
        dn_span line = trim((dn_span){at, (size_t)(stop - at)});
        size_t n = name_length(at, stop);
        if (!line.len || !n) {
            header->broken = line.len != 0;
            at = line.len ? at : stop + (stop < end);
            break;
        }
        stop = field_end(at, end);
        const char *colon = memchr(at + n, ':', (size_t)(stop - at) - n);
        take(header, (dn_span){at, n}, trim((dn_span){colon + 1, (size_t)(stop - colon) - 1}));
        at = stop + (stop < end);
    }
    header->body = at;
}

dn_span dn_mime_value(dn_span value) {
    const char *semicolon = value.len ? memchr(value.ptr, ';', value.len) : NULL;
    value.len = semicolon ? (size_t)(semicolon - value.ptr) : value.len;
    return trim(value);
}

/* The end of a parameter that begins at `at`: the ';' outside quotes, or `end`. */
static const char *parameter_end(const char *at, const char *end) {
    bool quoted = false;
    for (; at < end && (quoted || *at != ';'); at++) {
        quoted = quoted != (*at == '"');
    }
    return at;
}

dn_span dn_mime_parameter(dn_span value, const char *name) {
    dn_span none = {"", 0};
    if (!value.len) {
        return none;
    }
    const char *end = value.ptr + value.len;
    const char *at = parameter_end(value.ptr, end);
    while (at < end) {
        const char *stop = parameter_end(at + 1, end);
        dn_span whole = {at + 1, (size_t)(stop - at) - 1};
        const char *equal = whole.len ? memchr(whole.ptr, '=', whole.len) : NULL;
        if (equal && dn_mime_is(trim((dn_span){whole.ptr, (size_t)(equal - whole.ptr)}), name)) {
            dn_span found = trim((dn_span){equal + 1, (size_t)(stop - equal) - 1});
            if (found.len >= 2 && found.ptr[0] == '"') {
                const char *close = memchr(found.ptr + 1, '"', found.len - 1);
                size_t n = close ? (size_t)(close - found.ptr) - 1 : found.len - 1;
                return (dn_span){found.ptr + 1, n};
            }
            return found;
        }
        at = stop;
    }
    return none;
}
