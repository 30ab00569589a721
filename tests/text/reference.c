/* Token ids against what the reference library made of the same texts: tests/data/README.md says
 * where they come from. */
#include "base/hash.h"
#include "base/utf8.h"
#include "digests.h"
#include "io/json.h"
#include "text/normalise.h"
#include "text/tokeniser.h"

#define MODEL "models/tweets"

enum { MAX_IDS = 1 << 16, CUT = 128 };

typedef struct bench {
    dn_tokeniser *tokeniser;
    dn_token_cache *cache;
    dn_normaliser normaliser;
    dn_hasher *hasher;
    int32_t ids[MAX_IDS];
} bench;

static bench *set_up(void) {
    bench *b = dn_alloc(sizeof *b);
    b->hasher = dn_hasher_new();
    b->cache = dn_token_cache_new();
    EXPECT(dn_tokeniser_open(MODEL, &b->tokeniser) == DN_OK);
    return b;
}

static void tear_down(bench *b) {
    dn_tokeniser_close(b->tokeniser);
    dn_token_cache_free(b->cache);
    dn_normaliser_free(&b->normaliser);
    dn_hasher_free(b->hasher);
    free(b);
}

/* A digest is the XXH3-64 of, for each text, the number of ids and the ids. */
static void add_ids(bench *b, dn_hasher *hasher, dn_span text, int32_t max_tokens) {
    int32_t n = dn_tokeniser_encode(b->tokeniser, b->cache, text, max_tokens, b->ids);
    dn_hasher_add(hasher, &n, sizeof n);
    dn_hasher_add(hasher, b->ids, (size_t)n * sizeof *b->ids);
}

static bool equal_ids(const dn_json_at *want, const int32_t *got, int32_t n) {
    bool equal = dn_json_count(want) == (size_t)n;
    for (int32_t i = 0; equal && i < n; i++) {
        dn_json_at item = dn_json_item(want, (size_t)i);
        int64_t id = -1;
        equal = dn_json_int(&item, 0, INT32_MAX, &id) == DN_OK && id == got[i];
    }
    return equal;
}

static void check_case(bench *b, dn_span line) {
    dn_json *doc;
    dn_json_at root, text, ids;
    const char *bytes = NULL;
    REQUIRE(dn_json_parse(line, "token_cases.jsonl", DN_E_DATA, &doc) == DN_OK);
    root = dn_json_root(doc);
    EXPECT(dn_json_need(&root, "text", DN_JSON_TEXT, &text) == DN_OK);
    EXPECT(dn_json_need(&root, "ids", DN_JSON_ARRAY, &ids) == DN_OK);
    EXPECT(dn_json_text(&text, &bytes) == DN_OK);
    /* Twice: the second time from the cache. */
    for (int pass = 0; pass < 2; pass++) {
        int32_t n = dn_tokeniser_encode(b->tokeniser, b->cache, dn_span_of(bytes), MAX_IDS, b->ids);
        if (!equal_ids(&ids, b->ids, n)) {
            fprintf(stderr, "pass %d: %.*s\n", pass, (int)line.len, line.ptr);
            EXPECT(!"the reference's ids");
        }
    }
    dn_json_free(doc);
}

CASE(reference_cases) {
    bench *b = set_up();
    FILE *file = fopen("tests/data/token_cases.jsonl", "r");
    char *line = NULL;
    size_t room = 0, n_cases = 0;
    ssize_t size;
    REQUIRE(file);
    while ((size = getline(&line, &room, file)) > 0) {
        check_case(b, (dn_span){line, (size_t)size});
        n_cases++;
    }
    EXPECT(n_cases > 300);
    free(line);
    fclose(file);
    tear_down(b);
}

/* 'a' c 'b' ' ' c: the code point inside a word and alone. */
static dn_span codepoint_text(uint32_t code, char out[16]) {
    char *to = out;
    *to++ = 'a';
    to += dn_utf8_encode(code, to);
    *to++ = 'b';
    *to++ = ' ';
    to += dn_utf8_encode(code, to);
    return (dn_span){out, (size_t)(to - out)};
}

CASE(reference_every_code_point) {
    bench *b = set_up();
    FILE *file = fopen("tests/data/token_codepoints.txt", "r");
    char line[256], text[16];
    int n_lines = 0;
    REQUIRE(file);
    while (fgets(line, sizeof line, file)) {
        unsigned first, count;
        unsigned long long want;
        if (sscanf(line, "%x %u %llx", &first, &count, &want) != 3) {
            EXPECT(line[0] == '#');
            continue;
        }
        dn_hasher_reset(b->hasher);
        for (uint32_t code = first; code < first + 4096; code++) {
            if (dn_utf8_is_scalar(code)) {
                add_ids(b, b->hasher, codepoint_text(code, text), MAX_IDS);
                count--;
            }
        }
        EXPECT_INT(count, 0);
        EXPECT_INT(dn_hasher_value(b->hasher), want);
        n_lines++;
    }
    EXPECT_INT(n_lines, 272);
    fclose(file);
    tear_down(b);
}

CASE(reference_real_corpus) {
    corpus c;
    if (!corpus_open(&c)) {
        corpus_close(&c);
        SKIP("the real corpus is not in $DUNLIN_DATA");
    }
    bench *b = set_up();
    FILE *file = fopen("tests/data/token_digests.txt", "r");
    dn_hasher *raw = dn_hasher_new();
    char line[256];
    long long n_texts = 0;
    REQUIRE(file);
    while (fgets(line, sizeof line, file)) {
        unsigned first, count;
        unsigned long long want_normalised, want_raw;
        dn_span text;
        if (sscanf(line, "%u %u %llx %llx", &first, &count, &want_normalised, &want_raw) != 4) {
            EXPECT(line[0] == '#');
            continue;
        }
        dn_hasher_reset(b->hasher);
        dn_hasher_reset(raw);
        for (unsigned i = 0; i < count && corpus_next(&c, &text); i++, n_texts++) {
            dn_span clean = dn_normalise(&b->normaliser, DN_CONVENTION_TWEETEVAL, text);
            add_ids(b, b->hasher, clean, CUT);
            add_ids(b, raw, text, MAX_IDS);
        }
        EXPECT_INT(dn_hasher_value(b->hasher), want_normalised);
        EXPECT_INT(dn_hasher_value(raw), want_raw);
    }
    EXPECT_INT(n_texts, 40937);
    dn_hasher_free(raw);
    fclose(file);
    tear_down(b);
    corpus_close(&c);
}

CASE(reference_real_corpus_by_every_kind) {
    digests_case("ira_3days_2017-08-15_17.csv.xz", "token_digests_kinds.txt", 40937);
}

CASE(reference_normalisation_vectors) {
    dn_normaliser normaliser = {0};
    dn_json *doc;
    REQUIRE(dn_json_load("models/tweets/normalise_vectors.json", 1 << 20, DN_E_DATA, &doc) ==
            DN_OK);
    dn_json_at root = dn_json_root(doc);
    EXPECT(dn_json_count(&root) > 100);
    for (size_t i = 0; i < dn_json_count(&root); i++) {
        dn_json_at vector = dn_json_item(&root, i), text, normalised;
        const char *from, *want;
        EXPECT(dn_json_need(&vector, "text", DN_JSON_TEXT, &text) == DN_OK);
        EXPECT(dn_json_need(&vector, "normalised", DN_JSON_TEXT, &normalised) == DN_OK);
        EXPECT(dn_json_text(&text, &from) == DN_OK && dn_json_text(&normalised, &want) == DN_OK);
        dn_span got = dn_normalise(&normaliser, DN_CONVENTION_TWEETEVAL, dn_span_of(from));
        EXPECT(got.len <= 2 * strlen(from) + 1);
        if (!dn_span_is(got, want)) {
            fprintf(stderr, "%s: got %.*s, want %s\n", from, (int)got.len, got.ptr, want);
            EXPECT(!"the reference's normalisation");
        }
    }
    dn_json_free(doc);
    dn_normaliser_free(&normaliser);
}

CASE(reference_real_corpus_normalised) {
    corpus c;
    if (!corpus_open(&c)) {
        corpus_close(&c);
        SKIP("the real corpus is not in $DUNLIN_DATA");
    }
    FILE *file = fopen("tests/text/clean_digests.txt", "r");
    dn_hasher *hasher = dn_hasher_new();
    dn_normaliser normaliser = {0};
    char line[256];
    long long n_texts = 0;
    REQUIRE(file);
    while (fgets(line, sizeof line, file)) {
        unsigned first, count;
        unsigned long long want;
        dn_span text;
        if (sscanf(line, "%u %u %llx", &first, &count, &want) != 3) {
            EXPECT(line[0] == '#');
            continue;
        }
        dn_hasher_reset(hasher);
        for (unsigned i = 0; i < count && corpus_next(&c, &text); i++, n_texts++) {
            dn_span clean = dn_normalise(&normaliser, DN_CONVENTION_TWEETEVAL, text);
            dn_hasher_add(hasher, clean.ptr, clean.len);
            dn_hasher_add(hasher, "", 1);
        }
        EXPECT_INT(dn_hasher_value(hasher), want);
    }
    EXPECT_INT(n_texts, 40937);
    dn_normaliser_free(&normaliser);
    dn_hasher_free(hasher);
    fclose(file);
    corpus_close(&c);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
