#ifndef DN_RUN_CONTROL_H
#define DN_RUN_CONTROL_H
/** The control thread of a rank (its main thread): signals, progress, trace.
 *
 *   USR1        drain: stop reading, finish and commit what is under way, exit 75
 *   TERM, INT   the same within DN_DRAIN_LIMIT_NS, a second one ends at once
 *   HUP         said and ignored: no part of the job can be reloaded
 *   USR2        prints the state of all queues and parts
 *
 * A rank that follows the leader of its group ends with it: there the first signal of an end is
 * said and waits for the leader's, which the launcher signals too. */
#include "base/events.h"
#include "comm/comm.h"
#include "flow/pipeline.h"
#include "job/job.h"
#include "run/report.h"
#include "run/wiring.h"

#define DN_DRAIN_LIMIT_NS INT64_C(30000000000)

/** Blocks the signals above in this thread and those it starts: call first in main. */
void dn_control_block_signals(void);

typedef struct dn_telemetry dn_telemetry; /**< see run/telemetry.h */

typedef struct dn_control {
    int n;
    dn_pipeline *pipeline[DN_MAX_PIPELINES];
    const char *name[DN_MAX_PIPELINES];
    const dn_pipeline_plan *plan[DN_MAX_PIPELINES];
    dn_drift *drift[DN_MAX_PIPELINES];
    const dn_batch_totals *totals[DN_MAX_PIPELINES];
    _Atomic bool ended[DN_MAX_PIPELINES]; /**< set by the pipelines' sink threads */
    int64_t ended_mono_ns[DN_MAX_PIPELINES];
    dn_wiring *wiring;
    int rank, size;
    int tp;       /**< ranks of a group; 1: none */
    bool follows; /**< a group's leader */
    int n_groups;
    dn_comm *group[DN_MAX_PIPELINES * DN_MAX_SCORERS]; /**< that model threads wait on */
    bool progress;
    bool bounded; /**< every pipeline ends by itself */
    dn_telemetry *telemetry;
    struct dn_status_writer *status; /**< NULL: not written */
    bool drained;                    /**< out: a signal asked for an early end */
    int killed_by;                   /**< out: signal that ended it at once, 0 */
} dn_control;

/** Returns when all pipelines have ended.       thread  main      blocks  until then */
void dn_control_loop(dn_control *control);

#endif
