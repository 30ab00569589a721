/** The sink threads: order, write, commit; the last one counts. */
#include "base/clock.h"
#include "flow/pipeline_parts.h"

enum { COMMIT_CHECK_NS = 200 * 1000 * 1000, MAX_COMMIT_TRIES = 20, BAD_GRACE = 1000 };

static void count_latency(dn_pipeline *pipeline, const dn_chunk *chunk) {
    int64_t wall = dn_wall_ns();
    int64_t service = dn_mono_ns() - chunk->times.polled_mono_ns;
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        int64_t sent = chunk->sent_ns[chunk->sel[i]];
        if (sent != DN_NULL_I64) {
            dn_hist_add(&pipeline->latency.response, wall > sent ? (uint64_t)(wall - sent) : 0, 1);
        }
    }
    dn_hist_add(&pipeline->latency.service, service > 0 ? (uint64_t)service : 0, chunk->n_sel);
}

static void count_fates(dn_pipeline *pipeline, const dn_chunk *chunk) {
    int64_t fates[DN_FATES] = {0};
    for (uint32_t row = 0; row < chunk->n_rows; row++) {
        fates[chunk->fate[row]]++;
    }
    for (int i = 0; i < DN_FATES; i++) {
        atomic_fetch_add_explicit(&pipeline->fate[i], fates[i], memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&pipeline->texts_cut, chunk->n_cut, memory_order_relaxed);
    atomic_fetch_add_explicit(&pipeline->undecided, chunk->n_undecided, memory_order_relaxed);
    dn_labels_add(pipeline->labels, chunk);
    for (int f = 0; f < pipeline->n_tokens_fields; f++) {
        const int64_t *tokens = dn_chunk_i64(chunk, pipeline->tokens_field[f]);
        int64_t sum = 0;
        for (uint32_t i = 0; i < chunk->n_sel; i++) {
            sum += tokens[chunk->sel[i]] > 0 ? tokens[chunk->sel[i]] : 0;
        }
        atomic_fetch_add_explicit(&pipeline->tokens, sum, memory_order_relaxed);
    }
}

/* A sink's numbers are its thread's alone; others read this copy. */
static void note_sink(dn_pipeline *pipeline, int i) {
    dn_sink_stats stats = {0};
    pipeline->plan->sink[i]->stats(pipeline->sink[i], &stats);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->sink_stats[i] = stats;
    pthread_mutex_unlock(&pipeline->lock);
}

static dn_status write_one(dn_part_meter *meter, const dn_sink_ops *ops, dn_sink *sink,
                           const dn_chunk *chunk, int64_t rows) {
    int64_t begin = dn_mono_ns();
    DN_TRY(ops->write(sink, chunk));
    dn_meter_add(meter, dn_mono_ns() - begin, rows);
    return DN_OK;
}

/* Keeps what sink i has made durable, and tells the source the lowest cursor of all sinks, where it
 * has moved. */
static void report_cursors(dn_pipeline *pipeline, int i) {
    const dn_pipeline_plan *plan = pipeline->plan;
    pthread_mutex_lock(&pipeline->cursors_lock);
    for (int p = pipeline->env.rank; p < pipeline->n_partitions; p += pipeline->env.size) {
        pipeline->cursor[i * pipeline->n_partitions + p] =
            plan->sink[i]->cursor(pipeline->sink[i], p);
        int64_t lowest = dn_pipeline_lowest_cursor(pipeline, p);
        if (plan->source->committed && lowest > pipeline->reported[p]) {
            pipeline->reported[p] = lowest;
            plan->source->committed(pipeline->source, p, lowest);
        }
    }
    pthread_mutex_unlock(&pipeline->cursors_lock);
}

static dn_status commit_one(dn_part_meter *meter, const dn_sink_ops *ops, dn_sink *sink,
                            int32_t partition) {
    int64_t begin = dn_mono_ns();
    dn_status status = DN_ABORT;
    for (int i = 0; i < MAX_COMMIT_TRIES && (status == DN_ABORT || status == DN_RETRY); i++) {
        status = ops->commit(sink, partition);
    }
    atomic_fetch_add_explicit(&meter->busy_ns, dn_mono_ns() - begin, memory_order_relaxed);
    return status;
}

static dn_status commit_letters(dn_pipeline *pipeline, int32_t partition) {
    pthread_mutex_lock(&pipeline->letters_lock);
    dn_status status =
        commit_one(&pipeline->letters_meter, pipeline->plan->letters, pipeline->letters, partition);
    pthread_mutex_unlock(&pipeline->letters_lock);
    return status;
}

dn_status dn_pipeline_commit_letters(dn_pipeline *pipeline) {
    return commit_letters(pipeline, DN_ALL_PARTITIONS);
}

/* Dead letters first: a durable cursor proves that the letters below it are durable. */
static dn_status commit(dn_pipeline *pipeline, int i, int32_t partition) {
    const dn_pipeline_plan *plan = pipeline->plan;
    if (pipeline->env.before_commit) {
        DN_TRY(pipeline->env.before_commit(pipeline->env.before_commit_ctx));
    }
    DN_TRY(commit_letters(pipeline, partition));
    DN_TRY(commit_one(&pipeline->sink_meter[i], plan->sink[i], pipeline->sink[i], partition));
    report_cursors(pipeline, i);
    note_sink(pipeline, i);
    return DN_OK;
}

static dn_status commit_due(dn_pipeline *pipeline, int i) {
    const dn_sink_ops *ops = pipeline->plan->sink[i];
    int32_t partition;
    while ((partition = ops->due(pipeline->sink[i], dn_mono_ns())) != DN_NOTHING_DUE) {
        DN_TRY(commit(pipeline, i, partition));
    }
    return DN_OK;
}

/* Ends the run when too many records are bad; their letters are made durable first, so that they
 * can be read. */
static dn_status check_bad_share(dn_pipeline *pipeline) {
    int64_t records = 0;
    for (int i = 0; i < DN_FATES; i++) {
        records += atomic_load_explicit(&pipeline->fate[i], memory_order_relaxed);
    }
    int64_t dead = atomic_load_explicit(&pipeline->fate[DN_DEAD], memory_order_relaxed);
    if (records < BAD_GRACE || (double)dead <= pipeline->plan->max_bad * (double)records) {
        return DN_OK;
    }
    DN_TRY(commit_letters(pipeline, DN_ALL_PARTITIONS));
    return DN_FAIL(TOO_MANY_BAD,
                   "pipeline %s: %lld of the first %lld records are bad, more than max_bad allows "
                   "(%.3g %%); their reasons "
                   "are in %s/dead/%s (dunlin inspect), raise max_bad to go on",
                   pipeline->plan->name, (long long)dead, (long long)records,
                   100 * pipeline->plan->max_bad, pipeline->env.output, pipeline->plan->name);
}

static dn_status write_letters(dn_pipeline *pipeline, const dn_chunk *chunk) {
    pthread_mutex_lock(&pipeline->letters_lock);
    dn_status status = write_one(&pipeline->letters_meter, pipeline->plan->letters,
                                 pipeline->letters, chunk, chunk->n_letters);
    pthread_mutex_unlock(&pipeline->letters_lock);
    return status;
}

/* What all sinks have. */
static dn_status finish(dn_pipeline *pipeline, dn_chunk *chunk) {
    count_fates(pipeline, chunk);
    count_latency(pipeline, chunk);
    dn_ring_push(pipeline->free_chunks, chunk, -1);
    return check_bad_share(pipeline);
}

static dn_status deliver(dn_crew *crew, dn_chunk *chunk) {
    const dn_station *station = crew->station;
    dn_pipeline *pipeline = station->pipeline;
    int i = station->sink;
    if (i == 0 && chunk->n_letters) {
        DN_TRY(write_letters(pipeline, chunk));
    }
    DN_TRY(write_one(&pipeline->sink_meter[i], pipeline->plan->sink[i], pipeline->sink[i], chunk,
                     chunk->n_sel));
    note_sink(pipeline, i);
    if (!station->next) {
        return finish(pipeline, chunk);
    }
    dn_status status = dn_ring_push(station->next->in, chunk, -1);
    return status == DN_ABORT ? DN_OK : status;
}

static dn_status deliver_in_order(dn_crew *crew, dn_chunk *chunk) {
    dn_reorder *reorder = crew->station->reorder;
    if (!reorder) {
        return deliver(crew, chunk);
    }
    dn_reorder_put(reorder, chunk);
    for (dn_chunk *due; (due = dn_reorder_take(reorder));) {
        DN_TRY(deliver(crew, due));
    }
    return DN_OK;
}

void *dn_sink_body(void *arg) {
    dn_crew *crew = arg;
    const dn_station *station = crew->station;
    dn_pipeline *pipeline = station->pipeline;
    dn_status status = DN_OK;
    bool end = false;
    while (status == DN_OK && !end && !atomic_load(&pipeline->aborted)) {
        void *chunk;
        dn_status popped = dn_ring_pop(station->in, COMMIT_CHECK_NS, &chunk);
        end = popped == DN_ABORT;
        if (popped == DN_OK) {
            status = deliver_in_order(crew, chunk);
        }
        if (status == DN_OK && !end) {
            status = commit_due(pipeline, station->sink);
        }
    }
    if (status == DN_OK && !atomic_load(&pipeline->aborted)) {
        status = commit(pipeline, station->sink, DN_ALL_PARTITIONS);
    }
    if (status != DN_OK) {
        dn_pipeline_fail(pipeline, status);
    }
    dn_crew_leave(crew);
    if (!station->next && pipeline->env.ended) {
        pipeline->env.ended(pipeline->env.ended_ctx);
    }
    return NULL;
}
