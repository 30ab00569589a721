/* Random valid texts through normalisation and the tokeniser: nothing is read or written out of
 * bounds (the texts lie in blocks of their exact size), ids stay in range, and neither cache nor
 * room changes them. */
#include "base/memory.h"
#include "base/utf8.h"
#include "test.h"
#include "text/normalise.h"
#include "text/tokeniser.h"

enum { ROUNDS = 60000, MAX_PIECES = 40, MAX_TEXT = 1024 };

static const char *const pieces[] = {
    "word",
    "The",
    "unaffable",
    " ",
    "  ",
    "\n",
    "\u00a0",
    "\u3000",
    "\u2028",
    "@",
    "@name_1",
    "http://",
    "https://t.example/x",
    "h",
    "ht",
    "&",
    "&amp;",
    "&#64;",
    "&#x1F600;",
    "&#xD800;",
    "&#99999999;",
    "&lt",
    "[SEP]",
    "[",
    "]",
    "[CLS",
    ".",
    "\u2026",
    "\u0301",
    "\u302e",
    "\U0001d165",
    "\U0001d16d",
    "\u094d",
    "\u034f",
    "\u4f60",
    "\uac01",
    "\u0130",
    "\U0001f602",
    "\u200d",
    "\x01",
    "\x7f",
    "\ufffd",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\u0434\u0430",
};

static size_t random_text(char *out) {
    size_t size = 0;
    for (uint64_t n = dn_random() % MAX_PIECES; n; n--) {
        const char *piece = pieces[dn_random() % (sizeof pieces / sizeof *pieces)];
        char code[DN_UTF8_MAX + 1] = {0};
        uint32_t scalar = (uint32_t)(dn_random() % 0x110000);
        if (dn_random() % 4 == 0 && scalar && dn_utf8_is_scalar(scalar)) {
            dn_utf8_encode(scalar, code);
            piece = code;
        }
        if (size + strlen(piece) <= MAX_TEXT) {
            memcpy(out + size, piece, strlen(piece));
            size += strlen(piece);
        }
    }
    return size;
}

CASE(fuzz_text) {
    static int32_t ids[MAX_TEXT + 2], again[MAX_TEXT + 2];
    dn_tokeniser *tokeniser;
    dn_token_cache *cache = dn_token_cache_new();
    dn_normaliser normaliser = {0};
    REQUIRE(dn_tokeniser_open("models/tweets", &tokeniser) == DN_OK);
    for (int round = 0; round < ROUNDS; round++) {
        char buffer[MAX_TEXT];
        size_t size = random_text(buffer);
        char *exact = malloc(size ? size : 1);
        memcpy(exact, buffer, size);
        dn_span text = {exact, size},
                clean = dn_normalise(&normaliser, DN_CONVENTION_TWEETEVAL, text);
        EXPECT(clean.len <= 2 * size + 1 && dn_utf8_valid_prefix(clean) == clean.len);
        int32_t n = dn_tokeniser_encode(tokeniser, cache, text, (int32_t)size + 2, ids);
        EXPECT(n >= 2 && n <= (int32_t)size + 2);
        EXPECT_INT(dn_tokeniser_encode(tokeniser, cache, text, MAX_TEXT + 2, again), n);
        EXPECT(memcmp(ids, again, (size_t)n * sizeof *ids) == 0);
        for (int32_t i = 0; i < n; i++) {
            EXPECT(ids[i] >= 0 && ids[i] < dn_tokeniser_size(tokeniser));
        }
        free(exact);
    }
    EXPECT_INT(dn_token_stats_of(cache).cut, 0);
    dn_normaliser_free(&normaliser);
    dn_token_cache_free(cache);
    dn_tokeniser_close(tokeniser);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
