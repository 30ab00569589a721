/* Generated corpora: the same bytes everywhere, and a truth that readers find again. */
#include "source/generator.h"
#include "base/hash.h"
#include "base/memory.h"
#include "harness.h"
#include "source/corpus.h"
#include "source/sources.h"
#include "test.h"

static uint64_t digest(int64_t n_rows, uint64_t seed) {
    enum { PIECE = 1 << 16 };
    char *piece = dn_alloc(PIECE);
    dn_hasher *hasher = dn_hasher_new();
    dn_generator *generator = dn_generator_new(n_rows, seed, 0.001);
    for (size_t n = 1; n;) {
        n = dn_generator_pull(generator, piece, 1 + dn_random() % PIECE);
        dn_hasher_add(hasher, piece, n);
    }
    uint64_t value = dn_hasher_value(hasher);
    dn_generator_free(generator);
    dn_hasher_free(hasher);
    free(piece);
    return value;
}

/** XXH3-64 as datasets/MANIFEST publishes it for a number of rows of seed 1. */
static bool published(const char *name, uint64_t *value) {
    char line[256], want[64];
    FILE *file = fopen("datasets/MANIFEST", "r");
    bool found = false;
    snprintf(want, sizeof want, " %s\n", name);
    while (file && !found && fgets(line, sizeof line, file)) {
        found = strstr(line, want) != NULL && sscanf(line, "%16lx", value) == 1;
    }
    if (file) {
        fclose(file);
    }
    return found;
}

CASE(generator_makes_the_published_bytes) {
    uint64_t want = 0;
    REQUIRE(published("generated-20k-seed1.jsonl", &want));
    EXPECT(digest(20000, 1) == want);
    EXPECT(digest(20000, 2) != want);
}

/** Run by the ctest entry with the label `long`: the 1 M reference corpus. */
CASE(generator_long_reference_corpus) {
    uint64_t want = 0;
    if (!getenv("DN_TEST_LONG")) {
        SKIP("set DN_TEST_LONG to make the corpus of 1 M rows");
    }
    REQUIRE(published("generated-1m-seed1.jsonl", &want));
    EXPECT(digest(1000000, 1) == want);
}

CASE(generator_truth_is_what_a_reader_finds) {
    enum { ROWS = 6000 };
    plan wanted = {.ops = &dn_source_generator, .props = {"rows=6000", "seed=3", "bad_share=5%"}};
    outcome run = run_source(&wanted);
    run_sort(&run);
    EXPECT_INT(run.status, DN_OK);
    EXPECT_TEXT(run.topic, "generated");
    REQUIRE(run.n == ROWS);
    dn_tweets *tweets = dn_tweets_new(3, dn_bad_ppm(0.05));
    char *line = dn_alloc(DN_TWEET_OVERSIZE);
    int kinds[DN_TWEET_KINDS] = {0};
    for (int64_t i = 0; i < ROWS; i++) {
        dn_tweet_truth truth;
        dn_tweet_line(tweets, i, line, &truth);
        const got *g = &run.rows[i];
        kinds[truth.kind]++;
        EXPECT_INT(g->reason != NULL, truth.kind == DN_TWEET_BAD);
        if (truth.reason) {
            EXPECT_TEXT(g->reason, truth.reason);
            continue;
        }
        EXPECT_TEXT(g->language, truth.language);
        EXPECT(i == 0 || run.rows[i - 1].reason || g->event_ms >= run.rows[i - 1].event_ms);
        bool same = truth.of >= 0 && !strcmp(g->text, run.rows[truth.of].text);
        EXPECT(truth.of < i);
        EXPECT_INT(same, truth.kind == DN_TWEET_EXACT);
    }
    for (int k = 0; k < DN_TWEET_KINDS; k++) {
        EXPECT(kinds[k] > 50);
    }
    free(line);
    dn_tweets_free(tweets);
    run_free(&run);
}

CASE(generator_writes_rows_and_truth) {
    char rows[256], truth[256], first[512];
    snprintf(rows, sizeof rows, "%s", temp_path("rows.jsonl"));
    snprintf(truth, sizeof truth, "%s", temp_path("truth.jsonl"));
    dn_generate_options options = {.n_rows = 100, .seed = 1, .truth = truth};
    REQUIRE(dn_generate(rows, &options) == DN_OK);
    FILE *file = fopen(truth, "r");
    REQUIRE(file);
    EXPECT(fgets(first, sizeof first, file) != NULL);
    EXPECT_TEXT(first,
                "{\"id\":0,\"kind\":\"original\",\"of\":null,\"lang\":\"ru\",\"reason\":null}\n");
    int lines = 1;
    while (fgets(first, sizeof first, file)) {
        lines++;
    }
    fclose(file);
    EXPECT_INT(lines, 100);
    dn_corpus_report report;
    dn_corpus_options read = {0};
    EXPECT(dn_corpus_describe(rows, &read, &report) == DN_OK);
    EXPECT_INT(report.n_records, 100);
    EXPECT_INT(report.n_bad, 0);
    EXPECT_TEXT(report.format, "jsonl");
    EXPECT(report.first_ms >= 1483228800000 && report.last_ms > report.first_ms);
    EXPECT(report.largest >= 100 / 12);
    options.truth = "/no/such/folder/truth.csv";
    EXPECT(dn_generate(rows, &options) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_CANT_CREATE);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
