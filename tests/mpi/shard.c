/* A model over 1 to 4 ranks against the same model on one: every family, every backend, or those
 * that DN_BACKEND names (tests/gpu: on devices). */
#include "../../bench/model/random_model.h"
#include "../model/precision.h"
#include "base/hash.h"
#include "base/memory.h"
#include "comm/comm.h"
#include "model/model.h"
#include "test.h"

#include <math.h>

enum { MAX_TOKENS = 200, MAX_ROWS = 12, MAX_BACKENDS = 16, MAX_RANKS = 16, SKIPPED = 77 };

static dn_comm *world;

static const char *const dirs[] = {
    "tests/data/tiny",
    "tests/data/families/bert_tokens",
    "tests/data/families/bert_sentences",
    "tests/data/families/distilbert_text",
    "tests/data/families/electra_text",
    "tests/data/families/roberta_mixed",
    "tests/data/families/xlm_roberta_tokens",
};
enum { N_DIRS = sizeof dirs / sizeof *dirs };

/** Rows of mixed lengths, the same on every rank. */
typedef struct texts {
    int32_t token[MAX_TOKENS], row_start[MAX_ROWS + 1];
    dn_batch batch;
} texts;

static void make_texts(texts *t, const dn_model_info *info, int n_rows) {
    static const int lengths[MAX_ROWS] = {3, 17, 1, 9, 20, 2, 12, 20, 5, 1, 7, 19};
    for (int r = 0, at = 0; r < n_rows; r++) {
        int length = lengths[r] < info->max_tokens ? lengths[r] : info->max_tokens;
        for (int i = 0; i < length; i++) {
            t->token[at++] = (int32_t)(dn_random() % (uint64_t)info->vocabulary);
        }
        t->row_start[r + 1] = at;
    }
    t->batch = (dn_batch){n_rows, t->row_start[n_rows], t->token, t->row_start};
}

/** A model and where its scores go. */
typedef struct scored {
    dn_model *model;
    dn_workspace *space;
    float *score;
    size_t n;
} scored;

static void must(dn_status status) {
    if (status != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
}

static scored open_scored(const char *dir, const dn_kernels *kernels, dn_comm *group) {
    scored s = {0};
    must(dn_model_open_part(dir, kernels, group, &s.model));
    must(dn_model_connect(s.model));
    must(dn_workspace_new(s.model, MAX_TOKENS, MAX_ROWS, &s.space));
    s.n = dn_model_score_floats(s.model, MAX_ROWS, MAX_TOKENS);
    s.score = dn_alloc_array(s.n, sizeof *s.score);
    return s;
}

static void close_scored(scored *s) {
    dn_workspace_free(s->space);
    dn_model_close(s->model);
    free(s->score);
}

/** The leader scores `t`; the others do their share of what comes. */
static void score_together(scored *part, const texts *t) {
    if (world->rank == 0) {
        EXPECT_INT(dn_model_score(part->model, part->space, &t->batch, part->score), DN_OK);
        return;
    }
    dn_batch batch;
    bool end = true;
    REQUIRE(dn_model_receive(part->model, part->space, &batch, &end) == DN_OK);
    EXPECT(!end);
    EXPECT_INT(batch.n_tokens, t->batch.n_tokens);
    EXPECT_INT(dn_model_score(part->model, part->space, &batch, NULL), DN_OK);
}

static void dismiss(scored *part) {
    if (world->rank == 0) {
        EXPECT_INT(dn_model_dismiss(part->model, part->space), DN_OK);
        return;
    }
    dn_batch batch;
    bool end = false;
    EXPECT_INT(dn_model_receive(part->model, part->space, &batch, &end), DN_OK);
    EXPECT(end);
}

static int largest(const float *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

/** Of a split row the narrow precisions round otherwise than of the whole one: as far off as either
 * may be from the truth. */
static double tolerance_of(const dn_kernels *kernels) {
    return strcmp(kernels->precision, "fp32") == 0 ? 2e-6 : model_tolerance(kernels);
}

static void compare(const char *dir, const dn_kernels *kernels, const scored *whole,
                    const scored *part, const texts *t) {
    const dn_model_info *info = dn_model_describe(whole->model);
    size_t n = dn_model_score_floats(whole->model, t->batch.n_rows, t->batch.n_tokens);
    double worst = 0, tolerance = tolerance_of(kernels);
    for (size_t i = 0; i < n; i++) {
        double x = whole->score[i], size = fmax(1, fabs(x)); /* embeddings are not below 1 */
        worst = fmax(worst, fabs(x - (double)part->score[i]) / size);
    }
    if (!(worst <= tolerance)) {
        fprintf(stderr, "%s on %s %s: a score differs by %g\n", dir, kernels->name, kernels->isa,
                worst);
    }
    EXPECT(worst <= tolerance);
    for (int h = 0; h < info->n_model_heads; h++) {
        const dn_model_head *head = &info->model_head[h];
        for (int r = 0; head->kind == DN_HEAD_SOFTMAX && r < t->batch.n_rows; r++) {
            size_t at = (size_t)r * (size_t)info->score_width + (size_t)head->begin;
            int label = largest(whole->score + at, head->n_labels);
            double margin = (double)whole->score[at + (size_t)label];
            int other = largest(part->score + at, head->n_labels);
            margin -= (double)whole->score[at + (size_t)other];
            EXPECT(label == other || margin < 2 * tolerance);
        }
    }
}

static void check_model(const char *dir, const dn_kernels *kernels) {
    dn_comm *group;
    REQUIRE(dn_comm_duplicate(world, &group) == DN_OK);
    scored whole = open_scored(dir, kernels, NULL), part = open_scored(dir, kernels, group);
    for (int rows = 1; rows <= MAX_ROWS; rows += 11) {
        texts t = {0};
        make_texts(&t, dn_model_describe(whole.model), rows);
        EXPECT_INT(dn_model_score(whole.model, whole.space, &t.batch, whole.score), DN_OK);
        score_together(&part, &t);
        if (world->rank == 0) {
            compare(dir, kernels, &whole, &part, &t);
        }
    }
    dismiss(&part);
    close_scored(&whole);
    close_scored(&part);
    dn_comm_close(group);
}

static bool can_be_shared(void) {
    return 4 % world->size == 0; /* the heads of all models of `dirs` */
}

CASE(parts_score_as_the_whole) {
    const dn_kernels *table[MAX_BACKENDS];
    const char *names[MAX_BACKENDS];
    int n = dn_kernels_list(table, names, MAX_BACKENDS), n_checked = 0;
    for (int i = 0; i < n && can_be_shared(); i++) {
        for (int d = 0; table[i] && backend_is_wanted(names[i]) && d < N_DIRS; d++, n_checked++) {
            check_model(dirs[d], table[i]);
        }
    }
    EXPECT(n_checked > 0 || !can_be_shared());
}

typedef struct layer_sums {
    uint64_t hash;
    int n;
} layer_sums;

static void note_layer(void *ctx, int layer, const float *hidden, int n_tokens, int width) {
    layer_sums *sums = ctx;
    size_t bytes = (size_t)n_tokens * (size_t)width * sizeof *hidden;
    sums->hash = dn_hash64((dn_span){(const char *)hidden, bytes}, sums->hash + (uint64_t)layer);
    sums->n++;
}

CASE(hidden_states_are_the_same_bits_on_all_ranks) {
    const dn_kernels *kernels;
    if (!can_be_shared()) {
        return;
    }
    REQUIRE(dn_kernels_select(NULL, &kernels) == DN_OK);
    scored part = open_scored(dirs[0], kernels, world);
    texts t = {0};
    layer_sums sums = {0};
    make_texts(&t, dn_model_describe(part.model), MAX_ROWS);
    dn_workspace_probe(part.space, note_layer, &sums);
    score_together(&part, &t);
    dismiss(&part);
    EXPECT_INT(sums.n, dn_model_describe(part.model)->layers + 1);
    uint64_t leaders = sums.hash;
    EXPECT_INT(dn_comm_broadcast(world, 0, &leaders, sizeof leaders), DN_OK);
    EXPECT(leaders == sums.hash);
    close_scored(&part);
}

/** Row `row` of `t` by itself. */
static void take_row(const texts *t, int row, texts *out) {
    int begin = t->row_start[row], n = t->row_start[row + 1] - begin;
    memcpy(out->token, t->token + begin, (size_t)n * sizeof *out->token);
    out->row_start[0] = 0;
    out->row_start[1] = n;
    out->batch = (dn_batch){1, n, out->token, out->row_start};
}

CASE(a_text_scores_the_same_alone) {
    const dn_kernels *kernels;
    if (!can_be_shared()) {
        return;
    }
    REQUIRE(dn_kernels_select(NULL, &kernels) == DN_OK);
    scored part = open_scored(dirs[0], kernels, world);
    size_t width = (size_t)dn_model_describe(part.model)->score_width;
    float *together = dn_alloc_array(part.n, sizeof *together);
    texts t = {0}, one = {0};
    make_texts(&t, dn_model_describe(part.model), MAX_ROWS);
    score_together(&part, &t);
    memcpy(together, part.score, part.n * sizeof *together);
    for (int row = 0; row < MAX_ROWS; row++) {
        take_row(&t, row, &one);
        score_together(&part, &one);
        EXPECT(memcmp(together + (size_t)row * width, part.score, width * sizeof(float)) == 0);
    }
    dismiss(&part);
    free(together);
    close_scored(&part);
}

/* Work is divided, not repeated: what all ranks count is what one counts alone. */
CASE(parts_of_the_work_add_up) {
    const dn_kernels *kernels;
    if (!can_be_shared()) {
        return;
    }
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    scored whole = open_scored(dirs[0], kernels, NULL), part = open_scored(dirs[0], kernels, world);
    texts t = {0};
    make_texts(&t, dn_model_describe(whole.model), MAX_ROWS);
    double flops = dn_model_flops(part.model, &t.batch);
    EXPECT_INT(dn_comm_reduce(world, DN_N_F64, DN_FOLD_SUM, &flops, 1), DN_OK);
    EXPECT(fabs(flops - dn_model_flops(whole.model, &t.batch)) < 1e-9 * flops);
    EXPECT_INT(dn_model_describe(part.model)->part, world->rank);
    EXPECT_INT(dn_model_describe(part.model)->n_parts, world->size);
    close_scored(&whole);
    close_scored(&part);
}

static int64_t weight_bytes(const char *dir, const dn_kernels *kernels, dn_comm *group) {
    dn_model *model;
    must(dn_model_open_part(dir, kernels, group, &model));
    int64_t bytes = dn_model_describe(model)->weight_bytes;
    dn_model_close(model);
    return bytes;
}

/* The sizes of a BERT-large but for its layers, of which there are 2 instead of 24: what every rank
 * holds (positions, norms, biases) weighs more here than there. */
CASE(weights_of_a_rank_fall_as_one_over_the_ranks) {
    static const random_shape shape = {"BERT-large of 2 layers", 2, 1024, 16, 4096, 30522};
    const dn_kernels *kernels;
    char dir[4096] = "", *made = NULL;
    if (world->size != 2 && world->size != 4) {
        return;
    }
    REQUIRE(dn_kernels_select("fp32", &kernels) == DN_OK);
    if (world->rank == 0) {
        made = random_model_write(&shape);
        snprintf(dir, sizeof dir, "%s", made);
    }
    must(dn_comm_broadcast(world, 0, dir, sizeof dir));
    int64_t whole = world->rank == 0 ? weight_bytes(dir, kernels, NULL) : 0;
    must(dn_comm_broadcast(world, 0, &whole, sizeof whole));
    double share = (double)weight_bytes(dir, kernels, world) / (double)whole;
    EXPECT(whole > INT64_C(4) * 56000000);
    EXPECT(share >= 1.0 / world->size);
    EXPECT(share < 1.02 / world->size + 0.01);
    must(dn_comm_barrier(world));
    if (made) {
        random_model_remove(made);
    }
}

CASE(heads_that_cannot_be_shared_are_refused) {
    const dn_kernels *kernels;
    dn_model *model;
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    if (world->size == 3) {
        EXPECT_INT(dn_model_open_part(dirs[0], kernels, world, &model), DN_FATAL);
        EXPECT_INT(dn_failure_last()->error, DN_E_CONFIG);
        EXPECT_TEXT(dn_failure_last()->text,
                    "tests/data/tiny has 4 attention heads, which a group of 3 ranks cannot share "
                    "evenly: use --tp 1, 2 or 4");
    }
}

/** Each rank its own, where a GPU is asked for; false: there are not as many. */
static bool choose_gpu(void) {
    dn_gpu found[MAX_RANKS];
    int n = dn_kernels_gpus(found, MAX_RANKS);
    const char *wanted = getenv("DN_BACKEND");
    if (wanted && strncmp(wanted, "cuda", 4) == 0 && n < world->local_size) {
        fprintf(stderr, "skipped: %d GPUs for %d ranks; %s\n", n, world->local_size,
                dn_kernels_gpu_note());
        return false;
    }
    dn_kernels_use_gpu(world->local_rank);
    return true;
}

int main(int argc, char **argv) {
    if (dn_comm_open(&world) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        return 1;
    }
    int rc = choose_gpu() ? dn_test_main(argc, argv) : SKIPPED;
    dn_comm_close(world);
    return rc;
}
