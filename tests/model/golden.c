/* What PyTorch made of the small models in float64 (tests/data/make_goldens.py), layer by layer, on
 * every backend; and that a row's scores do not depend on the batch it is in, bit for bit. */
#include "model/model.h"
#include "model/safetensors.h"
#include "precision.h"
#include "test.h"

enum { MAX_BACKENDS = 32, MAX_ROWS = 64, MAX_TOKENS = 2048, N_MIXED = 8, MAX_MIXED = 6 };

static const char *const models[] = {"tiny", "h48", "h64", "h96"};
enum { N_MODELS = sizeof models / sizeof *models };

/** A small model, its golden, and the batch of the golden. */
typedef struct fixture {
    const dn_kernels *kernels;
    dn_model *model;
    dn_workspace *space;
    dn_safetensors *golden;
    dn_batch batch;
    int32_t token[MAX_TOKENS], row_start[MAX_ROWS];
    float score[MAX_ROWS * 16];
} fixture;

static int read_ints(const dn_safetensors *file, const char *name, int32_t *out) {
    const dn_tensor *tensor = dn_safetensors_find(file, name);
    memcpy(out, tensor->data, tensor->n_elements * sizeof *out);
    return (int)tensor->n_elements;
}

static fixture *open_fixture(const char *name, const dn_kernels *kernels) {
    fixture *f = calloc(1, sizeof *f);
    char path[256];
    f->kernels = kernels;
    snprintf(path, sizeof path, "tests/data/%s", name);
    if (dn_model_open(path, kernels, &f->model) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
    snprintf(path, sizeof path, "tests/data/golden/%s.safetensors", name);
    if (dn_safetensors_open(path, &f->golden) != DN_OK ||
        dn_workspace_new(f->model, MAX_TOKENS, MAX_ROWS, &f->space) != DN_OK) {
        abort();
    }
    int n_tokens = read_ints(f->golden, "tokens", f->token);
    int n_starts = read_ints(f->golden, "row_start", f->row_start);
    f->batch = (dn_batch){n_starts - 1, n_tokens, f->token, f->row_start};
    return f;
}

static void close_fixture(fixture *f) {
    dn_workspace_free(f->space);
    dn_safetensors_close(f->golden);
    dn_model_close(f->model);
    free(f);
}

/** Runs `check` for every small model on every backend of this machine. */
static void for_all(void (*check)(fixture *, const char *backend)) {
    const dn_kernels *table[MAX_BACKENDS];
    const char *names[MAX_BACKENDS];
    int n = dn_kernels_list(table, names, MAX_BACKENDS), n_wanted = 0;
    for (int i = 0; i < n; i++) {
        bool wanted = table[i] && backend_is_wanted(names[i]);
        n_wanted += wanted;
        for (int m = 0; wanted && m < N_MODELS; m++) {
            fixture *f = open_fixture(models[m], table[i]);
            check(f, names[i]);
            close_fixture(f);
        }
    }
    if (!n_wanted) {
        SKIP("this machine has no backend of those that DN_BACKEND names");
    }
}

/** ||x - g|| / ||g|| */
static double distance(const float *x, const float *golden, size_t n) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)x[i] - golden[i]) * ((double)x[i] - golden[i]);
        norm += (double)golden[i] * golden[i];
    }
    return sqrt(difference / norm);
}

static float *golden_floats(const fixture *f, const char *name, size_t n) {
    const dn_tensor *tensor = dn_safetensors_find(f->golden, name);
    float *values = calloc(n, sizeof *values);
    EXPECT(tensor && tensor->n_elements == n);
    EXPECT(tensor && dn_tensor_floats(f->golden, tensor, 0, n, values) == DN_OK);
    return values;
}

static void check_layer(void *ctx, int layer, const float *hidden, int n_tokens, int width) {
    const fixture *f = ctx;
    char name[32];
    snprintf(name, sizeof name, "hidden.%d", layer);
    size_t n = (size_t)n_tokens * (size_t)width;
    float *golden = golden_floats(f, name, n);
    double error = distance(hidden, golden, n), allowed = model_tolerance(f->kernels);
    if (!(error < allowed)) {
        fprintf(stderr, "%s: relative error %g\n", name, error);
    }
    EXPECT(error < allowed);
    free(golden);
}

static void check_scores(fixture *f, const char *backend) {
    const dn_model_info *info = dn_model_describe(f->model);
    dn_workspace_probe(f->space, check_layer, f);
    REQUIRE(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    for (int h = 0; h < info->n_model_heads; h++) {
        const dn_model_head *head = &info->model_head[h];
        char name[64];
        snprintf(name, sizeof name, "scores.%s", head->name);
        size_t n = (size_t)f->batch.n_rows * (size_t)head->n_labels;
        float *golden = golden_floats(f, name, n), *got = calloc(n, sizeof *got);
        for (size_t i = 0; i < n; i++) {
            size_t row = i / (size_t)head->n_labels, label = i % (size_t)head->n_labels;
            got[i] = f->score[row * (size_t)info->score_width + (size_t)head->begin + label];
        }
        double error = distance(got, golden, n), allowed = model_tolerance(f->kernels);
        if (!(error < allowed)) {
            fprintf(stderr, "%s on %s: relative error %g\n", name, backend, error);
        }
        EXPECT(error < allowed);
        free(golden);
        free(got);
    }
}

CASE(every_layer_equals_pytorch) {
    for_all(check_scores);
}

/** Packs the rows order[0..n) of the fixture's batch. */
static dn_batch pick(const fixture *f, const int *order, int n, int32_t *token,
                     int32_t *row_start) {
    row_start[0] = 0;
    for (int i = 0; i < n; i++) {
        int begin = f->row_start[order[i]], length = f->row_start[order[i] + 1] - begin;
        memcpy(token + row_start[i], f->token + begin, (size_t)length * sizeof *token);
        row_start[i + 1] = row_start[i] + length;
    }
    return (dn_batch){n, row_start[n], token, row_start};
}

/* Each row alone, then N_MIXED batches of 2 to MAX_MIXED rows in any order. */
static void check_invariance(fixture *f, const char *backend) {
    size_t width = (size_t)dn_model_describe(f->model)->score_width;
    REQUIRE(dn_model_score(f->model, f->space, &f->batch, f->score) == DN_OK);
    for (int round = 0; round < f->batch.n_rows + N_MIXED; round++) {
        int32_t token[MAX_TOKENS], row_start[MAX_ROWS];
        int order[MAX_MIXED],
            n = round < f->batch.n_rows ? 1 : 2 + (int)(dn_random() % (MAX_MIXED - 1));
        float score[MAX_MIXED * 16];
        for (int i = 0; i < n; i++) {
            order[i] =
                n == 1 ? round % f->batch.n_rows : (int)(dn_random() % (uint64_t)f->batch.n_rows);
        }
        dn_batch batch = pick(f, order, n, token, row_start);
        REQUIRE(dn_model_score(f->model, f->space, &batch, score) == DN_OK);
        for (int i = 0; i < n; i++) {
            if (memcmp(score + (size_t)i * width, f->score + (size_t)order[i] * width,
                       width * sizeof *score) != 0) {
                fprintf(stderr, "%s: row %d differs in a batch of %d\n", backend, order[i], n);
                EXPECT(!"equal bits");
                return;
            }
        }
    }
}

CASE(a_row_scores_the_same_bits_in_any_batch) {
    for_all(check_invariance);
}

CASE(describe_tells_what_config_json_says) {
    const dn_kernels *kernels;
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    fixture *f = open_fixture("tiny", kernels);
    const dn_model_info *info = dn_model_describe(f->model);
    EXPECT_INT(info->hidden, 32);
    EXPECT_INT(info->layers, 2);
    EXPECT_INT(info->n_model_heads, 2);
    EXPECT_INT(info->score_width, 5);
    EXPECT_TEXT(info->model_head[0].name, "mood");
    EXPECT_TEXT(info->model_head[1].labels[1], "yes");
    EXPECT_INT(info->model_head[1].begin, 3);
    EXPECT_TEXT(info->normalise, "tweeteval");
    EXPECT_INT(info->n_ignored_tensors, 0);
    EXPECT_INT(strlen(info->sha256), 64);
    close_fixture(f);
}

CASE(flops_follow_the_formula) {
    const dn_kernels *kernels;
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    fixture *f = open_fixture("tiny", kernels);
    int32_t token[5] = {2, 7, 3, 2, 3}, row_start[3] = {0, 3, 5};
    dn_batch batch = {2, 5, token, row_start};
    double linear = 2.0 * 5 * 2 * (4 * 32 * 32 + 2 * 32 * 64);
    double attention = 2 * 4.0 * 32 * (3 * 3 + 2 * 2);
    double heads = 2.0 * 2 * 64 * 5;
    EXPECT(dn_model_flops(f->model, &batch) == linear + attention + heads);
    close_fixture(f);
}

CASE(foreign_ids_and_wrong_rows_are_refused) {
    const dn_kernels *kernels;
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    fixture *f = open_fixture("tiny", kernels);
    int32_t low[3] = {2, -1, 3}, high[3] = {2, 1 << 20, 3}, good[3] = {2, 7, 3};
    int32_t whole[2] = {0, 3}, hollow[3] = {0, 0, 3}, apart[2] = {0, 2};
    const struct {
        dn_batch batch;
        const char *says;
    } table[] = {
        {{1, 3, low, whole}, "token id -1"},
        {{1, 3, high, whole}, "token id 1048576"},
        {{2, 3, good, hollow}, "row of 0 tokens"},
        {{1, 3, good, apart}, "do not cover"},
        {{MAX_ROWS + 1, 3, good, whole}, "the workspace holds"},
        {{1, MAX_TOKENS + 1, good, whole}, "the workspace holds"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        EXPECT_INT(dn_model_score(f->model, f->space, &table[i].batch, f->score), DN_FATAL);
        EXPECT(strstr(dn_failure_last()->text, table[i].says) != NULL);
    }
    dn_batch empty = {0, 0, good, whole};
    EXPECT_INT(dn_model_score(f->model, f->space, &empty, f->score), DN_OK);
    close_fixture(f);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
