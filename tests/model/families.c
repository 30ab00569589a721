/* Checkpoints of every family and kind of head as transformers saved them, in fp32, fp16, bf16 and
 * in shards (tests/data/make_goldens_families.py), against what PyTorch made of them, layer by
 * layer and on every backend. */
#include "model/model.h"
#include "model/safetensors.h"
#include "precision.h"
#include "test.h"

enum { MAX_BACKENDS = 32, MAX_TOKENS = 512, MAX_ROWS = 16 };

static const struct {
    const char *name, *architecture;
    int n_heads, max_tokens, n_ignored;
} models[] = {
    {"bert_tokens", "bert", 1, 40, 0},
    {"distilbert_text", "distilbert", 1, 40, 0},
    {"electra_text", "electra", 1, 40, 0},
    {"electra_tokens", "electra", 1, 40, 0},
    {"roberta_text", "roberta", 1, 38, 0},
    {"xlm_roberta_tokens", "xlm-roberta", 1, 36, 0},
    {"bert_sentences", "bert", 1, 30, 0},
    {"distilbert_sentences", "distilbert", 1, 30, 0},
    {"roberta_mixed", "roberta", 6, 30, 0},
    {"xlm_roberta_whole", "xlm-roberta", 2, 48, 0},
    {"bert_text", "bert", 1, 40, 0},
    {"distilbert_tokens", "distilbert", 1, 40, 0},
    {"electra_sentences", "electra", 1, 30, 0},
    {"roberta_tokens", "roberta", 1, 38, 0},
    {"roberta_sentences", "roberta", 1, 30, 0},
    {"xlm_roberta_text", "xlm-roberta", 1, 38, 0},
    {"xlm_roberta_sentences", "xlm-roberta", 1, 30, 0},
    {"roberta_whole", "roberta", 1, 64, 0},
};
enum { N_MODELS = sizeof models / sizeof *models };

typedef struct fixture {
    const dn_kernels *kernels;
    const char *name;
    dn_model *model;
    dn_workspace *space;
    dn_safetensors *golden;
    dn_batch batch;
    int32_t token[MAX_TOKENS], row_start[MAX_ROWS];
    float *score;
} fixture;

static int read_ints(const dn_safetensors *file, const char *name, int32_t *out) {
    const dn_tensor *tensor = dn_safetensors_find(file, name);
    memcpy(out, tensor->data, tensor->n_elements * sizeof *out);
    return (int)tensor->n_elements;
}

static fixture *open_fixture(const char *name, const dn_kernels *kernels) {
    fixture *f = calloc(1, sizeof *f);
    char path[256];
    *f = (fixture){.kernels = kernels, .name = name};
    snprintf(path, sizeof path, "tests/data/families/%s", name);
    if (dn_model_open(path, kernels, &f->model) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
    strcat(path, "/golden.safetensors");
    if (dn_safetensors_open(path, &f->golden) != DN_OK ||
        dn_workspace_new(f->model, MAX_TOKENS, MAX_ROWS, &f->space) != DN_OK) {
        abort();
    }
    int n_tokens = read_ints(f->golden, "tokens", f->token);
    int n_rows = read_ints(f->golden, "row_start", f->row_start) - 1;
    f->batch = (dn_batch){n_rows, n_tokens, f->token, f->row_start};
    f->score = calloc(dn_model_score_floats(f->model, n_rows, n_tokens), sizeof *f->score);
    return f;
}

static void close_fixture(fixture *f) {
    dn_workspace_free(f->space);
    dn_safetensors_close(f->golden);
    dn_model_close(f->model);
    free(f->score);
    free(f);
}

static void for_all(void (*check)(fixture *)) {
    const dn_kernels *table[MAX_BACKENDS];
    const char *names[MAX_BACKENDS];
    int n = dn_kernels_list(table, names, MAX_BACKENDS), n_wanted = 0;
    for (int i = 0; i < n; i++) {
        bool wanted = table[i] && backend_is_wanted(names[i]);
        n_wanted += wanted;
        for (int m = 0; wanted && m < N_MODELS; m++) {
            fixture *f = open_fixture(models[m].name, table[i]);
            check(f);
            close_fixture(f);
        }
    }
    if (!n_wanted) {
        SKIP("this machine has no backend of those that DN_BACKEND names");
    }
}

/** ||x - g|| / ||g|| against the golden of that name. */
static void expect_golden(const fixture *f, const char *name, const float *x, size_t n) {
    const dn_tensor *tensor = dn_safetensors_find(f->golden, name);
    double difference = 0, norm = 0;
    REQUIRE(tensor && tensor->n_elements == n);
    float *golden = calloc(n, sizeof *golden);
    EXPECT(dn_tensor_floats(f->golden, tensor, 0, n, golden) == DN_OK);
    for (size_t i = 0; i < n; i++) {
        difference += ((double)x[i] - golden[i]) * ((double)x[i] - golden[i]);
        norm += (double)golden[i] * golden[i];
    }
    double error = sqrt(difference / norm);
    if (!(error < model_tolerance(f->kernels))) {
        fprintf(stderr, "%s: %s on %s %s: relative error %g\n", f->name, name, f->kernels->isa,
                f->kernels->precision, error);
        EXPECT(!"close to the golden");
    }
    free(golden);
}

static void check_layer(void *ctx, int layer, const float *hidden, int n_tokens, int width) {
    char name[32];
    snprintf(name, sizeof name, "hidden.%d", layer);
    expect_golden(ctx, name, hidden, (size_t)n_tokens * (size_t)width);
}

/** The columns of a head, dense. */
static void check_head(const fixture *f, const dn_model_head *head, const char *what) {
    const dn_model_info *info = dn_model_describe(f->model);
    bool tokens = head->kind == DN_HEAD_TOKENS;
    size_t n_rows = (size_t)(tokens ? f->batch.n_tokens : f->batch.n_rows);
    size_t stride = (size_t)(tokens ? info->token_width : info->score_width);
    size_t n = (size_t)head->n_labels;
    const float *from =
        f->score + (tokens ? (size_t)f->batch.n_rows * (size_t)info->score_width : 0);
    float *got = calloc(n_rows * n, sizeof *got);
    char name[64];
    for (size_t row = 0; row < n_rows; row++) {
        memcpy(got + row * n, from + row * stride + head->begin, n * sizeof *got);
    }
    snprintf(name, sizeof name, "%s.%s", what, head->name);
    expect_golden(f, name, got, n_rows * n);
    free(got);
}

static void check_scores(fixture *f) {
    const dn_model_info *info = dn_model_describe(f->model);
    dn_workspace_probe(f->space, check_layer, f);
    REQUIRE(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    for (int h = 0; h < info->n_model_heads; h++) {
        check_head(f, &info->model_head[h], "scores");
    }
    dn_workspace_probe(f->space, NULL, NULL);
    dn_workspace_want_logits(f->space, true);
    REQUIRE(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    for (int h = 0; h < info->n_model_heads; h++) {
        if (info->model_head[h].kind != DN_HEAD_EMBEDDING) {
            check_head(f, &info->model_head[h], "logits");
        }
    }
}

CASE(every_layer_and_head_equals_pytorch) {
    for_all(check_scores);
}

/* Logits of texts, finished: the scores, on the host with the same bits. */
static void check_finished(fixture *f) {
    const dn_model_info *info = dn_model_describe(f->model);
    size_t n = (size_t)f->batch.n_rows * (size_t)info->score_width;
    float *score = calloc(n, sizeof *score);
    const dn_kernels *ref;
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    REQUIRE(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    memcpy(score, f->score, n * sizeof *score);
    dn_workspace_want_logits(f->space, true);
    REQUIRE(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    dn_model_finish(f->model, ref, f->batch.n_rows, f->score);
    for (size_t i = 0; i < n; i++) {
        EXPECT(fabsf(f->score[i] - score[i]) <= (f->kernels->device ? 1e-6f : 0));
    }
    free(score);
}

CASE(finished_logits_are_the_scores) {
    for_all(check_finished);
}

/* Row by row: the same bits as in the batch, text scores and token scores. */
static void check_alone(fixture *f) {
    const dn_model_info *info = dn_model_describe(f->model);
    size_t width = (size_t)info->score_width, token_width = (size_t)info->token_width;
    REQUIRE(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    const float *token_score = f->score + (size_t)f->batch.n_rows * width;
    for (int row = 0; row < f->batch.n_rows; row++) {
        int begin = f->row_start[row], n = f->row_start[row + 1] - begin;
        int32_t row_start[2] = {0, n};
        float *alone = calloc(dn_model_score_floats(f->model, 1, n), sizeof *alone);
        dn_batch batch = {1, n, f->token + begin, row_start};
        REQUIRE(dn_model_score(f->model, f->space, &batch, alone) == DN_OK);
        EXPECT(memcmp(alone, f->score + (size_t)row * width, width * sizeof *alone) == 0);
        EXPECT(memcmp(alone + width, token_score + (size_t)begin * token_width,
                      (size_t)n * token_width * sizeof *alone) == 0);
        free(alone);
    }
}

CASE(a_row_scores_the_same_bits_alone) {
    for_all(check_alone);
}

CASE(describe_tells_family_and_heads) {
    const dn_kernels *ref;
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    for (int m = 0; m < N_MODELS; m++) {
        fixture *f = open_fixture(models[m].name, ref);
        const dn_model_info *info = dn_model_describe(f->model);
        EXPECT_TEXT(info->architecture, models[m].architecture);
        EXPECT_INT(info->n_model_heads, models[m].n_heads);
        EXPECT_INT(info->max_tokens, models[m].max_tokens);
        EXPECT_INT(info->n_ignored_tensors, models[m].n_ignored);
        EXPECT_INT(strlen(info->sha256), 64);
        close_fixture(f);
    }
}

CASE(columns_of_mixed_heads) {
    static const struct {
        const char *name;
        dn_head_kind kind;
        int begin, n;
    } heads[] = {
        {"topics", DN_HEAD_SIGMOID, 0, 3},  {"vector", DN_HEAD_EMBEDDING, 6, 32},
        {"entities", DN_HEAD_TOKENS, 0, 5}, {"mood", DN_HEAD_SOFTMAX, 3, 3},
        {"parts", DN_HEAD_TOKENS, 5, 3},    {"mean", DN_HEAD_EMBEDDING, 38, 32},
    };
    const dn_kernels *ref;
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    fixture *f = open_fixture("roberta_mixed", ref);
    const dn_model_info *info = dn_model_describe(f->model);
    EXPECT_INT(info->score_width, 70);
    EXPECT_INT(info->token_width, 8);
    for (int i = 0; i < 6; i++) {
        EXPECT_TEXT(info->model_head[i].name, heads[i].name);
        EXPECT_INT(info->model_head[i].kind, heads[i].kind);
        EXPECT_INT(info->model_head[i].begin, heads[i].begin);
        EXPECT_INT(info->model_head[i].n_labels, heads[i].n);
    }
    close_fixture(f);
}

CASE(positions_behind_the_padding_shorten_the_longest_row) {
    const dn_kernels *ref;
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    fixture *f = open_fixture("roberta_text", ref);
    int32_t token[39] = {0}, row_start[2] = {0, 38};
    EXPECT_INT(dn_model_score(f->model, f->space, &(dn_batch){1, 38, token, row_start}, f->score),
               DN_OK);
    row_start[1] = 39;
    EXPECT_INT(dn_model_score(f->model, f->space, &(dn_batch){1, 39, token, row_start}, f->score),
               DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "row of 39 tokens; the model takes 1 to 38") != NULL);
    close_fixture(f);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
