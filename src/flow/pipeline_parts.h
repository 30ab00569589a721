#ifndef DN_FLOW_PIPELINE_PARTS_H
#define DN_FLOW_PIPELINE_PARTS_H
/** Inside of a pipeline: shared by pipeline.c (set-up), stations.c (threads up to the model) and
 * deliver.c (sinks). */
#include "flow/pipeline.h"
#include "flow/reorder.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    DN_MAX_STATIONS = DN_MAX_STAGES + DN_MAX_SCORERS + 1 + DN_MAX_SINKS, /* 1: prepare */
    DN_MAX_STEPS = DN_MAX_STAGES > DN_MAX_SINKS ? DN_MAX_STAGES : DN_MAX_SINKS,
};

/** Counters of a part: added to once per chunk, read by anybody. */
typedef struct dn_part_meter {
    _Atomic int64_t busy_ns, chunks, rows;
    dn_hist chunk_ns; /**< busy time per chunk, shared */
} dn_part_meter;

/** A stage where it runs: one of the pipeline's, or what a sink prepares. */
typedef struct dn_step {
    const dn_stage_ops *ops;
    const void *conf;
    dn_part_meter *meter;
} dn_step;

typedef struct dn_station dn_station;

/** A thread of a station and what is its own. */
typedef struct dn_crew {
    dn_station *station;
    pthread_t thread;
    bool started;
    int index;
    void *worker[DN_MAX_STEPS]; /**< scratch of each step of the station */
    dn_scorer *scorer;
} dn_crew;

/** A ring and the threads that empty it into the next station's ring. */
struct dn_station {
    dn_pipeline *pipeline;
    char name[DN_PART_NAME];
    dn_ring *in;
    dn_station *next; /**< NULL: the last, a sink's */
    int n_steps;
    dn_step step[DN_MAX_STEPS];
    int scorer, sink;    /**< of a model's or a sink's station: which */
    dn_reorder *reorder; /**< ordered stages and the first sink; NULL otherwise */
    void *(*body)(void *crew);
    int n_crew;
    dn_crew *crew;
    _Atomic int running;
};

struct dn_pipeline {
    const dn_pipeline_plan *plan;
    dn_pipeline_env env;
    const char *topic;
    char identity[17]; /**< of the source, "" none */
    int n_partitions;
    dn_source *source;
    dn_source_env source_env;                        /**< lent to the source */
    dn_sink_env sink_env[DN_MAX_SINKS], letters_env; /**< lent to the sinks */
    dn_sink *sink[DN_MAX_SINKS];
    dn_sink *letters;
    pthread_mutex_t
        letters_lock; /**< of `letters`: the sink threads, also a reader's that commits */
    int64_t *start;   /**< [n_partitions] */
    pthread_mutex_t cursors_lock; /**< of the next two */
    int64_t *cursor;              /**< [n_sinks * n_partitions] what each sink has made durable */
    int64_t *reported;            /**< [n_partitions] lowest cursor last told to the source */
    uint64_t *sequence;           /**< [n_partitions] of the next chunk: poll thread */
    dn_labels *labels;            /**< the last sink's thread */
    int n_tokens_fields;          /**< columns "tokens", "tokens.NAME" */
    int tokens_field[DN_MAX_FIELDS];
    dn_chunk **chunk;
    dn_ring *free_chunks;
    pthread_t poll_thread;
    bool poll_started;
    int n_stations;
    dn_station station[DN_MAX_STATIONS];
    _Atomic bool drain, aborted;
    _Atomic int n_following; /**< threads that do; env.follows */
    pthread_mutex_t lock;    /**< of the failure and the snapshots */
    dn_status status;        /**< first failure */
    dn_failure failure;
    dn_source_stats source_stats;           /**< as the poll thread saw them last */
    dn_sink_stats sink_stats[DN_MAX_SINKS]; /**< as the sinks' threads saw them last */
    dn_part_meter poll_meter, stage_meter[DN_MAX_STAGES], model_meter[DN_MAX_SCORERS],
        prepare_meter[DN_MAX_SINKS], sink_meter[DN_MAX_SINKS], letters_meter;
    _Atomic int64_t fate[DN_FATES], tokens, texts_cut, undecided;
    _Atomic int64_t foreign_rows, foreign_tokens, linear_rows, linear_tokens;
    dn_pipeline_latency latency; /**< the last sink's thread */
};

/** Adds one chunk's work to a meter. */
static inline void dn_meter_add(dn_part_meter *meter, int64_t busy_ns, int64_t rows) {
    atomic_fetch_add_explicit(&meter->busy_ns, busy_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&meter->chunks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&meter->rows, rows, memory_order_relaxed);
    dn_hist_add_shared(&meter->chunk_ns, busy_ns > 0 ? (uint64_t)busy_ns : 0);
}

/** Keeps the calling thread's failure as the pipeline's, if it is the first, and stops all threads.
 */
void dn_pipeline_fail(dn_pipeline *pipeline, dn_status status);

/** The same without stopping: the source is at an end that is no good one, and all that it gave
 * goes on to be committed. */
void dn_pipeline_fail_at_end(dn_pipeline *pipeline, dn_status status);

/** The lowest durable cursor of the sinks, DN_CURSOR_NONE where one has none. thread: the holder of
 * cursors_lock */
int64_t dn_pipeline_lowest_cursor(const dn_pipeline *pipeline, int partition);

/** Thread bodies. */
void *dn_poll_body(void *pipeline);
void *dn_text_body(void *crew);
void *dn_model_body(void *crew);
void *dn_follow_body(void *crew);
void *dn_sink_body(void *crew);

/** A dn_batch_listener: counts a model's work, and passes the event on to the pipeline's own
 * listener. */
void dn_model_note(void *pipeline, const dn_batch_event *event);

/** A crew thread's last act: the station's last thread closes the next station's ring. */
void dn_crew_leave(dn_crew *crew);

#endif
