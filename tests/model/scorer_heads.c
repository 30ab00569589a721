/* The columns of every kind of head, through the scorer: as scored alone, and the same when a text
 * comes again and its results are copied. */
#include "base/memory.h"
#include "model/scorer.h"
#include "model/spans.h"
#include "test.h"

#include <string.h>

enum { N_TEXTS = 24, LONGEST = 30, VECTOR = 32 };
static const char model_dir[] = "tests/data/families/roberta_mixed";

typedef struct rig {
    dn_schema schema;
    void *conf;
    dn_scorer *scorer;
    int ids;
    int64_t reused;
} rig;

static void listen(void *ctx, const dn_batch_event *event) {
    rig *r = ctx;
    r->reused += event->reused;
}

static rig *rig_new(void) {
    rig *r = dn_alloc(sizeof *r);
    const dn_scorer_ops *ops = &dn_scorer_model;
    dn_field ids = {
        .name = "ids", .type = DN_IDS, .width = 1, .group = "records", .transient = true};
    r->conf = dn_alloc(ops->conf_size);
    EXPECT(dn_props_init(ops->props, r->conf) == DN_OK);
    EXPECT(dn_prop_set(dn_prop_find(ops->props, "path"), r->conf, model_dir) == DN_OK);
    EXPECT(dn_prop_set(dn_prop_find(ops->props, "backend"), r->conf, "ref") == DN_OK);
    EXPECT(dn_prop_set(dn_prop_find(ops->props, "reuse"), r->conf, "1MiB") == DN_OK);
    EXPECT(dn_schema_add(&r->schema, ids, &r->ids) == DN_OK);
    dn_bind bind = {.schema = &r->schema};
    dn_scorer_env env = {.listener = listen, .listener_ctx = r};
    if (ops->bind(r->conf, &bind) != DN_OK || ops->open(r->conf, &env, &r->scorer) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
    return r;
}

static void rig_free(rig *r) {
    dn_scorer_model.close(r->scorer);
    dn_scorer_model.unbind(r->conf);
    dn_props_free(dn_scorer_model.props, r->conf);
    free(r->conf);
    free(r);
}

static dn_ids text_ids(int which) {
    static int32_t id[N_TEXTS][LONGEST];
    int n = 2 + which * 5 % (LONGEST - 1);
    for (int i = 1; i < n - 1; i++) {
        id[which][i] = 5 + (which * 31 + i * 17) % 90;
    }
    id[which][n - 1] = 2;
    return (dn_ids){id[which], n};
}

/** All texts through the scorer, one chunk. */
static dn_chunk *score_chunk(rig *r) {
    dn_chunk *chunk = dn_chunk_new(&r->schema);
    for (int i = 0; i < N_TEXTS; i++) {
        uint32_t row = dn_chunk_append(chunk, i, DN_NULL_I64, DN_NULL_I64);
        dn_chunk_ids(chunk, r->ids)[row] = text_ids(i);
    }
    EXPECT_INT(dn_scorer_model.put(r->scorer, chunk), DN_OK);
    EXPECT_INT(dn_scorer_model.flush(r->scorer, DN_CLOSE_END), DN_OK);
    EXPECT(dn_scorer_model.take(r->scorer) == chunk);
    return chunk;
}

static int column(const rig *r, const char *name, dn_type type, const char *group, int width) {
    int field = dn_schema_find(&r->schema, name);
    if (field < 0) {
        fprintf(stderr, "no column %s\n", name);
        abort();
    }
    EXPECT_INT(r->schema.field[field].type, type);
    EXPECT_INT(r->schema.field[field].width, width);
    EXPECT_TEXT(r->schema.field[field].group, group);
    return field;
}

CASE(every_kind_of_head_has_its_columns) {
    rig *r = rig_new();
    EXPECT_INT(r->schema.n, 9);
    column(r, "score.topics", DN_F32, "scores", 3);
    column(r, "label.topics", DN_LABEL, "labels", 1);
    column(r, "score.mood", DN_F32, "scores", 3);
    column(r, "label.mood", DN_LABEL, "labels", 1);
    column(r, "entities", DN_BYTES, "entities", 1);
    column(r, "entities.parts", DN_BYTES, "entities", 1);
    column(r, "embedding.vector", DN_F32, "embeddings", VECTOR);
    column(r, "embedding.mean", DN_F32, "embeddings", VECTOR);
    rig_free(r);
}

/** A column of floats is [begin, begin + n) of the score row. */
static void expect_floats(const rig *r, const dn_chunk *chunk, uint32_t row, const char *name,
                          const float *score, size_t n) {
    const float *got = dn_chunk_f32(chunk, dn_schema_find(&r->schema, name)) + row * n;
    if (memcmp(got, score, n * sizeof *got) != 0) {
        fprintf(stderr, "%s of text %u\n", name, row);
        EXPECT(!"the scores of the text alone");
    }
}

static void expect_spans(const rig *r, const dn_chunk *chunk, uint32_t row, const char *name,
                         const dn_model_head *head, const float *token_score, int n_tokens) {
    dn_out out = {0};
    dn_spans_write(head, token_score, 8, n_tokens, &out);
    dn_span got = dn_chunk_bytes(chunk, dn_schema_find(&r->schema, name))[row];
    EXPECT(got.len == out.len && memcmp(got.ptr, out.ptr, out.len) == 0);
    dn_out_free(&out);
}

static void expect_row(const rig *r, const dn_chunk *chunk, uint32_t row, const float *score,
                       int n_tokens) {
    const dn_model_info *info = dn_scorer_info(r->conf);
    expect_floats(r, chunk, row, "score.topics", score, 3);
    int topic = dn_chunk_label(chunk, dn_schema_find(&r->schema, "label.topics"))[row];
    EXPECT(topic < 3 && score[topic] >= score[0] && score[topic] >= score[1] && score[topic] >= score[2]);
    expect_floats(r, chunk, row, "score.mood", score + 3, 3);
    expect_floats(r, chunk, row, "embedding.vector", score + 6, VECTOR);
    expect_floats(r, chunk, row, "embedding.mean", score + 6 + VECTOR, VECTOR);
    const float *token_score = score + info->score_width;
    expect_spans(r, chunk, row, "entities", &info->model_head[2], token_score, n_tokens);
    expect_spans(r, chunk, row, "entities.parts", &info->model_head[4], token_score, n_tokens);
}

CASE(columns_are_those_of_the_text_alone_also_when_copied) {
    const dn_kernels *ref;
    dn_model *model;
    dn_workspace *space;
    REQUIRE(dn_kernels_select("ref", &ref) == DN_OK);
    REQUIRE(dn_model_open(model_dir, ref, &model) == DN_OK);
    REQUIRE(dn_workspace_new(model, LONGEST, 1, &space) == DN_OK);
    float *score = dn_alloc_array(dn_model_score_floats(model, 1, LONGEST), sizeof *score);
    rig *r = rig_new();
    for (int pass = 0; pass < 2; pass++) {
        dn_chunk *chunk = score_chunk(r);
        EXPECT_INT(r->reused, pass * N_TEXTS);
        for (int i = 0; i < N_TEXTS; i++) {
            dn_ids ids = text_ids(i);
            int32_t row_start[2] = {0, ids.n};
            EXPECT_INT(
                dn_model_score(model, space, &(dn_batch){1, ids.n, ids.id, row_start}, score),
                DN_OK);
            expect_row(r, chunk, (uint32_t)i, score, ids.n);
        }
        dn_chunk_free(chunk);
    }
    rig_free(r);
    free(score);
    dn_workspace_free(space);
    dn_model_close(model);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
