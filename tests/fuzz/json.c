/* The record extractor against jansson: whatever is done to a document, both accept it or both
 * refuse it, and they read the same values. Every document lies in a block of its exact size, so
 * that a sanitizer sees a read beyond it. */
#include "io/scan.h"
#include "test.h"

#include <jansson.h>

enum { ROUNDS = 200000, MAX_SIZE = 512, FIELDS = 4 };

static const char *const names[FIELDS] = {"id", "text", "lang", "a"};

static const char *const seeds[] = {
    "{\"id\": 12, \"created_at\": \"2017-08-15T00:01:00Z\", \"user\": \"ann\", \"text\": \"some "
    "words, and \\\"more\\\"\", \"lang\": \"English\"}",
    "{\"text\":\"\\u0434\\u0430 \\ud83d\\ude00 \u043f\u0440\u0438\u0432\u0435\u0442 "
    "\U0001f602\\n\",\"a\":[1,-2.5e3,{\"text\":null}],\"id\":9007199254740993}",
    "{\"a\":{\"b\":{\"c\":[[],{},[{}]]}},\"lang\":null,\"text\":true,\"id\":false}",
    "{}",
    " { \"\" : \"\" , \"te\\u0078t\" : \"\\/\\b\\f\\r\\t\" } ",
    "{\"user\":\"a long plain text without any escape in it, so that the quick run is "
    "used\",\"lang\":\"\u4f60\u597d\"}",
};

static const char *const pieces[] = {
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\u",
    "\\ud83d",
    "\\udc00",
    "\\u0000",
    "\\u0041",
    "null",
    "true",
    "0",
    "-",
    "1e5",
    ".",
    " ",
    "\n",
    "\t",
    "\"text\":",
    "\"id\":1,",
    "\xc3\xa9",
    "\xf0\x9f\x98\x80",
    "\xed\xa0\x80",
    "\xff",
    "\xc0\x80",
    "\x01",
    "\x7f",
    "\xef\xbb\xbf",
    "[[[[[[[[",
    "]]]]]]]]",
};

static size_t below(size_t n) {
    return (size_t)(dn_random() % n);
}

static size_t splice(char *doc, size_t size, size_t at, size_t removed, const char *with,
                     size_t with_size) {
    if (size - removed + with_size > MAX_SIZE) {
        return size;
    }
    memmove(doc + at + with_size, doc + at + removed, size - at - removed);
    memcpy(doc + at, with, with_size);
    return size - removed + with_size;
}

static size_t mutate(char *doc, size_t size) {
    size_t at = below(size + 1), left = size - at;
    char byte = (char)dn_random();
    const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
    switch (below(6)) {
    case 0:
        return left ? splice(doc, size, at, 1, &byte, 1) : size;
    case 1:
        return splice(doc, size, at, 0, piece, strlen(piece));
    case 2:
        return splice(doc, size, at, below(left + 1) % 8, "", 0);
    case 3:
        return left ? splice(doc, size, at, 1, piece, strlen(piece)) : size;
    case 4: {
        char copy[MAX_SIZE];
        size_t n = below(left + 1);
        memcpy(copy, doc + at, n);
        return splice(doc, size, below(size + 1), 0, copy, n);
    }
    default:
        return at;
    }
}

static bool is_reason(const dn_scan_error *error, const char *reason) {
    return strcmp(error->reason, reason) == 0;
}

static dn_scan_type type_of(const json_t *value) {
    static const dn_scan_type types[] = {
        [JSON_OBJECT] = DN_SCAN_OBJECT, [JSON_ARRAY] = DN_SCAN_ARRAY,
        [JSON_STRING] = DN_SCAN_STRING, [JSON_INTEGER] = DN_SCAN_NUMBER,
        [JSON_REAL] = DN_SCAN_NUMBER,   [JSON_TRUE] = DN_SCAN_TRUE,
        [JSON_FALSE] = DN_SCAN_FALSE,   [JSON_NULL] = DN_SCAN_NULL};
    return value ? types[json_typeof(value)] : DN_SCAN_ABSENT;
}

static bool same_value(const dn_scan_value *got, const json_t *want) {
    int64_t number;
    if (got->type != type_of(want)) {
        return false;
    }
    if (got->type == DN_SCAN_STRING) {
        return dn_span_equal(got->bytes,
                             (dn_span){json_string_value(want), json_string_length(want)});
    }
    if (got->type == DN_SCAN_NUMBER) {
        return dn_scan_i64(got, &number)
                   ? json_is_integer(want) && json_integer_value(want) == number
                   : json_is_real(want);
    }
    return true;
}

/* Refusals of ours that jansson does not share, by design. */
static bool stricter(const dn_scan_error *error) {
    return is_reason(error, "nested too deep") || is_reason(error, "duplicate field") ||
           is_reason(error, "NUL") || is_reason(error, "not an object");
}

/* Refusals of jansson's that are no fault of the document. */
static bool limited(const json_error_t *error) {
    return json_error_code(error) == json_error_numeric_overflow ||
           json_error_code(error) == json_error_null_byte_in_key;
}

static bool agree(const dn_scan *scan, dn_arena *arena, const char *doc, size_t size) {
    dn_scan_value value[FIELDS];
    dn_scan_error error = {0};
    json_error_t why;
    json_t *want = json_loadb(doc, size, JSON_ALLOW_NUL, &why);
    dn_arena_reset(arena);
    bool good = dn_scan_record(scan, (dn_span){doc, size}, arena, value, &error),
         same = good == (want != NULL);
    if (good && want) {
        for (int i = 0; i < FIELDS; i++) {
            same = same && same_value(&value[i], json_object_get(want, names[i]));
        }
    } else if (!good) {
        same = (!want || stricter(&error)) && error.at <= size && error.reason[0] && error.detail;
    } else {
        same = limited(&why);
    }
    json_decref(want);
    return same;
}

static void check(const dn_scan *scan, dn_arena *arena, const char *doc, size_t size) {
    char *exact = malloc(size ? size : 1);
    memcpy(exact, doc, size);
    if (!agree(scan, arena, exact, size)) {
        fprintf(stderr, "differs: %.*s\n", (int)size, doc);
        EXPECT(!"what jansson says");
    }
    free(exact);
}

CASE(fuzz_json_mutated) {
    dn_scan scan;
    dn_arena arena;
    char doc[2 * MAX_SIZE];
    REQUIRE(dn_scan_compile(names, FIELDS, &scan) == DN_OK);
    dn_arena_init(&arena, 4096);
    for (int round = 0; round < ROUNDS; round++) {
        const char *seed = seeds[below(sizeof seeds / sizeof *seeds)];
        size_t size = strlen(seed);
        memcpy(doc, seed, size);
        for (size_t n = below(4); n; n--) {
            size = mutate(doc, size);
        }
        check(&scan, &arena, doc, size);
    }
    dn_arena_free(&arena);
}

/* Documents that grow from the grammar's own pieces get deeper than mutation does. */
CASE(fuzz_json_of_pieces) {
    dn_scan scan;
    dn_arena arena;
    char doc[2 * MAX_SIZE];
    REQUIRE(dn_scan_compile(names, FIELDS, &scan) == DN_OK);
    dn_arena_init(&arena, 4096);
    for (int round = 0; round < ROUNDS; round++) {
        size_t size = 0;
        for (size_t n = 1 + below(12); n; n--) {
            const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
            size = splice(doc, size, below(size + 1), 0, piece, strlen(piece));
        }
        check(&scan, &arena, doc, size);
    }
    dn_arena_free(&arena);
}

CASE(fuzz_json_every_prefix) {
    dn_scan scan;
    dn_arena arena;
    REQUIRE(dn_scan_compile(names, FIELDS, &scan) == DN_OK);
    dn_arena_init(&arena, 4096);
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        for (size_t size = 0; size <= strlen(seeds[i]); size++) {
            check(&scan, &arena, seeds[i], size);
        }
    }
    dn_arena_free(&arena);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
