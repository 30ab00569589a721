#include "base/log.h"
#include "cmd/job_options.h"
#include "run/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static const char help[] =
    "Usage: dunlin run JOB.yaml [OPTIONS]\n"
    "       mpirun -n N --bind-to none dunlin run JOB.yaml [OPTIONS]\n\n"
    "Runs the pipelines of a job file (dunlin-job(5), jobs/README.md) until their input ends or a "
    "signal comes, and prints\n"
    "what it did. Results are in the output folder (dunlin-output(7)): out/JOB, or --set "
    "output=DIR.\n\n" DN_JOB_OPTIONS_HELP
    "      --until end        stop at the end of what is there now (default: forever; a replay "
    "always ends)\n"
    "      --backend NAME     kernels: ref, cpu, cpu:avx2, cpu:avx512 (default: the best of this "
    "machine)\n"
    "      --tp N             split each model over the N ranks of a group (default 1: each rank "
    "holds all of it)\n"
    "      --force            take the output folder over from a run that is gone\n"
    "      --no-trace         write no trace\n"
    "      --no-progress      no progress on standard error\n"
    "      --output FORMAT    summary as table or json (on standard output)\n"
    "  -q, --quiet            only warnings and errors        -v, --verbose  more\n\n"
    "The same command, given again after any kind of end, goes on where it stopped.\n"
    "Signals: USR1 drain, TERM and INT drain within 30 s (twice: at once), USR2 print the "
    "state.\n\n"
    "Examples:\n"
    "  dunlin run jobs/tweets.yaml --broker none\n"
    "  dunlin run jobs/tweets.yaml --broker local --replay corpus.csv.xz --set output=out/mine\n"
    "  mpirun -n 4 --bind-to none dunlin run jobs/tweets.yaml --broker none --tp 2\n"
    "  mpirun -n 2 --bind-to none dunlin run jobs/tweets.yaml -b broker:9092 --until end --output "
    "json\n\n"
    "Exit status: 0 done, 75 drained (start again to go on), others see dunlin --errors.\n";

static void print(const dn_job_options *options, const dn_report *report) {
    if (options->format == DN_FORMAT_JSON) {
        dn_report_print_json(report, stdout);
    } else {
        dn_report_print(report, stdout);
    }
}

static dn_status run_ranks(dn_comm *comm, const dn_job_options *options) {
    dn_report *report = calloc(1, sizeof *report);
    dn_status status = dn_run(comm, &options->run, report);
    if (status == DN_OK && comm->rank == 0) {
        print(options, report);
    }
    if (status == DN_OK && report->drained) {
        dn_cmd_exit_with(EX_TEMPFAIL);
    }
    free((char *)report->run_id);
    free((char *)report->output);
    free((char *)report->broker);
    free((char *)report->job);
    for (int i = 0; i < report->n_pipelines; i++) {
        free((char *)report->name[i]);
        for (int k = 0; k < report->pipeline[i].n_models; k++) {
            free((char *)report->pipeline[i].model[k].name);
            free((char *)report->pipeline[i].model[k].kernels);
        }
    }
    free(report);
    return status;
}

static dn_status run(int argc, char **argv) {
    dn_job_options options;
    dn_control_block_signals();
    dn_status status = dn_job_options_parse(argc, argv, &options);
    if (status == DN_OK && options.format == DN_FORMAT_CSV) {
        status = dn_cmd_usage("run", "--output is table or json here");
    }
    dn_comm *comm = NULL;
    if (status == DN_OK) {
        status = dn_comm_open(&comm);
    }
    if (status == DN_OK) {
        dn_log_setup(dn_log_level(), comm->rank, comm->size);
        if (comm->rank != 0) {
            dn_cmd_mute();
        }
        status = run_ranks(comm, &options);
    }
    dn_comm_close(comm);
    dn_job_options_free(&options);
    return status;
}

const dn_command dn_cmd_run = {"run", "run a job: replay, micro-batch or live", help, run};
