/* The table may forget, but what it returns belongs to exactly these ids: checked against scores
 * that can be computed from the ids, with good hashes, with hashes of a few bits, when full, and
 * from several threads at once. */
#include "batch/reuse.h"

#include "base/hash.h"
#include "test.h"

#include <pthread.h>

enum { WIDTH = 5, TOKEN_WIDTH = 2, MAX_IDS = 40, VALUES = WIDTH + TOKEN_WIDTH * MAX_IDS };

typedef struct text {
    int32_t id[MAX_IDS];
    int n;
} text;

/** Text number `which`: its ids follow from the number alone. */
static text make_text(uint64_t which) {
    text t = {.n = 2 + (int)(which * 7 % (MAX_IDS - 2))};
    for (int i = 0; i < t.n; i++) {
        t.id[i] = (int32_t)((which >> (i % 3 * 8)) + (uint64_t)i);
    }
    return t;
}

static uint64_t hash_of(const text *t) {
    return dn_hash64((dn_span){(const char *)t->id, (size_t)t->n * sizeof *t->id}, 0);
}

/** Scores of the text, then those of its tokens; their number. */
static size_t scores_of(const text *t, float *score) {
    uint64_t mixed = dn_hash64((dn_span){(const char *)t->id, (size_t)t->n * sizeof *t->id}, 77);
    size_t n = WIDTH + TOKEN_WIDTH * (size_t)t->n;
    for (size_t i = 0; i < n; i++) {
        score[i] = (float)((mixed >> (i % 6 * 8) & 0xffff) + i);
    }
    return n;
}

static dn_reuse *table_of(size_t bytes) {
    dn_reuse *reuse = NULL;
    EXPECT(dn_reuse_new(bytes, WIDTH, TOKEN_WIDTH, &reuse) == DN_OK);
    return reuse;
}

/** Adds and looks up `rounds` random texts of `n_texts`; returns the hits, counts wrong ones in
 * *wrong. */
static int churn(dn_reuse *reuse, uint64_t n_texts, uint64_t hash_mask, int rounds, uint64_t seed,
                 int *wrong) {
    int hits = 0;
    for (int i = 0; i < rounds; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text t = make_text((seed >> 33) % n_texts);
        uint64_t hash = hash_of(&t) & hash_mask;
        float expected[VALUES], got[VALUES];
        size_t n = scores_of(&t, expected);
        if (i % 3) {
            dn_reuse_announce(reuse, hash);
        }
        if (dn_reuse_find(reuse, hash, t.id, t.n, got, got + WIDTH)) {
            hits++;
            *wrong += memcmp(got, expected, n * sizeof *got) != 0;
        } else {
            dn_reuse_add(reuse, hash, t.id, t.n, expected, expected + WIDTH);
        }
    }
    return hits;
}

CASE(what_was_added_is_found) {
    dn_reuse *reuse = table_of(1 << 20);
    int wrong = 0;
    int hits = churn(reuse, 500, UINT64_MAX, 20000, 1, &wrong);
    EXPECT_INT(wrong, 0);
    EXPECT_INT(hits, 20000 - 500);
    dn_reuse_free(reuse);
}

CASE(a_full_table_forgets_and_stays_right) {
    dn_reuse *reuse = table_of(64 << 10);
    int wrong = 0;
    int hits = churn(reuse, 1000, UINT64_MAX, 200000, 2, &wrong);
    EXPECT_INT(wrong, 0);
    EXPECT(hits > 10000 && hits < 199000);
    dn_reuse_free(reuse);
}

CASE(colliding_hashes_never_mix_scores) {
    const uint64_t masks[] = {0, 1, 7, 255, UINT64_C(0xf000000000000003)};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        dn_reuse *reuse = table_of(128 << 10);
        int wrong = 0;
        int hits = churn(reuse, 200, masks[i], 50000, i, &wrong);
        EXPECT_INT(wrong, 0);
        EXPECT(hits > 0);
        dn_reuse_free(reuse);
    }
}

CASE(long_rows_and_small_tables) {
    dn_reuse *reuse = NULL;
    EXPECT_INT(dn_reuse_new(1000, WIDTH, TOKEN_WIDTH, &reuse), DN_FATAL);
    reuse = table_of(64 << 10);
    static int32_t id[8192];
    static float score[WIDTH] = {1, 2, 3, 4, 5}, tokens[TOKEN_WIDTH * 8192];
    dn_reuse_add(reuse, 9, id, 8192, score, tokens);
    EXPECT(!dn_reuse_find(reuse, 9, id, 8192, score, tokens));
    dn_reuse_add(reuse, 9, id, 300, score, tokens);
    EXPECT(dn_reuse_find(reuse, 9, id, 300, score, tokens));
    EXPECT(!dn_reuse_find(reuse, 9, id, 299, score, tokens));
    dn_reuse_free(reuse);
}

typedef struct worker {
    pthread_t thread;
    dn_reuse *reuse;
    uint64_t seed;
    int wrong, hits;
} worker;

static void *work(void *arg) {
    worker *w = arg;
    w->hits = churn(w->reuse, 2000, UINT64_MAX, 50000, w->seed, &w->wrong);
    return NULL;
}

CASE(threads_share_a_table) {
    enum { THREADS = 4 };
    worker workers[THREADS];
    dn_reuse *reuse = table_of(256 << 10);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.reuse = reuse, .seed = (uint64_t)i + 10};
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        EXPECT_INT(workers[i].wrong, 0);
        EXPECT(workers[i].hits > 0);
    }
    dn_reuse_free(reuse);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
