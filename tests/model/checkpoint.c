/* A sequence-classification checkpoint as transformers saves it: names with "bert.", a pooler, one
 * classifier, an embedding of more rows than there are pieces, and tensors that nobody asks for. */
#include "files.h"
#include "model/model.h"

enum { V = 64, H = 8, I = 12, P = 10, LABELS = 3, MAX_TENSORS = 64 };

static const char config[] =
    "{\"model_type\": \"bert\", \"vocab_size\": 64, \"hidden_size\": 8, \"num_hidden_layers\": 1,"
    " \"num_attention_heads\": 2, \"intermediate_size\": 12, \"hidden_act\": \"gelu\","
    " \"max_position_embeddings\": 10, \"type_vocab_size\": 2,"
    " \"id2label\": {\"0\": \"negative\", \"2\": \"positive\", \"1\": \"neutral\"}}";

static const struct {
    const char *name;
    int rows, columns; /**< columns 0: a vector */
} tensors[] = {
    {"bert.embeddings.word_embeddings.weight", V, H},
    {"bert.embeddings.position_embeddings.weight", P, H},
    {"bert.embeddings.token_type_embeddings.weight", 2, H},
    {"bert.embeddings.LayerNorm.weight", H, 0},
    {"bert.embeddings.LayerNorm.bias", H, 0},
    {"bert.embeddings.position_ids", P, 0},
    {"bert.encoder.layer.0.attention.self.query.weight", H, H},
    {"bert.encoder.layer.0.attention.self.query.bias", H, 0},
    {"bert.encoder.layer.0.attention.self.key.weight", H, H},
    {"bert.encoder.layer.0.attention.self.key.bias", H, 0},
    {"bert.encoder.layer.0.attention.self.value.weight", H, H},
    {"bert.encoder.layer.0.attention.self.value.bias", H, 0},
    {"bert.encoder.layer.0.attention.output.dense.weight", H, H},
    {"bert.encoder.layer.0.attention.output.dense.bias", H, 0},
    {"bert.encoder.layer.0.attention.output.LayerNorm.weight", H, 0},
    {"bert.encoder.layer.0.attention.output.LayerNorm.bias", H, 0},
    {"bert.encoder.layer.0.intermediate.dense.weight", I, H},
    {"bert.encoder.layer.0.intermediate.dense.bias", I, 0},
    {"bert.encoder.layer.0.output.dense.weight", H, I},
    {"bert.encoder.layer.0.output.dense.bias", H, 0},
    {"bert.encoder.layer.0.output.LayerNorm.weight", H, 0},
    {"bert.encoder.layer.0.output.LayerNorm.bias", H, 0},
    {"bert.pooler.dense.weight", H, H},
    {"bert.pooler.dense.bias", H, 0},
    {"classifier.weight", LABELS, H},
    {"classifier.bias", LABELS, 0},
};
enum { N_TENSORS = sizeof tensors / sizeof *tensors };

/** The values of each tensor, for the check. */
static float value[N_TENSORS][V * H];

static size_t elements(int i) {
    return (size_t)tensors[i].rows * (size_t)(tensors[i].columns ? tensors[i].columns : 1);
}

static void write_weights(const char *dir) {
    static char header[16384];
    size_t n = 0, offset = 0;
    for (int i = 0; i < N_TENSORS; i++) {
        char shape[32];
        snprintf(shape, sizeof shape, tensors[i].columns ? "%d,%d" : "%d", tensors[i].rows,
                 tensors[i].columns);
        n += (size_t)snprintf(
            header + n, sizeof header - n,
            "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", i ? "," : "{",
            tensors[i].name, shape, offset, offset + 4 * elements(i));
        offset += 4 * elements(i);
    }
    header[n++] = '}';
    write_tensors(dir, n, header, n, offset);
    bytes all = read_bytes(dir, "x.safetensors");
    char *to = all.at + 8 + n;
    for (int i = 0; i < N_TENSORS; i++) {
        for (size_t j = 0; j < elements(i); j++) {
            value[i][j] = (float)((double)(dn_random() % 2001) / 1000 - 1);
        }
        memcpy(to, value[i], 4 * elements(i));
        to += 4 * elements(i);
    }
    write_bytes(dir, "model.safetensors", all.at, all.n);
    free(all.at);
}

static void write_vocabulary(const char *dir, int pieces) {
    char text[V * 8];
    size_t n = 0;
    for (int i = 0; i < pieces; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "p%d\n", i);
    }
    write_bytes(dir, "vocab.txt", text, n - 1);
}

static const float *values_of(const char *name) {
    int i = 0;
    while (strcmp(tensors[i].name, name) != 0) {
        i++;
    }
    return value[i];
}

static void keep_last(void *ctx, int layer, const float *hidden, int n_tokens, int width) {
    (void)n_tokens;
    if (layer == 1) {
        memcpy(ctx, hidden, (size_t)width * sizeof *hidden);
    }
}

static double dot(const float *w, const double *x) {
    double sum = 0;
    for (int i = 0; i < H; i++) {
        sum += (double)w[i] * x[i];
    }
    return sum;
}

/** softmax(classifier(tanh(pooler(first token)))), written down as in the paper. */
static void expected_scores(const float *first_token, double *score) {
    double x[H], pooled[H], sum = 0;
    for (int i = 0; i < H; i++) {
        x[i] = first_token[i];
    }
    for (int i = 0; i < H; i++) {
        pooled[i] = tanh(dot(values_of("bert.pooler.dense.weight") + i * H, x) +
                         values_of("bert.pooler.dense.bias")[i]);
    }
    for (int i = 0; i < LABELS; i++) {
        score[i] = exp(dot(values_of("classifier.weight") + i * H, pooled) +
                       values_of("classifier.bias")[i]);
        sum += score[i];
    }
    for (int i = 0; i < LABELS; i++) {
        score[i] /= sum;
    }
}

CASE(a_plain_checkpoint_is_one_head) {
    char dir[64];
    make_dir(dir);
    write_bytes(dir, "config.json", config, strlen(config));
    write_weights(dir);
    write_vocabulary(dir, 60);
    const dn_kernels *kernels;
    REQUIRE(dn_kernels_select(NULL, &kernels) == DN_OK);
    dn_model *model;
    REQUIRE(dn_model_open(dir, kernels, &model) == DN_OK);
    const dn_model_info *info = dn_model_describe(model);
    EXPECT_INT(info->n_model_heads, 1);
    EXPECT_TEXT(info->model_head[0].name, "label");
    EXPECT_TEXT(info->model_head[0].labels[1], "neutral");
    EXPECT_TEXT(info->normalise, "none");
    EXPECT_INT(info->max_tokens, P);
    EXPECT_INT(info->n_ignored_tensors, 1);

    dn_workspace *space;
    REQUIRE(dn_workspace_new(model, P, 1, &space) == DN_OK);
    const int32_t token[] = {2, 17, 59, 3}, row_start[] = {0, 4};
    float first_token[H], score[LABELS];
    double expected[LABELS];
    dn_workspace_probe(space, keep_last, first_token);
    EXPECT(dn_model_score(model, space, &(dn_batch){1, 4, token, row_start}, score) == DN_OK);
    expected_scores(first_token, expected);
    for (int i = 0; i < LABELS; i++) {
        EXPECT(fabs(score[i] - expected[i]) < 1e-5);
    }
    dn_workspace_free(space);
    dn_model_close(model);
    remove_dir(dir);
}

CASE(a_vocabulary_that_rounding_does_not_explain_is_refused) {
    static const struct {
        int pieces;
        dn_status status;
    } table[] = {{64, DN_OK}, {63, DN_OK}, {1, DN_OK}, {65, DN_FATAL}};
    char dir[64];
    make_dir(dir);
    write_bytes(dir, "config.json", config, strlen(config));
    write_weights(dir);
    const dn_kernels *kernels;
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        dn_model *model = NULL;
        write_vocabulary(dir, table[i].pieces);
        EXPECT_INT(dn_model_open(dir, kernels, &model), table[i].status);
        dn_model_close(model);
    }
    remove_dir(dir);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
