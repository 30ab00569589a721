/* The reader of configurations: what it refuses and where it says the fault is. */
#include "io/json.h"

#include "files.h"
#include "io/sha256.h"

static dn_json *parse(const char *text) {
    dn_json *doc = NULL;
    EXPECT_INT(dn_json_parse(dn_span_of(text), "x.json", DN_E_CONFIG, &doc), DN_OK);
    return doc;
}

CASE(what_is_not_json_is_refused_with_line_and_column) {
    static const struct {
        const char *text, *says;
    } table[] = {
        {"", "x.json:1:0: not valid JSON"},
        {"{\"a\": 1,\n \"b\" 2}", "x.json:2:6: not valid JSON"},
        {"{\"a\": 1}\nx", "x.json:2:1: not valid JSON"},
        {"{\"a\": 1, \"a\": 2}", "duplicate object key"},
        {"[1e999]", "real number overflow"},
        {"[\"\\ud800\"]", "not valid JSON"},
        {"[01]", "not valid JSON"},
        {"[NaN]", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        dn_json *doc = NULL;
        EXPECT_INT(dn_json_parse(dn_span_of(table[i].text), "x.json", DN_E_CONFIG, &doc), DN_FATAL);
        EXPECT_INT(dn_failure_last()->error, DN_E_CONFIG);
        if (!strstr(dn_failure_last()->text, table[i].says)) {
            fprintf(stderr, "got    %s\nwanted %s\n", dn_failure_last()->text, table[i].says);
            EXPECT(!"the expected message");
        }
        EXPECT(doc == NULL);
    }
}

CASE(errors_name_the_path_of_a_value) {
    dn_json *doc = parse("{\"a\": {\"b\": [1, {\"c\": \"x\"}]}}");
    dn_json_at root = dn_json_root(doc), a, b, c;
    REQUIRE(dn_json_need(&root, "a", DN_JSON_OBJECT, &a) == DN_OK);
    REQUIRE(dn_json_need(&a, "b", DN_JSON_ARRAY, &b) == DN_OK);
    dn_json_at item = dn_json_item(&b, 1);
    REQUIRE(dn_json_find(&item, "c", &c));
    int64_t n;
    EXPECT_INT(dn_json_int(&c, 0, 9, &n), DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "x.json: a.b[1].c: is a text, expected a whole number");
    EXPECT_INT(dn_json_need(&item, "d", DN_JSON_TEXT, &c), DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "x.json: a.b[1]: has no \"d\"");
    EXPECT_INT(dn_json_need(&root, "d", DN_JSON_TEXT, &c), DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "x.json: has no \"d\"");
    item = dn_json_item(&b, 0);
    EXPECT_INT(dn_json_int(&item, 2, 9, &n), DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "x.json: a.b[0]: is 1, expected 2 to 9");
    dn_json_free(doc);
}

CASE(values_are_read_as_what_they_are) {
    dn_json *doc = parse("{\"i\": -7, \"r\": 2.5, \"t\": \"\\u00e4\", \"n\": null, \"l\": []}");
    dn_json_at root = dn_json_root(doc), at;
    int64_t whole = 0;
    double real = 0;
    const char *text = "";
    EXPECT(dn_json_find(&root, "i", &at) && dn_json_int(&at, -10, 10, &whole) == DN_OK &&
           whole == -7);
    EXPECT(dn_json_real(&at, -10, 10, &real) == DN_OK && real == -7);
    EXPECT(dn_json_find(&root, "r", &at) && dn_json_real(&at, 0, 10, &real) == DN_OK &&
           real == 2.5);
    EXPECT_INT(dn_json_int(&at, 0, 10, &whole), DN_FATAL);
    EXPECT(dn_json_find(&root, "t", &at) && dn_json_text(&at, &text) == DN_OK);
    EXPECT_TEXT(text, "\xc3\xa4");
    EXPECT(!dn_json_find(&root, "n", &at));
    EXPECT(!dn_json_find(&root, "x", &at));
    EXPECT_INT(dn_json_count(&root), 5);
    const char *order = "irtnl";
    for (void *cursor = NULL; dn_json_next(&root, &cursor, &at);) {
        EXPECT_INT(at.key[0], *order++);
    }
    dn_json_free(doc);
}

CASE(files_have_a_limit) {
    char dir[64], path[128];
    dn_json *doc = NULL;
    make_dir(dir);
    snprintf(path, sizeof path, "%s/config.json", dir);
    EXPECT_INT(dn_json_load(path, 100, DN_E_MODEL, &doc), DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_NO_INPUT);
    write_bytes(dir, "config.json", "[1,2,3]", 7);
    EXPECT_INT(dn_json_load(path, 6, DN_E_MODEL, &doc), DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_MODEL);
    EXPECT(doc == NULL);
    EXPECT_INT(dn_json_load(path, 7, DN_E_MODEL, &doc), DN_OK);
    dn_json_free(doc);
    remove_dir(dir);
}

CASE(a_number_put_in_is_all_that_changes) {
    static const char before[] = "{\n  \"b\": 1e-12,\n  \"a\": [\n    \"\xc3\xa9\"\n  ]\n}\n";
    static const char after[] =
        "{\n  \"b\": 1e-12,\n  \"a\": [\n    \"\xc3\xa9\"\n  ],\n  \"t\": 1.25\n}\n";
    char dir[64], path[128], text[sizeof after] = "";
    dn_json *doc = NULL;
    make_dir(dir);
    snprintf(path, sizeof path, "%s/config.json", dir);
    write_bytes(dir, "config.json", before, strlen(before));
    REQUIRE(dn_json_load(path, 100, DN_E_MODEL, &doc) == DN_OK);
    dn_json_at root = dn_json_root(doc);
    dn_json_put_real(&root, "t", 7);
    dn_json_put_real(&root, "t", 1.25);
    EXPECT_INT(dn_json_save(doc, path), DN_OK);
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    EXPECT_INT(fread(text, 1, sizeof text, file), strlen(after));
    fclose(file);
    EXPECT_TEXT(text, after);
    EXPECT_INT(dn_json_save(doc, "/nowhere/config.json"), DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_CANT_CREATE);
    dn_json_free(doc);
    remove_dir(dir);
}

/* Source: FIPS 180-2, examples B.1 and of the empty message. */
CASE(sha256_as_published) {
    char hex[DN_SHA256_HEX];
    EXPECT_INT(dn_sha256(DN_SPAN("abc"), hex), DN_OK);
    EXPECT_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_INT(dn_sha256(DN_SPAN(""), hex), DN_OK);
    EXPECT_TEXT(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
