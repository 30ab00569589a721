/* Every kind of tokeniser over the whole real corpus, 2.4 million tweets, against the digests of
 * the reference's ids. */
#include "base/hash.h"
#include "digests.h"
#include "text/normalise.h"
#include "text/tokeniser.h"

enum { MAX_IDS = 1 << 16, CUT = 128, N_TEXTS = 2425045 };

typedef struct wordpiece {
    dn_tokeniser *tokeniser;
    dn_token_cache *cache;
    dn_hasher *hasher[2]; /* of the normalised and cut, of the raw texts */
    dn_normaliser normaliser;
    int32_t ids[MAX_IDS];
} wordpiece;

static void add(wordpiece *d, dn_hasher *hasher, dn_span text, int32_t max_tokens) {
    int32_t n = dn_tokeniser_encode(d->tokeniser, d->cache, text, max_tokens, d->ids);
    dn_hasher_add(hasher, &n, sizeof n);
    dn_hasher_add(hasher, d->ids, (size_t)n * sizeof *d->ids);
}

static long long check_lines(wordpiece *d, corpus *c, FILE *file) {
    char line[256];
    long long n_texts = 0;
    while (fgets(line, sizeof line, file)) {
        unsigned first, count;
        unsigned long long want[2];
        dn_span text;
        if (sscanf(line, "%u %u %llx %llx", &first, &count, &want[0], &want[1]) != 4) {
            EXPECT(line[0] == '#');
            continue;
        }
        dn_hasher_reset(d->hasher[0]);
        dn_hasher_reset(d->hasher[1]);
        for (unsigned i = 0; i < count && corpus_next(c, &text); i++, n_texts++) {
            add(d, d->hasher[0], dn_normalise(&d->normaliser, DN_CONVENTION_TWEETEVAL, text), CUT);
            add(d, d->hasher[1], text, MAX_IDS);
        }
        for (int i = 0; i < 2; i++) {
            if (dn_hasher_value(d->hasher[i]) != want[i]) {
                fprintf(stderr, "rows %u to %u, %s\n", first, first + count - 1,
                        i ? "as they are" : "normalised");
                EXPECT(!"the reference's ids");
            }
        }
    }
    return n_texts;
}

CASE(large_corpus_has_the_ids_of_the_reference) {
    corpus c;
    if (!corpus_open_file(&c, "ira_tweets_until_2017-09.csv.xz")) {
        corpus_close(&c);
        SKIP("the whole corpus is not in $DUNLIN_DATA");
    }
    wordpiece *d = dn_alloc(sizeof *d);
    FILE *file = fopen("tests/data/token_digests_large.txt", "r");
    REQUIRE(file);
    REQUIRE(dn_tokeniser_open("models/tweets", &d->tokeniser) == DN_OK);
    d->cache = dn_token_cache_new();
    d->hasher[0] = dn_hasher_new();
    d->hasher[1] = dn_hasher_new();
    EXPECT_INT(check_lines(d, &c, file), N_TEXTS);
    fclose(file);
    dn_hasher_free(d->hasher[0]);
    dn_hasher_free(d->hasher[1]);
    dn_normaliser_free(&d->normaliser);
    dn_token_cache_free(d->cache);
    dn_tokeniser_close(d->tokeniser);
    free(d);
    corpus_close(&c);
}

CASE(large_corpus_by_every_kind) {
    digests_case("ira_tweets_until_2017-09.csv.xz", "token_digests_large_kinds.txt", N_TEXTS);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
