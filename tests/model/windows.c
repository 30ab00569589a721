/* Long texts in windows: what heads see of one is the mean over the tokens of all its windows, each
 * read by itself, and its first token; in every backend, alone and among others. */
#include "base/memory.h"
#include "files.h"
#include "model/model.h"
#include "precision.h"

#include <math.h>

enum { WINDOW = 12, WINDOWS = 4, LONGEST = WINDOW * WINDOWS, HIDDEN = 32 };

static const int lengths[] = {LONGEST, 5, WINDOW, WINDOW + 1, 2 * WINDOW, 31};
enum { N_TEXTS = sizeof lengths / sizeof *lengths };

/** The tiny model, with windows and without. */
typedef struct rig {
    char dir[64];
    int32_t token[N_TEXTS * LONGEST], start[N_TEXTS + 1];
} rig;

static void rig_make(rig *r) {
    make_dir(r->dir);
    copy_dir("tests/data/tiny", r->dir);
    edit_file(r->dir, "config.json", "\"max_tokens\": 64",
              "\"max_tokens\": 12, \"windows\": 4, \"overlap\": 3");
    r->start[0] = 0;
    for (int i = 0; i < N_TEXTS; i++) {
        r->start[i + 1] = r->start[i] + lengths[i];
    }
    for (int i = 0; i < r->start[N_TEXTS]; i++) {
        r->token[i] = (int32_t)(dn_random() % 800);
    }
}

/** What the heads see of these rows: cls, mean. */
static void see(const char *dir, const dn_kernels *kernels, dn_batch batch, float *out) {
    dn_model *model;
    dn_workspace *space;
    REQUIRE(dn_model_open_features(dir, kernels, &model) == DN_OK);
    EXPECT_INT(dn_model_describe(model)->score_width, 2 * HIDDEN);
    REQUIRE(dn_workspace_new(model, batch.n_tokens, batch.n_rows, &space) == DN_OK);
    EXPECT_INT(dn_model_score(model, space, &batch, out), DN_OK);
    dn_workspace_free(space);
    dn_model_close(model);
}

/** By the model without windows, a window at a time. */
static void check_text(const rig *r, const dn_kernels *kernels, int text, const float *seen) {
    float part[2 * HIDDEN];
    double sum[HIDDEN] = {0};
    int begin = r->start[text], end = r->start[text + 1];
    for (int at = begin; at < end; at += WINDOW) {
        int32_t n = end - at < WINDOW ? end - at : WINDOW, start[] = {0, n};
        see("tests/data/tiny", kernels, (dn_batch){1, n, r->token + at, start}, part);
        EXPECT(at > begin || memcmp(part, seen, HIDDEN * sizeof *part) == 0);
        for (int i = 0; i < HIDDEN; i++) {
            sum[i] += (double)part[HIDDEN + i] * n;
        }
    }
    for (int i = 0; i < HIDDEN; i++) {
        EXPECT(fabs(sum[i] / (end - begin) - (double)seen[HIDDEN + i]) < 1e-5);
    }
}

static void check_backend(const rig *r, const dn_kernels *kernels) {
    float together[N_TEXTS * 2 * HIDDEN], alone[2 * HIDDEN];
    see(r->dir, kernels, (dn_batch){N_TEXTS, r->start[N_TEXTS], r->token, r->start}, together);
    for (int i = 0; i < N_TEXTS; i++) {
        const float *seen = together + (ptrdiff_t)i * 2 * HIDDEN;
        int32_t start[] = {0, lengths[i]};
        see(r->dir, kernels, (dn_batch){1, lengths[i], r->token + r->start[i], start}, alone);
        EXPECT(memcmp(seen, alone, sizeof alone) == 0);
        check_text(r, kernels, i, seen);
    }
}

CASE(windows_are_read_apart_and_pooled_together) {
    const dn_kernels *table[32];
    const char *names[32];
    int n = dn_kernels_list(table, names, 32);
    rig r;
    rig_make(&r);
    for (int i = 0; i < n; i++) {
        if (table[i] && !table[i]->device && backend_is_wanted(names[i])) {
            check_backend(&r, table[i]);
        }
    }
    remove_dir(r.dir);
}

CASE(windows_make_the_longest_row) {
    const dn_kernels *kernels;
    dn_model *model;
    dn_workspace *space;
    rig r;
    rig_make(&r);
    int32_t token[LONGEST + 1] = {0}, start[] = {0, LONGEST + 1};
    float score[8];
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    REQUIRE(dn_model_open(r.dir, kernels, &model) == DN_OK);
    const dn_model_info *info = dn_model_describe(model);
    EXPECT_INT(info->max_tokens, WINDOW);
    EXPECT_INT(info->windows, WINDOWS);
    EXPECT_INT(info->overlap, 3);
    EXPECT_INT(info->longest, LONGEST);
    REQUIRE(dn_workspace_new(model, LONGEST + 1, 1, &space) == DN_OK);
    dn_batch batch = {1, LONGEST + 1, token, start};
    EXPECT_INT(dn_model_score(model, space, &batch, score), DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "row of 49 tokens; the model takes 1 to 48"));
    dn_workspace_free(space);
    dn_model_close(model);
    remove_dir(r.dir);
}

/** Attention is within windows, and so are its operations. */
CASE(windows_cost_less_than_one_long_row) {
    const dn_kernels *kernels;
    dn_model *split, *whole;
    rig r;
    rig_make(&r);
    int32_t token[LONGEST] = {0}, start[] = {0, LONGEST};
    dn_batch batch = {1, LONGEST, token, start};
    REQUIRE(dn_kernels_select("ref", &kernels) == DN_OK);
    REQUIRE(dn_model_open(r.dir, kernels, &split) == DN_OK);
    REQUIRE(dn_model_open("tests/data/tiny", kernels, &whole) == DN_OK);
    double pairs = LONGEST * LONGEST - WINDOWS * WINDOW * WINDOW;
    double less = dn_model_flops(whole, &batch) - dn_model_flops(split, &batch);
    EXPECT(less == 4.0 * HIDDEN * 2 * pairs);
    dn_model_close(split);
    dn_model_close(whole);
    remove_dir(r.dir);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
