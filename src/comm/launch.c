#include "comm/launch.h"

#include <stdlib.h>
#include <string.h>

/* Set by a launcher for processes that can reach each other through MPI: mpirun, srun --mpi=pmix,
 * MPICH's mpiexec. */
static const char *const mpi_marks[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};

/* In this order: mpirun inside a Slurm step also sees Slurm's variables, which then count daemons,
 * not ranks. */
static const char *const size_marks[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                         "SLURM_STEP_NUM_TASKS"};

enum { N_MPI_MARKS = sizeof mpi_marks / sizeof *mpi_marks };
enum { N_SIZE_MARKS = sizeof size_marks / sizeof *size_marks };

int dn_launch_size(dn_getenv *env) {
    for (int i = 0; i < N_SIZE_MARKS; i++) {
        const char *value = env(size_marks[i]);
        if (value) {
            return atoi(value);
        }
    }
    return 0;
}

static dn_status detect_forced(const char *word, dn_launch *launch) {
    if (strcmp(word, "self") == 0) {
        *launch = DN_LAUNCH_SELF;
    } else if (strcmp(word, "mpi") == 0) {
        *launch = DN_LAUNCH_MPI;
    } else {
        return DN_FAIL(CONFIG, "DN_COMM=%s is not known: self or mpi", word);
    }
    return DN_OK;
}

dn_status dn_launch_detect(dn_getenv *env, dn_launch *launch) {
    const char *forced = env("DN_COMM");
    if (forced && *forced) {
        return detect_forced(forced, launch);
    }
    for (int i = 0; i < N_MPI_MARKS; i++) {
        if (env(mpi_marks[i])) {
            *launch = DN_LAUNCH_MPI;
            return DN_OK;
        }
    }
    int tasks = dn_launch_size(env);
    if (tasks > 1) {
        return DN_FAIL(CONFIG,
                       "this Slurm step has %d tasks but no MPI between them: start it with "
                       "srun --mpi=pmix (DN_COMM=self makes every task a job of its own)",
                       tasks);
    }
    *launch = DN_LAUNCH_SELF;
    return DN_OK;
}
