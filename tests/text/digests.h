#ifndef DN_TEST_DIGESTS_H
#define DN_TEST_DIGESTS_H
/** Ids of a real corpus by several tokenisers against the digests of the reference's ids: a line
 * for each block of texts, a column for each tokeniser of tests/data/tokenisers, whose names stand
 * in the second line. */
#include "base/hash.h"
#include "corpus.h"
#include "text/tokeniser.h"

enum { DIGEST_KINDS = 8, DIGEST_MAX_IDS = 1 << 16 };

typedef struct digest_kind {
    char name[32];
    dn_tokeniser *tokeniser;
    dn_token_cache *cache;
    dn_hasher *hasher;
} digest_kind;

typedef struct digests {
    FILE *file;
    const char *corpus_name;
    int n_kinds;
    digest_kind kind[DIGEST_KINDS];
    int32_t ids[DIGEST_MAX_IDS];
} digests;

/** Opens the tokenisers that the header names: the words behind its last colon. */
static inline void digests_open(digests *d, const char *path) {
    char line[512], *save = NULL;
    d->file = fopen(path, "r");
    REQUIRE(d->file && fgets(line, sizeof line, d->file) && fgets(line, sizeof line, d->file));
    for (char *name = strtok_r(strrchr(line, ':') + 1, " \n", &save); name;
         name = strtok_r(NULL, " \n", &save)) {
        digest_kind *kind = &d->kind[d->n_kinds++];
        char *dir = dn_format("tests/data/tokenisers/%s", name);
        snprintf(kind->name, sizeof kind->name, "%s", name);
        REQUIRE(dn_tokeniser_open(dir, &kind->tokeniser) == DN_OK);
        kind->cache = dn_token_cache_new();
        kind->hasher = dn_hasher_new();
        free(dir);
    }
}

static inline void digests_add(digests *d, dn_span text) {
    for (int k = 0; k < d->n_kinds; k++) {
        digest_kind *kind = &d->kind[k];
        int32_t n = dn_tokeniser_encode(kind->tokeniser, kind->cache, text, DIGEST_MAX_IDS, d->ids);
        dn_hasher_add(kind->hasher, &n, sizeof n);
        dn_hasher_add(kind->hasher, d->ids, (size_t)n * sizeof *d->ids);
    }
}

/** A block's line is read; says where the text of a difference is to be found. */
static inline void digests_compare(digests *d, const char *want, unsigned first, unsigned count) {
    for (int k = 0; k < d->n_kinds; k++) {
        char *end;
        unsigned long long digest = strtoull(want, &end, 16);
        want = end;
        if (dn_hasher_value(d->kind[k].hasher) != digest) {
            fprintf(stderr,
                    "%s, texts %u to %u; to see which: tests/fuzz/text_against_reference.py "
                    "PROGRAM --model tests/data/tokenisers/%s --corpus %s --rows %u:%u\n",
                    d->kind[k].name, first, first + count - 1, d->kind[k].name, d->corpus_name,
                    first, first + count);
            EXPECT(!"the reference's ids");
        }
    }
}

/** Compares the whole corpus; the number of texts. */
static inline long long digests_check(digests *d, corpus *c) {
    char line[512];
    long long n_texts = 0;
    while (fgets(line, sizeof line, d->file)) {
        unsigned first, count;
        int columns = 0;
        dn_span text;
        if (sscanf(line, "%u %u%n", &first, &count, &columns) != 2) {
            EXPECT(!"a line of digests");
            continue;
        }
        for (int k = 0; k < d->n_kinds; k++) {
            dn_hasher_reset(d->kind[k].hasher);
        }
        for (unsigned i = 0; i < count && corpus_next(c, &text); i++, n_texts++) {
            digests_add(d, text);
        }
        digests_compare(d, line + columns, first, count);
    }
    return n_texts;
}

static inline void digests_close(digests *d) {
    for (int k = 0; k < d->n_kinds; k++) {
        dn_hasher_free(d->kind[k].hasher);
        dn_token_cache_free(d->kind[k].cache);
        dn_tokeniser_close(d->kind[k].tokeniser);
    }
    fclose(d->file);
    free(d);
}

/** A case: the corpus of that name, whose digests are in tests/data/`file`. */
static inline void digests_case(const char *corpus_name, const char *file, long long n_texts) {
    corpus c;
    if (!corpus_open_file(&c, corpus_name)) {
        corpus_close(&c);
        SKIP("the real corpus is not in $DUNLIN_DATA");
    }
    digests *d = dn_alloc(sizeof *d);
    char *path = dn_format("tests/data/%s", file);
    d->corpus_name = corpus_name;
    digests_open(d, path);
    EXPECT_INT(d->n_kinds, 4);
    EXPECT_INT(digests_check(d, &c), n_texts);
    digests_close(d);
    free(path);
    corpus_close(&c);
}

#endif
