/* dn_model_import: what is made scores as what it was made of, and what cannot be made leaves
 * nothing behind. dn_comparison: two openings of one model, held against each other. */
#include "model/import.h"

#include "files.h"
#include "model/compare.h"
#include "model/sample.h"

static const char *const models[] = {
    "bert_tokens",    "distilbert_text",    "electra_text",      "electra_tokens",
    "roberta_text",   "xlm_roberta_tokens", "bert_sentences",    "distilbert_sentences",
    "roberta_mixed",  "bert_text",          "distilbert_tokens", "electra_sentences",
    "roberta_tokens", "roberta_sentences",  "xlm_roberta_text",  "xlm_roberta_sentences",
    "roberta_whole",  "xlm_roberta_whole"};
enum { N_MODELS = sizeof models / sizeof *models, TOKENS = 256, ROWS = 32 };

static const dn_kernels *ref(void) {
    const dn_kernels *kernels = NULL;
    EXPECT(dn_kernels_select("ref", &kernels) == DN_OK);
    return kernels;
}

static dn_model *open_model(const char *dir) {
    dn_model *model = NULL;
    if (dn_model_open(dir, ref(), &model) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
    return model;
}

/** Largest logit difference of any head; *n: decisions of all. */
static double difference(const dn_model *first, const dn_model *second, int64_t *n) {
    const dn_model_info *info = dn_model_describe(first);
    dn_sample sample = dn_sample_new(2, TOKENS, ROWS, info->max_tokens, info->vocabulary);
    dn_comparison *comparison;
    double worst = 0;
    *n = 0;
    if (dn_comparison_new(first, second, TOKENS, ROWS, &comparison) != DN_OK) {
        abort();
    }
    for (int i = 0; i < sample.n_batches; i++) {
        EXPECT_INT(dn_comparison_add(comparison, &sample.batch[i]), DN_OK);
    }
    for (int h = 0; h < info->n_model_heads; h++) {
        worst = fmax(worst, dn_comparison_read(comparison)[h].logit);
        *n += dn_comparison_read(comparison)[h].n;
    }
    dn_comparison_free(comparison);
    dn_sample_free(&sample);
    return worst;
}

/** Imports a model into a fresh folder below `root`; `to` holds 128 bytes. */
static void import_model(const char *name, const char *root, const dn_import_options *options,
                         char *from, char *to, dn_import_report *report) {
    snprintf(from, 128, "tests/data/families/%s", name);
    snprintf(to, 128, "%s/%s", root, name);
    if (dn_model_import(from, to, options, report) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
}

CASE(a_copy_scores_the_same_bits) {
    char root[64], from[128], to[128];
    make_dir(root);
    for (int i = 0; i < N_MODELS; i++) {
        dn_import_report report;
        int64_t n;
        import_model(models[i], root, &(dn_import_options){0}, from, to, &report);
        EXPECT(report.n_files >= 2 && report.bytes > 10000);
        dn_model *first = open_model(from), *second = open_model(to);
        EXPECT(difference(first, second, &n) == 0);
        EXPECT_TEXT(dn_model_describe(first)->sha256, dn_model_describe(second)->sha256);
        EXPECT_TEXT(dn_model_describe(first)->model_head[0].name,
                    dn_model_describe(second)->model_head[0].name);
        EXPECT_INT(dn_model_describe(first)->max_tokens, dn_model_describe(second)->max_tokens);
        dn_model_close(first);
        dn_model_close(second);
    }
    remove_dir(root);
}

/** Whether the checkpoint is of that type already. */
static bool is_bf16(const char *name) {
    static const char *const names[] = {"electra_tokens", "bert_text", "roberta_tokens",
                                        "roberta_sentences"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        found = found || strcmp(names[i], name) == 0;
    }
    return found;
}

CASE(bf16_is_close_and_names_its_head) {
    char root[64], from[128], to[128];
    make_dir(root);
    for (int i = 0; i < N_MODELS; i++) {
        dn_import_report report;
        int64_t n;
        bool own = strcmp(models[i], "roberta_mixed") == 0 ||
                   strcmp(models[i], "xlm_roberta_whole") == 0; /* a "dunlin" object */
        dn_import_options options = {.bf16 = true,
                                     .head = own ? NULL : "mood",
                                     .normalise = own ? NULL : "tweeteval",
                                     .max_tokens = own ? 0 : 20};
        import_model(models[i], root, &options, from, to, &report);
        dn_model *first = open_model(from), *second = open_model(to);
        double worst = difference(second, first, &n);
        EXPECT(is_bf16(models[i]) ? worst == 0 : worst > 0 && worst < 0.2);
        EXPECT((n > 0) == (strstr(models[i], "sentences") == NULL));
        const dn_model_info *info = dn_model_describe(first);
        EXPECT_TEXT(dn_model_describe(second)->model_head[0].name,
                    own ? info->model_head[0].name : "mood");
        EXPECT_INT(dn_model_describe(second)->max_tokens, own ? info->max_tokens : 20);
        EXPECT_INT(dn_model_describe(second)->n_ignored_tensors, 0);
        dn_model_close(first);
        dn_model_close(second);
    }
    remove_dir(root);
}

CASE(what_cannot_be_made_leaves_nothing) {
    static const struct {
        const char *from, *to;
        dn_import_options options;
        dn_error error;
        const char *says;
    } table[] = {
        {"electra_text", "", {0}, DN_E_CANT_CREATE, "is there already"},
        {"electra_text", "/no/such/folder", {0}, DN_E_CANT_CREATE, "cannot be made"},
        {"electra_text", "/x", {.max_tokens = 41}, DN_E_MODEL, "max_tokens: is 41"},
        {"electra_text", "/x", {.normalise = "lower"}, DN_E_MODEL, "\"lower\" is not supported"},
        {"electra_text", "/x", {.head = "a/b"}, DN_E_CONFIG, "without '/' and '.'"},
        {"roberta_mixed", "/x", {.head = "a"}, DN_E_CONFIG, "has a \"dunlin\" object already"},
        {"absent", "/x", {0}, DN_E_NO_INPUT, "absent/config.json"},
    };
    char root[64], from[128], to[128];
    make_dir(root);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        dn_import_report report;
        snprintf(from, sizeof from, "tests/data/families/%s", table[i].from);
        snprintf(to, sizeof to, "%s%s", root, table[i].to);
        EXPECT_INT(dn_model_import(from, to, &table[i].options, &report), DN_FATAL);
        EXPECT_INT(dn_failure_last()->error, table[i].error);
        if (!strstr(dn_failure_last()->text, table[i].says)) {
            fprintf(stderr, "got    %s\nwanted %s\n", dn_failure_last()->text, table[i].says);
            EXPECT(!"the expected message");
        }
    }
    EXPECT_INT(rmdir(root), 0);
}

CASE(a_model_differs_from_another_in_logits_and_decisions) {
    dn_model *first = open_model("tests/data/families/electra_tokens"),
             *second = open_model("tests/data/families/electra_tokens");
    int64_t n;
    EXPECT(difference(first, second, &n) == 0);
    EXPECT(n > 200);
    dn_model_close(second);
    second = open_model("tests/data/families/bert_tokens");
    dn_comparison *comparison;
    const int32_t token[] = {0, 9, 17, 2}, row_start[] = {0, 4};
    REQUIRE(dn_comparison_new(first, second, 4, 1, &comparison) == DN_OK);
    EXPECT_INT(dn_comparison_add(comparison, &(dn_batch){1, 4, token, row_start}), DN_OK);
    const dn_head_difference *d = dn_comparison_read(comparison);
    EXPECT(d->n == 4 && d->logit > 0.1);
    EXPECT((d->flips > 0) == (d->flip_margin > 0));
    EXPECT_INT(d->texts, 1); /* of four tokens */
    EXPECT_INT(d->changed, d->flips > 0);
    dn_comparison_free(comparison);
    dn_model_close(first);
    dn_model_close(second);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
