#ifndef DN_RUN_PLACE_H
#define DN_RUN_PLACE_H
/** Where the ranks compute: every rank's row of the plan, and the plan as a table. */
#include "comm/comm.h"
#include "job/job.h"
#include "topo/topo.h"

typedef struct dn_placement {
    dn_topo_place own;
    dn_topo_facts facts;
    int n;                 /**< ranks of the job */
    dn_topo_place *places; /**< [n] by rank */
    char *table;           /**< as printed */
} dn_placement;

/** Plans and binds this process, and chooses its GPU where it sees some. Call before threads start
 * and before models are opened.      collective  yes      ownership
 * dn_placement_free */
dn_status dn_placement_make(dn_comm *comm, int tp, dn_placement *out);
void dn_placement_free(dn_placement *placement);

/** Threads and chunks of a bound job's pipelines for the cores of this rank. Chunks are 4 a thread:
 * one at work, those of its share of the rings on both sides, and those that wait for an earlier
 * one. */
void dn_placement_threads(const dn_placement *placement, dn_job *job);

/** Whether this rank speaks for its GPU: the lowest of those that share it. False without one. */
bool dn_placement_counts_gpu(const dn_placement *placement, int rank);

#endif
