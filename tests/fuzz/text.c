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
    "<s>",
    "<mask>",
    "\u2581",
    "\ufdfa",
    "'s",
    "\u0600",
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

static const char *const models[] = {"models/tweets", "tests/data/tokenisers/bpe",
                                     "tests/data/tokenisers/unigram",
                                     "tests/data/tokenisers/unigram_older"};
enum { N_MODELS = sizeof models / sizeof *models };

/* What a text may have, whatever the room and whatever the cache has seen. */
static void check_text(const dn_tokeniser *t, dn_token_cache *cache, dn_span text, int32_t *ids,
                       int32_t *again) {
    int32_t room = (int32_t)dn_tokeniser_room(t, text.len);
    int32_t n = dn_tokeniser_encode(t, cache, text, room, ids);
    EXPECT(n >= 2 && n <= room);
    EXPECT_INT(dn_tokeniser_encode(t, cache, text, room + 1, again), n);
    EXPECT(memcmp(ids, again, (size_t)n * sizeof *ids) == 0);
    for (int32_t i = 0; i < n; i++) {
        EXPECT(ids[i] >= 0 && ids[i] < dn_tokeniser_size(t));
    }
    int32_t most = 2 + (int32_t)(dn_random() % (uint64_t)n);
    int32_t n_cut = dn_tokeniser_encode(t, cache, text, most, again);
    EXPECT_INT(n_cut, most < n ? most : n);
    EXPECT(memcmp(ids, again, (size_t)(n_cut - 1) * sizeof *ids) == 0);
}

static void fuzz_model(const char *dir, int rounds) {
    dn_tokeniser *t;
    dn_token_cache *cache = dn_token_cache_new();
    dn_normaliser normaliser = {0};
    REQUIRE(dn_tokeniser_open(dir, &t) == DN_OK);
    int64_t most = dn_tokeniser_room(t, MAX_TEXT) + 1;
    int32_t *ids = dn_alloc_array((size_t)most, sizeof *ids);
    int32_t *again = dn_alloc_array((size_t)most, sizeof *ids);
    for (int round = 0; round < rounds; round++) {
        char buffer[MAX_TEXT];
        size_t size = random_text(buffer);
        char *exact = malloc(size ? size : 1);
        memcpy(exact, buffer, size);
        dn_span text = {exact, size},
                clean = dn_normalise(&normaliser, DN_CONVENTION_TWEETEVAL, text);
        EXPECT(clean.len <= 2 * size + 1 && dn_utf8_valid_prefix(clean) == clean.len);
        check_text(t, cache, text, ids, again);
        free(exact);
    }
    free(ids);
    free(again);
    dn_normaliser_free(&normaliser);
    dn_token_cache_free(cache);
    dn_tokeniser_close(t);
}

CASE(fuzz_text) {
    for (int i = 0; i < N_MODELS; i++) {
        fuzz_model(models[i], i == 0 ? ROUNDS : ROUNDS / 4);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
