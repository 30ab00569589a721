#include "run/report.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ADD(field) atomic_fetch_add_explicit(&totals->field, event->field, memory_order_relaxed)

void dn_batch_totals_add(dn_batch_totals *totals, const dn_batch_event *event) {
    int64_t own = event->reason != DN_CLOSE_LEADER; /* counted by the leader */
    atomic_fetch_add_explicit(&totals->batches, own, memory_order_relaxed);
    ADD(rows);
    ADD(tokens);
    ADD(budget_tokens);
    ADD(reused);
    ADD(late);
    ADD(foreign_rows);
    ADD(foreign_tokens);
    ADD(linear_rows);
    ADD(linear_tokens);
    ADD(flops);
    ADD(model_ns);
    ADD(device_ns);
    for (int i = 0; i < DN_DEVICE_GROUPS; i++) {
        ADD(group_ns[i]);
    }
    atomic_fetch_add_explicit(&totals->reason[event->reason], 1, memory_order_relaxed);
}

#undef ADD

void dn_report_pipeline(dn_pipeline *pipeline, dn_pipeline_report *out) {
    dn_pipeline_read(pipeline, &out->stats);
    out->latency = *dn_pipeline_latencies(pipeline);
}

void dn_report_model(const dn_batch_totals *totals, dn_model_report *out) {
    out->batches = atomic_load(&totals->batches);
    out->rows_scored = atomic_load(&totals->rows);
    out->tokens_scored = atomic_load(&totals->tokens);
    out->budget_tokens = atomic_load(&totals->budget_tokens);
    out->rows_reused = atomic_load(&totals->reused);
    out->rows_late = atomic_load(&totals->late);
    out->rows_foreign = atomic_load(&totals->foreign_rows);
    out->tokens_foreign = atomic_load(&totals->foreign_tokens);
    out->rows_linear = atomic_load(&totals->linear_rows);
    out->tokens_linear = atomic_load(&totals->linear_tokens);
    out->flops = atomic_load(&totals->flops);
    out->model_ns = atomic_load(&totals->model_ns);
    out->device_ns = atomic_load(&totals->device_ns);
    for (int i = 0; i < DN_DEVICE_GROUPS; i++) {
        out->group_ns[i] = atomic_load(&totals->group_ns[i]);
    }
    for (int i = 0; i < DN_CLOSE_REASONS; i++) {
        out->reason[i] = atomic_load(&totals->reason[i]);
    }
}

static void merge_model(dn_model_report *into, const dn_model_report *from) {
    into->batches += from->batches;
    into->rows_scored += from->rows_scored;
    into->tokens_scored += from->tokens_scored;
    into->budget_tokens += from->budget_tokens;
    into->rows_reused += from->rows_reused;
    into->rows_late += from->rows_late;
    into->rows_foreign += from->rows_foreign;
    into->tokens_foreign += from->tokens_foreign;
    into->rows_linear += from->rows_linear;
    into->tokens_linear += from->tokens_linear;
    into->flops += from->flops;
    into->model_ns += from->model_ns;
    into->device_ns += from->device_ns;
    for (int i = 0; i < DN_DEVICE_GROUPS; i++) {
        into->group_ns[i] += from->group_ns[i];
    }
    into->peak_gflops += from->peak_gflops;
    into->computing_ns += from->computing_ns;
    into->peak_flops_ns += from->peak_flops_ns;
    into->threads += from->threads;
    for (int i = 0; i < DN_CLOSE_REASONS; i++) {
        into->reason[i] += from->reason[i];
    }
}

dn_model_report dn_report_models(const dn_pipeline_report *pipeline) {
    dn_model_report all = pipeline->model[0];
    for (int i = 1; i < pipeline->n_models; i++) {
        merge_model(&all, &pipeline->model[i]);
    }
    return all;
}

static void merge_parts(dn_pipeline_stats *into, const dn_pipeline_stats *from) {
    for (int i = 0; i < into->n_parts; i++) {
        into->part[i].threads += from->part[i].threads;
        into->part[i].busy_ns += from->part[i].busy_ns;
        into->part[i].chunks += from->part[i].chunks;
        into->part[i].rows += from->part[i].rows;
    }
    for (int i = 0; i < into->n_rings; i++) {
        into->ring[i].stats.blocked_ns += from->ring[i].stats.blocked_ns;
        into->ring[i].stats.starved_ns += from->ring[i].stats.starved_ns;
        into->ring[i].stats.mean_depth += from->ring[i].stats.mean_depth;
        into->ring[i].stats.capacity += from->ring[i].stats.capacity;
    }
    for (int i = 0; i < DN_MAX_SINKS; i++) {
        into->sink[i].rows += from->sink[i].rows;
        into->sink[i].bytes += from->sink[i].bytes;
        into->sink[i].commits += from->sink[i].commits;
    }
}

static void merge_stats(dn_pipeline_stats *into, const dn_pipeline_stats *from) {
    into->source.records += from->source.records;
    into->source.bytes += from->source.bytes;
    into->source.lag = into->source.lag > from->source.lag ? into->source.lag : from->source.lag;
    into->records_in += from->records_in;
    into->tokens += from->tokens;
    into->foreign_rows += from->foreign_rows;
    into->foreign_tokens += from->foreign_tokens;
    into->linear_rows += from->linear_rows;
    into->linear_tokens += from->linear_tokens;
    into->texts_cut += from->texts_cut;
    into->undecided += from->undecided;
    for (int i = 0; i < DN_FATES; i++) {
        into->fate[i] += from->fate[i];
    }
    merge_parts(into, from);
}

static void merge_pipeline(dn_pipeline_report *into, const dn_pipeline_report *from) {
    merge_stats(&into->stats, &from->stats);
    dn_hist_merge(&into->latency.response, &from->latency.response);
    dn_hist_merge(&into->latency.service, &from->latency.service);
    for (int i = 0; i < into->n_models; i++) {
        merge_model(&into->model[i], &from->model[i]);
    }
    for (int i = 0; i < into->n_labels && i < from->n_labels; i++) {
        dn_drift_merge(&into->labels[i], &from->labels[i]);
    }
    into->wall_ns = into->wall_ns > from->wall_ns ? into->wall_ns : from->wall_ns;
}

static void merge_report(dn_report *into, const dn_report *from) {
    into->wall_ns = into->wall_ns > from->wall_ns ? into->wall_ns : from->wall_ns;
    into->cpu_ns += from->cpu_ns;
    into->gpu_mj += from->gpu_mj;
    into->rss_bytes_max =
        into->rss_bytes_max > from->rss_bytes_max ? into->rss_bytes_max : from->rss_bytes_max;
    into->drained = into->drained || from->drained;
    for (int i = 0; i < into->n_pipelines; i++) {
        merge_pipeline(&into->pipeline[i], &from->pipeline[i]);
    }
}

dn_status dn_report_merge(dn_comm *comm, dn_report *report) {
    dn_parts parts = {0};
    DN_TRY(dn_comm_gather(comm, 0, (dn_span){(const char *)report, sizeof *report}, &parts));
    dn_report *other = dn_alloc(sizeof *other);
    for (int rank = 1; rank < parts.n; rank++) {
        memcpy(other, dn_parts_get(&parts, rank).ptr, sizeof *other);
        merge_report(report, other);
    }
    for (int i = 0; i < report->n_pipelines; i++) {
        for (int k = 0; k < report->pipeline[i].n_models; k++) {
            report->pipeline[i].model[k].peak_gflops /= report->ranks;
        }
    }
    free(other);
    dn_parts_free(&parts);
    return DN_OK;
}

const dn_pipeline_report *dn_report_main(const dn_report *report) {
    for (int i = 0; i < report->n_pipelines; i++) {
        if (report->pipeline[i].n_models) {
            return &report->pipeline[i];
        }
    }
    return &report->pipeline[report->n_pipelines - 1];
}
