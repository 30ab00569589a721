/* The stage `linear` with heads that answer for one language each: one column of all, null where
 * nobody answers, buckets of their own, and what is refused. */
#include "base/memory.h"
#include "model/grams.h"
#include "model/safetensors_write.h"
#include "model/scorer.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static const char *const detected[] = {"de", "en", "es", DN_UNDECIDED};
enum { DE, EN, ES, UND, N_DETECTED, N_ROWS = 5, CLASSES = 2 };

#define HEAD(language)                                                                             \
    "{\"name\": \"mood\", \"language\": \"" language "\", \"kind\": \"softmax\", \"labels\": "     \
    "[\"bad\", \"good\"]}"
#define CONFIG(languages, heads)                                                                   \
    "{\"model_type\": \"dunlin-ngrams\", \"dunlin\": {\"ngrams\": 2, \"languages\": [" languages   \
    "], \"heads\": [" heads "]}}"

static const char good[] = CONFIG("\"de\", \"es\"", HEAD("de") ", " HEAD("es"));

static int32_t bucket_of(const char *word) {
    dn_ngrams *ngrams = dn_ngrams_new();
    const dn_ngram *gram;
    EXPECT(dn_ngrams_of(ngrams, dn_span_of(word), &gram) > 0);
    int32_t bucket = gram[0].bucket;
    dn_ngrams_free(ngrams);
    return bucket;
}

/** Weights by which the first word decides: "gut" is good and "mal" nothing in German, "mal" is bad
 * in Spanish. */
static void write_weights(const char *path) {
    static const float weight[] = {-3, 3, 3, -3}, bias[] = {0, 0, 0, 0};
    const int32_t bucket[] = {bucket_of("gut"), bucket_of("mal")};
    const uint64_t one = 1, classes = CLASSES, shape[] = {1, CLASSES};
    dn_tensor_header header;
    dn_tensor_header_open(&header);
    dn_tensor_header_add(&header, "heads.mood.de.bucket", DN_DT_I32, 1, &one);
    dn_tensor_header_add(&header, "heads.mood.es.bucket", DN_DT_I32, 1, &one);
    dn_tensor_header_add(&header, "heads.mood.de.weight", DN_DT_F32, 2, shape);
    dn_tensor_header_add(&header, "heads.mood.es.weight", DN_DT_F32, 2, shape);
    dn_tensor_header_add(&header, "heads.mood.de.bias", DN_DT_F32, 1, &classes);
    dn_tensor_header_add(&header, "heads.mood.es.bias", DN_DT_F32, 1, &classes);
    FILE *file = fopen(path, "wb");
    REQUIRE(file);
    dn_tensor_header_write(&header, file);
    fwrite(bucket, sizeof *bucket, 2, file);
    fwrite(weight, sizeof *weight, 4, file);
    fwrite(bias, sizeof *bias, 4, file);
    fclose(file);
}

/** A directory with this config.json. */
static char *new_model(const char *config) {
    char *dir =
        dn_format("%s/linear-XXXXXX", getenv("DN_TEST_TMP") ? getenv("DN_TEST_TMP") : "/tmp");
    EXPECT(mkdtemp(dir) != NULL);
    char *path = dn_format("%s/config.json", dir);
    char *weights = dn_format("%s/model.safetensors", dir);
    FILE *file = fopen(path, "w");
    if (!file) {
        abort();
    }
    fputs(config, file);
    fclose(file);
    write_weights(weights);
    free(path);
    free(weights);
    return dir;
}

static void remove_model(char *dir) {
    char *path = dn_format("%s/config.json", dir);
    char *weights = dn_format("%s/model.safetensors", dir);
    EXPECT(unlink(path) == 0 && unlink(weights) == 0 && rmdir(dir) == 0);
    free(path);
    free(weights);
    free(dir);
}

/** The stage over five texts in the languages that `language` says. */
typedef struct rig {
    dn_schema schema;
    void *conf;
    dn_chunk *chunk;
    dn_status status;
} rig;

static void set(rig *r, const char *name, const char *value) {
    EXPECT(dn_prop_set(dn_prop_find(dn_stage_linear.props, name), r->conf, value) == DN_OK);
}

static void add_column(rig *r, dn_field field) {
    int index;
    field.width = 1;
    EXPECT(dn_schema_add(&r->schema, field, &index) == DN_OK);
}

static rig *bind(const char *dir, bool knows_languages, const char *scores) {
    rig *r = dn_alloc(sizeof *r);
    r->conf = dn_alloc(dn_stage_linear.conf_size);
    EXPECT(dn_props_init(dn_stage_linear.props, r->conf) == DN_OK);
    set(r, "path", dir);
    set(r, "scores", scores);
    add_column(r, (dn_field){.name = "clean", .type = DN_BYTES});
    if (knows_languages) {
        add_column(r, (dn_field){.name = "label.language",
                                 .type = DN_LABEL,
                                 .labels = detected,
                                 .n_labels = N_DETECTED});
    }
    r->status = dn_stage_linear.bind(r->conf, &(dn_bind){.schema = &r->schema});
    return r;
}

static void run(rig *r, const char *text) {
    static const uint8_t language[N_ROWS] = {DE, EN, ES, UND, DN_NO_LABEL};
    void *worker;
    r->chunk = dn_chunk_new(&r->schema);
    for (int i = 0; i < N_ROWS; i++) {
        uint32_t row = dn_chunk_append(r->chunk, i, DN_NULL_I64, DN_NULL_I64);
        dn_chunk_bytes(r->chunk, 0)[row] = dn_span_of(text);
        dn_chunk_label(r->chunk, 1)[row] = language[i];
    }
    EXPECT(dn_stage_linear.open(r->conf, &worker) == DN_OK);
    EXPECT(dn_stage_linear.run(r->conf, worker, r->chunk) == DN_OK);
    dn_stage_linear.close(worker);
}

static void rig_free(rig *r) {
    dn_chunk_free(r->chunk);
    dn_stage_linear.unbind(r->conf);
    dn_props_free(dn_stage_linear.props, r->conf);
    free(r->conf);
    free(r);
}

static float probability(const rig *r, int row, int class) {
    return dn_chunk_f32(r->chunk,
                        dn_schema_find(&r->schema, "score.mood"))[CLASSES * row + class];
}

CASE(each_head_answers_for_its_language_in_one_column) {
    char *dir = new_model(good);
    rig *r = bind(dir, true, "true");
    REQUIRE(r->status == DN_OK);
    int label = dn_schema_find(&r->schema, "label.mood");
    EXPECT_INT(r->schema.n, 4);
    EXPECT_TEXT(r->schema.field[label].languages, "de,es");
    run(r, "gut");
    const uint8_t *mood = dn_chunk_label(r->chunk, label);
    EXPECT_INT(mood[0], 1);
    EXPECT(probability(r, 0, 1) > 0.99f);
    EXPECT(fabsf(probability(r, 2, 1) - 0.5f) < 1e-6f); /* no word of Spanish */
    for (int i = 1; i < N_ROWS; i += i == 1 ? 2 : 1) {
        EXPECT_INT(mood[i], DN_NO_LABEL);
        EXPECT(isnan(probability(r, i, 0)) && isnan(probability(r, i, 1)));
    }
    dn_chunk_free(r->chunk);
    run(r, "mal");
    EXPECT(fabsf(probability(r, 0, 0) - 0.5f) < 1e-6f);
    EXPECT(probability(r, 2, 0) > 0.99f);
    rig_free(r);
    remove_model(dir);
}

CASE(labels_alone_where_scores_are_not_wanted) {
    char *dir = new_model(good);
    rig *r = bind(dir, true, "false");
    REQUIRE(r->status == DN_OK);
    EXPECT_INT(r->schema.n, 3);
    run(r, "gut");
    EXPECT_INT(dn_chunk_label(r->chunk, dn_schema_find(&r->schema, "label.mood"))[0], 1);
    rig_free(r);
    remove_model(dir);
}

CASE(what_cannot_be_is_refused) {
    static const struct {
        const char *config, *words;
    } bad[] = {{CONFIG("\"de\"", HEAD("de") ", " HEAD("es")),
                "dunlin.heads[1].language: \"es\" is not among the model's languages"},
               {CONFIG("\"de\"", HEAD("de") ", " HEAD("de")),
                "dunlin.heads[1].name: \"mood\": a head needs a name of its own"},
               {CONFIG("\"fr\"", HEAD("fr")), "heads.NAME.bucket"},
               {CONFIG("\"it\", \"de\", \"es\"", HEAD("de") ", " HEAD("es") ", " HEAD("it")),
                "heads.NAME.bucket"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *dir = new_model(bad[i].config);
        rig *r = bind(dir, true, "true");
        EXPECT(r->status == DN_FATAL);
        EXPECT(strstr(dn_failure_last()->text, bad[i].words) != NULL);
        rig_free(r);
        remove_model(dir);
    }
    char *dir = new_model(good);
    rig *r = bind(dir, false, "true");
    EXPECT(r->status == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "needs the column 'label.language'") != NULL);
    rig_free(r);
    remove_model(dir);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
