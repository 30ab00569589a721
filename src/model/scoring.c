/** Chunks in, micro-batches through the model, chunks out.
 *
 *    chunk ──▶ row ──▶ seen before?  ── yes ──▶ its scores are copied
 *                      in this batch? ─ yes ──▶ a ticket for that row
 *                      else                     a new row and a ticket
 *
 * A row in a language that the model does not serve is only counted; one that the linear model
 * before it is sure of (model/cascade.h) gets the scores of that one.
 *
 * A ticket says which row of which chunk waits for which row of the batch. A chunk is finished when
 * none of its rows waits, so one that was seen before may overtake; the reorder queue before the
 * sinks restores the order.
 *
 * Batches fly in turn: while a device scores the oldest, the newest is filled. On the host there is
 * one, and closing it scores it. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "batch/closing.h"
#include "io/json_write.h"
#include "model/scorer_parts.h"
#include "model/spans.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/** Equal rows share a row of the batch but need a ticket each; this many per row of the limit close
 * it. */
enum { TICKETS_PER_ROW = 4 };

/** Rows whose places in the tables of earlier texts are announced before they are looked for. */
enum { AHEAD = 16 };

/** A chunk on its way; `next` links the finished and the free ones. */
typedef struct held {
    struct held *next, *made; /**< `made`: all there are */
    dn_chunk *chunk;
    int n_waiting;
} held;

typedef struct ticket {
    held *owner;
    uint16_t chunk_row;
    int batch_row;
} ticket;

/** A micro-batch from its first row until its scores are delivered. */
typedef struct flight {
    dn_builder *builder;
    uint64_t *hash; /**< [rows] of the rows that are looked for by others */
    ticket *tickets;
    int n_tickets;
    int n_reused; /**< rows whose result was copied while it was open, or will be from it */
    int n_foreign, n_foreign_tokens; /**< that came while it was open, as */
    int n_linear, n_linear_tokens;   /**< those that the linear model was sure of */
    dn_close_reason reason;
    int64_t closed_ns;
    int n_under_way; /**< as it started, itself included */
    dn_closing_batch closed;
} flight;

struct dn_scorer {
    const dn_scorer_conf *conf;
    dn_scorer_env env;
    dn_workspace *workspace;
    flight *flight; /**< [depth]: the oldest, others under way behind it, then the open one */
    int depth, oldest, n_under_way;
    float *score;         /**< as dn_model_score makes it */
    float *copy;          /**< [width] of an earlier text, and */
    float *token_copy;    /**< [longest][token_width] of its tokens */
    dn_out spans;         /**< text of a row's spans */
    int max_tickets;      /**< of a flight */
    uint64_t hash[AHEAD]; /**< of row i of the chunk's selection at i mod AHEAD */
    dn_cascade_scratch cascade;
    held *made, *free, *finished, **finished_end;
    dn_closing closing;
    int64_t now_ns;            /**< as the newest chunk came, or a batch was closed or scored */
    int64_t done_ns;           /**< as the last batch was scored */
    int64_t wall_less_mono_ns; /**< as the newest chunk came */
};

static_assert((int)DN_DEVICE_GROUPS == (int)DN_GROUPS, "the trace has a column for each group");

static dn_status make_flights(dn_scorer *scoring) {
    const dn_scorer_conf *conf = scoring->conf;
    scoring->depth = conf->model ? dn_workspace_depth(scoring->workspace) : 1;
    scoring->flight = dn_alloc_array((size_t)scoring->depth, sizeof *scoring->flight);
    for (int i = 0; i < scoring->depth; i++) {
        flight *f = &scoring->flight[i];
        f->tickets = dn_alloc_array((size_t)scoring->max_tickets, sizeof *f->tickets);
        f->hash = dn_alloc_array((size_t)conf->max_rows, sizeof *f->hash);
        DN_TRY(dn_builder_new((int)conf->max_tokens, (int)conf->max_rows, &f->builder));
    }
    return DN_OK;
}

dn_status dn_scoring_open(const void *conf_, const dn_scorer_env *env, dn_scorer **out) {
    const dn_scorer_conf *conf = conf_;
    size_t rows = (size_t)conf->max_rows, tokens = (size_t)conf->max_tokens;
    size_t width = (size_t)conf->width, token_width = (size_t)conf->token_width;
    dn_scorer *scoring = dn_alloc(sizeof *scoring);
    scoring->conf = conf;
    scoring->env = *env;
    scoring->finished_end = &scoring->finished;
    dn_closing_init(&scoring->closing, (dn_closing_rules){.slo_ns = conf->slo_ns,
                                                          .deadline_ns = conf->deadline_ns,
                                                          .max_tokens = conf->max_tokens});
    scoring->max_tickets = (int)conf->max_rows * TICKETS_PER_ROW;
    scoring->score = dn_alloc_array(rows * width + tokens * token_width, sizeof *scoring->score);
    scoring->copy = dn_alloc_array(width, sizeof *scoring->copy);
    scoring->token_copy = dn_alloc_array(tokens * token_width, sizeof *scoring->token_copy);
    dn_status status;
    if (conf->model) {
        DN_TRY_GO(dn_workspace_new(conf->model, (int)conf->max_tokens, (int)conf->max_rows,
                                   &scoring->workspace),
                  refused);
    }
    DN_TRY_GO(make_flights(scoring), refused);
    if (conf->cascade) {
        dn_cascade_scratch_new(conf->cascade, &scoring->cascade);
    }
    *out = scoring;
    return DN_OK;
refused:
    dn_scoring_close(scoring);
    return status;
}

void dn_scoring_close(dn_scorer *scoring) {
    if (!scoring) {
        return;
    }
    for (held *next; scoring->made; scoring->made = next) {
        next = scoring->made->made;
        free(scoring->made);
    }
    dn_cascade_scratch_free(&scoring->cascade);
    dn_workspace_free(scoring->workspace);
    for (int i = 0; scoring->flight && i < scoring->depth; i++) {
        dn_builder_free(scoring->flight[i].builder);
        free(scoring->flight[i].tickets);
        free(scoring->flight[i].hash);
    }
    free(scoring->flight);
    free(scoring->score);
    free(scoring->copy);
    free(scoring->token_copy);
    dn_out_free(&scoring->spans);
    free(scoring);
}

/** From the free list; new ones are made only until the largest number of chunks in flight has been
 * seen. */
static held *hold(dn_scorer *scoring, dn_chunk *chunk) {
    held *owner = scoring->free;
    if (owner) {
        scoring->free = owner->next;
    } else {
        owner = dn_alloc(sizeof *owner);
        owner->made = scoring->made;
        scoring->made = owner;
    }
    *owner = (held){.chunk = chunk, .made = owner->made};
    chunk->scorer_data = owner;
    return owner;
}

static void release(dn_scorer *scoring, held *owner) {
    if (--owner->n_waiting == 0) {
        *scoring->finished_end = owner;
        scoring->finished_end = &owner->next;
    }
}

dn_chunk *dn_scoring_take(dn_scorer *scoring) {
    held *owner = scoring->finished;
    if (!owner) {
        return NULL;
    }
    scoring->finished = owner->next;
    if (!scoring->finished) {
        scoring->finished_end = &scoring->finished;
    }
    dn_chunk *chunk = owner->chunk;
    owner->next = scoring->free;
    scoring->free = owner;
    chunk->scorer_data = NULL;
    return chunk;
}

/** Scores of one text: of its row and of its n tokens. */
typedef struct row_scores {
    const float *row, *token;
    int n;
} row_scores;

static void write_spans(dn_scorer *scoring, const dn_model_head *head, const row_scores *scores,
                        dn_chunk *chunk, dn_span *out) {
    dn_out_reset(&scoring->spans);
    dn_spans_write(head, scores->token, scoring->conf->token_width, scores->n, &scoring->spans);
    *out = dn_arena_copy(&chunk->arena, (dn_span){scoring->spans.ptr, scoring->spans.len});
}

static void write_row(dn_scorer *scoring, dn_chunk *chunk, uint32_t row, const row_scores *scores) {
    for (int i = 0; i < scoring->conf->n_heads; i++) {
        const dn_head_columns *to = &scoring->conf->head[i];
        dn_head_columns_write(to, chunk, row, scores->row);
        if (to->spans_field >= 0) {
            write_spans(scoring, to->head, scores, chunk,
                        &dn_chunk_bytes(chunk, to->spans_field)[row]);
        }
    }
}

/** Row `row` of the batch that was scored last. */
static row_scores scores_of(const dn_scorer *scoring, const dn_batch *batch, int row) {
    size_t width = (size_t)scoring->conf->width, token_width = (size_t)scoring->conf->token_width;
    const float *token = scoring->score + (size_t)batch->n_rows * width;
    int begin = batch->row_start[row];
    return (row_scores){.row = scoring->score + (size_t)row * width,
                        .token = token + (size_t)begin * token_width,
                        .n = batch->row_start[row + 1] - begin};
}

/** What is known of every batch; the caller fills in the rest. */
static dn_batch_event event_of(const dn_scorer *scoring, const flight *f) {
    return (dn_batch_event){.closed_mono_ns = f->closed_ns,
                            .model = scoring->env.model,
                            .thread = scoring->env.thread,
                            .reason = (int32_t)f->reason,
                            .reused = f->n_reused,
                            .foreign_rows = f->n_foreign,
                            .foreign_tokens = f->n_foreign_tokens,
                            .linear_rows = f->n_linear,
                            .linear_tokens = f->n_linear_tokens,
                            .budget_tokens = (int32_t)scoring->conf->max_tokens};
}

static void tell(const dn_scorer *scoring, const dn_batch_event *event) {
    if (scoring->env.listener) {
        scoring->env.listener(scoring->env.listener_ctx, event);
    }
}

static void report(const dn_scorer *scoring, const flight *f, const dn_batch *batch,
                   int64_t model_ns, const dn_pass_times *pass) {
    const dn_model *model = scoring->conf->model;
    dn_batch_event event = event_of(scoring, f);
    event.under_way = f->n_under_way;
    event.rows = batch->n_rows;
    event.tokens = batch->n_tokens;
    event.late = f->closed.n_late;
    event.wait_ns = f->closed_ns - f->closed.oldest_ns;
    event.queue_ns = scoring->done_ns > f->closed_ns ? scoring->done_ns - f->closed_ns : 0;
    event.model_ns = model_ns;
    event.predicted_ns = f->closed.predicted_ns;
    event.flops = model ? (int64_t)dn_model_flops(model, batch) : 0;
    event.device_ns = pass->device_ns;
    memcpy(event.group_ns, pass->group_ns, sizeof event.group_ns);
    tell(scoring, &event);
}

/** Scores to their chunks; each ticket carries its exact share of the time, so that the shares add
 * up. */
static void deliver(dn_scorer *scoring, const flight *f, const dn_batch *batch, int64_t model_ns) {
    for (int i = 0; i < f->n_tickets; i++) {
        const ticket *t = &f->tickets[i];
        dn_chunk *chunk = t->owner->chunk;
        row_scores scores = scores_of(scoring, batch, t->batch_row);
        write_row(scoring, chunk, t->chunk_row, &scores);
        chunk->times.model_ns += model_ns * (i + 1) / f->n_tickets - model_ns * i / f->n_tickets;
        release(scoring, t->owner);
    }
}

static uint64_t hash_of(dn_ids ids) {
    return dn_hash64((dn_span){(const char *)ids.id, (size_t)ids.n * sizeof *ids.id}, 0);
}

static void remember(dn_scorer *scoring, const flight *f, const dn_batch *batch) {
    dn_reuse *reuse = scoring->conf->reuse;
    for (int i = 0; reuse && i < batch->n_rows; i++) {
        row_scores scores = scores_of(scoring, batch, i);
        if (i + AHEAD < batch->n_rows) {
            dn_reuse_announce(reuse, f->hash[i + AHEAD]);
        }
        dn_reuse_add(reuse, f->hash[i], batch->token + batch->row_start[i], scores.n, scores.row,
                     scores.token);
    }
}

static flight *flight_at(const dn_scorer *scoring, int i) {
    return &scoring->flight[(scoring->oldest + i) % scoring->depth];
}

static flight *open_flight(const dn_scorer *scoring) {
    return flight_at(scoring, scoring->n_under_way);
}

static void clear(flight *f) {
    dn_builder_reset(f->builder);
    f->n_tickets = f->n_reused = f->n_foreign = f->n_foreign_tokens = 0;
    f->n_linear = f->n_linear_tokens = 0;
}

/** What scoring took begins where the batch before it ended, if that was later than its close: so
 * the times of a thread never count twice. They say when the thread saw the end, which may be later
 * than the device's; what the cost model learns is the device's own. */
dn_status dn_scoring_wait(dn_scorer *scoring) {
    flight *f = flight_at(scoring, 0);
    dn_batch batch = dn_builder_batch(f->builder);
    dn_pass_times pass = {0};
    if (scoring->conf->model) {
        DN_TRY(dn_model_wait(scoring->conf->model, scoring->workspace, scoring->score, &pass));
    }
    int64_t begun_ns = scoring->done_ns > f->closed_ns ? scoring->done_ns : f->closed_ns;
    scoring->now_ns = dn_mono_ns();
    int64_t model_ns = scoring->now_ns - begun_ns;
    remember(scoring, f, &batch);
    deliver(scoring, f, &batch, model_ns);
    report(scoring, f, &batch, model_ns, &pass);
    dn_closing_scored(&scoring->closing, &f->closed, pass.device_ns ? pass.device_ns : model_ns,
                      scoring->now_ns);
    clear(f);
    scoring->done_ns = scoring->now_ns;
    scoring->oldest = (scoring->oldest + 1) % scoring->depth;
    scoring->n_under_way--;
    return DN_OK;
}

int dn_scoring_under_way(const dn_scorer *scoring) {
    return scoring->n_under_way;
}

/** Takes what is done already, and waits until there is a flight to fill. */
static dn_status collect(dn_scorer *scoring) {
    while (scoring->n_under_way == scoring->depth ||
           (scoring->n_under_way > 0 && dn_workspace_is_done(scoring->workspace))) {
        DN_TRY(dn_scoring_wait(scoring));
    }
    return DN_OK;
}

/** Of a batch without a row there is only to tell which rows did without one. */
static void report_others(const dn_scorer *scoring, flight *f) {
    if (f->n_reused + f->n_foreign + f->n_linear > 0) {
        dn_batch_event event = event_of(scoring, f);
        tell(scoring, &event);
        clear(f);
    }
}

dn_status dn_scoring_flush(dn_scorer *scoring, dn_close_reason reason) {
    flight *f = open_flight(scoring);
    dn_batch batch = dn_builder_batch(f->builder);
    scoring->now_ns = f->closed_ns = dn_mono_ns();
    f->reason = reason;
    if (batch.n_rows == 0) {
        report_others(scoring, f);
        return DN_OK;
    }
    f->closed = dn_closing_close(&scoring->closing, f->closed_ns);
    f->n_under_way = ++scoring->n_under_way;
    if (scoring->conf->model) {
        DN_TRY(dn_model_submit(scoring->conf->model, scoring->workspace, &batch));
    }
    return collect(scoring);
}

dn_status dn_scoring_end(dn_scorer *scoring) {
    return dn_model_dismiss(scoring->conf->model, scoring->workspace);
}

/** A part of a batch. It counts as work, and not as rows: those are the leader's. */
static void report_part(dn_scorer *scoring, const dn_batch *batch, int64_t asked_ns,
                        int64_t begin_ns, const dn_pass_times *pass) {
    dn_batch_event event = {
        .closed_mono_ns = begin_ns,
        .model = scoring->env.model,
        .thread = scoring->env.thread,
        .reason = DN_CLOSE_LEADER,
        .under_way = 1,
        .wait_ns = begin_ns - asked_ns,
        .model_ns = dn_mono_ns() - begin_ns,
        .flops = (int64_t)dn_model_flops(scoring->conf->model, batch),
        .device_ns = pass->device_ns,
    };
    memcpy(event.group_ns, pass->group_ns, sizeof event.group_ns);
    tell(scoring, &event);
}

dn_status dn_scoring_follow(dn_scorer *scoring) {
    const dn_model *model = scoring->conf->model;
    for (bool end = false;;) {
        dn_batch batch;
        dn_pass_times pass;
        int64_t asked_ns = dn_mono_ns();
        DN_TRY(dn_model_receive(model, scoring->workspace, &batch, &end));
        if (end) {
            return DN_OK;
        }
        int64_t begin_ns = dn_mono_ns();
        DN_TRY(dn_model_submit(model, scoring->workspace, &batch));
        DN_TRY(dn_model_wait(model, scoring->workspace, NULL, &pass));
        report_part(scoring, &batch, asked_ns, begin_ns, &pass);
    }
}

int64_t dn_scoring_deadline(const dn_scorer *scoring) {
    return dn_closing_moment(&scoring->closing, dn_mono_ns());
}

/** Counts the row's time from its intended send time, and closes the batch when it must be. */
static dn_status keep_slo(dn_scorer *scoring, const dn_chunk *chunk, uint16_t row) {
    int64_t sent_ns = chunk->sent_ns[row];
    int64_t begin_ns =
        sent_ns == DN_NULL_I64 ? chunk->times.polled_mono_ns : sent_ns - scoring->wall_less_mono_ns;
    dn_closing_expect(&scoring->closing, begin_ns, scoring->now_ns);
    return dn_closing_is_due(&scoring->closing, scoring->now_ns)
               ? dn_scoring_flush(scoring, DN_CLOSE_DEADLINE)
               : DN_OK;
}

static dn_status add_row(dn_scorer *scoring, dn_ids ids, int *row) {
    *row = dn_builder_add(open_flight(scoring)->builder, ids.id, ids.n);
    if (*row < 0) {
        DN_TRY(dn_scoring_flush(scoring,
                                *row == DN_BATCH_FULL_TOKENS ? DN_CLOSE_TOKENS : DN_CLOSE_ROWS));
        *row = dn_builder_add(open_flight(scoring)->builder, ids.id, ids.n);
    }
    dn_closing_add(&scoring->closing, ids.n, scoring->now_ns);
    return DN_OK;
}

static void write_ticket(flight *f, held *owner, uint16_t chunk_row, int batch_row) {
    f->tickets[f->n_tickets++] = (ticket){owner, chunk_row, batch_row};
    owner->n_waiting++;
}

/** For a row of the open batch. */
static dn_status wait_for(dn_scorer *scoring, held *owner, uint16_t chunk_row, int batch_row) {
    flight *f = open_flight(scoring);
    write_ticket(f, owner, chunk_row, batch_row);
    if (f->n_tickets == scoring->max_tickets) {
        return dn_scoring_flush(scoring, DN_CLOSE_ROWS);
    }
    return scoring->conf->slo_ns ? keep_slo(scoring, owner->chunk, chunk_row) : DN_OK;
}

/** Whether a batch that is under way holds these ids: its scores will be theirs, too. */
static bool wait_for_known(dn_scorer *scoring, held *owner, uint16_t chunk_row, dn_ids ids,
                           uint64_t hash) {
    for (int i = 0; i < scoring->n_under_way; i++) {
        flight *f = flight_at(scoring, i);
        int row = dn_builder_find(f->builder, hash, ids.id, ids.n);
        if (row >= 0 && f->n_tickets < scoring->max_tickets) {
            f->n_reused++;
            write_ticket(f, owner, chunk_row, row);
            return true;
        }
    }
    return false;
}

/** Looks where these ids have been scored before or will be; else adds them. */
static dn_status put_known(dn_scorer *scoring, held *owner, uint16_t chunk_row, dn_ids ids,
                           uint64_t hash) {
    int row = dn_builder_find(open_flight(scoring)->builder, hash, ids.id, ids.n);
    if (row >= 0) {
        open_flight(scoring)->n_reused++;
        return wait_for(scoring, owner, chunk_row, row);
    }
    if (wait_for_known(scoring, owner, chunk_row, ids, hash)) {
        return DN_OK;
    }
    if (dn_reuse_find(scoring->conf->reuse, hash, ids.id, ids.n, scoring->copy,
                      scoring->token_copy)) {
        row_scores scores = {scoring->copy, scoring->token_copy, ids.n};
        open_flight(scoring)->n_reused++;
        write_row(scoring, owner->chunk, chunk_row, &scores);
        return DN_OK;
    }
    DN_TRY(add_row(scoring, ids, &row));
    dn_builder_publish(open_flight(scoring)->builder, row, hash);
    open_flight(scoring)->hash[row] = hash;
    return wait_for(scoring, owner, chunk_row, row);
}

static dn_status put_row(dn_scorer *scoring, held *owner, uint16_t chunk_row, dn_ids ids,
                         uint64_t hash) {
    if (ids.n > scoring->conf->max_tokens) {
        return DN_FAIL(CONFIG,
                       "a text of %d tokens does not fit a batch of %lld: set `tokens` higher",
                       ids.n, (long long)scoring->conf->max_tokens);
    }
    if (scoring->conf->reuse) {
        return put_known(scoring, owner, chunk_row, ids, hash);
    }
    int row;
    DN_TRY(add_row(scoring, ids, &row));
    return wait_for(scoring, owner, chunk_row, row);
}

/** Whether the linear model before this one has answered; the row says who does. */
static bool is_answered(dn_scorer *scoring, dn_chunk *chunk, uint16_t row, dn_ids ids) {
    const dn_scorer_conf *conf = scoring->conf;
    if (!conf->cascade) {
        return false;
    }
    dn_span text = dn_chunk_bytes(chunk, conf->text_field)[row];
    bool sure =
        text.ptr && dn_cascade_answer(conf->cascade, &scoring->cascade, text, scoring->copy);
    dn_chunk_label(chunk, conf->tier_field)[row] = sure ? DN_TIER_LINEAR : DN_TIER_ENCODER;
    if (sure) {
        write_row(scoring, chunk, row, &(row_scores){.row = scoring->copy});
        open_flight(scoring)->n_linear++;
        open_flight(scoring)->n_linear_tokens += ids.n;
    }
    return sure;
}

static dn_status put_text(dn_scorer *scoring, held *owner, uint16_t row, dn_ids ids,
                          uint64_t hash) {
    if (!dn_language_gate_admits(&scoring->conf->gate, owner->chunk, row)) {
        open_flight(scoring)->n_foreign++;
        open_flight(scoring)->n_foreign_tokens += ids.n;
        return DN_OK;
    }
    return is_answered(scoring, owner->chunk, row, ids) ? DN_OK
                                                        : put_row(scoring, owner, row, ids, hash);
}

static dn_ids ids_of(const dn_scorer *scoring, dn_chunk *chunk, uint16_t row) {
    static const int32_t nothing = 0;
    int field = scoring->conf->ids_field;
    return field < 0 ? (dn_ids){&nothing, 0} : dn_chunk_ids(chunk, field)[row];
}

/** Hashes row i of the selection, if there is one that may be put, and announces it. */
static void announce(dn_scorer *scoring, dn_chunk *chunk, uint32_t i) {
    const dn_scorer_conf *conf = scoring->conf;
    if (!conf->reuse || i >= chunk->n_sel) {
        return;
    }
    dn_ids ids = ids_of(scoring, chunk, chunk->sel[i]);
    if (ids.id && dn_language_gate_admits(&conf->gate, chunk, chunk->sel[i])) {
        uint64_t hash = scoring->hash[i % AHEAD] = hash_of(ids);
        dn_reuse_announce(conf->reuse, hash);
        for (int k = 0; k <= scoring->n_under_way; k++) {
            dn_builder_announce(flight_at(scoring, k)->builder, hash);
        }
    }
}

dn_status dn_scoring_put(dn_scorer *scoring, dn_chunk *chunk) {
    held *owner = hold(scoring, chunk);
    dn_status status = DN_OK;
    scoring->now_ns = dn_mono_ns();
    scoring->wall_less_mono_ns = dn_wall_ns() - scoring->now_ns;
    owner->n_waiting = 1; /* the put itself: the chunk is not finished before its last row is in */
    for (uint32_t i = 0; i < AHEAD; i++) {
        announce(scoring, chunk, i);
    }
    for (uint32_t i = 0; i < chunk->n_sel && status == DN_OK; i++) {
        uint64_t hash = scoring->hash[i % AHEAD];
        dn_ids ids = ids_of(scoring, chunk, chunk->sel[i]);
        announce(scoring, chunk, i + AHEAD);
        if (ids.id) {
            status = put_text(scoring, owner, chunk->sel[i], ids, hash);
        }
    }
    release(scoring, owner);
    return status;
}
