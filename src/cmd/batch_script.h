#ifndef DN_CMD_BATCH_SCRIPT_H
#define DN_CMD_BATCH_SCRIPT_H
/** What `dunlin submit` hands to sbatch. A script is, from top to bottom:
 *
 *    #SBATCH lines       from the options, the job file and the site file
 *    the site file       all of it but its #SBATCH lines
 *    slurm/ranks.sh      starts the ranks, has a drained job started again
 *    the run             dunlin run JOB OPTIONS */
#include "job/job.h"

#include <stdio.h>

typedef struct dn_batch_script {
    const char *job_file, *program;
    const dn_job *job;
    const char *time, *array, *site; /**< as sbatch takes them, a file; NULL: not given */
    int64_t nodes, ranks_per_node, gpus_per_node,
        cores_per_rank; /**< the latter 0: not asked for */
    int64_t tp;         /**< ranks that share each model; 0 or 1: none do */
    bool live;
    char **run_options; /**< "%a" in them becomes the task's number when there is an array */
    int n_run_options;
} dn_batch_script;

/** Writes it.     errors  NO_INPUT: no site file, no slurm/ranks.sh; USAGE: the time limit cannot
 * be read, or is too short to drain in */
dn_status dn_batch_script_write(const dn_batch_script *script, FILE *out);

/** Folder of its log, which has to be there before the job starts.     ownership  the caller */
char *dn_batch_log_folder(const dn_batch_script *script);

/** How long before the time limit the ranks have to hear of it. */
int64_t dn_batch_lead_s(const dn_job *job);

#endif
