/** Chunks in, micro-batches through the model, chunks out.
 *
 *    chunk ──▶ row ──▶ seen before?  ── yes ──▶ its scores are copied
 *                      in this batch? ─ yes ──▶ a ticket for that row
 *                      else                     a new row and a ticket
 *
 * A row in a language that the model does not serve is only counted.
 *
 * A ticket says which row of which chunk waits for which row of the batch. A chunk is finished when
 * none of its rows waits, so one that was seen before may overtake; the reorder queue before the
 * sinks restores the order. */
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

/** A chunk on its way; `next` links the finished and the free ones. */
typedef struct held {
    struct held *next;
    dn_chunk *chunk;
    int n_waiting;
} held;

typedef struct ticket {
    held *owner;
    uint16_t chunk_row;
    int batch_row;
} ticket;

struct dn_scorer {
    const dn_scorer_conf *conf;
    dn_scorer_env env;
    dn_scorer_run *run;
    dn_builder *builder;
    dn_workspace *workspace;
    float *score;      /**< as dn_model_score makes it */
    float *copy;       /**< [width] of an earlier text, and */
    float *token_copy; /**< [longest][token_width] of its tokens */
    dn_out spans;      /**< text of a row's spans */
    ticket *tickets;
    int n_tickets, max_tickets;
    held *free, *finished, **finished_end;
    int n_reused;       /**< since the last event, as */
    int n_foreign, n_foreign_tokens;
    dn_pass_times pass; /**< of the last batch */
    dn_closing closing;
    int64_t now_ns;            /**< as the newest chunk came, or the last batch was scored */
    int64_t wall_less_mono_ns; /**< as the newest chunk came */
};

static_assert((int)DN_DEVICE_GROUPS == (int)DN_GROUPS, "the trace has a column for each group");

static dn_status run_model(dn_scorer *scoring, const dn_batch *batch) {
    const dn_model *model = scoring->conf->model;
    DN_TRY(dn_model_submit(model, scoring->workspace, batch));
    return dn_model_wait(model, scoring->workspace, scoring->score, &scoring->pass);
}

static dn_status run_nothing(dn_scorer *scoring, const dn_batch *batch) {
    (void)scoring;
    (void)batch;
    return DN_OK;
}

dn_status dn_scoring_open(const void *conf_, const dn_scorer_env *env, dn_scorer **out) {
    const dn_scorer_conf *conf = conf_;
    size_t rows = (size_t)conf->max_rows, tokens = (size_t)conf->max_tokens;
    size_t width = (size_t)conf->width, token_width = (size_t)conf->token_width;
    dn_scorer *scoring = dn_alloc(sizeof *scoring);
    scoring->conf = conf;
    scoring->env = *env;
    scoring->run = conf->model ? run_model : run_nothing;
    scoring->finished_end = &scoring->finished;
    dn_closing_init(&scoring->closing, (dn_closing_rules){.slo_ns = conf->slo_ns,
                                                          .deadline_ns = conf->deadline_ns,
                                                          .max_tokens = conf->max_tokens});
    scoring->max_tickets = (int)conf->max_rows * TICKETS_PER_ROW;
    scoring->tickets = dn_alloc_array((size_t)scoring->max_tickets, sizeof *scoring->tickets);
    scoring->score = dn_alloc_array(rows * width + tokens * token_width, sizeof *scoring->score);
    scoring->copy = dn_alloc_array(width, sizeof *scoring->copy);
    scoring->token_copy = dn_alloc_array(tokens * token_width, sizeof *scoring->token_copy);
    dn_status status;
    DN_TRY_GO(dn_builder_new((int)conf->max_tokens, (int)conf->max_rows, &scoring->builder),
              refused);
    if (conf->model) {
        DN_TRY_GO(dn_workspace_new(conf->model, (int)conf->max_tokens, (int)conf->max_rows,
                                   &scoring->workspace),
                  refused);
    }
    *out = scoring;
    return DN_OK;
refused:
    dn_scoring_close(scoring);
    return status;
}

static void free_list(held *list) {
    for (held *next; list; list = next) {
        next = list->next;
        free(list);
    }
}

void dn_scoring_close(dn_scorer *scoring) {
    if (!scoring) {
        return;
    }
    held *last = NULL;
    for (int i = 0; i < scoring->n_tickets; i++) {
        /* Tickets of a chunk stand together, so each waiting chunk is freed once. */
        if (scoring->tickets[i].owner != last) {
            free(last);
            last = scoring->tickets[i].owner;
        }
    }
    free(last);
    free_list(scoring->free);
    free_list(scoring->finished);
    dn_builder_free(scoring->builder);
    dn_workspace_free(scoring->workspace);
    free(scoring->tickets);
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
    }
    *owner = (held){.chunk = chunk};
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
        const dn_scorer_head *to = &scoring->conf->head[i];
        size_t n = (size_t)to->head->n_labels;
        const float *from = scores->row + to->head->begin;
        if (to->score_field >= 0) {
            memcpy(dn_chunk_f32(chunk, to->score_field) + row * n, from, n * sizeof *from);
        }
        if (to->label_field >= 0) {
            int label = dn_head_decide(to->head, from);
            dn_chunk_label(chunk, to->label_field)[row] = (uint8_t)label;
            chunk->n_undecided += label == to->head->n_labels;
        }
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

static void report(dn_scorer *scoring, const dn_batch *batch, dn_close_reason reason,
                   int64_t closed_ns, int64_t model_ns) {
    const dn_scorer_conf *conf = scoring->conf;
    dn_batch_event event = {
        .closed_mono_ns = closed_ns,
        .model = scoring->env.model,
        .thread = scoring->env.thread,
        .reason = (int32_t)reason,
        .rows = batch->n_rows,
        .tokens = batch->n_tokens,
        .reused = scoring->n_reused,
        .foreign_rows = scoring->n_foreign,
        .foreign_tokens = scoring->n_foreign_tokens,
        .budget_tokens = (int32_t)conf->max_tokens,
        .late = scoring->closing.n_late,
        .wait_ns = batch->n_rows ? closed_ns - scoring->closing.oldest_ns : 0,
        .model_ns = model_ns,
        .predicted_ns = dn_closing_predict(&scoring->closing),
        .flops = conf->model ? (int64_t)dn_model_flops(conf->model, batch) : 0,
        .device_ns = scoring->pass.device_ns,
    };
    memcpy(event.group_ns, scoring->pass.group_ns, sizeof event.group_ns);
    scoring->n_reused = scoring->n_foreign = scoring->n_foreign_tokens = 0;
    if (scoring->env.listener) {
        scoring->env.listener(scoring->env.listener_ctx, &event);
    }
}

/** Scores to their chunks; each ticket carries its exact share of the time, so that the shares add
 * up. */
static void deliver(dn_scorer *scoring, const dn_batch *batch, int64_t model_ns) {
    for (int i = 0; i < scoring->n_tickets; i++) {
        const ticket *t = &scoring->tickets[i];
        dn_chunk *chunk = t->owner->chunk;
        row_scores scores = scores_of(scoring, batch, t->batch_row);
        write_row(scoring, chunk, t->chunk_row, &scores);
        chunk->times.model_ns +=
            model_ns * (i + 1) / scoring->n_tickets - model_ns * i / scoring->n_tickets;
        release(scoring, t->owner);
    }
    scoring->n_tickets = 0;
}

static uint64_t hash_of(dn_ids ids) {
    return dn_hash64((dn_span){(const char *)ids.id, (size_t)ids.n * sizeof *ids.id}, 0);
}

static void remember(dn_scorer *scoring, const dn_batch *batch) {
    for (int i = 0; scoring->conf->reuse && i < batch->n_rows; i++) {
        const int32_t *id = batch->token + batch->row_start[i];
        row_scores scores = scores_of(scoring, batch, i);
        dn_reuse_add(scoring->conf->reuse, hash_of((dn_ids){id, scores.n}), id, scores.n,
                     scores.row, scores.token);
    }
}

dn_status dn_scoring_flush(dn_scorer *scoring, dn_close_reason reason) {
    dn_batch batch = dn_builder_batch(scoring->builder);
    if (batch.n_rows == 0 && scoring->n_reused == 0 && scoring->n_foreign == 0) {
        return DN_OK;
    }
    int64_t closed_ns = dn_mono_ns();
    DN_TRY(scoring->run(scoring, &batch));
    scoring->now_ns = dn_mono_ns();
    int64_t model_ns = scoring->now_ns - closed_ns;
    remember(scoring, &batch);
    deliver(scoring, &batch, model_ns);
    report(scoring, &batch, reason, closed_ns, model_ns);
    if (batch.n_rows) {
        dn_closing_scored(&scoring->closing, model_ns);
    }
    dn_builder_reset(scoring->builder);
    return DN_OK;
}

dn_status dn_scoring_end(dn_scorer *scoring) {
    return dn_model_dismiss(scoring->conf->model, scoring->workspace);
}

/** A part of a batch. It counts as work, and not as rows: those are the leader's. */
static void report_part(dn_scorer *scoring, const dn_batch *batch, int64_t asked_ns,
                        int64_t begin_ns) {
    dn_batch_event event = {
        .closed_mono_ns = begin_ns,
        .model = scoring->env.model,
        .thread = scoring->env.thread,
        .reason = DN_CLOSE_LEADER,
        .wait_ns = begin_ns - asked_ns,
        .model_ns = dn_mono_ns() - begin_ns,
        .flops = (int64_t)dn_model_flops(scoring->conf->model, batch),
    };
    if (scoring->env.listener) {
        scoring->env.listener(scoring->env.listener_ctx, &event);
    }
}

dn_status dn_scoring_follow(dn_scorer *scoring) {
    const dn_model *model = scoring->conf->model;
    for (bool end = false;;) {
        dn_batch batch;
        int64_t asked_ns = dn_mono_ns();
        DN_TRY(dn_model_receive(model, scoring->workspace, &batch, &end));
        if (end) {
            return DN_OK;
        }
        int64_t begin_ns = dn_mono_ns();
        DN_TRY(dn_model_score(model, scoring->workspace, &batch, NULL));
        report_part(scoring, &batch, asked_ns, begin_ns);
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
    *row = dn_builder_add(scoring->builder, ids.id, ids.n);
    if (*row < 0) {
        DN_TRY(dn_scoring_flush(scoring,
                                *row == DN_BATCH_FULL_TOKENS ? DN_CLOSE_TOKENS : DN_CLOSE_ROWS));
        *row = dn_builder_add(scoring->builder, ids.id, ids.n);
    }
    dn_closing_add(&scoring->closing, ids.n, scoring->now_ns);
    return DN_OK;
}

static dn_status wait_for(dn_scorer *scoring, held *owner, uint16_t chunk_row, int batch_row) {
    scoring->tickets[scoring->n_tickets++] = (ticket){owner, chunk_row, batch_row};
    owner->n_waiting++;
    if (scoring->n_tickets == scoring->max_tickets) {
        return dn_scoring_flush(scoring, DN_CLOSE_ROWS);
    }
    return scoring->conf->slo_ns ? keep_slo(scoring, owner->chunk, chunk_row) : DN_OK;
}

/** Looks where these ids have been scored before or will be; else adds them. */
static dn_status put_known(dn_scorer *scoring, held *owner, uint16_t chunk_row, dn_ids ids) {
    uint64_t hash = hash_of(ids);
    int row = dn_builder_find(scoring->builder, hash, ids.id, ids.n);
    if (row >= 0) {
        scoring->n_reused++;
        return wait_for(scoring, owner, chunk_row, row);
    }
    if (dn_reuse_find(scoring->conf->reuse, hash, ids.id, ids.n, scoring->copy,
                      scoring->token_copy)) {
        row_scores scores = {scoring->copy, scoring->token_copy, ids.n};
        scoring->n_reused++;
        write_row(scoring, owner->chunk, chunk_row, &scores);
        return DN_OK;
    }
    DN_TRY(add_row(scoring, ids, &row));
    dn_builder_publish(scoring->builder, row, hash);
    return wait_for(scoring, owner, chunk_row, row);
}

static dn_status put_row(dn_scorer *scoring, held *owner, uint16_t chunk_row, dn_ids ids) {
    if (ids.n > scoring->conf->max_tokens) {
        return DN_FAIL(CONFIG,
                       "a text of %d tokens does not fit a batch of %lld: set `tokens` higher",
                       ids.n, (long long)scoring->conf->max_tokens);
    }
    if (scoring->conf->reuse) {
        return put_known(scoring, owner, chunk_row, ids);
    }
    int row;
    DN_TRY(add_row(scoring, ids, &row));
    return wait_for(scoring, owner, chunk_row, row);
}

dn_status dn_scoring_put(dn_scorer *scoring, dn_chunk *chunk) {
    static const int32_t nothing = 0;
    int field = scoring->conf->ids_field;
    held *owner = hold(scoring, chunk);
    dn_status status = DN_OK;
    scoring->now_ns = dn_mono_ns();
    scoring->wall_less_mono_ns = dn_wall_ns() - scoring->now_ns;
    owner->n_waiting = 1; /* the put itself: the chunk is not finished before its last row is in */
    for (uint32_t i = 0; i < chunk->n_sel && status == DN_OK; i++) {
        uint16_t row = chunk->sel[i];
        dn_ids ids = field < 0 ? (dn_ids){&nothing, 0} : dn_chunk_ids(chunk, field)[row];
        if (ids.id && dn_language_gate_admits(&scoring->conf->gate, chunk, row)) {
            status = put_row(scoring, owner, row, ids);
        } else if (ids.id) {
            scoring->n_foreign++;
            scoring->n_foreign_tokens += ids.n;
        }
    }
    release(scoring, owner);
    return status;
}
