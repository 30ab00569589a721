/** The threads between source and sinks: poll, text workers, model threads. */
#include "base/clock.h"
#include "flow/pipeline_parts.h"

enum { POLL_NS = 50 * 1000 * 1000 };

static void return_chunk(dn_pipeline *pipeline, dn_chunk *chunk) {
    dn_ring_push(pipeline->free_chunks, chunk, -1);
}

void dn_crew_leave(dn_crew *crew) {
    dn_station *station = crew->station;
    if (atomic_fetch_sub(&station->running, 1) == 1 && station->next) {
        dn_ring_close(station->next->in);
    }
}

/* The source's numbers are its poll thread's alone; others read this copy. */
static void note_source(dn_pipeline *pipeline) {
    dn_source_stats stats = {.total_records = -1, .lag = -1};
    pipeline->plan->source->stats(pipeline->source, &stats);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->source_stats = stats;
    pthread_mutex_unlock(&pipeline->lock);
}

/* One poll into one free chunk. OK with *end set when the input is over. */
static dn_status poll_once(dn_pipeline *pipeline, dn_chunk *chunk, bool *end) {
    int64_t begin_cpu_ns =
        dn_thread_cpu_ns(); /* waiting for records, or for their time, is no work */
    dn_poll what = DN_POLL_IDLE;
    dn_chunk_reset(chunk);
    dn_status status = pipeline->plan->source->poll(pipeline->source, POLL_NS, chunk, &what);
    note_source(pipeline);
    if (status != DN_OK || what != DN_POLL_CHUNK) {
        return_chunk(pipeline, chunk);
        *end = what == DN_POLL_END;
        return status == DN_AGAIN ? DN_OK : status;
    }
    chunk->times.polled_mono_ns = dn_mono_ns();
    chunk->sequence = pipeline->sequence[chunk->partition]++;
    dn_chunk_select(chunk);
    dn_meter_add(&pipeline->poll_meter, dn_thread_cpu_ns() - begin_cpu_ns, chunk->n_rows);
    status = dn_ring_push(pipeline->station[0].in, chunk, -1);
    return status == DN_ABORT ? DN_OK : status;
}

void *dn_poll_body(void *arg) {
    dn_pipeline *pipeline = arg;
    bool end = false;
    dn_status status = DN_OK;
    while (status == DN_OK && !end && !atomic_load(&pipeline->drain) &&
           !atomic_load(&pipeline->aborted)) {
        void *chunk = NULL;
        dn_status taken = dn_ring_pop(pipeline->free_chunks, POLL_NS, &chunk);
        if (taken == DN_OK) {
            status = poll_once(pipeline, chunk, &end);
        } else if (taken == DN_ABORT) {
            break;
        }
    }
    if (status != DN_OK) {
        dn_pipeline_fail_at_end(pipeline, status);
    }
    dn_ring_close(pipeline->station[0].in);
    return NULL;
}

static dn_status run_steps(dn_crew *crew, dn_chunk *chunk) {
    const dn_station *station = crew->station;
    int64_t then = dn_mono_ns();
    for (int i = 0; i < station->n_steps; i++) {
        const dn_step *step = &station->step[i];
        uint32_t rows = chunk->n_sel;
        DN_TRY(step->ops->run(step->conf, crew->worker[i], chunk));
        int64_t now = dn_mono_ns();
        dn_meter_add(step->meter, now - then, rows);
        chunk->times.text_ns += now - then;
        then = now;
    }
    return DN_OK;
}

/* Runs the stages and hands the chunk on; a closed ring means the pipeline was aborted. */
static dn_status pass_on(dn_crew *crew, dn_chunk *chunk) {
    DN_TRY(run_steps(crew, chunk));
    dn_status status = dn_ring_push(crew->station->next->in, chunk, -1);
    return status == DN_ABORT ? DN_OK : status;
}

static dn_status text_step(dn_crew *crew, dn_chunk *chunk) {
    dn_reorder *reorder = crew->station->reorder;
    if (!reorder) {
        return pass_on(crew, chunk);
    }
    dn_reorder_put(reorder, chunk);
    for (dn_chunk *due; (due = dn_reorder_take(reorder));) {
        DN_TRY(pass_on(crew, due));
    }
    return DN_OK;
}

void *dn_text_body(void *arg) {
    dn_crew *crew = arg;
    void *chunk;
    dn_status status = DN_OK;
    while (status == DN_OK && dn_ring_pop(crew->station->in, -1, &chunk) == DN_OK) {
        status = text_step(crew, chunk);
    }
    if (status != DN_OK) {
        dn_pipeline_fail(crew->station->pipeline, status);
    }
    dn_crew_leave(crew);
    return NULL;
}

static const dn_scorer_ops *scorer_of(const dn_crew *crew) {
    return crew->station->pipeline->plan->scorer[crew->station->scorer];
}

static void hand_finished(dn_crew *crew) {
    for (dn_chunk *chunk; (chunk = scorer_of(crew)->take(crew->scorer));) {
        dn_ring_push(crew->station->next->in, chunk, -1);
    }
}

static dn_close_reason end_reason(const dn_pipeline *pipeline) {
    return atomic_load(&pipeline->drain) ? DN_CLOSE_DRAIN : DN_CLOSE_END;
}

void dn_model_note(void *arg, const dn_batch_event *event) {
    dn_pipeline *pipeline = arg;
    dn_meter_add(&pipeline->model_meter[event->model], event->model_ns,
                 event->rows + event->reused);
    atomic_fetch_add_explicit(&pipeline->foreign_rows, event->foreign_rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&pipeline->foreign_tokens, event->foreign_tokens,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&pipeline->linear_rows, event->linear_rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&pipeline->linear_tokens, event->linear_tokens, memory_order_relaxed);
    if (pipeline->env.batch) {
        pipeline->env.batch(pipeline->env.batch_ctx, event);
    }
}

/* What the model thread may wait for its next chunk; -1: for ever. */
static int64_t patience_ns(int64_t deadline_ns) {
    if (deadline_ns == INT64_MAX) {
        return -1;
    }
    int64_t now_ns = dn_mono_ns();
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

/* No chunk is at hand: the open batch is closed when it is time; else there is time for the oldest
 * of those under way. */
static dn_status use_pause(dn_crew *crew, int64_t deadline_ns) {
    const dn_scorer_ops *ops = scorer_of(crew);
    if (dn_scorer_under_way(ops, crew->scorer) > 0 && patience_ns(deadline_ns) != 0) {
        return ops->wait(crew->scorer);
    }
    return ops->flush(crew->scorer, deadline_ns == DN_AT_ONCE ? DN_CLOSE_IDLE : DN_CLOSE_DEADLINE);
}

/* Waits for a chunk no longer than the open batch may, and not at all while a device has work that
 * must be fetched; then one put, wait or flush. OK with *end set when all is done. */
static dn_status model_step(dn_crew *crew, bool *end) {
    dn_pipeline *pipeline = crew->station->pipeline;
    const dn_scorer_ops *ops = scorer_of(crew);
    int64_t deadline_ns = ops->deadline(crew->scorer);
    bool busy = dn_scorer_under_way(ops, crew->scorer) > 0;
    void *item = NULL;
    dn_status popped = dn_ring_pop(crew->station->in, busy ? 0 : patience_ns(deadline_ns), &item);
    *end = popped == DN_ABORT;
    dn_status status = popped == DN_OK ? ops->put(crew->scorer, item)
                       : *end          ? dn_scorer_settle(ops, crew->scorer, end_reason(pipeline))
                                       : use_pause(crew, deadline_ns);
    hand_finished(crew);
    return status;
}

/* A wait for the group that dn_pipeline_abort's caller has broken off is no failure of its own. */
static void note_failure(dn_pipeline *pipeline, dn_status status) {
    if (status != DN_OK && !(status == DN_ABORT && atomic_load(&pipeline->aborted))) {
        dn_pipeline_fail(pipeline, status);
    }
}

void *dn_model_body(void *arg) {
    dn_crew *crew = arg;
    bool end = false;
    dn_status status = DN_OK;
    while (status == DN_OK && !end && !atomic_load(&crew->station->pipeline->aborted)) {
        status = model_step(crew, &end);
    }
    if (status == DN_OK && end && scorer_of(crew)->end &&
        !atomic_load(&crew->station->pipeline->aborted)) {
        status = scorer_of(crew)->end(crew->scorer);
    }
    note_failure(crew->station->pipeline, status);
    dn_crew_leave(crew);
    return NULL;
}

void *dn_follow_body(void *arg) {
    dn_crew *crew = arg;
    dn_pipeline *pipeline = crew->station->pipeline;
    note_failure(pipeline, scorer_of(crew)->follow(crew->scorer));
    if (atomic_fetch_sub(&pipeline->n_following, 1) == 1 && pipeline->env.ended) {
        pipeline->env.ended(pipeline->env.ended_ctx);
    }
    return NULL;
}
