/* Means of labels: the cosines of every backend are those of what a head sees, alone and among
 * others, and decide which text has a label. */
#include "base/memory.h"
#include "files.h"
#include "model/import.h"
#include "model/model.h"
#include "model/new_head.h"
#include "precision.h"

#include <math.h>

enum { N_TEXTS = 7, LONGEST = 20, WIDTH = 64, LABELS = 3 };
static const char *const names[LABELS] = {"one", "two", "three"};

typedef struct rig {
    char dir[64];
    float weight[LABELS * WIDTH], bias[LABELS], mean[LABELS * WIDTH];
    int32_t token[N_TEXTS * LONGEST], start[N_TEXTS + 1];
    const dn_model_head *head; /**< of the model that scored last */
    int width;
} rig;

static float any(void) {
    return (float)(dn_random() % 2001) / 1000 - 1;
}

/** The tiny model with a head `topic` more, under which `below` texts have no label. */
static void rig_make(rig *r, double below) {
    char parent[64];
    make_dir(parent);
    snprintf(r->dir, sizeof r->dir, "%.50s/mine", parent);
    for (int i = 0; i < LABELS * WIDTH; i++) {
        r->weight[i] = any() / 8;
        r->mean[i] = any() * (float)(1 + i / WIDTH); /* of any length */
    }
    memset(r->bias, 0, sizeof r->bias);
    for (int i = 0; i < N_TEXTS; i++) {
        r->start[i + 1] = r->start[i] + 2 + i * 3 % (LONGEST - 1);
    }
    for (int i = 0; i < r->start[N_TEXTS]; i++) {
        r->token[i] = (int32_t)(dn_random() % 800);
    }
    dn_new_head head = {.name = "topic",
                        .n_labels = LABELS,
                        .width = WIDTH,
                        .label = names,
                        .weight = r->weight,
                        .bias = r->bias,
                        .mean = r->mean,
                        .undecided_below = below};
    dn_import_report report;
    REQUIRE(dn_model_import("tests/data/tiny", r->dir, &(dn_import_options){.added = &head},
                            &report) == DN_OK);
}

static void rig_free(rig *r) {
    *strrchr(r->dir, '/') = 0;
    remove_dir(r->dir);
}

static dn_batch all_texts(const rig *r) {
    return (dn_batch){N_TEXTS, r->start[N_TEXTS], r->token, r->start};
}

/** What a head sees of each text, by the plain kernels. */
static void see(const rig *r, float *out) {
    const dn_kernels *ref;
    dn_model *model;
    dn_workspace *space;
    dn_batch batch = all_texts(r);
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    REQUIRE(dn_model_open_features("tests/data/tiny", ref, &model) == DN_OK);
    REQUIRE(dn_workspace_new(model, batch.n_tokens, batch.n_rows, &space) == DN_OK);
    EXPECT_INT(dn_model_score(model, space, &batch, out), DN_OK);
    dn_workspace_free(space);
    dn_model_close(model);
}

static double cosine(const float *a, const float *b) {
    double product = 0, of_a = 0, of_b = 0;
    for (int i = 0; i < WIDTH; i++) {
        product += (double)a[i] * (double)b[i];
        of_a += (double)a[i] * (double)a[i];
        of_b += (double)b[i] * (double)b[i];
    }
    return product / sqrt(of_a * of_b);
}

static float likeness_of(const float *p, const float *c) {
    int best = 0;
    for (int k = 1; k < LABELS; k++) {
        best = p[k] > p[best] ? k : best;
    }
    return c[best] > 0 ? p[best] * c[best] * c[best] : 0;
}

static void check_row(const rig *r, const dn_kernels *kernels, const float *seen,
                      const float *row) {
    const dn_model_head *head = r->head;
    const float *p = row + head->begin, *c = row + head->means_begin;
    for (int k = 0; k < LABELS; k++) {
        double apart = fabs(cosine(seen, r->mean + (ptrdiff_t)k * WIDTH) - (double)c[k]);
        EXPECT(apart <= model_tolerance(kernels));
    }
    float likeness = dn_head_likeness(head, row);
    EXPECT(fabsf(likeness - likeness_of(p, c)) < 1e-6f);
    EXPECT((dn_head_decide(head, row) == LABELS) == (likeness < head->undecided_below));
}

static void check_backend(rig *r, const dn_kernels *kernels, const float *seen) {
    dn_model *model;
    dn_workspace *space;
    dn_batch batch = all_texts(r);
    REQUIRE(dn_model_open(r->dir, kernels, &model) == DN_OK);
    const dn_model_info *info = dn_model_describe(model);
    size_t width = (size_t)info->score_width;
    float *together = dn_alloc_array(N_TEXTS * width, sizeof *together);
    float *alone = dn_alloc_array(width, sizeof *alone);
    r->head = &info->model_head[info->n_model_heads - 1];
    EXPECT_INT(r->head->means_begin, r->head->begin + LABELS);
    REQUIRE(dn_workspace_new(model, batch.n_tokens, batch.n_rows, &space) == DN_OK);
    REQUIRE(dn_model_score(model, space, &batch, together) == DN_OK);
    for (int i = 0; i < N_TEXTS; i++) {
        int32_t n = r->start[i + 1] - r->start[i], start[] = {0, n};
        dn_batch one = {1, n, r->token + r->start[i], start};
        const float *row = together + (size_t)i * width;
        check_row(r, kernels, seen + (ptrdiff_t)i * WIDTH, row);
        REQUIRE(dn_model_score(model, space, &one, alone) == DN_OK);
        EXPECT(kernels->device || memcmp(alone, row, width * sizeof *row) == 0);
    }
    dn_workspace_free(space);
    dn_model_close(model);
    free(together);
    free(alone);
}

CASE(cosines_are_those_of_what_a_head_sees) {
    const dn_kernels *table[32];
    const char *backends[32];
    float seen[N_TEXTS * WIDTH];
    int n = dn_kernels_list(table, backends, 32);
    rig r = {0};
    rig_make(&r, 0.01);
    see(&r, seen);
    for (int i = 0; i < n; i++) {
        if (table[i] && backend_is_wanted(backends[i])) {
            check_backend(&r, table[i], seen);
        }
    }
    rig_free(&r);
}

/** A cosine of 0 and below is no likeness, however probable the label is. */
CASE(likeness_is_probability_and_share_along_the_mean) {
    const char *const labels[] = {"a", "b", "und"};
    dn_model_head head = {
        .n_labels = 2, .labels = labels, .means_begin = 2, .undecided_below = 0.25f};
    EXPECT(dn_head_likeness(&head, (float[]){0.2f, 0.8f, 1, 0.5f}) == 0.8f * 0.5f * 0.5f);
    EXPECT_INT(dn_head_decide(&head, (float[]){0.2f, 0.8f, 1, 0.5f}), 2);
    EXPECT_INT(dn_head_decide(&head, (float[]){0.2f, 0.8f, 0, 0.6f}), 1);
    EXPECT(dn_head_likeness(&head, (float[]){1, 0, -0.9f, 1}) == 0);
    head.means_begin = -1;
    EXPECT(dn_head_likeness(&head, (float[]){0.2f, 0.8f}) == 0.8f);
}

static void refused(const char *dir, const char *from, const char *to, const char *words) {
    const dn_kernels *ref;
    dn_model *model = NULL;
    char copy[64];
    make_dir(copy);
    copy_dir(dir, copy);
    edit_file(copy, "config.json", from, to);
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    EXPECT(dn_model_open(copy, ref, &model) != DN_OK);
    if (!strstr(dn_failure_last()->text, words)) {
        EXPECT_TEXT(dn_failure_last()->text, words);
    }
    dn_model_close(model);
    remove_dir(copy);
}

CASE(what_means_cannot_be) {
    rig r = {0};
    rig_make(&r, 0);
    refused(r.dir, "\"kind\": \"softmax\"", "\"kind\": \"softmax\", \"means\": true",
            "no tensor \"heads.mood.mean\"");
    refused(r.dir, "\"name\": \"topic\",\n        \"kind\": \"softmax\"",
            "\"name\": \"topic\",\n        \"kind\": \"sigmoid\"",
            "means: is for heads of kind softmax on an encoder");
    refused(r.dir, ",\n          \"three\"", "", "heads.topic.weight");
    rig_free(&r);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
