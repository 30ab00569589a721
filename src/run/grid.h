#ifndef DN_RUN_GRID_H
#define DN_RUN_GRID_H
/** The ranks as a grid: groups that consume partitions, and in each group the parts of the models.
 *
 *    --tp 2      part 0 (leader)   part 1
 *    group 0     rank 0            rank 1       partitions 0, 2, 4 ...
 *    group 1     rank 2            rank 3       partitions 1, 3, 5 ...
 *
 * Each model of each pipeline has a communicator of its own, since it has a thread of its own. */
#include "comm/comm.h"
#include "job/job.h"

typedef struct dn_grid {
    int tp, group, part, n_groups;
    dn_comm *row; /**< the ranks of this group; NULL without groups */
    int n_opened;
    dn_comm *opened[DN_MAX_PIPELINES * DN_MAX_SCORERS]; /**< one for each model that is split */
} dn_grid;

/** CONFIG where ranks disagree about tp, or their number is no multiple of it.    collective  yes
 */
dn_status dn_grid_make(dn_comm *comm, int tp, dn_grid *out);

/** Gives every model of the job the communicator that it is split over. CONFIG when there is none
 * to split.    collective  the group, before pipelines are bound */
dn_status dn_grid_open(dn_grid *grid, dn_job *job);

/** All ranks have the same job and the same models in the same precision; else CONFIG names rank
 * and model.    collective  yes, once pipelines are bound */
dn_status dn_grid_check(dn_comm *comm, const dn_job *job, const char *resolved);

/** The parts of each model meet (dn_scorer_ops.connect).    collective  yes, once all agree on job
 * and models */
dn_status dn_grid_connect(const dn_grid *grid, const dn_job *job);

/** Says what each model of a leader weighs. */
void dn_grid_log(const dn_grid *grid, const dn_job *job);

/** Once pipelines are unbound. */
void dn_grid_close(dn_grid *grid);

#endif
