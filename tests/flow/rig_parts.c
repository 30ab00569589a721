/** The fakes themselves. */
#include "base/clock.h"
#include "base/memory.h"
#include "rig.h"

#include <stdlib.h>
#include <time.h>

static uint64_t mix(uint64_t z) {
    z = (z + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return z ^ (z >> 29);
}

/* A short sleep that differs from chunk to chunk, so that threads overtake each other. */
static void jitter(uint64_t key) {
    struct timespec nap = {.tv_nsec = (long)(mix(key) % 200000)};
    if (mix(key) % 3 == 0) {
        nanosleep(&nap, NULL);
    }
}

static dn_status add_i64(const dn_bind *bind, const char *name, int *index) {
    dn_field field = {
        .name = name, .type = DN_I64, .width = 1, .units = "", .long_name = "", .group = "records"};
    return dn_schema_add(bind->schema, field, index);
}

/* ---- source ---- */

struct dn_source {
    flow_rig *rig;
    int64_t next[RIG_PARTITIONS];
    uint64_t draws;
};

static dn_status source_bind(void *conf, const dn_bind *bind) {
    return add_i64(bind, "value", &((flow_rig *)conf)->value_field);
}

static dn_status source_describe(const void *conf, const dn_map *kafka, const char **topic,
                                 int *n_partitions) {
    (void)conf;
    (void)kafka;
    *topic = "topic";
    *n_partitions = RIG_PARTITIONS;
    return DN_OK;
}

static dn_status source_open(const void *conf, const dn_source_env *env, dn_source **out) {
    dn_source *source = dn_alloc(sizeof *source);
    source->rig = (flow_rig *)conf;
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        source->rig->started[p] = env->start[p];
        source->next[p] = env->start[p] < 0 ? 0 : env->start[p];
    }
    *out = source;
    return DN_OK;
}

static void append(dn_source *source, dn_chunk *chunk, int p) {
    const flow_rig *rig = source->rig;
    int64_t value = rig_value(p, source->next[p]);
    uint32_t row = dn_chunk_append(chunk, source->next[p], DN_NULL_I64, dn_wall_ns());
    dn_chunk_i64(chunk, rig->value_field)[row] = value;
    if (rig_is_bad(rig, value)) {
        dn_chunk_bury(chunk, row, "source", "divisible", dn_span_of(""), dn_span_of("raw"));
    }
    source->next[p] += 2;
}

static int pick_partition(dn_source *source) {
    uint64_t draw = mix(source->rig->seed * 1000003 + source->draws++);
    for (int i = 0; i < RIG_PARTITIONS; i++) {
        int p = (int)((draw + (uint64_t)i) % RIG_PARTITIONS);
        if (source->next[p] < 2 * source->rig->n_records[p]) {
            return p;
        }
    }
    return -1;
}

static dn_status source_poll(dn_source *source, int64_t timeout_ns, dn_chunk *chunk,
                             dn_poll *what) {
    flow_rig *rig = source->rig;
    DN_TRY(rig_step(rig, RIG_POLL));
    if (rig->on_chunk) {
        rig->on_chunk(rig);
    }
    int p = pick_partition(source);
    if (p < 0) {
        struct timespec nap = {.tv_nsec = (long)timeout_ns / 10};
        *what = rig->endless ? DN_POLL_IDLE : DN_POLL_END;
        if (rig->endless) {
            nanosleep(&nap, NULL);
        }
        return DN_OK;
    }
    int rows = 1 + (int)(mix(source->draws) % (uint64_t)rig->rows_a_chunk);
    chunk->topic = "topic";
    chunk->partition = p;
    for (int i = 0; i < rows && source->next[p] < 2 * rig->n_records[p]; i++) {
        append(source, chunk, p);
    }
    chunk->next = source->next[p];
    atomic_fetch_add(&rig->chunks_polled, 1);
    *what = DN_POLL_CHUNK;
    return DN_OK;
}

static void source_committed(dn_source *source, int32_t partition, int64_t next) {
    atomic_store(&source->rig->reported[partition], next);
}

static void source_stats(const dn_source *source, dn_source_stats *stats) {
    *stats = (dn_source_stats){.records = (int64_t)source->draws, .total_records = -1, .lag = -1};
}

static void source_close(dn_source *source) {
    free(source);
}

const dn_source_ops rig_source = {.name = "fake",
                                  .bind = source_bind,
                                  .describe = source_describe,
                                  .open = source_open,
                                  .poll = source_poll,
                                  .committed = source_committed,
                                  .stats = source_stats,
                                  .close = source_close};

/* ---- stages ---- */

static dn_status pure_bind(void *conf, const dn_bind *bind) {
    return add_i64(bind, "tripled", &((flow_rig *)conf)->tripled_field);
}

static dn_status pure_run(const void *conf, void *worker, dn_chunk *chunk) {
    flow_rig *r = (flow_rig *)conf;
    (void)worker;
    DN_TRY(rig_step(r, RIG_PURE));
    int now = atomic_fetch_add(&r->parallel, 1) + 1;
    int most = atomic_load(&r->max_parallel);
    while (now > most && !atomic_compare_exchange_weak(&r->max_parallel, &most, now)) {
    }
    jitter((uint64_t)chunk->offset[0] * 31 + (uint64_t)chunk->partition);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint32_t row = chunk->sel[i];
        dn_chunk_i64(chunk, r->tripled_field)[row] = 3 * dn_chunk_i64(chunk, r->value_field)[row];
    }
    chunk->n_cut += chunk->n_rows > 1;
    atomic_fetch_add(&r->cuts, chunk->n_rows > 1);
    atomic_fetch_sub(&r->parallel, 1);
    return DN_OK;
}

const dn_stage_ops rig_pure = {
    .name = "pure", .order = DN_PURE, .bind = pure_bind, .run = pure_run};

typedef struct ordered_state {
    int64_t last[RIG_PARTITIONS], running[RIG_PARTITIONS];
} ordered_state;

static dn_status ordered_bind(void *conf, const dn_bind *bind) {
    return add_i64(bind, "running", &((flow_rig *)conf)->running_field);
}

static dn_status ordered_open(const void *conf, void **worker) {
    (void)conf;
    *worker = dn_alloc(sizeof(ordered_state));
    return DN_OK;
}

static dn_status ordered_run(const void *conf, void *worker, dn_chunk *chunk) {
    flow_rig *r = (flow_rig *)conf;
    ordered_state *state = worker;
    int p = chunk->partition;
    DN_TRY(rig_step(r, RIG_ORDERED));
    if (chunk->offset[0] < state->last[p]) {
        atomic_fetch_add(&r->disorder, 1);
    }
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint32_t row = chunk->sel[i];
        state->running[p] += dn_chunk_i64(chunk, r->value_field)[row];
        dn_chunk_i64(chunk, r->running_field)[row] = state->running[p];
    }
    state->last[p] = chunk->next;
    return DN_OK;
}

const dn_stage_ops rig_ordered = {.name = "ordered",
                                  .order = DN_ORDERED,
                                  .bind = ordered_bind,
                                  .open = ordered_open,
                                  .run = ordered_run,
                                  .close = free};

/* ---- scorer: batches of several chunks, up to two under way beside the open one, given back
 * youngest first; each adds one to the score ---- */

enum { UNDER_WAY = 2 };

struct dn_scorer {
    flow_rig *rig;
    dn_chunk *held, *started[UNDER_WAY], *done;
    int n_held, n_started;
    int64_t since_ns;
};

static dn_status scorer_bind(void *conf, const dn_bind *bind) {
    return add_i64(bind, "score", &((flow_rig *)conf)->score_field);
}

static dn_status scorer_open(const void *conf, const dn_scorer_env *env, dn_scorer **out) {
    (void)env;
    *out = dn_alloc(sizeof **out);
    (*out)->rig = (flow_rig *)conf;
    return DN_OK;
}

static dn_status scorer_wait(dn_scorer *scorer) {
    const flow_rig *r = scorer->rig;
    DN_TRY(rig_step(scorer->rig, RIG_WAIT));
    for (dn_chunk *chunk; (chunk = scorer->started[0]);) {
        scorer->started[0] = chunk->link;
        for (uint32_t i = 0; i < chunk->n_sel; i++) {
            uint32_t row = chunk->sel[i];
            int64_t *score = &dn_chunk_i64(chunk, r->score_field)[row];
            *score =
                (*score == DN_NULL_I64 ? dn_chunk_i64(chunk, r->value_field)[row] : *score) + 1;
        }
        chunk->link = scorer->done;
        scorer->done = chunk;
    }
    scorer->started[0] = scorer->started[1];
    scorer->started[1] = NULL;
    scorer->n_started--;
    return DN_OK;
}

static int scorer_under_way(const dn_scorer *scorer) {
    return scorer->n_started;
}

static dn_status start(dn_scorer *scorer) {
    if (scorer->n_started == UNDER_WAY) {
        DN_TRY(scorer_wait(scorer));
    }
    scorer->started[scorer->n_started++] = scorer->held;
    scorer->held = NULL;
    scorer->n_held = 0;
    return DN_OK;
}

static dn_status scorer_put(dn_scorer *scorer, dn_chunk *chunk) {
    DN_TRY(rig_step(scorer->rig, RIG_PUT));
    scorer->since_ns = scorer->n_held ? scorer->since_ns : dn_mono_ns();
    chunk->link = scorer->held;
    scorer->held = chunk;
    return ++scorer->n_held >= scorer->rig->scorer_holds ? start(scorer) : DN_OK;
}

static dn_chunk *scorer_take(dn_scorer *scorer) {
    dn_chunk *chunk = scorer->done;
    if (chunk) {
        scorer->done = chunk->link;
        chunk->link = NULL;
    }
    return chunk;
}

static dn_status scorer_flush(dn_scorer *scorer, dn_close_reason reason) {
    (void)reason;
    DN_TRY(rig_step(scorer->rig, RIG_FLUSH));
    return scorer->held ? start(scorer) : DN_OK;
}

static int64_t scorer_deadline(const dn_scorer *scorer) {
    return scorer->n_held ? scorer->since_ns + 2000000 : INT64_MAX;
}

static void scorer_close(dn_scorer *scorer) {
    free(scorer);
}

const dn_scorer_ops rig_scorer = {.name = "fake",
                                  .bind = scorer_bind,
                                  .open = scorer_open,
                                  .put = scorer_put,
                                  .take = scorer_take,
                                  .flush = scorer_flush,
                                  .under_way = scorer_under_way,
                                  .wait = scorer_wait,
                                  .deadline = scorer_deadline,
                                  .close = scorer_close};

/* ---- sinks ---- */

struct dn_sink {
    rig_sink *store;
};

static dn_status sink_bind(void *conf, const dn_bind *bind) {
    return add_i64(bind, "prepared", &((rig_sink *)conf)->prepared_field);
}

static int64_t cell(const dn_chunk *chunk, const char *name, uint32_t row) {
    int field = dn_schema_find(chunk->schema, name);
    return field < 0 ? DN_NULL_I64 : dn_chunk_i64(chunk, field)[row];
}

static dn_status prepare_run(const void *conf, void *worker, dn_chunk *chunk) {
    const rig_sink *store = conf;
    (void)worker;
    DN_TRY(rig_step(store->rig, RIG_PREPARE));
    jitter((uint64_t)chunk->offset[0] * 17 + (uint64_t)chunk->partition);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint32_t row = chunk->sel[i];
        dn_chunk_i64(chunk, store->prepared_field)[row] = ~cell(chunk, "score", row);
    }
    return DN_OK;
}

static const dn_stage_ops prepare = {.name = "prepare", .order = DN_PURE, .run = prepare_run};

static dn_status sink_open(const void *conf, const dn_sink_env *env, dn_sink **out) {
    (void)env;
    *out = dn_alloc(sizeof **out);
    (*out)->store = (rig_sink *)conf;
    return DN_OK;
}

static int64_t sink_cursor(const dn_sink *sink, int32_t partition) {
    return sink->store->cursor[partition];
}

static void keep_row(rig_sink *store, const dn_chunk *chunk, uint32_t row) {
    if (chunk->offset[row] < store->cursor[chunk->partition] || store->n == RIG_ROWS_MAX) {
        return;
    }
    store->row[store->n++] = (rig_row){.partition = chunk->partition,
                                       .offset = chunk->offset[row],
                                       .value = cell(chunk, "value", row),
                                       .tripled = cell(chunk, "tripled", row),
                                       .running = cell(chunk, "running", row),
                                       .score = cell(chunk, "score", row),
                                       .prepared = cell(chunk, "prepared", row)};
}

static dn_status sink_write(dn_sink *sink, const dn_chunk *chunk) {
    rig_sink *store = sink->store;
    DN_TRY(rig_step(store->rig, RIG_WRITE));
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        keep_row(store, chunk, chunk->sel[i]);
    }
    if (chunk->next > store->pending[chunk->partition]) {
        store->pending[chunk->partition] = chunk->next;
    }
    store->chunks_since++;
    return DN_OK;
}

static int32_t sink_due(const dn_sink *sink, int64_t mono_ns) {
    const rig_sink *store = sink->store;
    (void)mono_ns;
    int every = store->rig->commit_every;
    return every && store->chunks_since >= every ? DN_ALL_PARTITIONS : DN_NOTHING_DUE;
}

static void note_late_letters(rig_sink *store) {
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        int64_t undone = atomic_load(&store->rig->letters.undone[p]);
        if (undone && undone <= store->pending[p]) {
            atomic_fetch_add(&store->rig->letters_late, 1);
        }
    }
}

static dn_status sink_commit(dn_sink *sink, int32_t partition) {
    rig_sink *store = sink->store;
    (void)partition;
    DN_TRY(rig_step(store->rig, RIG_COMMIT));
    if (store->aborts_left > 0) {
        store->aborts_left--;
        return DN_ABORT;
    }
    note_late_letters(store);
    memcpy(store->cursor, store->pending, sizeof store->cursor);
    store->durable = store->n;
    store->commits++;
    store->chunks_since = 0;
    return DN_OK;
}

static void sink_stats(const dn_sink *sink, dn_sink_stats *stats) {
    *stats = (dn_sink_stats){.rows = sink->store->n, .commits = sink->store->commits};
}

static void sink_close(dn_sink *sink) {
    free(sink);
}

#define SINK_CALLS                                                                                 \
    .open = sink_open, .cursor = sink_cursor, .write = sink_write, .due = sink_due,                \
    .commit = sink_commit, .stats = sink_stats, .close = sink_close

const dn_sink_ops rig_sinks = {.name = "fake", SINK_CALLS};
const dn_sink_ops rig_preparing_sinks = {
    .name = "preparing", .bind = sink_bind, .prepare = &prepare, SINK_CALLS};

void rig_forget_undone(rig_sink *letters) {
    for (int p = 0; p < RIG_PARTITIONS; p++) {
        atomic_store(&letters->undone[p], 0);
    }
}

static dn_status letters_write(dn_sink *sink, const dn_chunk *chunk) {
    rig_sink *store = sink->store;
    DN_TRY(rig_step(store->rig, RIG_LETTERS_WRITE));
    for (uint32_t i = 0; i < chunk->n_letters; i++) {
        keep_row(store, chunk, chunk->letters[i].row);
    }
    if (atomic_load(&store->undone[chunk->partition]) == 0) {
        atomic_store(&store->undone[chunk->partition], chunk->offset[chunk->letters[0].row] + 1);
    }
    store->pending[chunk->partition] = chunk->next;
    return DN_OK;
}

static int32_t letters_due(const dn_sink *sink, int64_t mono_ns) {
    (void)sink;
    (void)mono_ns;
    return DN_NOTHING_DUE;
}

static dn_status letters_commit(dn_sink *sink, int32_t partition) {
    rig_sink *store = sink->store;
    (void)partition;
    DN_TRY(rig_step(store->rig, RIG_LETTERS_COMMIT));
    memcpy(store->cursor, store->pending, sizeof store->cursor);
    rig_forget_undone(store);
    store->durable = store->n;
    store->commits++;
    return DN_OK;
}

const dn_sink_ops rig_letters = {.name = "letters",
                                 .open = sink_open,
                                 .cursor = sink_cursor,
                                 .write = letters_write,
                                 .due = letters_due,
                                 .commit = letters_commit,
                                 .stats = sink_stats,
                                 .close = sink_close};
