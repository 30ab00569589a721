/** Chunks in, micro-batches through the model, chunks out.
 *
 *    chunk ──▶ row ──▶ seen before?  ── yes ──▶ its scores are copied
 *                      in this batch? ─ yes ──▶ a ticket for that row
 *                      else                     a new row and a ticket
 *
 * A ticket says which row of which chunk waits for which row of the batch. A chunk is finished when
 * none of its rows waits, so one that was seen before may overtake; the reorder queue before the
 * sinks restores the order. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "model/scorer_parts.h"

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
    float *score; /**< [max_rows][width], then one row for copies */
    float *copy;
    ticket *tickets;
    int n_tickets, max_tickets;
    held *free, *finished, **finished_end;
    int n_reused; /**< since the last event */
};

static dn_status run_model(dn_scorer *feed, const dn_batch *batch) {
    return dn_model_score(feed->conf->model, feed->workspace, batch, feed->score);
}

static dn_status run_nothing(dn_scorer *feed, const dn_batch *batch) {
    (void)feed;
    (void)batch;
    return DN_OK;
}

dn_status dn_feed_open(const void *conf_, const dn_scorer_env *env, dn_scorer **out) {
    const dn_scorer_conf *conf = conf_;
    size_t rows = (size_t)conf->max_rows, width = (size_t)conf->width;
    dn_scorer *feed = dn_alloc(sizeof *feed);
    feed->conf = conf;
    feed->env = *env;
    feed->run = conf->model ? run_model : run_nothing;
    feed->finished_end = &feed->finished;
    feed->max_tickets = (int)conf->max_rows * TICKETS_PER_ROW;
    feed->tickets = dn_alloc_array((size_t)feed->max_tickets, sizeof *feed->tickets);
    feed->score = dn_alloc_array((rows + 1) * width, sizeof *feed->score);
    feed->copy = feed->score + rows * width;
    dn_status status;
    DN_TRY_GO(dn_builder_new((int)conf->max_tokens, (int)conf->max_rows, &feed->builder), refused);
    if (conf->model) {
        DN_TRY_GO(dn_workspace_new(conf->model, (int)conf->max_tokens, (int)conf->max_rows,
                                   &feed->workspace),
                  refused);
    }
    *out = feed;
    return DN_OK;
refused:
    dn_feed_close(feed);
    return status;
}

static void free_list(held *list) {
    for (held *next; list; list = next) {
        next = list->next;
        free(list);
    }
}

void dn_feed_close(dn_scorer *feed) {
    if (!feed) {
        return;
    }
    held *last = NULL;
    for (int i = 0; i < feed->n_tickets; i++) {
        /* Tickets of a chunk stand together, so each waiting chunk is freed once. */
        if (feed->tickets[i].owner != last) {
            free(last);
            last = feed->tickets[i].owner;
        }
    }
    free(last);
    free_list(feed->free);
    free_list(feed->finished);
    dn_builder_free(feed->builder);
    dn_workspace_free(feed->workspace);
    free(feed->tickets);
    free(feed->score);
    free(feed);
}

/** From the free list; new ones are made only until the largest number of chunks in flight has been
 * seen. */
static held *hold(dn_scorer *feed, dn_chunk *chunk) {
    held *owner = feed->free;
    if (owner) {
        feed->free = owner->next;
    } else {
        owner = dn_alloc(sizeof *owner);
    }
    *owner = (held){.chunk = chunk};
    chunk->scorer_data = owner;
    return owner;
}

static void release(dn_scorer *feed, held *owner) {
    if (--owner->n_waiting == 0) {
        *feed->finished_end = owner;
        feed->finished_end = &owner->next;
    }
}

dn_chunk *dn_feed_take(dn_scorer *feed) {
    held *owner = feed->finished;
    if (!owner) {
        return NULL;
    }
    feed->finished = owner->next;
    if (!feed->finished) {
        feed->finished_end = &feed->finished;
    }
    dn_chunk *chunk = owner->chunk;
    owner->next = feed->free;
    feed->free = owner;
    chunk->scorer_data = NULL;
    return chunk;
}

static int largest(const float *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

static void write_row(const dn_scorer *feed, dn_chunk *chunk, uint32_t row, const float *score) {
    for (int i = 0; i < feed->conf->n_heads; i++) {
        const dn_scorer_head *head = &feed->conf->head[i];
        size_t n = (size_t)head->n_labels;
        const float *from = score + head->begin;
        memcpy(dn_chunk_f32(chunk, head->score_field) + row * n, from, n * sizeof *from);
        dn_chunk_label(chunk, head->label_field)[row] = (uint8_t)largest(from, head->n_labels);
    }
}

static void report(dn_scorer *feed, const dn_batch *batch, dn_close_reason reason,
                   int64_t closed_ns, int64_t model_ns) {
    const dn_scorer_conf *conf = feed->conf;
    int64_t oldest_ns = dn_builder_oldest_ns(feed->builder);
    dn_batch_event event = {
        .closed_mono_ns = closed_ns,
        .thread = feed->env.thread,
        .reason = (int32_t)reason,
        .rows = batch->n_rows,
        .tokens = batch->n_tokens,
        .reused = feed->n_reused,
        .budget_tokens = (int32_t)conf->max_tokens,
        .wait_ns = batch->n_rows ? closed_ns - oldest_ns : 0,
        .model_ns = model_ns,
        .flops = conf->model ? (int64_t)dn_model_flops(conf->model, batch) : 0,
    };
    feed->n_reused = 0;
    if (feed->env.listener) {
        feed->env.listener(feed->env.listener_ctx, &event);
    }
}

/** Scores to their chunks; each ticket carries its exact share of the time, so that the shares add
 * up. */
static void deliver(dn_scorer *feed, int64_t model_ns) {
    for (int i = 0; i < feed->n_tickets; i++) {
        const ticket *t = &feed->tickets[i];
        dn_chunk *chunk = t->owner->chunk;
        write_row(feed, chunk, t->chunk_row,
                  feed->score + (size_t)t->batch_row * (size_t)feed->conf->width);
        chunk->times.model_ns +=
            model_ns * (i + 1) / feed->n_tickets - model_ns * i / feed->n_tickets;
        release(feed, t->owner);
    }
    feed->n_tickets = 0;
}

static uint64_t hash_of(dn_ids ids) {
    return dn_hash64((dn_span){(const char *)ids.id, (size_t)ids.n * sizeof *ids.id}, 0);
}

static void remember(dn_scorer *feed, const dn_batch *batch) {
    for (int i = 0; feed->conf->reuse && i < batch->n_rows; i++) {
        const int32_t *id = batch->token + batch->row_start[i];
        int n = batch->row_start[i + 1] - batch->row_start[i];
        dn_reuse_add(feed->conf->reuse, hash_of((dn_ids){id, n}), id, n,
                     feed->score + (size_t)i * (size_t)feed->conf->width);
    }
}

dn_status dn_feed_flush(dn_scorer *feed, dn_close_reason reason) {
    dn_batch batch = dn_builder_batch(feed->builder);
    if (batch.n_rows == 0 && feed->n_reused == 0) {
        return DN_OK;
    }
    int64_t closed_ns = dn_mono_ns();
    DN_TRY(feed->run(feed, &batch));
    int64_t model_ns = dn_mono_ns() - closed_ns;
    remember(feed, &batch);
    deliver(feed, model_ns);
    report(feed, &batch, reason, closed_ns, model_ns);
    dn_builder_reset(feed->builder);
    return DN_OK;
}

int64_t dn_feed_deadline(const dn_scorer *feed) {
    int64_t oldest_ns = dn_builder_oldest_ns(feed->builder);
    return oldest_ns == INT64_MAX ? INT64_MAX : oldest_ns + feed->conf->deadline_ns;
}

static dn_status add_row(dn_scorer *feed, dn_ids ids, int *row) {
    *row = dn_builder_add(feed->builder, ids.id, ids.n);
    if (*row < 0) {
        DN_TRY(dn_feed_flush(feed, *row == DN_BATCH_FULL_TOKENS ? DN_CLOSE_TOKENS : DN_CLOSE_ROWS));
        *row = dn_builder_add(feed->builder, ids.id, ids.n);
    }
    return DN_OK;
}

static dn_status wait_for(dn_scorer *feed, held *owner, uint16_t chunk_row, int batch_row) {
    feed->tickets[feed->n_tickets++] = (ticket){owner, chunk_row, batch_row};
    owner->n_waiting++;
    return feed->n_tickets == feed->max_tickets ? dn_feed_flush(feed, DN_CLOSE_ROWS) : DN_OK;
}

/** Looks where these ids have been scored before or will be; else adds them. */
static dn_status put_known(dn_scorer *feed, held *owner, uint16_t chunk_row, dn_ids ids) {
    uint64_t hash = hash_of(ids);
    int row = dn_builder_find(feed->builder, hash, ids.id, ids.n);
    if (row >= 0) {
        feed->n_reused++;
        return wait_for(feed, owner, chunk_row, row);
    }
    if (dn_reuse_find(feed->conf->reuse, hash, ids.id, ids.n, feed->copy)) {
        feed->n_reused++;
        write_row(feed, owner->chunk, chunk_row, feed->copy);
        return DN_OK;
    }
    DN_TRY(add_row(feed, ids, &row));
    dn_builder_publish(feed->builder, row, hash);
    return wait_for(feed, owner, chunk_row, row);
}

static dn_status put_row(dn_scorer *feed, held *owner, uint16_t chunk_row, dn_ids ids) {
    if (ids.n > feed->conf->max_tokens) {
        return DN_FAIL(CONFIG,
                       "a text of %d tokens does not fit a batch of %lld: set `tokens` higher",
                       ids.n, (long long)feed->conf->max_tokens);
    }
    if (feed->conf->reuse) {
        return put_known(feed, owner, chunk_row, ids);
    }
    int row;
    DN_TRY(add_row(feed, ids, &row));
    return wait_for(feed, owner, chunk_row, row);
}

dn_status dn_feed_put(dn_scorer *feed, dn_chunk *chunk) {
    static const int32_t nothing = 0;
    int field = feed->conf->ids_field;
    held *owner = hold(feed, chunk);
    dn_status status = DN_OK;
    owner->n_waiting = 1; /* the put itself: the chunk is not finished before its last row is in */
    for (uint32_t i = 0; i < chunk->n_sel && status == DN_OK; i++) {
        uint16_t row = chunk->sel[i];
        dn_ids ids = field < 0 ? (dn_ids){&nothing, 0} : dn_chunk_ids(chunk, field)[row];
        if (ids.id) {
            status = put_row(feed, owner, row, ids);
        }
    }
    release(feed, owner);
    return status;
}
