#ifndef DN_TRACE_TRACE_H
#define DN_TRACE_TRACE_H
/** What a run did, as HDF5 beside its results: OUT/trace/<run>/r0003-0001.h5, -0002 ..., by rank
 * and segment.
 *
 *    /batches     a row per micro-batch: what dn_batch_event says, rank and pipeline
 *    /system      a row per sample: CPU time, resident memory, energy, GPU
 *    /flow        a row per sample and pipeline: records, tokens, lag
 *    /queues      a row per sample and queue: depth, time blocked and starved
 *    /labels      a row per class, when the newest rows were counted anew: how many, and how many
 *                 once (flow/labels.h)
 *    /stages      (last segment) a row per part of a pipeline: busy time, chunks, rows
 *    /histograms  (last segment) lower bounds of the buckets, and counts per name
 *    /topology    a row per rank: host, device, cpus, numa; the attribute `text` shows the machine
 *
 * The last segment also has the root attribute `summary`: what the rank did, as JSON. Where no
 * segment has it, the run did not come to its end.
 *
 * Histograms merge by adding their counts; percentiles are never averaged.
 *
 * Best effort: the first error ends the trace, not the run; dn_trace_warning says it once. A
 * segment is closed after 64 Ki batches or 60 s, so a crash costs at most that much. Monotonic
 * times become wall times by the root attributes start_mono_ns and start_wall_ns.
 *
 * All functions: thread control, one at a time; trace may be NULL, then they do nothing. */
#include "flow/pipeline.h"

typedef struct dn_trace dn_trace;

typedef struct dn_trace_attribute {
    const char *name, *value;
} dn_trace_attribute;

typedef struct dn_trace_place {
    int32_t rank;
    const char *host, *device, *cpus, *numa;
} dn_trace_place;

/** lends until dn_trace_open returns */
typedef struct dn_trace_conf {
    const char *output, *run_id;
    int rank;
    const char *const *pipelines; /**< names; a pipeline is its number here below */
    const char *const (
        *models)[DN_MAX_SCORERS]; /**< names of each pipeline's, NULL behind the last */
    int n_pipelines;
    const dn_trace_attribute *attributes; /**< root attributes: job, model_sha256, versions ... */
    int n_attributes;
    const char *topology;         /**< the machine for a person, or NULL */
    const dn_trace_place *places; /**< of all ranks, or NULL */
    int n_places;
} dn_trace_conf;

/** Makes the folder and the first file. CANT_CREATE, IO, NO_SPACE      ownership gives;
 * dn_trace_close */
dn_status dn_trace_open(const dn_trace_conf *conf, dn_trace **trace);

void dn_trace_batch(dn_trace *trace, int pipeline, const dn_batch_event *event);

/** A row of /system from /proc and, where they may be read, RAPL and NVML. blocks never      cost about 20 us
 */
void dn_trace_sample_system(dn_trace *trace);

/** Rows of /flow and /queues from a snapshot. */
void dn_trace_sample_pipeline(dn_trace *trace, int pipeline, const dn_pipeline_stats *stats);

/** Rows of /labels. */
void dn_trace_sample_labels(dn_trace *trace, int pipeline, const dn_share *shares, int n);

/** Rows of /stages, once, at the end. */
void dn_trace_stages(dn_trace *trace, int pipeline, const dn_pipeline_stats *stats);

/** A histogram of /histograms, once, at the end; `name` such as "enrich.response_ns". */
void dn_trace_histogram(dn_trace *trace, const char *name, const dn_hist *hist);

/** The rank's own report as JSON (below 64 KiB), once, at the end. */
void dn_trace_summary(dn_trace *trace, const char *json);

/** Why the trace ended early: the text once, then NULL; NULL while all is well. lends until close
 */
const char *dn_trace_warning(dn_trace *trace);

/** Closes the last segment. */
void dn_trace_close(dn_trace *trace);

#endif
