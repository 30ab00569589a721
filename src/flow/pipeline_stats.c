/** What a pipeline tells about itself. */
#include "flow/pipeline_parts.h"

const dn_labels *dn_pipeline_labels(const dn_pipeline *pipeline) {
    return pipeline->labels;
}

const dn_sink *dn_pipeline_sink(const dn_pipeline *pipeline, int i) {
    return pipeline->sink[i];
}

int64_t dn_pipeline_first_offset(const dn_pipeline *pipeline, int partition) {
    return pipeline->start[partition];
}

int64_t dn_pipeline_lag(const dn_pipeline *pipeline, int partition) {
    const dn_source_ops *ops = pipeline->plan->source;
    return ops->lag ? ops->lag(pipeline->source, partition) : -1;
}

int dn_pipeline_partitions(const dn_pipeline *pipeline) {
    return pipeline->n_partitions;
}

const dn_pipeline_latency *dn_pipeline_latencies(const dn_pipeline *pipeline) {
    return &pipeline->latency;
}

static void add_part(dn_pipeline_stats *stats, const char *name, int threads,
                     dn_part_meter *meter) {
    dn_hist chunk_ns;
    dn_hist_read_shared(&meter->chunk_ns, &chunk_ns);
    dn_part_stats *part = &stats->part[stats->n_parts++];
    *part = (dn_part_stats){
        .threads = threads,
        .busy_ns = atomic_load_explicit(&meter->busy_ns, memory_order_relaxed),
        .chunks = atomic_load_explicit(&meter->chunks, memory_order_relaxed),
        .rows = atomic_load_explicit(&meter->rows, memory_order_relaxed),
        .p95_ns = dn_hist_quantile(&chunk_ns, 0.95),
    };
    snprintf(part->name, sizeof part->name, "%s", name);
}

static void add_ring(dn_pipeline_stats *stats, const char *name, dn_ring *ring) {
    dn_ring_row *row = &stats->ring[stats->n_rings++];
    row->stats = dn_ring_read(ring);
    snprintf(row->name, sizeof row->name, "%s", name);
}

/* The same parts on every rank, so that they can be added up; a follower has no threads for most.
 */
static void read_parts(dn_pipeline *pipeline, dn_pipeline_stats *stats) {
    const dn_pipeline_plan *plan = pipeline->plan;
    bool follows = pipeline->env.follows;
    int one = follows ? 0 : 1;
    add_part(stats, "poll", one, &pipeline->poll_meter);
    for (int i = 0; i < plan->n_stages; i++) {
        int threads = plan->stage[i]->order == DN_ORDERED ? 1 : plan->text_threads;
        add_part(stats, plan->stage[i]->name, one * threads, &pipeline->stage_meter[i]);
    }
    for (int i = 0; i < plan->n_scorers; i++) {
        int threads = plan->group[i] ? 1 : one * plan->model_threads[i];
        add_part(stats, plan->scorer_name[i], threads, &pipeline->model_meter[i]);
    }
    for (int i = 0; i < plan->n_sinks; i++) {
        if (plan->sink[i]->prepare) {
            add_part(stats, plan->sink[i]->prepare->name, one * plan->prepare_threads,
                     &pipeline->prepare_meter[i]);
        }
    }
    for (int i = 0; i < plan->n_sinks; i++) {
        add_part(stats, plan->sink[i]->name, one, &pipeline->sink_meter[i]);
    }
    add_part(stats, "dead letters", one, &pipeline->letters_meter);
}

void dn_pipeline_read(dn_pipeline *pipeline, dn_pipeline_stats *stats) {
    *stats = (dn_pipeline_stats){0};
    for (int i = 0; i < DN_FATES; i++) {
        stats->fate[i] = atomic_load_explicit(&pipeline->fate[i], memory_order_relaxed);
        stats->records_in += stats->fate[i];
    }
    stats->tokens = atomic_load_explicit(&pipeline->tokens, memory_order_relaxed);
    stats->foreign_rows = atomic_load_explicit(&pipeline->foreign_rows, memory_order_relaxed);
    stats->foreign_tokens = atomic_load_explicit(&pipeline->foreign_tokens, memory_order_relaxed);
    stats->linear_rows = atomic_load_explicit(&pipeline->linear_rows, memory_order_relaxed);
    stats->linear_tokens = atomic_load_explicit(&pipeline->linear_tokens, memory_order_relaxed);
    stats->texts_cut = atomic_load_explicit(&pipeline->texts_cut, memory_order_relaxed);
    stats->undecided = atomic_load_explicit(&pipeline->undecided, memory_order_relaxed);
    read_parts(pipeline, stats);
    if (!pipeline->env.follows) {
        add_ring(stats, "free", pipeline->free_chunks);
    }
    for (int i = 0; i < pipeline->n_stations && !pipeline->env.follows; i++) {
        add_ring(stats, pipeline->station[i].name, pipeline->station[i].in);
    }
    pthread_mutex_lock(&pipeline->lock);
    stats->source = pipeline->source_stats;
    memcpy(stats->sink, pipeline->sink_stats, sizeof stats->sink);
    pthread_mutex_unlock(&pipeline->lock);
}
