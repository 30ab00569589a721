#include "source/csv.h"

#include <inttypes.h>
#include <string.h>

typedef uint8_t v16 __attribute__((vector_size(16)));
typedef uint64_t v2x64 __attribute__((vector_size(16)));

/** How an attempt to parse one record in the window ended. */
typedef enum attempt {
    WHOLE, /**< `next` is the first byte behind it */
    SHORT, /**< the window ends inside it */
    BAD,   /**< `next` is where the grammar was left */
} attempt;

typedef struct cursor {
    const char *next, *end;
    bool last; /**< no bytes follow `end` */
} cursor;

static bool has_special(const char *p) {
    v16 v;
    memcpy(&v, p, sizeof v);
    v2x64 found = (v2x64)((v == ',') | (v == '"') | (v == '\n') | (v == '\r'));
    return (found[0] | found[1]) != 0;
}

static bool is_special(char c) {
    return c == ',' || c == '"' || c == '\n' || c == '\r';
}

/** First of , " CR LF in [p, end), or `end`: 16 bytes at a step on any machine the compiler knows
 * vectors for. */
static const char *find_special(const char *p, const char *end) {
    while (end - p >= 16 && !has_special(p)) {
        p += 16;
    }
    while (p < end && !is_special(*p)) {
        p++;
    }
    return p;
}

static void add_field(dn_csv *csv, const char *begin, const char *end, bool escaped) {
    if (csv->n_fields < DN_CSV_FIELDS_MAX) {
        csv->field[csv->n_fields] = (dn_span){begin, (size_t)(end - begin)};
        csv->escaped[csv->n_fields] = escaped;
    }
    csv->n_fields++;
}

/** From behind the opening quote to behind the closing one. */
static attempt quoted_field(dn_csv *csv, cursor *at) {
    const char *begin = at->next, *p = begin;
    bool escaped = false;
    for (;;) {
        p = memchr(p, '"', (size_t)(at->end - p));
        if (!p || (p + 1 == at->end && !at->last)) {
            return SHORT;
        }
        if (p + 1 < at->end && p[1] == '"') {
            escaped = true;
            p += 2;
            continue;
        }
        add_field(csv, begin, p, escaped);
        at->next = p + 1;
        return WHOLE;
    }
}

/** A CR belongs to the line end only when LF follows. */
static attempt unquoted_field(dn_csv *csv, cursor *at) {
    const char *begin = at->next;
    const char *p = find_special(begin, at->end);
    while (p < at->end && *p == '\r' && !(p + 1 < at->end && p[1] == '\n')) {
        if (p + 1 == at->end && !at->last) {
            return SHORT;
        }
        p = find_special(p + 1, at->end);
    }
    if (p == at->end && !at->last) {
        return SHORT;
    }
    at->next = p;
    if (p < at->end && *p == '"') {
        csv->why = "a quote inside an unquoted field";
        return BAD;
    }
    add_field(csv, begin, p, false);
    return WHOLE;
}

/** What follows a field: a comma (`*more`), a line end or the end of the file. */
static attempt after_field(dn_csv *csv, cursor *at, bool *more) {
    const char *p = at->next;
    *more = false;
    if (p == at->end) {
        return at->last ? WHOLE : SHORT;
    }
    if (*p == '\r' && p + 1 == at->end && !at->last) {
        return SHORT;
    }
    if (*p == ',' || *p == '\n') {
        *more = *p == ',';
        at->next = p + 1;
        return WHOLE;
    }
    if (*p == '\r' && p + 1 < at->end && p[1] == '\n') {
        at->next = p + 2;
        return WHOLE;
    }
    csv->why = "bytes behind a closing quote";
    return BAD;
}

static attempt try_record(dn_csv *csv, cursor *at) {
    bool more = true;
    csv->n_fields = 0;
    while (more) {
        bool quoted = at->next < at->end && *at->next == '"';
        attempt got;
        if (quoted) {
            at->next++;
            got = quoted_field(csv, at);
        } else {
            got = unquoted_field(csv, at);
        }
        if (got == WHOLE) {
            got = after_field(csv, at, &more);
        }
        if (got != WHOLE) {
            return got;
        }
    }
    return WHOLE;
}

/** Without its line end. */
static dn_span trimmed(const char *begin, const char *next) {
    if (next > begin && next[-1] == '\n') {
        next--;
        next -= next > begin && next[-1] == '\r';
    }
    return (dn_span){begin, (size_t)(next - begin)};
}

/** Where a record stands that is being passed over without being held. */
typedef enum place { AT_START, IN_FIELD, IN_QUOTES, AFTER_QUOTE, IN_BAD } place;

static place step(place at, char c) {
    bool closes = c == ',' || c == '"' || c == '\r';
    if (at == IN_BAD || (at == IN_FIELD && c == '"') || (at == AFTER_QUOTE && !closes)) {
        return IN_BAD;
    }
    if (c == '"') {
        return IN_QUOTES;
    }
    return c == ',' ? AT_START : IN_FIELD;
}

/** First byte behind the record's line end, or `end`. */
static const char *skip_some(place *at, const char *p, const char *end, bool *done) {
    for (*done = false; p < end; p++) {
        if (*at == IN_QUOTES) {
            p = memchr(p, '"', (size_t)(end - p));
            if (!p) {
                return end;
            }
            *at = AFTER_QUOTE;
        } else if (*p == '\n') {
            *done = true;
            return p + 1;
        } else {
            *at = step(*at, *p);
        }
    }
    return end;
}

static dn_status cut(const dn_csv *csv, const char *what) {
    const dn_feed *feed = csv->feed;
    if (feed->broken) {
        dn_failure_set(&feed->failure);
        return DN_FATAL;
    }
    return DN_FAIL(DATA,
                   "%s: the corpus is cut: it ends at byte %" PRIu64
                   " inside the record that begins at byte %" PRIu64 " (%s)",
                   feed->path, feed->base + feed->end, csv->position, what);
}

/** Passes over an oversize record in bounded memory. */
static dn_status oversize(dn_csv *csv, dn_csv_state *state) {
    dn_feed *feed = csv->feed;
    place at = AT_START;
    bool done = false;
    csv->size_bytes = 0;
    memcpy(csv->kept, feed->data + feed->begin, DN_CSV_KEPT);
    csv->raw = (dn_span){csv->kept, DN_CSV_KEPT};
    for (;;) {
        const char *begin = feed->data + feed->begin;
        const char *next = skip_some(&at, begin, feed->data + feed->end, &done);
        csv->size_bytes += (uint64_t)(next - begin);
        feed->begin += (size_t)(next - begin);
        if (done) {
            break;
        }
        if (feed->ended) {
            if (at == IN_QUOTES || feed->broken) {
                return cut(csv, "a quoted field is not closed");
            }
            break;
        }
        dn_feed_more(feed);
    }
    csv->n_fields = 0;
    *state = DN_CSV_OVERSIZE;
    return DN_OK;
}

/** To behind the end of the line on which the grammar was left. */
static attempt to_line_end(dn_csv *csv, cursor *at) {
    const char *p = memchr(at->next, '\n', (size_t)(at->end - at->next));
    if (!p && !at->last) {
        return SHORT;
    }
    at->next = p ? p + 1 : at->end;
    csv->n_fields = 0;
    return BAD;
}

static attempt attempt_record(dn_csv *csv, cursor *at) {
    if (at->next == at->end) {
        return SHORT;
    }
    attempt got = try_record(csv, at);
    return got == BAD ? to_line_end(csv, at) : got;
}

/** A last record without a line end is whole when it has all its fields and the data before the end
 * is sound. */
static bool is_cut(const dn_csv *csv, const cursor *at) {
    const dn_feed *feed = csv->feed;
    bool open_end = at->next == at->end && at->last && at->end[-1] != '\n';
    return open_end && (feed->broken || csv->n_fields < csv->n_expected);
}

static bool is_blank(const dn_csv *csv) {
    return csv->raw.len == 0 && csv->n_expected != 1;
}

dn_status dn_csv_next(dn_csv *csv, dn_csv_state *state) {
    dn_feed *feed = csv->feed;
    for (;;) {
        const char *begin = feed->data + feed->begin;
        cursor at = {begin, feed->data + feed->end, feed->ended};
        csv->position = dn_feed_position(feed, begin);
        attempt got = attempt_record(csv, &at);
        size_t size = (size_t)((got == SHORT ? at.end : at.next) - begin);
        if (size > DN_RECORD_MAX) {
            return oversize(csv, state);
        }
        if (got == SHORT && !feed->ended) {
            dn_feed_more(feed);
            continue;
        }
        if (got == SHORT && size == 0 && !feed->broken) {
            *state = DN_CSV_END;
            return DN_OK;
        }
        if (got == SHORT) {
            return cut(csv, "a quoted field is not closed");
        }
        if (is_cut(csv, &at)) {
            return cut(csv, "fields are missing");
        }
        feed->begin += size;
        csv->raw = trimmed(begin, at.next);
        *state = got == BAD ? DN_CSV_BAD : DN_CSV_RECORD;
        if (got == BAD || !is_blank(csv)) {
            return DN_OK;
        }
    }
}

dn_span dn_csv_value(dn_csv *csv, int field) {
    dn_span value = csv->field[field];
    if (!csv->escaped[field]) {
        return value;
    }
    char *to = csv->feed->data + (value.ptr - csv->feed->data);
    const char *from = value.ptr, *end = from + value.len;
    while (from < end) {
        const char *quote = memchr(from, '"', (size_t)(end - from));
        size_t n = (size_t)((quote ? quote + 1 : end) - from);
        memmove(to, from, n);
        to += n;
        from += n + (quote != NULL);
    }
    csv->escaped[field] = false;
    csv->field[field].len = (size_t)(to - value.ptr);
    return csv->field[field];
}
