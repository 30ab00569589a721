#include "cmd/job_options.h"
#include "cmd/version.h"
#include "job/registry.h"
#include "kernels/kernels.h"
#include "run/place.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] = "Usage: dunlin describe JOB.yaml [OPTIONS]\n"
                           "       dunlin describe --reference\n\n"
                           "Prints the pipelines of a job with their stages and columns, the plan "
                           "of cores, the kernels of this machine and all\n"
                           "versions. --reference prints the manual of all parts and properties "
                           "(jobs/REFERENCE.md).\n\n" DN_JOB_OPTIONS_HELP "\nExamples:\n"
                           "  dunlin describe jobs/tweets.yaml\n"
                           "  mpirun -n 2 --bind-to none dunlin describe jobs/tweets.yaml\n"
                           "  dunlin describe --reference > jobs/REFERENCE.md\n\n"
                           "Exit status: 0 done, 78 the job file is wrong.\n";

static void describe_pipeline(const dn_pipeline_plan *plan) {
    printf("\npipeline %s\n  %-8s %-14s %s\n", plan->name, "source", plan->source->name,
           plan->source->summary);
    for (int i = 0; i < plan->n_stages; i++) {
        printf("  %-8s %-14s %s\n", plan->stage[i]->order == DN_ORDERED ? "ordered" : "stage",
               plan->stage[i]->name, plan->stage[i]->summary);
    }
    for (int i = 0; i < plan->n_scorers; i++) {
        printf("  %-8s %-14s %s\n", "model",
               plan->n_scorers > 1 ? plan->scorer_name[i] : plan->scorer[i]->name,
               plan->scorer[i]->summary);
    }
    for (int i = 0; i < plan->n_sinks; i++) {
        printf("  %-8s %-14s %s\n", "sink", plan->sink[i]->name, plan->sink[i]->summary);
    }
    printf("  %-8s %-14s %s\n", "sink", plan->letters->name, plan->letters->summary);
}

static void describe_kernels(void) {
    const dn_kernels *table[16];
    const char *names[16];
    int n = dn_kernels_list(table, names, 16);
    const dn_kernels *best = NULL;
    printf("\nkernels\n  %s\n", dn_kernels_gpu_note());
    if (dn_kernels_select(NULL, &best) != DN_OK) {
        printf("  %s\n", dn_failure_last()->text);
    }
    for (int i = 0; i < n; i++) {
        printf("  %-12s %s%s\n", names[i], table[i] ? "usable" : "not on this machine",
               table[i] && table[i] == best ? ", chosen" : "");
    }
}

static dn_status describe_job(dn_comm *comm, const dn_job_options *options) {
    dn_job *job;
    dn_placement placement;
    DN_TRY(dn_placement_make(comm, 1, &placement));
    dn_status status = dn_job_open(options->run.job_file, &options->run.set, &job);
    if (status == DN_OK && comm->rank == 0) {
        printf("job %s, output %s\n", job->conf.job, job->conf.output);
        for (int i = 0; i < job->n_pipelines; i++) {
            describe_pipeline(&job->pipeline[i]);
        }
        printf("\nplan\n%s", placement.table);
        describe_kernels();
        printf("\n");
        dn_version_print(stdout);
    }
    if (status == DN_OK) {
        dn_job_close(job);
    }
    dn_placement_free(&placement);
    return status;
}

static dn_status run(int argc, char **argv) {
    dn_job_options options;
    dn_comm *comm = NULL;
    dn_status status = dn_job_options_parse(argc, argv, &options);
    if (status == DN_OK && options.reference) {
        dn_reference_print(stdout);
    } else if (status == DN_OK) {
        status = dn_comm_open(&comm);
        status = status == DN_OK ? describe_job(comm, &options) : status;
    }
    dn_comm_close(comm);
    dn_job_options_free(&options);
    return status;
}

const dn_command dn_cmd_describe = {
    "describe", "show a job's pipelines, the plan of cores, kernels and versions", help, run};
