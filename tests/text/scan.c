#include "io/scan.h"
#include "test.h"

static const char *const names[] = {"id", "text", "a"};
enum { ID, TEXT, A };

typedef struct fixture {
    dn_scan scan;
    dn_arena arena;
    dn_scan_value value[3];
    dn_scan_error error;
    bool good;
} fixture;

/* The record is copied to a block of its exact size, so that a sanitizer sees every byte read
 * beyond it. */
static fixture scan_bytes(const char *bytes, size_t size, char **copy) {
    fixture f;
    *copy = malloc(size ? size : 1);
    memcpy(*copy, bytes, size);
    EXPECT(dn_scan_compile(names, 3, &f.scan) == DN_OK);
    dn_arena_init(&f.arena, 4096);
    f.good = dn_scan_record(&f.scan, (dn_span){*copy, size}, &f.arena, f.value, &f.error);
    return f;
}

static void done(fixture *f, char *copy) {
    dn_arena_free(&f->arena);
    free(copy);
}

CASE(scan_gives_typed_views) {
    const char *json = " {\"id\": -42, \"x\": [1, {\"id\": 2}, []], \"text\":\"h\\u00e9 "
                       "\\ud83d\\ude00\\n\\/\", \"a\":null} \n";
    char *copy;
    fixture f = scan_bytes(json, strlen(json), &copy);
    int64_t id = 0;
    EXPECT(f.good);
    EXPECT_INT(f.value[ID].type, DN_SCAN_NUMBER);
    EXPECT_INT(f.value[ID].at, 8);
    EXPECT(dn_scan_i64(&f.value[ID], &id));
    EXPECT_INT(id, -42);
    EXPECT_INT(f.value[TEXT].type, DN_SCAN_STRING);
    EXPECT(dn_span_is(f.value[TEXT].bytes, "h\u00e9 \U0001f600\n/"));
    EXPECT_INT(f.value[A].type, DN_SCAN_NULL);
    done(&f, copy);
}

CASE(scan_lends_strings_without_escapes) {
    const char *json =
        "{\"text\":\"plain \u043f\u0440\u0438\u0432\u0435\u0442, long enough for the quick run\"}";
    char *copy;
    fixture f = scan_bytes(json, strlen(json), &copy);
    EXPECT(f.good && f.value[TEXT].bytes.ptr == copy + 9);
    EXPECT_INT(dn_arena_held_bytes(&f.arena), 0);
    EXPECT_INT(f.value[ID].type, DN_SCAN_ABSENT);
    done(&f, copy);
}

CASE(scan_gives_containers_as_written) {
    const char *json = "{\"a\": {\"b\": [ ] , \"c\":{}} ,\"id\":[[1,2],\"]\"],\"text\":true}";
    char *copy;
    fixture f = scan_bytes(json, strlen(json), &copy);
    EXPECT(f.good);
    EXPECT_INT(f.value[A].type, DN_SCAN_OBJECT);
    EXPECT(dn_span_is(f.value[A].bytes, "{\"b\": [ ] , \"c\":{}}"));
    EXPECT_INT(f.value[ID].type, DN_SCAN_ARRAY);
    EXPECT(dn_span_is(f.value[ID].bytes, "[[1,2],\"]\"]"));
    EXPECT_INT(f.value[TEXT].type, DN_SCAN_TRUE);
    done(&f, copy);
}

CASE(scan_knows_escaped_names) {
    const char *json = "{\"te\\u0078t\":\"x\",\"\\u0000\":1,\"i\\\"d\":2}";
    char *copy;
    fixture f = scan_bytes(json, strlen(json), &copy);
    EXPECT(f.good && dn_span_is(f.value[TEXT].bytes, "x"));
    EXPECT_INT(f.value[ID].type, DN_SCAN_ABSENT);
    done(&f, copy);
}

static const char *const accepted[] = {
    "{}",
    "\t{ }\r\n",
    "{\"n\":[0,-0,1,10,1.5,-1e3,2E+10,3.25e-7]}",
    "{\"\":\"\"}",
    "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uD83D\\uDE00\"}",
    "{\"unwanted\":\"\\u0000\"}",
    "{\"x\":1,\"x\":2}",
    "{\"x\":\"\x7f\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf\"}",
};

CASE(scan_accepts_json) {
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        char *copy;
        fixture f = scan_bytes(accepted[i], strlen(accepted[i]), &copy);
        if (!f.good) {
            fprintf(stderr, "%s: %s at %zu\n", accepted[i], f.error.reason, f.error.at);
        }
        EXPECT(f.good);
        done(&f, copy);
    }
}

static const struct {
    const char *json, *reason;
    size_t at;
} refused[] = {
    {"", "empty record", 0},
    {" \n", "empty record", 2},
    {"\xef\xbb\xbf{}", "byte order mark", 0},
    {"[]", "not an object", 0},
    {"\"a\"", "not an object", 0},
    {"{", "bad JSON", 1},
    {"{]", "bad JSON", 1},
    {"{a:1}", "bad JSON", 1},
    {"{'a':1}", "bad JSON", 1},
    {"{\"a\"}", "bad JSON", 4},
    {"{\"a\" 1}", "bad JSON", 5},
    {"{\"a\":}", "bad JSON", 5},
    {"{\"a\":1,}", "bad JSON", 7},
    {"{,}", "bad JSON", 1},
    {"{\"a\":1 \"b\":2}", "bad JSON", 7},
    {"{\"a\":01}", "bad JSON", 6},
    {"{\"a\":+1}", "bad JSON", 5},
    {"{\"a\":.5}", "bad JSON", 5},
    {"{\"a\":1.}", "bad JSON", 7},
    {"{\"a\":1e}", "bad JSON", 7},
    {"{\"a\":1e+}", "bad JSON", 8},
    {"{\"a\":-}", "bad JSON", 6},
    {"{\"a\":0x1}", "bad JSON", 6},
    {"{\"a\":NaN}", "bad JSON", 5},
    {"{\"a\":tru}", "bad JSON", 5},
    {"{\"a\":True}", "bad JSON", 5},
    {"{\"a\":nullx}", "bad JSON", 9},
    {"{\"a\":[1,]}", "bad JSON", 8},
    {"{\"a\":[1 2]}", "bad JSON", 8},
    {"{\"a\":[1}", "bad JSON", 7},
    {"{\"a\":[}", "bad JSON", 6},
    {"{\"a\":{\"b\":1]}", "bad JSON", 11},
    {"{\"a\":{1:2}}", "bad JSON", 6},
    {"{\"a\":\"x", "bad JSON", 7},
    {"{\"a\":\"x\\\"}", "bad JSON", 10},
    {"{\"a\":\"\\x\"}", "bad JSON", 6},
    {"{\"a\":\"\\u12g4\"}", "bad JSON", 6},
    {"{\"a\":\"\\u12", "bad JSON", 6},
    {"{\"a\":\"\\ud800\"}", "bad JSON", 6},
    {"{\"a\":\"\\ud800\\u0041\"}", "bad JSON", 6},
    {"{\"a\":\"\\udc00\"}", "bad JSON", 6},
    {"{\"zz\":\"\\ud83d\"}", "bad JSON", 7},
    {"{\"a\":\"tab\there\"}", "bad JSON", 9},
    {"{\"a\":\"a line\n\"}", "bad JSON", 12},
    {"{\"a\":\"\x80\"}", "bad UTF-8", 6},
    {"{\"a\":\"\xc0\xaf\"}", "bad UTF-8", 6},
    {"{\"a\":\"ok \xed\xa0\x80\"}", "bad UTF-8", 9},
    {"{\"a\":\"\xf4\x90\x80\x80\"}", "bad UTF-8", 6},
    {"{\"a\":\"\xe2\x82", "bad UTF-8", 6},
    {"{\"a\":\"\xe2\x82\"}", "bad UTF-8", 6},
    {"{\"zz\":\"\xff\"}", "bad UTF-8", 7},
    {"{\"a\":\xc2\xa0 1}", "bad JSON", 5},
    {"{\"a\":\"\\u0000\"}", "NUL", 6},
    {"{\"a\":\"\\n\\u0000\"}", "NUL", 8},
    {"{\"a\":1,\"a\":1}", "duplicate field", 7},
    {"{\"a\":null,\"\\u0061\":1}", "duplicate field", 10},
    {"{} {}", "trailing bytes", 3},
    {"{}x", "trailing bytes", 2},
    {"{}\xef\xbb\xbf", "trailing bytes", 2},
};

CASE(scan_refuses_with_reason_and_place) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char *copy;
        fixture f = scan_bytes(refused[i].json, strlen(refused[i].json), &copy);
        bool right = !f.good && strcmp(f.error.reason, refused[i].reason) == 0 &&
                     f.error.at == refused[i].at;
        if (!right) {
            fprintf(stderr, "%s: %s at %zu\n", refused[i].json,
                    f.good ? "accepted" : f.error.reason, f.good ? 0 : f.error.at);
        }
        EXPECT(right);
        EXPECT(f.good || f.error.detail[0]);
        done(&f, copy);
    }
}

CASE(scan_refuses_zero_bytes) {
    static const char in_string[] = "{\"a\":\"x\0y\"}", between[] = "{\0}", first[] = "\0{}";
    char *copy;
    fixture f = scan_bytes(in_string, sizeof in_string - 1, &copy);
    EXPECT(!f.good && strcmp(f.error.reason, "NUL") == 0);
    EXPECT_INT(f.error.at, 7);
    done(&f, copy);
    f = scan_bytes(between, sizeof between - 1, &copy);
    EXPECT(!f.good && strcmp(f.error.reason, "NUL") == 0);
    done(&f, copy);
    f = scan_bytes(first, sizeof first - 1, &copy);
    EXPECT(!f.good && strcmp(f.error.reason, "NUL") == 0);
    done(&f, copy);
}

CASE(scan_bounds_nesting_without_recursion) {
    enum { HOSTILE = 1 << 20 };
    char *hostile = malloc(HOSTILE + 6);
    memcpy(hostile, "{\"a\":", 5);
    memset(hostile + 5, '[', HOSTILE);
    char *copy;
    fixture f = scan_bytes(hostile, HOSTILE + 5, &copy);
    EXPECT(!f.good && strcmp(f.error.reason, "nested too deep") == 0);
    EXPECT_INT(f.error.at, 5 + DN_SCAN_DEPTH - 1);
    done(&f, copy);
    /* Just deep enough: 63 arrays in the object. */
    int levels = DN_SCAN_DEPTH - 1;
    memset(hostile + 5 + levels, ']', (size_t)levels);
    hostile[5 + 2 * levels] = '}';
    f = scan_bytes(hostile, (size_t)(6 + 2 * levels), &copy);
    EXPECT(f.good);
    done(&f, copy);
    free(hostile);
}

CASE(scan_reads_integers_only) {
    static const struct {
        const char *json;
        bool good;
        int64_t want;
    } table[] = {
        {"{\"id\":0}", true, 0},
        {"{\"id\":-0}", true, 0},
        {"{\"id\":9223372036854775807}", true, INT64_MAX},
        {"{\"id\":-9223372036854775808}", true, INT64_MIN},
        {"{\"id\":9223372036854775808}", false, 0},
        {"{\"id\":100000000000000000000000000000000000}", false, 0},
        {"{\"id\":1.0}", false, 0},
        {"{\"id\":1e3}", false, 0},
        {"{\"id\":\"1\"}", false, 0},
        {"{}", false, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *copy;
        fixture f = scan_bytes(table[i].json, strlen(table[i].json), &copy);
        int64_t got = 0;
        EXPECT(f.good && dn_scan_i64(&f.value[ID], &got) == table[i].good);
        EXPECT_INT(got, table[i].want);
        done(&f, copy);
    }
}

CASE(scan_refuses_impossible_wishes) {
    dn_scan scan;
    static const char *const twice[] = {"a", "b", "a"}, *const nothing[] = {""};
    EXPECT(dn_scan_compile(twice, 3, &scan) == DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "field \"a\" is asked for twice");
    EXPECT(dn_scan_compile(nothing, 1, &scan) == DN_FATAL);
    EXPECT(dn_scan_compile(twice, 0, &scan) == DN_FATAL);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
