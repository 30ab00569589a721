#include "io/scan.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>

static const uint64_t ONES = 0x0101010101010101u;
static const uint64_t HIGHS = 0x8080808080808080u;

enum { NAME_BYTES = 64 };

/* The reader of one record. Nesting is a bit per level (1: object), so that hostile depth costs no
 * stack. */
typedef struct reader {
    const char *begin, *at, *end;
    dn_arena *arena;
    dn_scan_error *error;
    uint64_t is_object;
    int depth;
} reader;

/* Where a string lies, and whether it must be unescaped. */
typedef struct raw_string {
    const char *begin, *end; /* without the quotes */
    bool escaped;
} raw_string;

static bool refuse(reader *r, const char *at, const char *reason, const char *detail) {
    *r->error = (dn_scan_error){reason, detail, (size_t)(at - r->begin)};
    return false;
}

static bool malformed(reader *r, const char *detail) {
    if (r->at < r->end && *r->at == '\0') {
        return refuse(r, r->at, "NUL", "a zero byte");
    }
    return refuse(r, r->at, "bad JSON", detail);
}

static uint64_t name_head(dn_span name) {
    uint64_t head = 0;
    memcpy(&head, name.ptr, name.len < 8 ? name.len : 8);
    return head;
}

dn_status dn_scan_compile(const char *const *names, int n, dn_scan *scan) {
    if (n < 1 || n > DN_SCAN_FIELDS) {
        return DN_FAIL(CONFIG, "%d fields are asked for; 1 to %d can be", n, DN_SCAN_FIELDS);
    }
    *scan = (dn_scan){.n = n};
    for (int i = 0; i < n; i++) {
        dn_span name = dn_span_of(names[i]);
        if (name.len == 0 || name.len >= NAME_BYTES) {
            return DN_FAIL(CONFIG, "field name \"%s\" must have 1 to %d bytes", names[i],
                           NAME_BYTES - 1);
        }
        for (int k = 0; k < i; k++) {
            if (dn_span_equal(name, scan->name[k])) {
                return DN_FAIL(CONFIG, "field \"%s\" is asked for twice", names[i]);
            }
        }
        scan->name[i] = name;
        scan->head[i] = name_head(name);
        scan->next[i] = scan->bucket[name.len];
        scan->bucket[name.len] = (uint8_t)(i + 1);
    }
    return DN_OK;
}

/* Index of a wanted name, -1 for any other. */
static int find_name(const dn_scan *scan, dn_span name) {
    if (name.len >= NAME_BYTES || !scan->bucket[name.len]) {
        return -1;
    }
    uint64_t head = name_head(name);
    for (int i = scan->bucket[name.len]; i; i = scan->next[i - 1]) {
        if (scan->head[i - 1] == head && dn_span_equal(scan->name[i - 1], name)) {
            return i - 1;
        }
    }
    return -1;
}

static inline void skip_space(reader *r) {
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')) {
        r->at++;
    }
}

/* Bytes that end the quick run through a string: quote, backslash, controls and everything beyond
 * ASCII. A borrow can only mark bytes above a true hit, and the lowest hit is the one taken. */
static inline uint64_t special_bytes(uint64_t word) {
    uint64_t quote = word ^ (ONES * '"'), slash = word ^ (ONES * '\\');
    return ((quote - ONES) | (slash - ONES) | (word - ONES * 0x20) | word) & HIGHS;
}

static inline const char *plain_end(const char *at, const char *end) {
    uint64_t word;
    while (end - at >= 8) {
        memcpy(&word, at, 8);
        uint64_t hits = special_bytes(word);
        if (hits) {
            return at + (__builtin_ctzll(hits) >> 3);
        }
        at += 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
           *at != '\\') {
        at++;
    }
    return at;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The four digits behind \u; -1 when they are not there. */
static int32_t hex_quad(const char *at, const char *end) {
    if (end - at < 4) {
        return -1;
    }
    int32_t code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0) {
            return -1;
        }
        code = code << 4 | digit;
    }
    return code;
}

/* Reads the \u escape at `at` (on the backslash), a pair of them for what lies beyond U+FFFF; NULL
 * when refused. */
static const char *read_unicode(reader *r, const char *at, uint32_t *code) {
    int32_t first = hex_quad(at + 2, r->end);
    if (first < 0) {
        refuse(r, at, "bad JSON", "four hex digits must follow \\u");
        return NULL;
    }
    *code = (uint32_t)first;
    if (first < 0xd800 || first >= 0xe000) {
        return at + 6;
    }
    int32_t second = -1;
    if (first < 0xdc00 && r->end - at >= 12 && at[6] == '\\' && at[7] == 'u') {
        second = hex_quad(at + 8, r->end);
    }
    if (second < 0xdc00 || second >= 0xe000) {
        refuse(r, at, "bad JSON", "a surrogate stands alone");
        return NULL;
    }
    *code = 0x10000u + (((uint32_t)first - 0xd800u) << 10) + ((uint32_t)second - 0xdc00u);
    return at + 12;
}

/* What a backslash and this character mean; 0 when nothing. */
static const char simple_escape[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

static const char *skip_escape(reader *r, const char *at) {
    if (r->end - at >= 2 && simple_escape[(unsigned char)at[1]]) {
        return at + 2;
    }
    if (r->end - at >= 2 && at[1] == 'u') {
        uint32_t code;
        return read_unicode(r, at, &code);
    }
    refuse(r, at, "bad JSON", "an unknown escape");
    return NULL;
}

static bool bad_string_byte(reader *r) {
    unsigned char c = (unsigned char)*r->at;
    if (c >= 0x80) {
        return refuse(r, r->at, "bad UTF-8", "not a valid UTF-8 sequence");
    }
    return malformed(r, "a control character in a string");
}

/* Checks the string that begins at the quote under r->at and steps behind it. */
static bool read_string(reader *r, raw_string *out) {
    r->at++;
    out->begin = r->at;
    out->escaped = false;
    for (;;) {
        r->at = plain_end(r->at, r->end);
        if (r->at == r->end) {
            return malformed(r, "the string has no end");
        }
        if (*r->at == '"') {
            out->end = r->at++;
            return true;
        }
        if (*r->at == '\\') {
            const char *behind = skip_escape(r, r->at);
            if (!behind) {
                return false;
            }
            out->escaped = true;
            r->at = behind;
            continue;
        }
        int length = 0;
        while (r->at < r->end && (unsigned char)*r->at >= 0x80 &&
               (length = dn_utf8_length(r->at, r->end)) > 0) {
            r->at += length;
        }
        if (length == 0) {
            return bad_string_byte(r);
        }
    }
}

/* Unescapes a string that read_string has checked. `out` holds as many bytes as the raw string;
 * false on U+0000. */
static bool unescape(reader *r, const raw_string *raw, char *out, size_t *out_size) {
    char *to = out;
    for (const char *at = raw->begin; at < raw->end;) {
        const char *slash = memchr(at, '\\', (size_t)(raw->end - at));
        const char *stop = slash ? slash : raw->end;
        memcpy(to, at, (size_t)(stop - at));
        to += stop - at;
        at = stop;
        if (!slash) {
            break;
        }
        if (at[1] != 'u') {
            *to++ = simple_escape[(unsigned char)at[1]];
            at += 2;
            continue;
        }
        uint32_t code = 0;
        const char *behind = read_unicode(r, at, &code);
        if (code == 0) {
            return refuse(r, at, "NUL", "U+0000 in a string");
        }
        to += dn_utf8_encode(code, to);
        at = behind;
    }
    *out_size = (size_t)(to - out);
    return true;
}

static bool wanted_string(reader *r, const raw_string *raw, dn_span *out) {
    size_t size = (size_t)(raw->end - raw->begin);
    if (!raw->escaped) {
        *out = (dn_span){raw->begin, size};
        return true;
    }
    char *copy = dn_arena_take(r->arena, size);
    if (!unescape(r, raw, copy, &size)) {
        return false;
    }
    *out = (dn_span){copy, size};
    return true;
}

static bool read_digits(reader *r) {
    const char *first = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        r->at++;
    }
    return r->at > first;
}

static bool next_is(const reader *r, char c) {
    return r->at < r->end && *r->at == c;
}

static bool read_number(reader *r) {
    r->at += next_is(r, '-');
    if (next_is(r, '0')) {
        r->at++;
    } else if (!read_digits(r)) {
        return malformed(r, "expected a value");
    }
    if (next_is(r, '.')) {
        r->at++;
        if (!read_digits(r)) {
            return malformed(r, "expected a digit behind the point");
        }
    }
    if (next_is(r, 'e') || next_is(r, 'E')) {
        r->at++;
        r->at += next_is(r, '+') || next_is(r, '-');
        if (!read_digits(r)) {
            return malformed(r, "expected a digit in the exponent");
        }
    }
    return true;
}

static bool read_word(reader *r, dn_span word) {
    if ((size_t)(r->end - r->at) < word.len || memcmp(r->at, word.ptr, word.len) != 0) {
        return malformed(r, "expected a value");
    }
    r->at += word.len;
    return true;
}

/* A value that is not a container. `value` may be NULL: then it is only checked. */
static bool read_scalar(reader *r, dn_scan_value *value) {
    const char *first = r->at;
    dn_scan_type type;
    dn_span bytes = {NULL, 0};
    bool good;
    raw_string raw;
    switch (r->at < r->end ? *r->at : '\0') {
    case '"':
        type = DN_SCAN_STRING;
        good = read_string(r, &raw) && (!value || wanted_string(r, &raw, &bytes));
        break;
    case 't':
        type = DN_SCAN_TRUE;
        good = read_word(r, DN_SPAN("true"));
        break;
    case 'f':
        type = DN_SCAN_FALSE;
        good = read_word(r, DN_SPAN("false"));
        break;
    case 'n':
        type = DN_SCAN_NULL;
        good = read_word(r, DN_SPAN("null"));
        break;
    default:
        type = DN_SCAN_NUMBER;
        good = read_number(r);
        bytes = (dn_span){first, (size_t)(r->at - first)};
    }
    if (good && value) {
        *value = (dn_scan_value){type, bytes, (size_t)(first - r->begin)};
    }
    return good;
}

static bool push(reader *r) {
    if (r->depth == DN_SCAN_DEPTH) {
        return refuse(r, r->at, "nested too deep", "more than 64 levels");
    }
    r->is_object = r->is_object << 1 | (*r->at == '{');
    r->depth++;
    r->at++;
    return true;
}

static bool in_object(const reader *r) {
    return r->is_object & 1;
}

/* A key and its colon. */
static bool read_key(reader *r, raw_string *key) {
    if (!next_is(r, '"')) {
        return malformed(r, "expected a field name in quotes");
    }
    if (!read_string(r, key)) {
        return false;
    }
    skip_space(r);
    if (!next_is(r, ':')) {
        return malformed(r, "expected ':' behind the field name");
    }
    r->at++;
    skip_space(r);
    return true;
}

static bool skip_key(reader *r) {
    raw_string key;
    return !in_object(r) || read_key(r, &key);
}

/* Behind a value: closes containers down to `floor`, or steps over one comma (and the key behind
 * it). `*open` tells whether another value follows. */
static bool close_or_continue(reader *r, int floor, bool *open) {
    for (;;) {
        if (r->depth == floor) {
            *open = false;
            return true;
        }
        skip_space(r);
        if (next_is(r, in_object(r) ? '}' : ']')) {
            r->at++;
            r->is_object >>= 1;
            r->depth--;
            continue;
        }
        if (!next_is(r, ',')) {
            return malformed(r, in_object(r) ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        r->at++;
        skip_space(r);
        *open = true;
        return skip_key(r);
    }
}

/* Checks an object or array, whatever is in it. */
static bool skip_container(reader *r) {
    int floor = r->depth;
    bool open = true;
    while (open) {
        bool is_container = next_is(r, '{') || next_is(r, '[');
        if (!is_container) {
            if (!read_scalar(r, NULL)) {
                return false;
            }
        } else {
            if (!push(r)) {
                return false;
            }
            skip_space(r);
            if (!next_is(r, in_object(r) ? '}' : ']')) {
                if (!skip_key(r)) {
                    return false;
                }
                continue;
            }
        }
        if (!close_or_continue(r, floor, &open)) {
            return false;
        }
    }
    return true;
}

static bool read_value(reader *r, dn_scan_value *value) {
    bool is_object = next_is(r, '{');
    if (!is_object && !next_is(r, '[')) {
        return read_scalar(r, value);
    }
    const char *first = r->at;
    if (!skip_container(r)) {
        return false;
    }
    if (value) {
        *value = (dn_scan_value){is_object ? DN_SCAN_OBJECT : DN_SCAN_ARRAY,
                                 {first, (size_t)(r->at - first)},
                                 (size_t)(first - r->begin)};
    }
    return true;
}

/* Index of the wanted field that a key names, -1 for none. */
static int resolve_key(reader *r, const dn_scan *scan, const raw_string *key) {
    size_t size = (size_t)(key->end - key->begin);
    if (!key->escaped) {
        return find_name(scan, (dn_span){key->begin, size});
    }
    /* Six bytes of escape make at least one of name: a longer key cannot be wanted. Nor can one
     * with U+0000, and that is no fault in a key. */
    char name[6 * NAME_BYTES];
    bool fits = size <= sizeof name && unescape(r, key, name, &size);
    return fits ? find_name(scan, (dn_span){name, size}) : -1;
}

static bool read_member(reader *r, const dn_scan *scan, dn_scan_value *values) {
    const char *first = r->at;
    raw_string key = {0};
    if (!read_key(r, &key)) {
        return false;
    }
    int field = resolve_key(r, scan, &key);
    if (field >= 0 && values[field].type != DN_SCAN_ABSENT) {
        return refuse(r, first, "duplicate field", "a wanted field stands there twice");
    }
    return read_value(r, field >= 0 ? &values[field] : NULL);
}

static bool read_object(reader *r, const dn_scan *scan, dn_scan_value *values) {
    push(r);
    skip_space(r);
    if (next_is(r, '}')) {
        r->at++;
        return true;
    }
    for (;;) {
        if (!read_member(r, scan, values)) {
            return false;
        }
        skip_space(r);
        if (next_is(r, '}')) {
            r->at++;
            return true;
        }
        if (!next_is(r, ',')) {
            return malformed(r, "expected ',' or '}'");
        }
        r->at++;
        skip_space(r);
    }
}

bool dn_scan_record(const dn_scan *scan, dn_span record, dn_arena *arena, dn_scan_value *values,
                    dn_scan_error *error) {
    reader r = {record.ptr, record.ptr, record.ptr + record.len, arena, error, 0, 0};
    memset(values, 0, (size_t)scan->n * sizeof *values);
    if (record.len >= 3 && memcmp(record.ptr, "\xef\xbb\xbf", 3) == 0) {
        return refuse(&r, r.at, "byte order mark", "a record begins with '{'");
    }
    skip_space(&r);
    if (r.at == r.end) {
        return refuse(&r, r.at, "empty record", "there is nothing but white space");
    }
    if (*r.at != '{') {
        return *r.at == '\0' ? malformed(&r, "")
                             : refuse(&r, r.at, "not an object", "expected '{'");
    }
    if (!read_object(&r, scan, values)) {
        return false;
    }
    skip_space(&r);
    return r.at == r.end || refuse(&r, r.at, "trailing bytes", "expected the end of the record");
}

bool dn_scan_i64(const dn_scan_value *value, int64_t *out) {
    char digits[24];
    if (value->type != DN_SCAN_NUMBER || value->bytes.len >= sizeof digits) {
        return false;
    }
    memcpy(digits, value->bytes.ptr, value->bytes.len);
    digits[value->bytes.len] = '\0';
    char *end;
    errno = 0;
    long long number = strtoll(digits, &end, 10);
    if (*end != '\0' || errno) {
        return false;
    }
    *out = number;
    return true;
}
