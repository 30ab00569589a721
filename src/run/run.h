#ifndef DN_RUN_RUN_H
#define DN_RUN_RUN_H
/** A job from start to end on all ranks: `dunlin run`. */
#include "base/props.h"
#include "run/report.h"

#include <stdbool.h>

/** What the command line adds to the job file. */
typedef struct dn_run_options {
    const char *job_file;
    const char *broker; /**< NULL: as the job says */
    dn_list set, only;
    int tp;        /**< ranks that share each model; 0 and 1: none do */
    bool bounded;  /**< --until end */
    bool force;    /**< take the output folder over */
    bool progress; /**< show progress on standard error */
    bool trace;
} dn_run_options;

/** Runs the job: agreement, plan, output folder, topics, pipelines, control loop, merge. Every rank
 * calls it; every rank returns the same status, with the failure of the lowest rank that failed. On
 * rank 0 `*report` is filled, also when the run was drained (DN_OK then, report->drained). thread
 * main      collective  yes      blocks  until the job ends */
dn_status dn_run(dn_comm *comm, const dn_run_options *options, dn_report *report);

#endif
