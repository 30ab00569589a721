/* Every record once and in its partition's order through all threads; ends, drains, commits and
 * restarts of a healthy pipeline. */
#include "rig.h"
#include "test.h"

#include <unistd.h>

enum { RECORDS = 3000 };

static int64_t count_bad(const flow_rig *rig) {
    int64_t n = 0;
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        for (int64_t i = 0; i < rig->n_records[p]; i++) {
            n += rig_is_bad(rig, rig_value(p, 2 * i));
        }
    }
    return n;
}

typedef struct shape {
    const char *stages;
    int scorers, sinks, commit_every, rows_a_chunk;
} shape;

CASE(every_record_arrives_once_and_in_order) {
    static const shape shapes[] = {
        {"", 0, 1, 0, 50},     {"p", 0, 1, 0, 1},       {"pp", 1, 1, 7, 50}, {"O", 0, 2, 5, 200},
        {"pOp", 1, 2, 11, 50}, {"OpOp", 1, 1, 3, 1024}, {"", 2, 1, 0, 50},   {"pOp", 3, 2, 7, 20},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i];
        flow_rig *rig =
            rig_new(s->stages, s->scorers, s->sinks, s->rows_a_chunk == 1 ? 200 : RECORDS);
        rig->commit_every = s->commit_every;
        rig->rows_a_chunk = s->rows_a_chunk;
        rig->bad_every = 13;
        rig->seed = dn_random();
        EXPECT(rig_run(rig) == DN_OK);
        for (int k = 0; k < s->sinks; k++) {
            EXPECT(rig_complete(rig, &rig->sink[k]));
            EXPECT_INT(rig->sink[k].durable, rig->sink[k].n);
        }
        EXPECT_INT(rig->letters.durable, count_bad(rig));
        EXPECT_INT(rig->disorder + rig->letters_late, 0);
        EXPECT_INT(rig->ended, 1);
        if (dn_failures_in_case) {
            fprintf(stderr, "with stages '%s'\n", s->stages);
        }
        rig_free(rig);
    }
}

CASE(pure_stages_run_on_several_threads_around_an_ordered_one) {
    flow_rig *rig = rig_new("pOp", 1, 1, RECORDS);
    rig->rows_a_chunk = 4;
    EXPECT(rig_run(rig) == DN_OK);
    EXPECT(rig_complete(rig, &rig->sink[0]));
    EXPECT_INT(rig->disorder, 0);
    EXPECT(rig->max_parallel > 1);
    rig_free(rig);
}

CASE(an_empty_input_ends_well) {
    flow_rig *rig = rig_new("pO", 1, 1, 0);
    EXPECT(rig_run(rig) == DN_OK);
    EXPECT_INT(rig->sink[0].n, 0);
    EXPECT_INT(rig->ended, 1);
    rig_free(rig);
}

CASE(the_numbers_are_those_of_the_records) {
    flow_rig *rig = rig_new("pO", 1, 1, RECORDS);
    rig->bad_every = 13;
    REQUIRE(rig_start(rig) == DN_OK);
    EXPECT(dn_pipeline_join(rig->pipeline) == DN_OK);
    dn_pipeline_stats stats;
    dn_pipeline_read(rig->pipeline, &stats);
    EXPECT_INT(stats.records_in, RIG_PARTITIONS * RECORDS);
    EXPECT_INT(stats.fate[DN_DEAD], count_bad(rig));
    EXPECT_INT(stats.fate[DN_KEPT], stats.records_in - count_bad(rig));
    EXPECT_INT(stats.fate[DN_KEPT], rig->sink[0].n);
    EXPECT(rig->cuts > 0);
    EXPECT_INT(stats.texts_cut, rig->cuts);
    const dn_pipeline_latency *latency = dn_pipeline_latencies(rig->pipeline);
    EXPECT_INT(dn_hist_total(&latency->response), stats.fate[DN_KEPT]);
    EXPECT_INT(dn_hist_total(&latency->service), stats.fate[DN_KEPT]);
    dn_pipeline_close(rig->pipeline);
    dn_pipeline_unbind(&rig->plan);
    rig_free(rig);
}

CASE(the_source_hears_the_lowest_cursor) {
    flow_rig *rig = rig_new("p", 0, 2, RECORDS);
    rig->commit_every = 4;
    EXPECT(rig_run(rig) == DN_OK);
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        EXPECT_INT(rig->reported[p], 2 * RECORDS);
        EXPECT_INT(rig->started[p], -1);
    }
    rig_free(rig);
}

CASE(commit_is_called_again_after_abort) {
    flow_rig *rig = rig_new("p", 0, 1, RECORDS);
    rig->commit_every = 10;
    rig->sink[0].aborts_left = 5;
    EXPECT(rig_run(rig) == DN_OK);
    EXPECT(rig_complete(rig, &rig->sink[0]));
    EXPECT_INT(rig->sink[0].aborts_left, 0);
    EXPECT_INT(rig->sink[0].durable, rig->sink[0].n);
    rig_free(rig);
}

static void *drain_soon(void *arg) {
    flow_rig *rig = arg;
    while (atomic_load(&rig->chunks_polled) < 30) {
        usleep(200);
    }
    dn_pipeline_drain(rig->pipeline);
    return NULL;
}

static dn_status run_and(flow_rig *rig, void *(*other)(void *)) {
    pthread_t thread;
    DN_TRY(rig_start(rig));
    pthread_create(&thread, NULL, other, rig);
    dn_status status = dn_pipeline_join(rig->pipeline);
    pthread_join(thread, NULL);
    dn_pipeline_close(rig->pipeline);
    dn_pipeline_unbind(&rig->plan);
    rig->pipeline = NULL;
    return status;
}

CASE(drain_commits_what_is_under_way_and_the_next_start_goes_on) {
    flow_rig *rig = rig_new("pp", 1, 2, RECORDS);
    rig->endless = true;
    rig->bad_every = 13;
    EXPECT(run_and(rig, drain_soon) == DN_OK);
    EXPECT_INT(rig->ended, 1);
    EXPECT(rig->sink[0].n > 0);
    EXPECT_INT(rig->sink[0].durable, rig->sink[0].n);
    EXPECT_INT(rig->sink[1].durable, rig->sink[0].durable);
    rig->endless = false;
    EXPECT(rig_run(rig) == DN_OK);
    EXPECT(rig_complete(rig, &rig->sink[0]) && rig_complete(rig, &rig->sink[1]));
    EXPECT_INT(rig->letters.durable, count_bad(rig));
    rig_free(rig);
}

static void *abort_soon(void *arg) {
    flow_rig *rig = arg;
    while (atomic_load(&rig->chunks_polled) < 30) {
        usleep(200);
    }
    dn_pipeline_abort(rig->pipeline);
    return NULL;
}

CASE(abort_ends_at_once_and_the_next_start_makes_the_rest) {
    flow_rig *rig = rig_new("pp", 1, 2, RECORDS);
    rig->endless = true;
    rig->commit_every = 6;
    EXPECT(run_and(rig, abort_soon) == DN_OK);
    EXPECT_INT(rig->ended, 1);
    rig_crash(rig);
    rig->endless = false;
    EXPECT(rig_run(rig) == DN_OK);
    EXPECT(rig_complete(rig, &rig->sink[0]) && rig_complete(rig, &rig->sink[1]));
    rig_free(rig);
}

CASE(each_partition_begins_at_the_lowest_cursor_of_the_sinks) {
    flow_rig *rig = rig_new("p", 0, 2, 100);
    EXPECT(rig_run(rig) == DN_OK);
    rig_sink *behind = &rig->sink[1];
    behind->n = behind->durable = 0;
    for (int i = 0; i < rig->sink[0].n; i++) { /* the second sink lost all above offset 80 */
        if (rig->sink[0].row[i].offset < 80) {
            behind->row[behind->n++] = rig->sink[0].row[i];
        }
    }
    behind->durable = behind->n;
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        behind->cursor[p] = behind->pending[p] = 80;
    }
    int before = rig->sink[0].n;
    EXPECT(rig_run(rig) == DN_OK);
    EXPECT_INT(rig->sink[0].n, before);
    EXPECT(rig_complete(rig, behind));
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        EXPECT_INT(rig->started[p], 80);
    }
    rig_free(rig);
}

int main(int argc, char **argv) {
    alarm(100); /* a hang is a failure with a place */
    return dn_test_main(argc, argv);
}
