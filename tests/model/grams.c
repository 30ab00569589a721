/* Texts as n-grams, and the linear model on them: what a text consists of, what is written is what
 * is read, scores by their formula, files that lie. */
#include "model/grams.h"
#include "base/memory.h"
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

enum { LABELS = 2, SECOND = 15, HEADS = 2, COLUMNS = 3, ROOM = 256 };

/** One for all cases: its table of characters takes its time to make. */
static dn_ngrams *ngrams(void) {
    static dn_ngrams *shared;
    shared = shared ? shared : dn_ngrams_new();
    return shared;
}

static int n_grams(const char *text) {
    const dn_ngram *gram;
    return dn_ngrams_of(ngrams(), dn_span_of(text), &gram);
}

static bool same(const char *a, const char *b) {
    static dn_ngram of_a[ROOM];
    const dn_ngram *gram;
    int n = dn_ngrams_of(ngrams(), dn_span_of(a), &gram);
    memcpy(of_a, gram, (size_t)n * sizeof *gram);
    int m = dn_ngrams_of(ngrams(), dn_span_of(b), &gram);
    return n == m && memcmp(of_a, gram, (size_t)n * sizeof *gram) == 0;
}

CASE(words_pairs_and_runs_are_counted) {
    EXPECT_INT(n_grams(""), 0);
    EXPECT_INT(n_grams(" \t\n"), 0);
    EXPECT_INT(n_grams("a"), 1 + 3);       /* a; " a" "a " " a " */
    EXPECT_INT(n_grams("ab"), 1 + 6);      /* ab; 3 of two, 2 of three, 1 of four */
    EXPECT_INT(n_grams("ab ab"), 2 + 6);   /* and the pair */
    EXPECT_INT(n_grams("a b"), 3 + 6);     /* no run goes over a blank */
    EXPECT_INT(n_grams("abcdef"), 1 + 22); /* 7 + 6 + 5 + 4 */
}

CASE(case_and_blanks_do_not_matter_and_all_else_does) {
    EXPECT(same("No, thanks", "  NO ,\n thanks  "));
    EXPECT(same("\xc3\x84rger", "\xc3\xa4rger"));
    EXPECT(same("\xd0\x9f\xd0\xa0\xd0\x98", "\xd0\xbf\xd1\x80\xd0\xb8"));
    EXPECT(!same("\xc3\x84rger", "arger"));
    EXPECT(!same("no thanks", "no, thanks"));
    EXPECT(!same("a b", "b a"));
    EXPECT(n_grams("\xe3\x81\x82\xe3\x82\x8a") == n_grams("ab"));
}

CASE(both_groups_are_of_length_one) {
    dn_ngrams *g = ngrams();
    const dn_ngram *gram;
    double squares[2] = {0};
    int n = dn_ngrams_of(g, dn_span_of("the cat and the dog, the end"), &gram);
    for (int i = 0; i < n; i++) {
        squares[gram[i].bucket >= DN_NGRAM_BUCKETS / 2] +=
            (double)gram[i].value * (double)gram[i].value;
    }
    EXPECT(fabs(squares[0] - 1) < 1e-5 && fabs(squares[1] - 1) < 1e-5);
    EXPECT(gram[0].bucket != gram[1].bucket);
}

CASE(a_long_text_and_then_a_short_one) {
    dn_ngrams *g = ngrams();
    const dn_ngram *gram;
    char *text = dn_alloc(100001);
    for (int i = 0; i < 100000; i++) {
        text[i] = (char)(dn_random() % 95 + 32);
    }
    EXPECT(dn_ngrams_of(g, dn_span_of(text), &gram) > 50000);
    EXPECT_INT(dn_ngrams_of(g, dn_span_of("ab ab"), &gram), 8);
    for (int i = 0; i < 100000; i++) {
        text[i] =
            i % 2 ? '!' : (char)('a' + i % 26); /* each byte becomes two characters and more */
    }
    EXPECT(dn_ngrams_of(g, dn_span_of(text), &gram) > 0);
    free(text);
}

CASE(those_of_a_set_have_the_values_that_they_have_among_all) {
    static uint32_t set[DN_BUCKET_SET_WORDS];
    static dn_ngram all[ROOM];
    dn_ngrams *g = ngrams();
    const dn_ngram *gram;
    int n = dn_ngrams_of(g, dn_span_of("the cat and the dog, the end"), &gram), n_wanted = 0;
    REQUIRE(n < ROOM);
    for (int i = 0; i < n; i++) {
        uint32_t bucket = (uint32_t)gram[i].bucket;
        if (i % 3 != 1) {
            set[bucket / DN_BUCKET_SET_BITS] |= 1u << bucket % DN_BUCKET_SET_BITS;
            all[n_wanted++] = gram[i];
        }
    }
    EXPECT_INT(dn_ngrams_among(g, dn_span_of("the cat and the dog, the end"), set, &gram),
               n_wanted);
    EXPECT(memcmp(gram, all, (size_t)n_wanted * sizeof *gram) == 0);
    EXPECT_INT(dn_ngrams_among(g, dn_span_of(""), set, &gram), 0);
}

/* ---- the model ---- */

static const char *const names[LABELS] = {"no", "yes"};
static const float weight[COLUMNS * LABELS] = {0.5f, -0.5f, 1, 2, -3, 4}, bias[LABELS] = {0.25f, 0};

/* Rows of 17 columns: two steps of the table. */
static const char *const second_names[SECOND] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                                 "i", "j", "k", "l", "m", "n", "o"};
static const float second_weight[COLUMNS * SECOND] = {
    [0] = 1, [14] = -2, [SECOND] = 0.5f, [SECOND + 13] = 3, [2 * SECOND + 14] = 0.25f};
static const float second_bias[SECOND] = {0};

static char *new_place(void) {
    char *dir =
        dn_format("%s/grams-XXXXXX", getenv("DN_TEST_TMP") ? getenv("DN_TEST_TMP") : "/tmp");
    char *model = mkdtemp(dir) ? dn_format("%s/model", dir) : NULL;
    free(dir);
    return model;
}

static dn_status write_model(const char *dir, const int32_t *bucket) {
    const dn_new_head head[HEADS] = {
        {"topic", LABELS, COLUMNS, names, weight, bias, DN_HEAD_SOFTMAX, 0, NULL},
        {"about", SECOND, COLUMNS, second_names, second_weight, second_bias, DN_HEAD_SIGMOID, 0,
         NULL}};
    return dn_gram_model_write(dir, &(dn_gram_parts){head, HEADS, COLUMNS, bucket, "none", false});
}

static void remove_model(char *dir) {
    static const char *const files[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        char *path = dn_format("%s/%s", dir, files[i]);
        EXPECT(unlink(path) == 0);
        free(path);
    }
    EXPECT(rmdir(dir) == 0);
    *strrchr(dir, '/') = 0;
    EXPECT(rmdir(dir) == 0); /* nothing else was left there */
    free(dir);
}

/** Three of a text's n-grams, by rising bucket. */
static void choose_grams(const dn_ngram *gram, int n, dn_ngram *out) {
    int found = 0;
    for (int32_t bucket = 0; bucket < DN_NGRAM_BUCKETS && found < COLUMNS; bucket++) {
        for (int i = 0; i < n; i += 2) {
            if (gram[i].bucket == bucket && found < COLUMNS) {
                out[found++] = gram[i];
            }
        }
    }
    REQUIRE(found == COLUMNS);
}

CASE(what_is_written_scores_by_its_formula) {
    dn_ngrams *g = ngrams(), *own = dn_ngrams_new();
    const dn_ngram *gram;
    dn_ngram chosen[COLUMNS];
    dn_gram_model *model;
    choose_grams(gram, dn_ngrams_of(g, dn_span_of("will it rain?"), &gram), chosen);
    int32_t bucket[COLUMNS] = {chosen[0].bucket, chosen[1].bucket, chosen[2].bucket};
    char *dir = new_place();
    REQUIRE(dir && write_model(dir, bucket) == DN_OK);
    EXPECT(dn_gram_model_found(dir) && !dn_gram_model_found("tests/data/tiny"));
    EXPECT(!dn_gram_model_found("tests/data"));
    REQUIRE(dn_gram_model_open(dir, &model) == DN_OK);
    const dn_model_info *info = dn_gram_model_describe(model);
    REQUIRE(info->n_model_heads == HEADS && info->score_width == LABELS + SECOND);
    EXPECT_TEXT(info->model_head[0].name, "topic");
    EXPECT_TEXT(info->model_head[0].labels[1], "yes");
    EXPECT(info->model_head[1].kind == DN_HEAD_SIGMOID);
    EXPECT_INT(strlen(info->sha256), 64);
    float score[LABELS + SECOND], logit[LABELS + SECOND];
    dn_gram_model_score(model, own, dn_span_of("Will it rain?"), score);
    dn_gram_model_logits(model, own, dn_span_of("Will it rain?"), logit);
    double z[LABELS + SECOND] = {(double)bias[0], (double)bias[1]};
    for (int i = 0; i < COLUMNS; i++) {
        for (int k = 0; k < LABELS; k++) {
            z[k] += (double)chosen[i].value * (double)weight[LABELS * i + k];
        }
        for (int k = 0; k < SECOND; k++) {
            z[LABELS + k] += (double)chosen[i].value * (double)second_weight[SECOND * i + k];
        }
    }
    EXPECT(fabs((double)score[1] - 1 / (1 + exp(z[0] - z[1]))) < 1e-6);
    EXPECT(fabs((double)score[0] + (double)score[1] - 1) < 1e-6);
    for (int k = 0; k < SECOND; k++) {
        EXPECT(fabs((double)score[LABELS + k] - 1 / (1 + exp(-z[LABELS + k]))) < 1e-6);
    }
    for (int k = 0; k < LABELS + SECOND; k++) {
        EXPECT(fabs((double)logit[k] - z[k]) < 1e-5);
    }
    dn_gram_model_score(model, own, dn_span_of(""), score);
    EXPECT(fabs((double)score[0] - 1 / (1 + exp(-0.25))) < 1e-6);
    EXPECT(write_model(dir, bucket) != DN_OK); /* it is there */
    dn_gram_model_close(model);
    dn_ngrams_free(own);
    remove_model(dir);
}

CASE(files_that_lie_are_refused) {
    static const struct {
        int32_t bucket[COLUMNS];
        const char *words;
    } tables[] = {{{1, 2, 2}, "ngrams.bucket[2] is 2: not above the one before it"},
                  {{1, 2, DN_NGRAM_BUCKETS}, "ngrams.bucket[2] is 262144"},
                  {{-1, 2, 3}, "ngrams.bucket[0] is -1"}};
    static const struct {
        const char *dunlin, *words;
    } configs[] = {
        {"{\"heads\": []}", "has no \"ngrams\": an older version made this model"},
        {"{\"ngrams\": 1, \"heads\": []}", "n-grams are numbered by rule 2 here; fit it anew"},
        {"{\"ngrams\": 2, \"heads\": []}", "has 0 heads, expected 1 to 16"},
        {"{\"ngrams\": 2, \"heads\": [{\"name\": \"a\", \"kind\": \"tokens\", \"labels\": "
         "[\"x\", \"y\"]}]}",
         "head a is of kind tokens"},
        {"{\"ngrams\": 2, \"heads\": [{\"name\": \"a\", \"kind\": \"softmax\", \"labels\": "
         "[\"x\", \"y\"]}]}",
         "heads.a.bias"}};
    dn_gram_model *model;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char *dir = new_place();
        REQUIRE(dir && write_model(dir, tables[i].bucket) == DN_OK);
        EXPECT(dn_gram_model_open(dir, &model) == DN_FATAL);
        EXPECT(strstr(dn_failure_last()->text, tables[i].words) != NULL);
        remove_model(dir);
    }
    char *dir = new_place();
    REQUIRE(dir && write_model(dir, (int32_t[]){1, 2, 3}) == DN_OK);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char *path = dn_format("%s/config.json", dir);
        FILE *file = fopen(path, "w");
        REQUIRE(file);
        fprintf(file, "{\"model_type\": \"dunlin-ngrams\", \"dunlin\": %s}", configs[i].dunlin);
        fclose(file);
        free(path);
        EXPECT(dn_gram_model_open(dir, &model) == DN_FATAL);
        EXPECT(strstr(dn_failure_last()->text, configs[i].words) != NULL);
    }
    remove_model(dir);
    EXPECT(dn_gram_model_open("tests/data/tiny", &model) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "\"bert\" is no model on n-grams") != NULL);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
