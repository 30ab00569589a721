/* Model directories that do not fit together or ask for what is not computed. */
#include "files.h"
#include "model/model.h"

static const dn_kernels *ref(void) {
    const dn_kernels *kernels = NULL;
    if (dn_kernels_select("ref", &kernels) != DN_OK) {
        abort();
    }
    return kernels;
}

/** The tiny model with the first `from` in `file` replaced by `to`. */
static const struct {
    const char *file, *from, *to, *says;
} table[] = {
    {"config.json", "\"bert\"", "\"gpt2\"",
     "model_type: \"gpt2\" is not supported; these are: bert, distilbert,"},
    {"config.json", "\"gelu\"", "\"gelu_new\"",
     "hidden_act: \"gelu_new\" is not supported; only \"gelu\" is"},
    {"config.json", "\"pad_token_id\": 0", "\"position_embedding_type\": \"relative_key\"",
     "position_embedding_type: \"relative_key\" is not supported"},
    {"config.json", "\"pad_token_id\": 0", "\"is_decoder\": true",
     "is_decoder: only encoders are supported"},
    {"config.json", "\"hidden_size\": 32,", "", "has no \"hidden_size\""},
    {"config.json", "\"hidden_size\": 32", "\"hidden_size\": \"32\"",
     "hidden_size: is a text, expected a whole number"},
    {"config.json", "\"hidden_size\": 32", "\"hidden_size\": 32, \"hidden_size\": 32", "duplicate"},
    {"config.json", "\"hidden_size\": 32", "\"hidden_size\": 0",
     "hidden_size: is 0, expected 1 to"},
    {"config.json", "\"hidden_size\": 32", "\"hidden_size\": 34",
     "hidden_size 34 is not a multiple of num_attention_heads 4"},
    {"config.json", "\"hidden_size\": 32", "\"hidden_size\": 64",
     "shape [800, 32], config.json asks for [800, 64]"},
    {"config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3",
     "has no tensor \"encoder.layer.2."},
    {"config.json", "\"intermediate_size\": 64", "\"intermediate_size\": 63",
     "intermediate.dense.weight: shape [64, 32]"},
    {"config.json", "\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": -1", "layer_norm_eps: is -1"},
    {"config.json", "\"max_position_embeddings\": 64", "\"max_position_embeddings\": 65",
     "position_embeddings.weight: shape [64, 32]"},
    {"config.json", "\"max_position_embeddings\": 64", "\"max_position_embeddings\": 63",
     "dunlin.max_tokens: is 64, expected 2 to 63"},
    {"config.json", "\"max_tokens\"", "\"windows\": 65, \"max_tokens\"",
     "dunlin.windows: is 65, expected 1 to 64"},
    {"config.json", "\"max_tokens\"", "\"windows\": 2, \"overlap\": 32, \"max_tokens\"",
     "dunlin.overlap: is 32, expected 0 to 31"},
    {"config.json", "\"max_tokens\": 64", "\"windows\": 2, \"max_tokens\": 7",
     "dunlin.windows: of 7 tokens (max_tokens): at least 8 are needed"},
    {"config.json", "\"tweeteval\"", "\"lower\"", "dunlin.normalise: \"lower\" is not supported"},
    {"config.json", "\"max_tokens\"", "\"languages\": \"en\", \"max_tokens\"",
     "dunlin.languages: is a text, expected a list"},
    {"config.json", "\"max_tokens\"", "\"languages\": [\"en\", \"English\"], \"max_tokens\"",
     "dunlin.languages[1]: \"English\" is no code of a language"},
    {"config.json", "\"max_tokens\"", "\"languages\": [\"en\", \"en\"], \"max_tokens\"",
     "dunlin.languages[1]: \"en\" stands there twice"},
    {"config.json", "\"cls\",", "\"max\",", "dunlin.pooling[0]: \"max\" is not supported"},
    {"config.json", "\"cls\",", "\"cls\", \"cls\",",
     "dunlin.pooling: has 3 parts, expected 1 or 2"},
    {"config.json", "\"softmax\"", "\"regression\"",
     "dunlin.heads[0].kind: \"regression\" is not supported"},
    {"config.json", "\"question\"", "\"mood\"",
     "dunlin.heads[1].name: \"mood\": a head needs a name of its own"},
    {"config.json", "\"question\"", "\"a/b\"", "dunlin.heads[1].name: \"a/b\""},
    {"config.json", "\"question\"", "\"answer\"", "has no tensor \"heads.answer.weight\""},
    {"config.json", "\"no\",", "", "dunlin.heads[1].labels: has 1 labels, expected 2 to 254"},
    {"config.json", "\"no\",", "\"no\", \"maybe\",",
     "heads.question.weight: shape [2, 64], config.json asks for [3, 64]"},
    {"config.json", "\"no\",", "\"yes\",", "dunlin.heads[1].labels: \"yes\" stands there twice"},
    {"config.json", "\"no\",", "7,",
     "dunlin.heads[1].labels[0]: is a whole number, expected a text"},
    {"config.json", "\"dunlin\"", "\"dunlen\"",
     "architectures: \"BertModel\" has no head that is supported"},
    {"config.json", "{", "[", "not valid JSON"},
    {"config.json", "\"vocab_size\": 800", "\"vocab_size\": 801",
     "800 pieces, but the embedding has 801 rows"},
    {"vocab.txt", "[UNK]\n", "", "799 pieces, but the embedding has 800 rows"},
    {"vocab.txt", "[UNK]\n", "[UNK]\nextra\n", "801 pieces, but the embedding has 800 rows"},
    {"model.safetensors", "heads.mood.bias", "heads.moot.bias",
     "has no tensor \"heads.mood.bias\""},
    {"model.safetensors", "\"F32\",\"shape\":[32]", "\"I32\",\"shape\":[32]",
     "embeddings.LayerNorm.bias: type I32"},
    {"model.safetensors", "\"shape\":[64,32]", "\"shape\":[32,64]",
     "position_embeddings.weight: shape [32, 64]"},
};

static void copy_tiny(const char *dir) {
    copy_dir("tests/data/tiny", dir);
}

static void expect_refusal(const char *dir, dn_error error, const char *says) {
    dn_model *model = NULL;
    EXPECT_INT(dn_model_open(dir, ref(), &model), DN_FATAL);
    const dn_failure *failure = dn_failure_last();
    EXPECT_INT(failure->error, error);
    if (!strstr(failure->text, says) || !strstr(failure->text, dir)) {
        fprintf(stderr, "got    %s\nwanted %s\n", failure->text, says);
        EXPECT(!"the expected message");
    }
    EXPECT(model == NULL);
}

CASE(directories_that_do_not_fit_are_refused) {
    char dir[64];
    make_dir(dir);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        copy_tiny(dir);
        edit_file(dir, table[i].file, table[i].from, table[i].to);
        expect_refusal(dir, DN_E_MODEL, table[i].says);
    }
    remove_dir(dir);
}

/** outliers.json that belongs to another model, or to none. */
CASE(outliers_that_do_not_fit_are_refused) {
    static const struct {
        const char *text, *says;
    } files[] = {
        {"{\"layers\": [", "not valid JSON"},
        {"{}", "outliers.json: has no \"layers\""},
        {"{\"layers\": []}", "outliers.json: layers: has 0 layers, but config.json"},
        {"{\"layers\": [{\"qkv\": [32]}, {}]}", "layers[0].qkv[0]: is 32, expected 0 to 31"},
        {"{\"layers\": [{\"qkv\": [7, 7]}, {}]}", "layers[0].qkv[1]: is 7, expected 8 to 31"},
        {"{\"layers\": [{\"qkv\": [1, 2, 3, 4, 5]}, {}]}", "has 5 inputs, expected at most 4"},
        {"{\"layers\": [{\"qkv\": []}, {}]}", "layers[0]: has no \"out\""},
    };
    char dir[64];
    make_dir(dir);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        copy_tiny(dir);
        write_bytes(dir, "outliers.json", files[i].text, strlen(files[i].text));
        expect_refusal(dir, DN_E_MODEL, files[i].says);
    }
    remove_dir(dir);
}

CASE(cut_and_missing_files_are_refused) {
    char dir[64];
    make_dir(dir);
    copy_tiny(dir);
    bytes weights = read_bytes(dir, "model.safetensors");
    const size_t cuts[] = {0, 7, 100, 5000, weights.n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        write_bytes(dir, "model.safetensors", weights.at, cuts[i]);
        expect_refusal(dir, DN_E_MODEL, "model.safetensors");
    }
    free(weights.at);
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    unlink(path);
    expect_refusal(dir, DN_E_NO_INPUT, "model.safetensors");
    snprintf(path, sizeof path, "%s/config.json", dir);
    unlink(path);
    expect_refusal(dir, DN_E_NO_INPUT, "config.json");
    remove_dir(dir);
}

CASE(a_weight_that_is_not_a_number_is_refused) {
    char dir[64];
    make_dir(dir);
    copy_tiny(dir);
    bytes weights = read_bytes(dir, "model.safetensors");
    memcpy(weights.at + weights.n - 4, "\0\0\xc0\x7f", 4);
    write_bytes(dir, "model.safetensors", weights.at, weights.n);
    expect_refusal(dir, DN_E_MODEL, "is not a finite number");
    free(weights.at);
    remove_dir(dir);
}

/* Bytes of config.json changed at random: refused with a MODEL error, or a model that scores. */
CASE(mutated_configurations_are_refused_or_work) {
    enum { ROUNDS = 1000 };
    char dir[64];
    make_dir(dir);
    copy_tiny(dir);
    bytes good = read_bytes(dir, "config.json"), bad = read_bytes(dir, "config.json");
    int accepted = 0;
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(bad.at, good.at, good.n);
        for (uint64_t times = 1 + dn_random() % 3; times > 0; times--) {
            char any = (char)dn_random(), sign = "0123456789[]{},:\"-e"[dn_random() % 19];
            bad.at[dn_random() % good.n] = dn_random() % 4 ? sign : any;
        }
        write_bytes(dir, "config.json", bad.at, bad.n);
        dn_model *model = NULL;
        if (dn_model_open(dir, ref(), &model) != DN_OK) {
            REQUIRE(model == NULL && dn_failure_last()->error == DN_E_MODEL);
            continue;
        }
        accepted++;
        dn_workspace *space;
        const int32_t token[] = {2, 3}, row_start[] = {0, 2};
        float score[16];
        REQUIRE(dn_model_describe(model)->score_width <= 16);
        REQUIRE(dn_workspace_new(model, 8, 1, &space) == DN_OK);
        EXPECT_INT(dn_model_score(model, space, &(dn_batch){1, 2, token, row_start}, score), DN_OK);
        dn_workspace_free(space);
        dn_model_close(model);
    }
    EXPECT(accepted > 0 && accepted < ROUNDS / 2);
    free(good.at);
    free(bad.at);
    remove_dir(dir);
}

CASE(foreign_tensors_are_counted_and_left_alone) {
    char dir[64];
    make_dir(dir);
    copy_tiny(dir);
    edit_file(dir, "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    dn_model *model = NULL;
    REQUIRE(dn_model_open(dir, ref(), &model) == DN_OK);
    EXPECT_INT(dn_model_describe(model)->n_ignored_tensors, 16);
    dn_model_close(model);
    remove_dir(dir);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
