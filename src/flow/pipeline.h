#ifndef DN_FLOW_PIPELINE_H
#define DN_FLOW_PIPELINE_H
/** One pipeline of a rank: who owns a chunk when.
 *
 *    free ring ─▶ poll thread ─▶ station ─▶ ... ─▶ model threads ─▶ prepare ─▶ sink threads ─▶ free
 *                                text workers      one scorer each  for sinks  reorder, write,
 *                                or one ordered                                count, commit
 *
 * A station is a ring and the threads that empty it: a run of pure stages has `text_threads` of
 * them, a run of ordered stages one, behind a reorder queue, model i `model_threads[i]`. A chunk
 * visits the models one after the other; each fills its own columns. What sinks prepare is made
 * behind the models, by `prepare_threads`. Each sink has a thread, and a chunk visits
 * them in turn: the first has the reorder queue, the last counts. The free ring holds all chunks
 * that are not under way: when it is empty, the poll thread waits, and that is all the
 * back-pressure there is.
 *
 * Where models are split over the ranks of a group, one of them has all this; the others have one
 * thread a model, which does its part of the batches, and nothing else. */
#include "base/hist.h"
#include "base/ring.h"
#include "flow/labels.h"
#include "flow/scorer.h"
#include "flow/sink.h"

enum { DN_MAX_STAGES = 16, DN_MAX_SINKS = 32 };

/** What a pipeline is made of; confs are set by the job, then bound. */
typedef struct dn_pipeline_plan {
    const char *job, *name;
    const dn_source_ops *source;
    void *source_conf;
    int n_stages;
    const dn_stage_ops *stage[DN_MAX_STAGES];
    void *stage_conf[DN_MAX_STAGES];
    int n_scorers;
    const dn_scorer_ops *scorer[DN_MAX_SCORERS];
    void *scorer_conf[DN_MAX_SCORERS];
    const char *scorer_name[DN_MAX_SCORERS]; /**< unique in the pipeline */
    struct dn_comm *group[DN_MAX_SCORERS];   /**< ranks that it is split over; NULL: it is not */
    int n_sinks;
    const dn_sink_ops *sink[DN_MAX_SINKS];
    void *sink_conf[DN_MAX_SINKS];
    const dn_sink_ops *letters; /**< dead letters */
    void *letters_conf;
    dn_schema schema; /**< made by dn_pipeline_bind */
    bool bound;
    int text_threads, model_threads[DN_MAX_SCORERS], prepare_threads, n_chunks;
    double max_bad; /**< share of records that may be bad; beyond it the run ends */
} dn_pipeline_plan;

/** How it runs here. lends until close */
typedef struct dn_pipeline_env {
    const char *output, *run_id, *resolved_job, *model_sha256;
    int rank, size; /**< of those that have partitions: a group counts as one */
    bool follows;   /**< this rank only does its part of the batches of its group's leader */
    bool bounded;
    const dn_map *kafka;
    void *source_bus;             /**< dn_bus the source reads, or NULL */
    void *sink_bus[DN_MAX_SINKS]; /**< dn_bus each sink feeds, or NULL */
    bool (*fed)(void *ctx, int32_t partition, int64_t *last); /**< see dn_source_env */
    void *fed_ctx;
    dn_batch_listener *batch; /**< called by model thread `event->thread`, or NULL */
    void *batch_ctx;
    int64_t window_rows;      /**< of the windows of labels */
    dn_labels_window *window; /**< called by the last sink's thread, or NULL */
    void *window_ctx;
    /** Called by a sink's thread before each of its commits: what the records come from must be
     * durable first (the dead letters of a pipeline that feeds this one through memory, which is
     * read again only from this one's cursors). NULL: nothing. */
    dn_status (*before_commit)(void *ctx);
    void *before_commit_ctx;
    void (*ended)(void *ctx); /**< called once by a sink's thread when everything is durable or
                                 failed; or NULL */
    void *ended_ctx;
} dn_pipeline_env;

typedef struct dn_pipeline dn_pipeline;

/** Binds all parts: columns by name, models loaded. CONFIG and MODEL errors name pipeline and part.
 * thread: main */
dn_status dn_pipeline_bind(dn_pipeline_plan *plan, const dn_bind *job_bind);
void dn_pipeline_unbind(dn_pipeline_plan *plan);

/** The source's identity as 16 hex digits, "" where it has none; the plan is bound. */
dn_status dn_pipeline_identity(const dn_pipeline_plan *plan, char out[17]);

/** Opens sinks, reads their cursors, opens the source at the lowest of them.     blocks  yes
 * (broker, recovery) */
dn_status dn_pipeline_open(const dn_pipeline_plan *plan, const dn_pipeline_env *env,
                           dn_pipeline **out);

/** Starts the threads. */
dn_status dn_pipeline_start(dn_pipeline *pipeline);

/** Stops polling; what is under way is finished and committed. thread: any; async-signal-unsafe */
void dn_pipeline_drain(dn_pipeline *pipeline);

/** Stops everything now; nothing more is committed. thread: any */
void dn_pipeline_abort(dn_pipeline *pipeline);

/** Whether it has failed already. A source that fails does not stop it: what came before is
 * delivered and committed first. thread: any */
bool dn_pipeline_failed(dn_pipeline *pipeline);

/** Whether it stopped in the middle, by another failure or dn_pipeline_abort. thread: any */
bool dn_pipeline_aborted(dn_pipeline *pipeline);

/** Waits until all threads have ended; the pipeline's failure, recorded for the calling thread. */
dn_status dn_pipeline_join(dn_pipeline *pipeline);

void dn_pipeline_close(dn_pipeline *pipeline);

/** Makes the dead letters written so far durable. thread: any, while it runs or after join */
dn_status dn_pipeline_commit_letters(dn_pipeline *pipeline);

/** First offset it reads of a partition, -1: from the beginning. */
int64_t dn_pipeline_first_offset(const dn_pipeline *pipeline, int partition);

/** Sink `i`, for its last acknowledged offsets. */
const dn_sink *dn_pipeline_sink(const dn_pipeline *pipeline, int i);
/** Records of a partition that wait to be read, -1 unknown. thread: any */
int64_t dn_pipeline_lag(const dn_pipeline *pipeline, int partition);
int dn_pipeline_partitions(const dn_pipeline *pipeline);

enum { DN_PART_NAME = 24 };

/** A stage, a model or a sink in numbers, summed over its threads. */
typedef struct dn_part_stats {
    char name[DN_PART_NAME];
    int threads;
    int64_t busy_ns, chunks, rows;
    double p95_ns; /**< busy time per chunk; of this rank alone */
} dn_part_stats;

enum {
    DN_MAX_PARTS = DN_MAX_STAGES + DN_MAX_SCORERS + 2 * DN_MAX_SINKS + 2, /* poll and letters */
    DN_MAX_RINGS = DN_MAX_STAGES + DN_MAX_SCORERS + DN_MAX_SINKS + 2,     /* free and prepare */
};

typedef struct dn_ring_row {
    char name[DN_PART_NAME];
    dn_ring_stats stats;
} dn_ring_row;

/** A snapshot; counters may be read while it runs. */
typedef struct dn_pipeline_stats {
    dn_source_stats source;
    int64_t records_in;     /**< delivered to the sinks or dropped before: the sum of fates */
    int64_t fate[DN_FATES]; /**< by dn_fate */
    int64_t tokens;         /**< of all texts, by each tokeniser of the pipeline */
    int64_t foreign_rows, foreign_tokens; /**< in languages that a model does not serve */
    int64_t linear_rows, linear_tokens;   /**< answered by linear models before encoders */
    int64_t texts_cut;                    /**< texts of which the model read only the beginning */
    int64_t undecided; /**< labels that are "und": below the threshold of their head */
    int n_parts;
    dn_part_stats
        part[DN_MAX_PARTS]; /**< poll, stages, models, what sinks prepare, sinks, letters */
    int n_rings;
    dn_ring_row ring[DN_MAX_RINGS];
    dn_sink_stats sink[DN_MAX_SINKS];
} dn_pipeline_stats;
void dn_pipeline_read(dn_pipeline *pipeline, dn_pipeline_stats *stats);

/** The labels that it delivered.     lends  until close; valid after join */
const dn_labels *dn_pipeline_labels(const dn_pipeline *pipeline);

/** Latencies in nanoseconds, valid after join: from the intended send time and from polling, to the
 * write. */
typedef struct dn_pipeline_latency {
    dn_hist response, service;
} dn_pipeline_latency;
const dn_pipeline_latency *dn_pipeline_latencies(const dn_pipeline *pipeline);

#endif
