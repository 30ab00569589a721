/* A failure anywhere ends the pipeline, is the one that is reported, and costs nothing that was
 * committed: the next start makes the rest. */
#include "rig.h"
#include "test.h"

#include <unistd.h>

enum { RECORDS = 1500 };

static void fail_at(rig_place place, int after) {
    flow_rig *rig = rig_new("pOp", 1, 2, RECORDS);
    rig->trip = place;
    rig->trip_after = after;
    rig->commit_every = 5;
    rig->bad_every = 13;
    rig->scorer_holds = 1000; /* batches close by deadline, so that flush is called */
    EXPECT(rig_run(rig) == DN_FATAL);
    EXPECT(rig->tripped > 0);
    EXPECT_INT(rig->ended, 1);
    EXPECT_INT(dn_failure_last()->error, DN_E_IO);
    EXPECT(strstr(dn_failure_last()->text, rig_place_names[place]) != NULL);
    rig_crash(rig);
    for (int p = 0; p < RIG_PARTITIONS; p++) { /* the ordered stage's sums begin anew */
        for (int i = 0; i < RIG_SINKS; i++) {
            rig->sink[i].cursor[p] = rig->sink[i].pending[p] = DN_CURSOR_NONE;
            rig->sink[i].n = rig->sink[i].durable = 0;
        }
    }
    EXPECT(rig_run(rig) == DN_OK);
    EXPECT(rig_complete(rig, &rig->sink[0]) && rig_complete(rig, &rig->sink[1]));
    EXPECT_INT(rig->letters_late + rig->disorder, 0);
    rig_free(rig);
}

CASE(a_failure_in_any_part_ends_the_pipeline_and_is_reported) {
    static const int afters[] = {0, 3, 17};
    for (int place = RIG_NOWHERE + 1; place < RIG_PLACES; place++) {
        for (size_t i = 0; i < sizeof afters / sizeof *afters; i++) {
            bool rare = place == RIG_LETTERS_COMMIT || place == RIG_FLUSH || place == RIG_WAIT;
            fail_at((rig_place)place, rare ? (int)i : afters[i]);
            if (dn_failures_in_case) {
                fprintf(stderr, "tripped at %s\n", rig_place_names[place]);
                return;
            }
        }
    }
}

CASE(what_was_committed_before_a_failure_stays_and_nothing_comes_twice) {
    for (int after = 5; after < 120; after += 23) {
        flow_rig *rig = rig_new("pp", 1, 2, RECORDS);
        rig->trip = RIG_WRITE;
        rig->trip_after = after;
        rig->commit_every = 4;
        rig->bad_every = 13;
        EXPECT(rig_run(rig) == DN_FATAL);
        int durable = rig->sink[0].durable;
        rig_crash(rig);
        EXPECT(rig_run(rig) == DN_OK);
        EXPECT(rig->sink[0].n > durable);
        EXPECT(rig_complete(rig, &rig->sink[0]) && rig_complete(rig, &rig->sink[1]));
        EXPECT_INT(rig->letters_late, 0);
        rig_free(rig);
    }
}

CASE(what_the_source_gave_before_it_failed_is_committed) {
    flow_rig *rig = rig_new("pOp", 1, 2, RECORDS);
    rig->trip = RIG_POLL;
    rig->trip_after = 40;
    rig->bad_every = 13;
    EXPECT(rig_run(rig) == DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "tripped at poll");
    EXPECT_INT(rig->chunks_polled, 40);
    EXPECT(rig->sink[0].n > 0 && rig->letters.n > 0);
    int64_t records = rig->sink[0].n + rig->letters.n, given = 0;
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        given += rig->sink[0].cursor[p] > 0 ? rig->sink[0].cursor[p] / 2 : 0;
    }
    EXPECT_INT(records, given);
    EXPECT_INT(rig->sink[0].durable, rig->sink[0].n);
    EXPECT_INT(rig->sink[1].durable, rig->sink[0].n);
    EXPECT_INT(rig->letters.durable, rig->letters.n);
    rig_free(rig);
}

CASE(the_first_failure_is_reported_not_a_later_one) {
    flow_rig *rig = rig_new("p", 1, 1, RECORDS);
    rig->trip = RIG_PURE; /* all four workers trip, one after the other */
    EXPECT(rig_run(rig) == DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "tripped at pure stage");
    rig_free(rig);
}

CASE(a_commit_that_always_aborts_ends_the_run) {
    flow_rig *rig = rig_new("", 0, 1, 100);
    rig->sink[0].aborts_left = 1000;
    EXPECT(rig_run(rig) != DN_OK);
    EXPECT_INT(rig->sink[0].durable, 0);
    rig_free(rig);
}

CASE(too_many_bad_records_end_the_run_and_their_letters_are_durable) {
    flow_rig *rig = rig_new("p", 0, 1, RECORDS);
    rig->bad_every = 3;
    rig->plan.max_bad = 0.2;
    EXPECT(rig_run(rig) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_TOO_MANY_BAD);
    EXPECT(strstr(dn_failure_last()->text, "more than max_bad allows (20 %)") != NULL);
    EXPECT(rig->letters.n > 0);
    EXPECT_INT(rig->letters.durable, rig->letters.n);
    rig_free(rig);
}

CASE(a_few_bad_records_at_the_start_do_not) {
    flow_rig *rig = rig_new("p", 0, 1, 90);
    rig->bad_every = 3;
    rig->plan.max_bad = 0.2;
    EXPECT(rig_run(rig) == DN_OK);
    rig_free(rig);
}

static dn_status no_bind(void *conf, const dn_bind *bind) {
    (void)conf;
    (void)bind;
    return DN_FAIL(CONFIG, "no such column");
}

CASE(a_part_that_cannot_be_bound_is_named_with_its_pipeline) {
    flow_rig *rig = rig_new("p", 0, 1, 10);
    dn_stage_ops broken = rig_pure;
    broken.name = "broken";
    broken.bind = no_bind;
    rig->plan.stage[0] = &broken;
    EXPECT(rig_start(rig) == DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, "pipeline test, broken: no such column");
    dn_pipeline_unbind(&rig->plan);
    rig_free(rig);
}

static dn_status no_open(const void *conf, const dn_sink_env *env, dn_sink **sink) {
    (void)conf;
    (void)env;
    (void)sink;
    return DN_FAIL(DENIED, "the folder is not ours");
}

CASE(a_sink_that_cannot_be_opened_fails_the_opening_and_leaks_nothing) {
    flow_rig *rig = rig_new("pO", 1, 2, 10);
    dn_sink_ops broken = rig_sinks;
    broken.open = no_open;
    rig->plan.sink[1] = &broken;
    EXPECT(rig_start(rig) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DENIED);
    EXPECT(strstr(dn_failure_last()->text, "pipeline test") != NULL);
    EXPECT(rig->pipeline == NULL);
    dn_pipeline_unbind(&rig->plan);
    rig_free(rig);
}

int main(int argc, char **argv) {
    alarm(100); /* a hang is a failure with a place */
    return dn_test_main(argc, argv);
}
