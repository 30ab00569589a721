/* Whole texts as PyTorch scored them in float64: tests/data/golden/NAME.jsonl, a line each with
 * ids, labels and scores. */
#include "base/memory.h"
#include "io/json.h"
#include "model/model.h"
#include "precision.h"
#include "test.h"

#include <unistd.h>

enum { MAX_ROWS = 128, MAX_TOKENS = MAX_ROWS * 128, MAX_LINE = 1 << 16 };

/** The lines of a golden, packed as one batch. */
typedef struct golden {
    int n_rows;
    dn_json *line[MAX_ROWS];
    int32_t token[MAX_TOKENS], row_start[MAX_ROWS + 1];
} golden;

static void add_line(golden *g, const char *path, const char *text) {
    dn_json_at ids;
    if (dn_json_parse(dn_span_of(text), path, DN_E_DATA, &g->line[g->n_rows]) != DN_OK) {
        abort();
    }
    dn_json_at root = dn_json_root(g->line[g->n_rows]);
    if (dn_json_need(&root, "ids", DN_JSON_ARRAY, &ids) != DN_OK) {
        abort();
    }
    int32_t at = g->row_start[g->n_rows];
    for (size_t i = 0; i < dn_json_count(&ids); i++) {
        dn_json_at item = dn_json_item(&ids, i);
        int64_t id;
        EXPECT(dn_json_int(&item, 0, 1 << 20, &id) == DN_OK);
        g->token[at++] = (int32_t)id;
    }
    g->row_start[++g->n_rows] = at;
}

static golden *read_golden(const char *path) {
    FILE *file = fopen(path, "r");
    golden *g = dn_alloc(sizeof *g);
    char *text = dn_alloc(MAX_LINE);
    while (fgets(text, MAX_LINE, file) && g->n_rows < MAX_ROWS) {
        add_line(g, path, text);
    }
    fclose(file);
    free(text);
    return g;
}

static void free_golden(golden *g) {
    for (int i = 0; i < g->n_rows; i++) {
        dn_json_free(g->line[i]);
    }
    free(g);
}

static int largest(const float *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

/** A probability may be twice as far off as the states; a label differs only where two are that
 * close. */
static void check_head(const dn_json *line, const dn_model_head *head, const float *score,
                       double tolerance) {
    dn_json_at root = dn_json_root(line), labels, label, scores, of_head;
    const char *word = "";
    REQUIRE(dn_json_need(&root, "labels", DN_JSON_OBJECT, &labels) == DN_OK);
    REQUIRE(dn_json_need(&labels, head->name, DN_JSON_TEXT, &label) == DN_OK);
    REQUIRE(dn_json_need(&root, "scores", DN_JSON_OBJECT, &scores) == DN_OK);
    REQUIRE(dn_json_need(&scores, head->name, DN_JSON_OBJECT, &of_head) == DN_OK);
    EXPECT(dn_json_text(&label, &word) == DN_OK);
    float best = score[largest(score, head->n_labels)];
    for (int i = 0; i < head->n_labels; i++) {
        dn_json_at at;
        double expected = -1;
        REQUIRE(dn_json_need(&of_head, head->labels[i], DN_JSON_REAL, &at) == DN_OK);
        REQUIRE(dn_json_real(&at, 0, 1, &expected) == DN_OK);
        if (!(fabs(score[i] - expected) < tolerance)) {
            fprintf(stderr, "%s.%s: %.7f, expected %.7f\n", head->name, head->labels[i],
                    (double)score[i], expected);
            EXPECT(!"the expected score");
        }
        if (strcmp(head->labels[i], word) == 0) {
            EXPECT((double)(best - score[i]) < 2 * tolerance);
        }
    }
}

/** The first texts alone have the bits that they have in company. */
static void check_alone(const golden *g, const dn_model *model, dn_workspace *space,
                        const float *score) {
    enum { ALONE = 4 };
    size_t width = (size_t)dn_model_describe(model)->score_width;
    float *alone = dn_alloc_array(width, sizeof *alone);
    for (int row = 0; row < ALONE; row++) {
        int32_t begin = g->row_start[row], n = g->row_start[row + 1] - begin;
        const int32_t row_start[2] = {0, n};
        dn_batch batch = {1, n, g->token + begin, row_start};
        EXPECT_INT(dn_model_score(model, space, &batch, alone), DN_OK);
        EXPECT(memcmp(alone, score + (size_t)row * width, width * sizeof *alone) == 0);
    }
    free(alone);
}

static void check_texts(const char *dir, const char *path, const dn_kernels *kernels) {
    golden *g = read_golden(path);
    int n_tokens = g->row_start[g->n_rows];
    dn_model *model;
    dn_workspace *space;
    REQUIRE(dn_model_open(dir, kernels, &model) == DN_OK);
    const dn_model_info *info = dn_model_describe(model);
    REQUIRE(dn_workspace_new(model, n_tokens, g->n_rows, &space) == DN_OK);
    float *score = dn_alloc_array((size_t)(g->n_rows * info->score_width), sizeof *score);
    dn_batch batch = {g->n_rows, n_tokens, g->token, g->row_start};
    EXPECT(g->n_rows > 10);
    EXPECT_INT(dn_model_score(model, space, &batch, score), DN_OK);
    for (int row = 0; row < g->n_rows; row++) {
        for (int h = 0; h < info->n_model_heads; h++) {
            const dn_model_head *head = &info->model_head[h];
            check_head(g->line[row], head, score + row * info->score_width + head->begin,
                       2 * model_tolerance(kernels));
        }
    }
    check_alone(g, model, space, score);
    free(score);
    dn_workspace_free(space);
    dn_model_close(model);
    free_golden(g);
}

static void check_all_backends(const char *dir, const char *path) {
    const dn_kernels *table[32];
    const char *names[32];
    int n = dn_kernels_list(table, names, 32);
    for (int i = 0; i < n; i++) {
        if (table[i] && backend_is_wanted(names[i])) {
            check_texts(dir, path, table[i]);
        }
    }
}

CASE(tiny_model) {
    check_all_backends("tests/data/tiny", "tests/data/golden/tiny.jsonl");
}

CASE(shipped_model) {
    if (access("models/tweets/model.safetensors", R_OK) != 0 ||
        access("tests/data/golden/tweets.jsonl", R_OK) != 0) {
        SKIP("models/tweets is not here");
    }
    check_all_backends("models/tweets", "tests/data/golden/tweets.jsonl");
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
