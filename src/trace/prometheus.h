#ifndef DN_TRACE_PROMETHEUS_H
#define DN_TRACE_PROMETHEUS_H
/** A rank's counters as Prometheus text, format 0.0.4: what /metrics answers. */
#include "flow/pipeline.h"

#include <stdio.h>

/** A pipeline's counters; `latency` NULL while it runs. lends */
typedef struct dn_metrics_pipeline {
    const char *name;
    const dn_pipeline_stats *stats;
    const dn_pipeline_latency *latency;
    int n_sinks;
    const char *const *sinks; /**< names of stats->sink[] */
    int n_shares;
    const dn_share *shares; /**< of the newest rows, the classes of a column together */
} dn_metrics_pipeline;

/** Content-Type of the text. */
#define DN_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** Writes all metrics of the rank: counters end in _total, units are seconds and bytes, histograms
 * have a bucket per power of two. Labels: rank, pipeline, and stage, queue, sink, fate, or column
 * and label of a share; never ids or texts. */
void dn_prometheus_write(FILE *out, int rank, const dn_metrics_pipeline *pipelines, int n);

#endif
