#ifndef DN_TESTS_FLOW_RIG_H
#define DN_TESTS_FLOW_RIG_H
/** A pipeline of fakes: a source with known records, stages, scorer and sinks that check what they
 * see and trip where the test says. */
#include "flow/pipeline.h"

#include <pthread.h>
#include <stdatomic.h>

enum { RIG_PARTITIONS = 5, RIG_SINKS = 2, RIG_ROWS_MAX = 40000, RIG_EVENTS_MAX = 100000 };

/** Where a rig can trip. */
typedef enum rig_place {
    RIG_NOWHERE,
    RIG_POLL,
    RIG_PURE,
    RIG_ORDERED,
    RIG_PUT,
    RIG_FLUSH,
    RIG_WAIT,
    RIG_PREPARE,
    RIG_WRITE,
    RIG_COMMIT,
    RIG_LETTERS_WRITE,
    RIG_LETTERS_COMMIT,
    RIG_BEFORE_COMMIT,
    RIG_PLACES
} rig_place;
extern const char *const rig_place_names[RIG_PLACES];

/** What a sink keeps of a row. */
typedef struct rig_row {
    int32_t partition;
    int64_t offset, value, tripled, running, score, prepared;
} rig_row;

/** A fake sink: `row` grows with each write, `durable` rows are committed. The second one has
 * something to prepare. */
typedef struct rig_sink {
    struct rig *rig;
    int prepared_field;
    int n, durable;
    rig_row row[RIG_ROWS_MAX];
    int64_t pending[RIG_PARTITIONS], cursor[RIG_PARTITIONS];
    _Atomic int64_t undone[RIG_PARTITIONS]; /**< letters: 1 + the first offset that is not durable,
                                               0 none */
    int commits, aborts_left, chunks_since;
} rig_sink;

typedef struct rig {
    /* the script */
    int64_t n_records[RIG_PARTITIONS]; /**< 0 .. n-1, offsets twice that: every other is a gap */
    int rows_a_chunk;                  /**< at most; the source draws */
    int bad_every;                     /**< value divisible by it: a bad record; 0: none */
    bool endless;                      /**< after the last record the source idles for ever */
    rig_place trip;                    /**< where a failure happens */
    int trip_after;                    /**< calls that go well before it */
    int commit_every;                  /**< chunks between commits; 0: at the end only */
    int scorer_holds;                  /**< chunks a batch spans */
    void (*on_chunk)(struct rig *rig); /**< called by the source before each chunk, or NULL */
    /* what happened */
    dn_pipeline_plan plan;
    dn_pipeline_env env;
    dn_pipeline *pipeline;
    _Atomic int calls_left, tripped, disorder, ended, letters_late, chunks_polled,
        cuts;                           /**< what the pure stages added to n_cut */
    _Atomic int max_parallel, parallel; /**< pure stages at work at once */
    _Atomic int64_t reported[RIG_PARTITIONS];
    int64_t started[RIG_PARTITIONS];
    int value_field, tripled_field, running_field, score_field;
    rig_sink sink[RIG_SINKS], letters;
    uint64_t seed;
} flow_rig;

/** A rig with `n` records a partition, `stages` of "pOp" (pure, ordered), `scorers` scorers
 * and `sinks` sinks. ownership  the caller: rig_free */
flow_rig *rig_new(const char *stages, int scorers, int sinks, int64_t n);

/** Binds, opens, starts. */
dn_status rig_start(flow_rig *rig);

/** rig_start, join and close. */
dn_status rig_run(flow_rig *rig);

/** Forgets the pipeline and what sinks had not committed, as a crash does. */
void rig_crash(flow_rig *rig);
void rig_free(flow_rig *rig);

/** Fails when the rig's script says so. */
dn_status rig_step(flow_rig *rig, rig_place place);

/** All letters are durable. */
void rig_forget_undone(rig_sink *letters);

int64_t rig_value(int32_t partition, int64_t offset);
bool rig_is_bad(const flow_rig *rig, int64_t value);

/** Whether `sink` holds every good record once, each partition in order, with right results. */
bool rig_complete(const flow_rig *rig, const rig_sink *sink);

extern const dn_source_ops rig_source;
extern const dn_stage_ops rig_pure, rig_ordered;
extern const dn_scorer_ops rig_scorer;
extern const dn_sink_ops rig_sinks, rig_preparing_sinks, rig_letters;

#endif
