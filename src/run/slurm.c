#include "run/slurm.h"

#include <stdio.h>
#include <stdlib.h>

dn_slurm dn_slurm_look(void) {
    dn_slurm slurm = {.id = ""};
    const char *id = getenv("SLURM_JOB_ID");
    const char *restarts = getenv("SLURM_RESTART_COUNT");
    if (id) {
        snprintf(slurm.id, sizeof slurm.id, "%s", id);
        slurm.restarts = restarts ? atoi(restarts) : 0;
    }
    return slurm;
}
