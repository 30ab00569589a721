#include "rig.h"

#include "base/memory.h"

#include <stdlib.h>

const char *const rig_place_names[RIG_PLACES] = {
    "nowhere",       "poll",           "pure stage",   "ordered stage", "put",
    "flush",         "wait",           "prepare",      "write",         "commit",
    "letters write", "letters commit", "before commit"};

int64_t rig_value(int32_t partition, int64_t offset) {
    return offset * 7 + partition;
}

bool rig_is_bad(const flow_rig *rig, int64_t value) {
    return rig->bad_every && value % rig->bad_every == 0;
}

dn_status rig_step(flow_rig *rig, rig_place place) {
    if (rig->trip != place || atomic_fetch_sub(&rig->calls_left, 1) > 0) {
        return DN_OK;
    }
    atomic_fetch_add(&rig->tripped, 1);
    return DN_FAIL(IO, "tripped at %s", rig_place_names[place]);
}

static dn_status before_commit(void *ctx) {
    return rig_step(ctx, RIG_BEFORE_COMMIT);
}

static void ended(void *ctx) {
    atomic_fetch_add(&((flow_rig *)ctx)->ended, 1);
}

static void rig_plan(flow_rig *rig, const char *stages, int scorers, int sinks) {
    rig->plan = (dn_pipeline_plan){
        .job = "job",
        .name = "test",
        .source = &rig_source,
        .source_conf = rig,
        .n_scorers = scorers,
        .n_sinks = sinks,
        .letters = &rig_letters,
        .letters_conf = &rig->letters,
        .text_threads = 4,
        .prepare_threads = 3,
        .n_chunks = 24,
        .max_bad = 1,
    };
    for (const char *s = stages; *s; s++) {
        rig->plan.stage[rig->plan.n_stages] = *s == 'O' ? &rig_ordered : &rig_pure;
        rig->plan.stage_conf[rig->plan.n_stages++] = rig;
    }
    for (int i = 0; i < scorers; i++) {
        rig->plan.scorer[i] = &rig_scorer;
        rig->plan.scorer_conf[i] = rig;
        rig->plan.scorer_name[i] = i ? "second" : "first";
        rig->plan.model_threads[i] = 2;
    }
    for (int i = 0; i < sinks; i++) {
        rig->plan.sink[i] = i ? &rig_preparing_sinks : &rig_sinks;
        rig->plan.sink_conf[i] = &rig->sink[i];
    }
}

static void sink_init(rig_sink *sink, flow_rig *rig) {
    sink->rig = rig;
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        sink->cursor[p] = sink->pending[p] = DN_CURSOR_NONE;
    }
}

flow_rig *rig_new(const char *stages, int scorers, int sinks, int64_t n) {
    flow_rig *rig = dn_alloc(sizeof *rig);
    rig->rows_a_chunk = 50;
    rig->scorer_holds = 3;
    rig->seed = 1;
    rig_plan(rig, stages, scorers, sinks);
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        rig->n_records[p] = n;
        rig->reported[p] = DN_CURSOR_NONE;
    }
    for (int i = 0; i < RIG_SINKS; i++) {
        sink_init(&rig->sink[i], rig);
    }
    sink_init(&rig->letters, rig);
    rig->env = (dn_pipeline_env){.output = "out",
                                 .run_id = "run",
                                 .resolved_job = "",
                                 .model_sha256 = "",
                                 .size = 1,
                                 .bounded = true,
                                 .before_commit = before_commit,
                                 .before_commit_ctx = rig,
                                 .ended = ended,
                                 .ended_ctx = rig};
    return rig;
}

dn_status rig_start(flow_rig *rig) {
    const dn_bind bind = {.job = "job"};
    atomic_store(&rig->calls_left, rig->trip_after);
    rig->plan.schema = (dn_schema){0};
    DN_TRY(dn_pipeline_bind(&rig->plan, &bind));
    DN_TRY(dn_pipeline_open(&rig->plan, &rig->env, &rig->pipeline));
    return dn_pipeline_start(rig->pipeline);
}

dn_status rig_run(flow_rig *rig) {
    DN_TRY(rig_start(rig));
    dn_status status = dn_pipeline_join(rig->pipeline);
    dn_failure failure = *dn_failure_last();
    dn_pipeline_close(rig->pipeline);
    dn_pipeline_unbind(&rig->plan);
    dn_failure_set(&failure);
    rig->pipeline = NULL;
    return status;
}

static void sink_crash(rig_sink *sink) {
    sink->n = sink->durable;
    sink->aborts_left = 0;
    memcpy(sink->pending, sink->cursor, sizeof sink->pending);
    rig_forget_undone(sink);
}

void rig_crash(flow_rig *rig) {
    for (int i = 0; i < RIG_SINKS; i++) {
        sink_crash(&rig->sink[i]);
    }
    sink_crash(&rig->letters);
    rig->trip = RIG_NOWHERE;
    rig->tripped = 0;
    rig->ended = 0;
}

void rig_free(flow_rig *rig) {
    free(rig);
}

/* What the ordered stage makes of a partition up to an offset: the sum of the values so far. What
 * is prepared comes from the scores. */
static bool row_is_right(const flow_rig *rig, const rig_row *row, int64_t running) {
    bool ordered = false, pure = false, prepares = rig->plan.n_sinks > 1;
    int64_t score = rig->plan.n_scorers ? row->value + rig->plan.n_scorers : DN_NULL_I64;
    for (int i = 0; i < rig->plan.n_stages; i++) {
        ordered = ordered || rig->plan.stage[i] == &rig_ordered;
        pure = pure || rig->plan.stage[i] == &rig_pure;
    }
    return row->value == rig_value(row->partition, row->offset) &&
           row->tripled == (pure ? 3 * row->value : DN_NULL_I64) &&
           row->running == (ordered ? running : DN_NULL_I64) && row->score == score &&
           row->prepared == (prepares ? ~score : DN_NULL_I64);
}

bool rig_complete(const flow_rig *rig, const rig_sink *sink) {
    int64_t next[RIG_PARTITIONS] = {0}, running[RIG_PARTITIONS] = {0};
    bool right = true;
    for (int i = 0; i < sink->n; i++) {
        const rig_row *row = &sink->row[i];
        int p = row->partition;
        while (rig_is_bad(rig, rig_value(p, next[p])) && next[p] < row->offset) {
            next[p] += 2;
        }
        running[p] += row->value;
        right = right && row->offset == next[p] && row_is_right(rig, row, running[p]);
        next[p] = row->offset + 2;
    }
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        while (next[p] < 2 * rig->n_records[p] && rig_is_bad(rig, rig_value(p, next[p]))) {
            next[p] += 2;
        }
        right = right && next[p] == 2 * rig->n_records[p];
    }
    return right;
}
