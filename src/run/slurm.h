#ifndef DN_RUN_SLURM_H
#define DN_RUN_SLURM_H
/** What Slurm's environment says of the job that this process is part of. */

enum { DN_SLURM_ID = 32 };

typedef struct dn_slurm {
    char id[DN_SLURM_ID]; /**< "" outside of Slurm; stays the same when the job is requeued */
    int restarts;         /**< how often it was requeued; 0 outside of Slurm */
} dn_slurm;

dn_slurm dn_slurm_look(void);

#endif
