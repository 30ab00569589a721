/* What no golden text shows: limits, damaged vocabularies, long words, the cache. */
#include "text/tokeniser.h"

#include "base/memory.h"
#include "test.h"
#include "text/vocabulary.h"
#include "text/word_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#define MODEL "models/tweets"

/* A model directory of its own with the given files; NULL: no such file. */
typedef struct folder {
    char path[64];
} folder;

static void write_file(const folder *f, const char *name, const char *bytes, size_t size) {
    char *path = dn_format("%s/%s", f->path, name);
    FILE *file = fopen(path, "wb");
    EXPECT(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    free(path);
}

static folder folder_make(const char *vocab, const char *config) {
    folder f = {"/tmp/dunlin-wordpiece-XXXXXX"};
    EXPECT(mkdtemp(f.path) != NULL);
    if (vocab) {
        write_file(&f, "vocab.txt", vocab, strlen(vocab));
    }
    if (config) {
        write_file(&f, "tokenizer_config.json", config, strlen(config));
    }
    return f;
}

static void folder_remove(const folder *f) {
    static const char *const names[] = {"vocab.txt", "tokenizer_config.json"};
    for (int i = 0; i < 2; i++) {
        char *path = dn_format("%s/%s", f->path, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(f->path);
}

#define SPECIAL "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"

static const struct {
    const char *vocab, *config;
    dn_error error;
    const char *text; /* part of the message, behind the folder */
} damaged[] = {
    {NULL, NULL, DN_E_NO_INPUT, ": there is no tokenizer.json, vocab.txt"},
    {"", NULL, DN_E_MODEL, "/vocab.txt:1: the vocabulary is empty"},
    {"[UNK]\n[CLS]\n", NULL, DN_E_MODEL, "/vocab.txt: the token [SEP] is missing"},
    {"[CLS]\n[SEP]\na\n", NULL, DN_E_MODEL, "/vocab.txt: the token [UNK] is missing"},
    {SPECIAL "a\nb\na\n", NULL, DN_E_MODEL, "/vocab.txt:7: token 'a' stands in line 5 already"},
    {SPECIAL "a\n\nb\n", NULL, DN_E_MODEL, "/vocab.txt:6: an empty line"},
    {SPECIAL "\xc3\n", NULL, DN_E_MODEL, "/vocab.txt:5: the token is not valid UTF-8"},
    {SPECIAL, "{", DN_E_MODEL, "/tokenizer_config.json"},
    {SPECIAL, "{\"do_lower_case\": 1}", DN_E_MODEL, "do_lower_case"},
};

CASE(wordpiece_names_what_is_wrong_with_a_model) {
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        folder f = folder_make(damaged[i].vocab, damaged[i].config);
        dn_tokeniser *tokeniser = NULL;
        EXPECT(dn_tokeniser_open(f.path, &tokeniser) == DN_FATAL);
        EXPECT_INT(dn_failure_last()->error, damaged[i].error);
        if (!strstr(dn_failure_last()->text, damaged[i].text) ||
            !strstr(dn_failure_last()->text, f.path)) {
            fprintf(stderr, "%s\n", dn_failure_last()->text);
            EXPECT(!"the message that names it");
        }
        folder_remove(&f);
    }
}

CASE(wordpiece_checks_the_embedding) {
    dn_tokeniser *tokeniser;
    REQUIRE(dn_tokeniser_open(MODEL, &tokeniser) == DN_OK);
    EXPECT_INT(dn_tokeniser_size(tokeniser), 30522);
    EXPECT(dn_tokeniser_check(tokeniser, "model.safetensors", 30522) == DN_OK);
    EXPECT(dn_tokeniser_check(tokeniser, "model.safetensors", 30521) == DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "models/tweets/vocab.txt: 30522 tokens, but the embedding "
                                         "of model.safetensors has 30521 rows; "
                                         "they must be of one model");
    dn_tokeniser_close(tokeniser);
}

CASE(wordpiece_reads_the_options) {
    static const struct {
        const char *config;
        int32_t want[4];
        int n;
    } table[] = {
        {NULL, {2, 4, 3}, 3},
        {"{\"do_lower_case\":false}", {2, 5, 3}, 3},
        {"{\"strip_accents\":false}", {2, 6, 3}, 3},
        {"{\"do_lower_case\":false,\"strip_accents\":true}", {2, 7, 3}, 3},
        {"{\"strip_accents\":null,\"other\":[1]}", {2, 4, 3}, 3},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        folder f = folder_make(SPECIAL "e\n\u00c9\n\u00e9\r\nE\n", table[i].config);
        dn_tokeniser *tokeniser;
        dn_token_cache *cache = dn_token_cache_new();
        int32_t ids[8];
        REQUIRE(dn_tokeniser_open(f.path, &tokeniser) == DN_OK);
        EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, DN_SPAN("\u00c9"), 8, ids), table[i].n);
        EXPECT(memcmp(ids, table[i].want, (size_t)table[i].n * sizeof *ids) == 0);
        dn_token_cache_free(cache);
        dn_tokeniser_close(tokeniser);
        folder_remove(&f);
    }
}

CASE(wordpiece_cuts_and_counts) {
    dn_tokeniser *tokeniser;
    dn_token_cache *cache = dn_token_cache_new();
    dn_span text = DN_SPAN("one two three, \u4f60\u597d! unaffable [SEP] x");
    int32_t whole[64], part[64];
    REQUIRE(dn_tokeniser_open(MODEL, &tokeniser) == DN_OK);
    int32_t n = dn_tokeniser_encode(tokeniser, cache, text, 64, whole);
    EXPECT_INT(dn_token_stats_of(cache).cut, 0);
    EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, text, n, part), n);
    EXPECT_INT(dn_token_stats_of(cache).cut, 0);
    for (int32_t most = 2; most < n; most++) {
        part[most] = -7;
        EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, text, most, part), most);
        EXPECT(memcmp(part, whole, (size_t)(most - 1) * sizeof *part) == 0);
        EXPECT_INT(part[most - 1], whole[n - 1]);
        EXPECT_INT(part[most], -7);
    }
    EXPECT_INT(dn_token_stats_of(cache).cut, n - 2);
    dn_token_cache_free(cache);
    dn_tokeniser_close(tokeniser);
}

/* Windows are slices of the whole text's tokens, each between the special ones. */
CASE(wordpiece_windows_overlap) {
    dn_tokeniser *tokeniser;
    dn_token_cache *cache = dn_token_cache_new();
    dn_span text = DN_SPAN("one two three, \u4f60\u597d! unaffable [SEP] x y z 1 2 3 4 5 6");
    int32_t whole[64], ids[256], windows[256];
    REQUIRE(dn_tokeniser_open(MODEL, &tokeniser) == DN_OK);
    int32_t n = dn_tokeniser_encode(tokeniser, cache, text, 64, whole) - 2, cut = 0;
    EXPECT(n >= 16);
    for (int32_t tokens = 3; tokens < n + 4; tokens++) {
        for (int32_t overlap = 0; overlap < tokens - 2; overlap++) {
            for (int32_t most = 1; most < 5; most++) {
                int32_t at = 0, left, begin = 0, own = tokens - 2;
                for (int i = 0; i < most && (i == 0 || begin + overlap < n); i++) {
                    left = n - begin < own ? n - begin : own;
                    windows[at++] = whole[0];
                    memcpy(windows + at, whole + 1 + begin, (size_t)left * sizeof *whole);
                    at += left;
                    windows[at++] = whole[n + 1];
                    begin += own - overlap;
                }
                cut += begin + overlap < n;
                ids[at] = -7;
                dn_windows form = {tokens, most, overlap};
                EXPECT_INT(dn_tokeniser_encode_windows(tokeniser, cache, text, &form, ids), at);
                EXPECT(memcmp(ids, windows, (size_t)at * sizeof *ids) == 0);
                EXPECT(at == tokens * most || ids[at] == -7);
                EXPECT_INT(dn_token_stats_of(cache).cut, cut);
            }
        }
    }
    dn_token_cache_free(cache);
    dn_tokeniser_close(tokeniser);
}

/* A megabyte without a blank is one unknown word, or a word per ideograph; both end soon enough to
 * run here. */
CASE(wordpiece_takes_very_long_words) {
    enum { SIZE = 3 << 19 };
    dn_tokeniser *tokeniser;
    dn_token_cache *cache = dn_token_cache_new();
    char *text = dn_alloc(SIZE);
    int32_t *ids = dn_alloc_array(SIZE + 2, sizeof *ids);
    REQUIRE(dn_tokeniser_open(MODEL, &tokeniser) == DN_OK);
    memset(text, 'a', SIZE);
    EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, (dn_span){text, SIZE}, SIZE + 2, ids), 3);
    EXPECT_INT(ids[1], 100);
    memset(text, '.', SIZE);
    EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, (dn_span){text, SIZE}, SIZE + 2, ids),
               SIZE + 2);
    for (int i = 0; i < SIZE; i += 3) {
        memcpy(text + i, "\u4eba", 3);
    }
    EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, (dn_span){text, SIZE}, SIZE + 2, ids),
               SIZE / 3 + 2);
    EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, (dn_span){text, SIZE}, 128, ids), 128);
    for (int i = 0; i < SIZE; i += 2) {
        memcpy(text + i, i % 4 ? "\u0301" : "\u0316", 2);
    }
    EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, (dn_span){text, SIZE}, SIZE + 2, ids), 2);
    free(text);
    free(ids);
    dn_token_cache_free(cache);
    dn_tokeniser_close(tokeniser);
}

/* More words than the cache holds: it forgets, and the ids stay what they were. */
CASE(wordpiece_is_the_same_with_a_flooded_cache) {
    enum { WORDS = 80000 };
    dn_tokeniser *tokeniser;
    dn_token_cache *cache = dn_token_cache_new(), *fresh = dn_token_cache_new();
    char text[64];
    int32_t ids[64], again[64];
    REQUIRE(dn_tokeniser_open(MODEL, &tokeniser) == DN_OK);
    for (int i = 0; i < WORDS; i++) {
        int size = snprintf(text, sizeof text, "w%llx the %d", (unsigned long long)dn_random(), i);
        dn_span span = {text, (size_t)size};
        int32_t n = dn_tokeniser_encode(tokeniser, cache, span, 64, ids);
        if (i % 1000 == 0) {
            dn_token_cache_free(fresh);
            fresh = dn_token_cache_new();
            EXPECT_INT(dn_tokeniser_encode(tokeniser, fresh, span, 64, again), n);
            EXPECT(memcmp(ids, again, (size_t)n * sizeof *ids) == 0);
        }
    }
    dn_token_stats stats = dn_token_stats_of(cache);
    EXPECT(stats.misses > WORDS && stats.hits > WORDS / 2);
    EXPECT_INT(stats.texts, WORDS);
    EXPECT(stats.floods > 0);
    dn_token_cache_free(cache);
    dn_token_cache_free(fresh);
    dn_tokeniser_close(tokeniser);
}

CASE(word_cache_keeps_keys_apart) {
    dn_word_cache cache;
    char key[DN_WORD_BYTES];
    int32_t ids[DN_WORD_IDS], n;
    memset(key, 'k', sizeof key);
    dn_word_cache_init(&cache, 1024, 1 << 20);
    for (int len = 1; len <= DN_WORD_BYTES; len++) {
        dn_span span = {key, (size_t)len};
        ids[0] = len;
        EXPECT(!dn_word_cache_find(&cache, dn_word_hash(key, (size_t)len), span, &n));
        dn_word_cache_put(&cache, dn_word_hash(key, (size_t)len), span, ids,
                          len % 3 ? 1 : DN_WORD_IDS);
    }
    for (int len = 1; len <= DN_WORD_BYTES; len++) {
        const int32_t *found = dn_word_cache_find(&cache, dn_word_hash(key, (size_t)len),
                                                  (dn_span){key, (size_t)len}, &n);
        EXPECT(found && found[0] == len && n == (len % 3 ? 1 : DN_WORD_IDS));
    }
    EXPECT_INT(cache.floods, 0);
    dn_word_cache_free(&cache);
}

/* Keys of equal hash share their place and are told apart by their bytes. */
CASE(word_cache_compares_in_full) {
    dn_word_cache cache;
    int32_t one = 1, two = 2, n;
    dn_word_cache_init(&cache, 16, 4096);
    dn_word_cache_put(&cache, 42, DN_SPAN("one"), &one, 1);
    dn_word_cache_put(&cache, 42, DN_SPAN("two"), &two, 1);
    EXPECT(*dn_word_cache_find(&cache, 42, DN_SPAN("one"), &n) == 1);
    EXPECT(*dn_word_cache_find(&cache, 42, DN_SPAN("two"), &n) == 2);
    EXPECT(!dn_word_cache_find(&cache, 42, DN_SPAN("six"), &n));
    for (int i = 0; i < 1000; i++) {
        char key[12];
        snprintf(key, sizeof key, "%d", i);
        dn_word_cache_put(&cache, (uint64_t)i * 0x9e3779b97f4a7c15u, dn_span_of(key), &i, 1);
    }
    EXPECT(cache.floods > 10);
    dn_word_cache_free(&cache);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
