/* The scorer with a GPU below it (gpu.h): several batches are under way, and nothing else is
 * different. A late GPU does nothing before somebody waits for it, so a batch that was not waited
 * for, or one whose buffers were taken too early, has wrong scores. */
#include "gpu.h"

#include "kernels/cuda/backend.h"
#include "model/scorer_parts.h"
#include "test.h"

enum { N_TEXTS = 200, LONGEST = 20, MAX_EVENTS = 1024, MAX_TOKENS = 64, LANES = 3 };
enum { MOODS = 3, LAYERS = 2 };

/** A scorer over the tiny model, its heads' first column bound, and what it reported. */
typedef struct rig {
    dn_schema schema;
    dn_scorer_conf conf;
    dn_scorer *scorer;
    dn_workspace *alone;
    int ids, score;
    int n_events;
    dn_batch_event event[MAX_EVENTS];
} rig;

static void listen(void *ctx, const dn_batch_event *event) {
    rig *r = ctx;
    REQUIRE(r->n_events < MAX_EVENTS);
    r->event[r->n_events++] = *event;
}

static void must(dn_status status) {
    if (status != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
}

static rig *rig_new(size_t reuse_bytes) {
    rig *r = calloc(1, sizeof *r);
    must(dn_cuda_plugin.open(0));
    dn_scorer_conf *conf = &r->conf;
    *conf = (dn_scorer_conf){.max_tokens = MAX_TOKENS, .max_rows = 64, .deadline_ns = 1000000000};
    must(dn_model_open("tests/data/tiny", dn_cuda_plugin.table[0], &conf->model));
    const dn_model_info *info = dn_model_describe(conf->model);
    conf->width = info->score_width;
    conf->token_width = info->token_width;
    if (reuse_bytes) {
        must(dn_reuse_new(reuse_bytes, conf->width, conf->token_width, &conf->reuse));
    }
    must(dn_schema_add(&r->schema,
                       (dn_field){.name = "ids", .type = DN_IDS, .width = 1, .transient = true},
                       &r->ids));
    must(dn_schema_add(&r->schema, (dn_field){.name = "mood", .type = DN_F32, .width = MOODS},
                       &r->score));
    conf->ids_field = r->ids;
    conf->gate.field = -1;
    EXPECT(info->model_head[0].n_labels == MOODS && info->layers == LAYERS);
    conf->n_heads = 1;
    conf->head[0] =
        (dn_head_columns){&info->model_head[0], r->score, -1, -1, -1, NULL, NULL, NULL, NULL};
    must(dn_workspace_new(conf->model, MAX_TOKENS, 1, &r->alone));
    dn_scorer_env env = {.listener = listen, .listener_ctx = r};
    must(dn_scoring_open(conf, &env, &r->scorer));
    return r;
}

static void rig_free(rig *r) {
    dn_scoring_close(r->scorer);
    dn_workspace_free(r->alone);
    dn_reuse_free(r->conf.reuse);
    dn_model_close(r->conf.model);
    free(r);
}

static dn_ids text_ids(int which) {
    static int32_t id[N_TEXTS][LONGEST];
    int n = 3 + which * 7 % (LONGEST - 2);
    for (int i = 0; i < n; i++) {
        id[which][i] = 5 + (which * 31 + i * 17) % 700;
    }
    return (dn_ids){id[which], n};
}

static dn_chunk *chunk_of(rig *r, int first, int n_rows) {
    dn_chunk *chunk = dn_chunk_new(&r->schema);
    for (int i = 0; i < n_rows; i++) {
        uint32_t row = dn_chunk_append(chunk, i, DN_NULL_I64, DN_NULL_I64);
        dn_chunk_ids(chunk, r->ids)[row] = text_ids((first + i) % N_TEXTS);
    }
    return chunk;
}

static dn_status settle(rig *r) {
    return dn_scorer_settle(&dn_scorer_model, r->scorer, DN_CLOSE_END);
}

static void expect_scores(rig *r, const dn_chunk *chunk) {
    for (uint32_t row = 0; row < chunk->n_rows; row++) {
        float expected[64];
        dn_ids ids = dn_chunk_ids(chunk, r->ids)[row];
        const int32_t row_start[2] = {0, ids.n};
        dn_batch batch = {1, ids.n, ids.id, row_start};
        must(dn_model_score(r->conf.model, r->alone, &batch, expected));
        const float *score = dn_chunk_f32(chunk, r->score) + (size_t)MOODS * row;
        REQUIRE(memcmp(score, expected, MOODS * sizeof *score) == 0);
    }
}

static int most_under_way(const rig *r) {
    int most = 0;
    for (int i = 0; i < r->n_events; i++) {
        most = r->event[i].under_way > most ? r->event[i].under_way : most;
    }
    return most;
}

/** Chunks of 40 texts; each is a few batches. */
static void put_and_take(rig *r, int n_chunks) {
    dn_chunk *put[16];
    for (int i = 0; i < n_chunks; i++) {
        put[i] = chunk_of(r, 40 * i, 40);
        must(dn_scoring_put(r->scorer, put[i]));
        EXPECT(dn_scoring_under_way(r->scorer) < LANES);
    }
    must(settle(r));
    EXPECT_INT(dn_scoring_under_way(r->scorer), 0);
    for (int i = 0; i < n_chunks; i++) {
        REQUIRE(dn_scoring_take(r->scorer) == put[i]);
        expect_scores(r, put[i]);
        dn_chunk_free(put[i]);
    }
    EXPECT(dn_scoring_take(r->scorer) == NULL);
}

CASE(batches_are_under_way_beside_each_other) {
    test_gpu_reset();
    test_gpu_state.late = 1;
    rig *r = rig_new(0);
    put_and_take(r, 5);
    EXPECT_INT(most_under_way(r), LANES);
    int64_t end_ns = 0;
    for (int i = 0; i < r->n_events; i++) { /* their times follow each other */
        const dn_batch_event *e = &r->event[i];
        EXPECT(e->closed_mono_ns + e->queue_ns >= end_ns);
        EXPECT(e->queue_ns >= 0 && e->model_ns > 0 && e->device_ns > 0);
        end_ns = e->closed_mono_ns + e->queue_ns + e->model_ns;
    }
    rig_free(r);
    EXPECT_INT(test_gpu_state.memory_bytes + test_gpu_state.n_objects, 0);
}

CASE(what_is_done_is_taken_at_once) {
    test_gpu_reset();
    rig *r = rig_new(0);
    put_and_take(r, 5);
    EXPECT_INT(most_under_way(r), 1);
    rig_free(r);
}

CASE(a_text_that_is_under_way_is_not_scored_again) {
    test_gpu_reset();
    test_gpu_state.late = 1;
    rig *r = rig_new(1 << 20);
    dn_chunk *chunk[2] = {chunk_of(r, 0, 8), chunk_of(r, 0, 8)};
    must(dn_scoring_put(r->scorer, chunk[0]));
    must(dn_scoring_flush(r->scorer, DN_CLOSE_IDLE));
    REQUIRE(dn_scoring_under_way(r->scorer) > 0);
    must(dn_scoring_put(r->scorer, chunk[1]));
    EXPECT(dn_scoring_deadline(r->scorer) == INT64_MAX); /* nothing waits for another batch */
    must(settle(r));
    int rows = 0, reused = 0;
    for (int i = 0; i < r->n_events; i++) {
        rows += r->event[i].rows;
        reused += r->event[i].reused;
    }
    EXPECT_INT(rows, 8);
    EXPECT_INT(reused, 8);
    for (int i = 0; i < 2; i++) {
        EXPECT(dn_scoring_take(r->scorer) == chunk[i]);
        expect_scores(r, chunk[i]);
        dn_chunk_free(chunk[i]);
    }
    rig_free(r);
}

/* Its scores reach nobody, nor do those of the batches behind it; what came before is whole. */
CASE(a_fault_in_the_second_of_three_batches_ends_it) {
    test_gpu_reset();
    test_gpu_state.late = 1;
    rig *r = rig_new(0);
    strcpy(test_gpu_state.fails, "attention");
    test_gpu_state.lasts = LAYERS;
    dn_chunk *chunk[LANES - 1];
    for (int i = 0; i < LANES - 1; i++) {
        chunk[i] = chunk_of(r, 50 * i, 3);
        must(dn_scoring_put(r->scorer, chunk[i]));
        must(dn_scoring_flush(r->scorer, DN_CLOSE_IDLE));
    }
    EXPECT_INT(dn_scoring_under_way(r->scorer), LANES - 1);
    dn_chunk *last = chunk_of(r, 100, 3);
    must(dn_scoring_put(r->scorer, last));
    EXPECT(settle(r) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DEVICE_FAULT);
    EXPECT_INT(r->n_events, 1);
    EXPECT(dn_scoring_take(r->scorer) == chunk[0]);
    EXPECT(dn_scoring_take(r->scorer) == NULL);
    for (int i = 0; i < LANES - 1; i++) {
        dn_chunk_free(chunk[i]);
    }
    dn_chunk_free(last);
    rig_free(r);
    EXPECT_INT(test_gpu_state.memory_bytes + test_gpu_state.n_objects, 0);
}

CASE(a_scorer_may_be_closed_with_batches_under_way) {
    test_gpu_reset();
    test_gpu_state.late = 1;
    rig *r = rig_new(0);
    dn_chunk *chunk = chunk_of(r, 0, 40);
    must(dn_scoring_put(r->scorer, chunk));
    EXPECT(dn_scoring_under_way(r->scorer) > 0);
    dn_chunk_free(chunk);
    rig_free(r);
    EXPECT_INT(test_gpu_state.memory_bytes + test_gpu_state.n_objects, 0);
}

CASE(a_device_has_two_threads_and_a_cascade_those_of_the_cores) {
    dn_scorer_conf conf = {.device_threads = 2};
    EXPECT_INT(dn_scorer_model.threads(&conf, 16), 2);
    conf.cascade = (dn_cascade *)&conf;
    EXPECT_INT(dn_scorer_model.threads(&conf, 16), 16);
    conf = (dn_scorer_conf){.device_threads = 0};
    EXPECT_INT(dn_scorer_model.threads(&conf, 16), 16);
}

int main(int argc, char **argv) {
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1); /* algorithms are timed here and not kept */
    return dn_test_main(argc, argv);
}
