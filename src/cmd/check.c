#include "base/memory.h"
#include "cmd/job_options.h"
#include "kernels/kernels.h"
#include "model/shard.h"
#include "run/broker.h"
#include "run/drift.h"
#include "run/output.h"
#include "run/place.h"
#include "run/provenance.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char help[] =
    "Usage: dunlin check JOB.yaml [OPTIONS]\n\n"
    "Reads a job file, fills in every default, and looks at everything the job needs: parts and "
    "columns, model, broker and\n"
    "topics, cores, disk. Changes nothing. The job with all its values goes to standard output, a "
    "line for each thing\n"
    "looked at to standard error: ok, or !! and what to do.\n\n" DN_JOB_OPTIONS_HELP
    "      --tp N             whether each model can be split over groups of N ranks\n\n"
    "Examples:\n"
    "  dunlin check jobs/tweets.yaml\n"
    "  dunlin check jobs/tweets.yaml -b broker:9092 --set output=/scratch/run1\n"
    "  dunlin check jobs/tweets.yaml > resolved.yaml\n\n"
    "Exit status: 0 the job can run, else the status the run would end with (dunlin --errors).\n";

static void say(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const char *what, const char *fmt, ...) {
    va_list args;
    fprintf(stderr, "ok  %-9s ", what);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

static void say_topic(void *ctx, const dn_topic_spec *spec, const dn_topic_report *report) {
    (void)ctx;
    if (report->state == DN_TOPIC_MISSING) {
        say("topic", "%s is not there yet; the run makes it with %lld partitions", spec->name,
            (long long)spec->partitions);
    } else if (report->differs) {
        fprintf(stderr, "!!  %-9s %s is not as declared: %s\n", "topic", spec->name,
                report->difference);
    } else {
        say("topic", "%s, %d partitions", spec->name, report->n_partitions);
    }
}

static dn_status check_broker(dn_comm *comm, dn_job *job, const dn_job_options *options,
                              bool *with_broker) {
    const char *where = options->run.broker ? options->run.broker : job->conf.broker;
    if (strcmp(where, "local") == 0) {
        *with_broker = true;
        say("broker", "local: started by the run if none is there");
        return DN_OK;
    }
    DN_TRY(dn_broker_resolve(comm, job, options->run.broker, with_broker));
    if (!*with_broker) {
        say("broker", "none: topics between pipelines stay in memory, others become files");
        return DN_OK;
    }
    DN_TRY(dn_broker_topics(job, false, say_topic, NULL));
    say("broker", "%s answers (librdkafka %s)", job->conf.broker, dn_kafka_version());
    return DN_OK;
}

static dn_status check_models(const dn_job *job, int tp) {
    for (int i = 0; i < job->n_pipelines; i++) {
        const dn_pipeline_plan *plan = &job->pipeline[i];
        for (int k = 0; k < plan->n_scorers; k++) {
            const dn_model_info *info = dn_plan_model(plan, k);
            if (info) {
                say("model", "%s%s%s: %d layers of %d, %d heads, %.1f MB packed",
                    plan->n_scorers > 1 ? plan->scorer_name[k] : "",
                    plan->n_scorers > 1 ? " = " : "", info->dir, info->layers, info->hidden,
                    info->n_model_heads, (double)info->weight_bytes / 1e6);
                DN_TRY(dn_shard_check_heads(info->dir, info->heads, tp));
            }
        }
    }
    return DN_OK;
}

/** What runs beside each other, once the models are open: they know how many threads are of use. */
static void say_threads(const dn_job *job) {
    for (int i = 0; i < job->n_pipelines; i++) {
        const dn_pipeline_plan *plan = &job->pipeline[i];
        fprintf(stderr, "ok  %-9s %s: ", "threads", plan->name);
        if (plan->n_stages) {
            fprintf(stderr, "%d text, ", plan->text_threads);
        }
        for (int k = 0; k < plan->n_scorers; k++) {
            fprintf(stderr, "%d %s, ", plan->model_threads[k], plan->scorer_name[k]);
        }
        if (plan->prepare_threads) {
            fprintf(stderr, "%d for records, ", plan->prepare_threads);
        }
        fprintf(stderr, "%d chunks\n", plan->n_chunks);
    }
}

static dn_status check_drift(const dn_job *job) {
    for (int i = 0; i < job->n_pipelines && job->conf.drift[0]; i++) {
        dn_drift *drift;
        DN_TRY(dn_drift_new(job, i, true, &drift));
        dn_drift_free(drift);
    }
    if (job->conf.drift[0]) {
        say("drift", "%s: the baseline fits the job", job->conf.drift);
    }
    return DN_OK;
}

static dn_status check_disk(const char *output) {
    char *folder = dn_strdup(output);
    while (access(folder, F_OK) != 0 && strrchr(folder, '/')) {
        *strrchr(folder, '/') = '\0';
    }
    const char *there = folder[0] && access(folder, F_OK) == 0 ? folder
                        : output[0] == '/'                     ? "/"
                                                               : ".";
    struct statvfs disk;
    dn_status status = DN_OK;
    if (access(there, W_OK) != 0) {
        status = DN_FAIL(DENIED,
                         "%s: cannot be written (%s); choose another folder with --set output=DIR",
                         there, strerror(errno));
    } else if (statvfs(there, &disk) == 0) {
        say("disk", "%s: %.1f GB free", output,
            (double)disk.f_bavail * (double)disk.f_frsize / 1e9);
    }
    free(folder);
    return status;
}

static dn_status check_parts(dn_comm *comm, const dn_job_options *options,
                             const dn_placement *placement, dn_job *job) {
    bool with_broker;
    DN_TRY(check_broker(comm, job, options, &with_broker));
    DN_TRY(dn_job_resolve_topics(job, with_broker));
    DN_TRY(dn_job_bind(job));
    say("job", "%s: %d pipelines, all parts and columns fit", job->file, job->n_pipelines);
    DN_TRY(check_models(job, options->run.tp));
    dn_placement_threads(placement, job);
    say_threads(job);
    DN_TRY(check_drift(job));
    return check_disk(job->conf.output);
}

static dn_status check(dn_comm *comm, const dn_job_options *options) {
    dn_placement placement;
    dn_job *job = NULL;
    DN_TRY(dn_placement_make(comm, 1, &placement));
    say("machine", "%s: %d cores, %d NUMA nodes, %.0f GB; this rank: cores %s", placement.facts.cpu,
        placement.facts.n_cores, placement.facts.n_numa, (double)placement.facts.memory_bytes / 1e9,
        placement.own.cpus);
    say("GPU", "%s", dn_kernels_gpu_note());
    dn_status status = dn_job_open(options->run.job_file, &options->run.set, &job);
    if (status == DN_OK) {
        status = dn_job_only(job, &options->run.only);
    }
    if (status == DN_OK) {
        status = check_parts(comm, options, &placement, job);
    }
    if (status == DN_OK) {
        char *text = dn_job_print(job);
        fputs(text, stdout);
        free(text);
    }
    dn_job_close(job);
    dn_placement_free(&placement);
    return status;
}

static dn_status run(int argc, char **argv) {
    dn_job_options options;
    dn_comm *comm = NULL;
    dn_status status = dn_job_options_parse(argc, argv, &options);
    if (status == DN_OK) {
        status = dn_comm_open(&comm);
    }
    if (status == DN_OK && comm->rank != 0) {
        dn_cmd_mute();
    }
    if (status == DN_OK) {
        status = check(comm, &options);
    }
    dn_comm_close(comm);
    dn_job_options_free(&options);
    return status;
}

const dn_command dn_cmd_check = {
    "check", "resolve a job and look at all it needs, changing nothing", help, run};
