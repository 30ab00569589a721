/* Which launcher started us, over made-up environments. */
#include "comm/launch.h"
#include "test.h"

static const char *environment[16]; /* name, value, ..., NULL */

static void set_environment(size_t n, const char *const *variables) {
    memcpy(environment, variables, n * sizeof *variables);
    environment[n] = NULL;
}

static const char *look_up(const char *name) {
    for (const char *const *entry = environment; *entry; entry += 2) {
        if (strcmp(entry[0], name) == 0) {
            return entry[1];
        }
    }
    return NULL;
}

#define ENV(...)                                                                                   \
    do {                                                                                           \
        const char *const variables_[] = {__VA_ARGS__};                                            \
        set_environment(sizeof variables_ / sizeof *variables_, variables_);                       \
    } while (0)

CASE(nothing_set_is_self) {
    dn_launch launch = DN_LAUNCH_MPI;
    ENV("PATH", "/bin");
    EXPECT_INT(dn_launch_detect(look_up, &launch), DN_OK);
    EXPECT_INT(launch, DN_LAUNCH_SELF);
}

CASE(each_launcher_is_mpi) {
    static const char *const marks[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    for (int i = 0; i < 3; i++) {
        dn_launch launch = DN_LAUNCH_SELF;
        ENV(marks[i], "0");
        EXPECT_INT(dn_launch_detect(look_up, &launch), DN_OK);
        EXPECT_INT(launch, DN_LAUNCH_MPI);
    }
}

CASE(slurm_with_pmix_is_mpi) {
    dn_launch launch = DN_LAUNCH_SELF;
    ENV("SLURM_STEP_NUM_TASKS", "4", "PMIX_RANK", "2");
    EXPECT_INT(dn_launch_detect(look_up, &launch), DN_OK);
    EXPECT_INT(launch, DN_LAUNCH_MPI);
    EXPECT_INT(dn_launch_size(look_up), 4);
}

CASE(one_slurm_task_is_self) {
    dn_launch launch = DN_LAUNCH_MPI;
    ENV("SLURM_STEP_NUM_TASKS", "1");
    EXPECT_INT(dn_launch_detect(look_up, &launch), DN_OK);
    EXPECT_INT(launch, DN_LAUNCH_SELF);
}

CASE(slurm_tasks_without_mpi_are_refused) {
    dn_launch launch;
    ENV("SLURM_STEP_NUM_TASKS", "4");
    EXPECT_INT(dn_launch_detect(look_up, &launch), DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_CONFIG);
    EXPECT(strstr(dn_failure_last()->text, "4 tasks") != NULL);
    EXPECT(strstr(dn_failure_last()->text, "srun --mpi=pmix") != NULL);
}

CASE(the_user_may_decide) {
    dn_launch launch;
    ENV("DN_COMM", "self", "OMPI_COMM_WORLD_SIZE", "2");
    EXPECT_INT(dn_launch_detect(look_up, &launch), DN_OK);
    EXPECT_INT(launch, DN_LAUNCH_SELF);
    ENV("DN_COMM", "mpi");
    EXPECT_INT(dn_launch_detect(look_up, &launch), DN_OK);
    EXPECT_INT(launch, DN_LAUNCH_MPI);
    ENV("DN_COMM", "nccl");
    EXPECT_INT(dn_launch_detect(look_up, &launch), DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_CONFIG);
}

CASE(mpirun_counts_before_slurm) {
    ENV("SLURM_STEP_NUM_TASKS", "2", "OMPI_COMM_WORLD_SIZE", "8");
    EXPECT_INT(dn_launch_size(look_up), 8);
    ENV("HOME", "/");
    EXPECT_INT(dn_launch_size(look_up), 0);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
