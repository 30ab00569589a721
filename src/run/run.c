#include "run/run.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/h5.h"
#include "run/baseline.h"
#include "run/broker.h"
#include "run/control.h"
#include "run/grid.h"
#include "run/output.h"
#include "run/place.h"
#include "run/provenance.h"
#include "run/slurm.h"
#include "run/status.h"
#include "run/telemetry.h"
#include "run/wiring.h"
#include "sink/index.h"
#include "trace/nvml.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PEAK_MS = 60 };

/* Everything a run holds, in the order in which it is acquired. */
typedef struct run_state {
    dn_comm *comm;
    const dn_run_options *options;
    dn_report *report;
    dn_grid grid;
    dn_placement placement;
    dn_job *job;
    bool with_broker;
    dn_output *output;
    char run_id[48];
    char models_sha256[DN_MAX_PIPELINES][DN_MODELS_SHA256];
    char *resolved;
    dn_telemetry *telemetry;
    int64_t start_gpu_mj;
    dn_control control;
    dn_drift *drift[DN_MAX_PIPELINES];
    dn_wiring wiring;
    int64_t start_mono_ns;
} run_state;

/* ---- set-up ---- */

static void make_run_id(run_state *run) {
    char when[21];
    dn_wall_format(dn_wall_ns(), when);
    snprintf(run->run_id, sizeof run->run_id, "%.4s%.2s%.2sT%.2s%.2s%.2sZ-%ld", when, when + 5,
             when + 8, when + 11, when + 14, when + 17, (long)getpid());
}

static void report_topic(void *ctx, const dn_topic_spec *spec, const dn_topic_report *report) {
    (void)ctx;
    if (report->state == DN_TOPIC_MADE) {
        dn_log(DN_LOG_INFO, "made topic %s with %d partitions", spec->name, report->n_partitions);
    } else if (report->differs) {
        dn_log(DN_LOG_WARN, "topic %s is not as declared: %s", spec->name, report->difference);
    }
}

static dn_status claim(run_state *run) {
    make_run_id(run);
    DN_TRY(dn_output_claim(run->job->conf.output, run->options->force, &run->output));
    DN_TRY(dn_output_write_job(run->output, run->resolved));
    return run->with_broker ? dn_broker_topics(run->job, true, report_topic, NULL) : DN_OK;
}

static dn_status load_job(run_state *run) {
    DN_TRY(dn_job_open(run->options->job_file, &run->options->set, &run->job));
    return dn_job_only(run->job, &run->options->only);
}

static dn_status bind_job(run_state *run) {
    DN_TRY(dn_job_bind(run->job));
    dn_placement_threads(&run->placement, run->job);
    for (int i = 0; i < run->job->n_pipelines; i++) {
        DN_TRY(dn_drift_new(run->job, i, run->comm->rank == 0, &run->drift[i]));
    }
    for (int i = 0; i < run->job->n_pipelines && run->comm->rank == 0; i++) {
        char identity[17];
        DN_TRY(dn_pipeline_identity(&run->job->pipeline[i], identity));
        DN_TRY(dn_output_check_source(run->output, run->job->pipeline[i].name, identity));
    }
    return DN_OK;
}

/* The job, the same on every rank, and the folder and topics, made by rank 0. */
static dn_status prepare(run_state *run) {
    DN_TRY(dn_grid_make(run->comm, run->options->tp > 0 ? run->options->tp : 1, &run->grid));
    DN_TRY(dn_placement_make(run->comm, run->grid.tp, &run->placement));
    if (run->comm->rank == 0 && run->comm->size > 1) {
        dn_log(DN_LOG_INFO, "plan\n%s", run->placement.table);
    }
    DN_TRY(dn_comm_agree(run->comm, load_job(run)));
    DN_TRY(dn_comm_agree(run->comm, dn_grid_open(&run->grid, run->job)));
    DN_TRY(dn_comm_agree(run->comm, dn_broker_resolve(run->comm, run->job, run->options->broker,
                                                      &run->with_broker)));
    DN_TRY(dn_comm_agree(run->comm, dn_job_resolve_topics(run->job, run->with_broker)));
    run->resolved = dn_job_print(run->job);
    DN_TRY(dn_comm_agree(run->comm, run->comm->rank == 0 ? claim(run) : DN_OK));
    DN_TRY(dn_comm_broadcast(run->comm, 0, run->run_id, sizeof run->run_id));
    DN_TRY(dn_comm_agree(run->comm, bind_job(run)));
    dn_grid_log(&run->grid, run->job);
    DN_TRY(dn_grid_check(run->comm, run->job, run->resolved));
    return dn_comm_agree(run->comm, dn_grid_connect(&run->grid, run->job));
}

/* ---- pipelines ---- */

typedef struct end_mark {
    run_state *run;
    int pipeline;
} end_mark;

static void mark_end(void *ctx) {
    end_mark *mark = ctx;
    dn_control *control = &mark->run->control;
    control->ended_mono_ns[mark->pipeline] = dn_mono_ns();
    dn_wiring_ended(&mark->run->wiring, mark->pipeline);
    atomic_store(&control->ended[mark->pipeline], true);
}

static dn_status open_one(run_state *run, int i, end_mark *mark) {
    const dn_pipeline_plan *plan = &run->job->pipeline[i];
    dn_plan_models_sha256(plan, run->models_sha256[i]);
    *mark = (end_mark){run, i};
    dn_pipeline_env env = {
        .output = run->job->conf.output,
        .run_id = run->run_id,
        .resolved_job = run->resolved,
        .model_sha256 = run->models_sha256[i],
        .rank = run->grid.group,
        .size = run->grid.n_groups,
        .follows = run->grid.part > 0,
        .bounded = run->options->bounded,
        .kafka = &run->job->conf.kafka,
        .batch = dn_telemetry_batch,
        .batch_ctx = dn_telemetry_channel(run->telemetry, i, plan->n_scorers, plan->model_threads),
        .window_rows = run->job->conf.drift_rows,
        .window = dn_drift_look,
        .window_ctx = run->drift[i],
        .ended = mark_end,
        .ended_ctx = mark,
    };
    dn_wiring_connect(&run->wiring, i, &env);
    dn_telemetry_watch(run->telemetry, i, run->drift[i]);
    DN_TRY(dn_pipeline_open(plan, &env, &run->control.pipeline[i]));
    dn_wiring_opened(&run->wiring, i, run->control.pipeline[i]);
    return DN_OK;
}

static dn_status open_all(run_state *run, end_mark *marks) {
    int order[DN_MAX_PIPELINES];
    for (int i = 0; i < run->job->n_pipelines; i++) {
        order[i] = i;
    }
    if (run->grid.part == 0) {
        DN_TRY(dn_wiring_make(&run->wiring, run->job, run->control.ended, order));
    }
    for (int k = 0; k < run->job->n_pipelines; k++) {
        DN_TRY(open_one(run, order[k], &marks[order[k]]));
    }
    return DN_OK;
}

static dn_status start_all(run_state *run) {
    run->start_mono_ns = dn_mono_ns();
    for (int i = 0; i < run->control.n; i++) {
        DN_TRY(dn_pipeline_start(run->control.pipeline[i]));
    }
    return DN_OK;
}

static void prepare_control(run_state *run) {
    run->control.n = run->job->n_pipelines;
    run->control.rank = run->comm->rank;
    run->control.size = run->comm->size;
    run->control.tp = run->grid.tp;
    run->control.follows = run->grid.part > 0;
    run->control.n_groups = run->grid.n_opened;
    memcpy(run->control.group, run->grid.opened, sizeof run->grid.opened);
    run->control.progress = run->options->progress;
    run->control.bounded = run->options->bounded;
    run->control.telemetry = run->telemetry;
    run->control.wiring = &run->wiring;
    run->control.status = dn_status_writer_new(run->job->conf.output, run->run_id, run->comm->rank,
                                               run->comm->size, run->grid.tp);
    for (int i = 0; i < run->control.n; i++) {
        run->control.name[i] = run->job->pipeline[i].name;
        run->control.plan[i] = &run->job->pipeline[i];
        run->control.drift[i] = run->drift[i];
    }
}

/* The first failure that has a cause of its own: a writer whose reader has failed only says that
 * its topic was drained. */
static dn_status join_all(run_state *run) {
    dn_status worst = DN_OK;
    dn_failure failure = {0};
    for (int i = 0; i < run->control.n; i++) {
        dn_status status =
            run->control.pipeline[i] ? dn_pipeline_join(run->control.pipeline[i]) : DN_OK;
        if (status != DN_OK && (worst == DN_OK || failure.error == DN_E_DRAINED)) {
            worst = status;
            failure = *dn_failure_last();
        }
    }
    if (worst != DN_OK) {
        dn_failure_set(&failure);
    } else if (run->control.killed_by) {
        return DN_FAIL(DRAINED,
                       "stopped by signal %d before all was committed; the same command goes on",
                       run->control.killed_by);
    }
    return worst;
}

/* With other ranks still at work nobody is left to agree with: the launcher ends them, the next
 * start recovers. */
static void end_the_others(run_state *run) {
    if (run->comm->size > 1) {
        const dn_failure *failure = dn_failure_last();
        char text[DN_FAILURE_TEXT + 64];
        snprintf(text, sizeof text, "dunlin: E%d rank %d: %s", dn_error_get(failure->error)->number,
                 run->comm->rank, failure->text);
        dn_comm_abort(run->comm, dn_error_get(failure->error)->exit_status, text);
    }
}

/* A damaged corpus is met by every rank; each commits what it has before that, and ends. */
static bool others_end_by_themselves(const run_state *run) {
    bool whole = run->options->bounded;
    for (int i = 0; i < run->control.n; i++) {
        whole = whole && run->control.pipeline[i] && !dn_pipeline_aborted(run->control.pipeline[i]);
    }
    return whole;
}

static dn_status run_pipelines(run_state *run) {
    end_mark marks[DN_MAX_PIPELINES];
    dn_status status = dn_comm_agree(run->comm, open_all(run, marks));
    if (status != DN_OK) {
        return status;
    }
    if (start_all(run) == DN_OK) {
        dn_control_loop(&run->control);
    }
    status = join_all(run);
    if (status != DN_OK && !others_end_by_themselves(run)) {
        end_the_others(run);
    }
    return dn_comm_agree(run->comm, status);
}

/* ---- report ---- */

/* Peaks measured so far: models of a job mostly use the same kernels. */
typedef struct peaks {
    int n;
    const dn_kernels *kernels[DN_MAX_PIPELINES * DN_MAX_SCORERS];
    double gflops[DN_MAX_PIPELINES * DN_MAX_SCORERS];
} peaks;

static double peak_of(peaks *known, const dn_kernels *kernels) {
    for (int i = 0; i < known->n; i++) {
        if (known->kernels[i] == kernels) {
            return known->gflops[i];
        }
    }
    known->kernels[known->n] = kernels;
    return known->gflops[known->n++] = kernels->measure_peak(PEAK_MS);
}

static int64_t computing_ns(const dn_model_report *m, int64_t wall_ns) {
    int64_t device_ns = m->device_ns < wall_ns ? m->device_ns : wall_ns;
    return m->on_device ? device_ns : m->model_ns;
}

static void fill_models(run_state *run, int i, peaks *known, dn_pipeline_report *p) {
    const dn_pipeline_plan *plan = &run->job->pipeline[i];
    p->n_models = plan->n_scorers;
    for (int k = 0; k < plan->n_scorers; k++) {
        dn_model_report *m = &p->model[k];
        const dn_kernels *kernels = dn_plan_kernels(plan, k);
        int64_t slo_ns = dn_plan_slo_ns(plan, k);
        dn_report_model(dn_telemetry_totals(run->telemetry, i, k), m);
        m->name = dn_strdup(plan->scorer_name[k]);
        m->threads = plan->group[k] ? 1 : run->control.follows ? 0 : plan->model_threads[k];
        p->slo_ns = slo_ns && (!p->slo_ns || slo_ns < p->slo_ns) ? slo_ns : p->slo_ns;
        if (kernels) {
            m->kernels = dn_format("%s %s %s%s%s", kernels->name, kernels->isa, kernels->precision,
                                   kernels->device ? ", " : "",
                                   kernels->device ? dn_kernels_gpu_note() : "");
            m->peak_gflops = peak_of(known, kernels);
            m->on_device = kernels->device != NULL;
            m->computing_ns = computing_ns(m, p->wall_ns);
            m->peak_flops_ns = m->peak_gflops * (double)m->computing_ns;
        }
    }
}

static void fill_usage(dn_report *report) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    report->cpu_ns = ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
                     ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
    report->rss_bytes_max = (int64_t)usage.ru_maxrss * 1024;
}

/* The GPU's energy counter, INT64_MIN where it is not this rank's to read. */
static int64_t read_gpu_energy(const run_state *run) {
    dn_gpu_sample sample;
    dn_nvml_read(&sample);
    return dn_placement_counts_gpu(&run->placement, run->comm->rank) ? sample.energy_mj : INT64_MIN;
}

static void fill_report(run_state *run) {
    dn_report *report = run->report;
    int64_t gpu_mj = read_gpu_energy(run);
    peaks known = {0};
    report->job = dn_strdup(run->job->conf.job);
    report->run_id = dn_strdup(run->run_id);
    report->output = dn_strdup(run->job->conf.output);
    report->broker = dn_strdup(run->job->conf.broker);
    report->ranks = run->comm->size;
    report->tp = run->grid.tp;
    report->restarts = dn_slurm_look().restarts;
    report->wall_ns = dn_mono_ns() - run->start_mono_ns;
    report->gpu_mj = gpu_mj == INT64_MIN ? 0 : gpu_mj - run->start_gpu_mj;
    report->drained = run->control.drained && !run->control.follows;
    report->n_pipelines = run->control.n;
    fill_usage(report);
    for (int i = 0; i < run->control.n; i++) {
        dn_pipeline_report *p = &report->pipeline[i];
        report->name[i] = dn_strdup(run->control.name[i]);
        dn_report_pipeline(run->control.pipeline[i], p);
        p->n_labels =
            dn_drift_read(run->drift[i], dn_pipeline_labels(run->control.pipeline[i]), p->labels);
        p->wall_ns = run->control.ended_mono_ns[i] - run->start_mono_ns;
        fill_models(run, i, &known, p);
    }
}

static const int64_t *count_of(const void *report, int i, int column) {
    return ((const dn_report *)report)->pipeline[i].labels[column].total;
}

/** A run that finds nothing to do leaves the counts of the one before it. */
static dn_status write_labels(const run_state *run) {
    dn_out out = {0};
    dn_baseline_of of[DN_MAX_PIPELINES];
    int64_t n_rows = 0;
    for (int i = 0; i < run->control.n; i++) {
        n_rows += run->report->pipeline[i].stats.fate[DN_KEPT];
        of[i] = (dn_baseline_of){run->control.name[i], run->models_sha256[i],
                                 dn_pipeline_labels(run->control.pipeline[i])};
    }
    if (n_rows == 0) {
        return DN_OK;
    }
    dn_baseline_write(of, run->control.n, count_of, run->report, &out);
    dn_out_bytes(&out, "", 1);
    dn_status status = dn_output_write_labels(run->output, out.ptr);
    dn_out_free(&out);
    return status;
}

static dn_status finish(run_state *run) {
    fill_report(run);
    dn_telemetry_finish(run->telemetry, run->report);
    DN_TRY(dn_report_merge(run->comm, run->report));
    DN_TRY(dn_comm_agree(run->comm, run->comm->rank == 0 ? write_labels(run) : DN_OK));
    return dn_comm_agree(run->comm,
                         run->comm->rank == 0 ? dn_index_build(run->job->conf.output) : DN_OK);
}

/* ---- trace ---- */

static char *machine_text(const dn_topo_facts *facts) {
    return dn_format("%s, %d package%s, %d NUMA node%s, %d cores, %d hardware threads, %.1f GB",
                     facts->cpu, facts->n_packages, facts->n_packages == 1 ? "" : "s",
                     facts->n_numa, facts->n_numa == 1 ? "" : "s", facts->n_cores, facts->n_threads,
                     (double)facts->memory_bytes / 1e9);
}

static dn_status open_trace(run_state *run, dn_trace **trace) {
    const dn_job *job = run->job;
    const char *names[DN_MAX_PIPELINES], *models[DN_MAX_PIPELINES][DN_MAX_SCORERS] = {{0}};
    char sha256[DN_MODELS_SHA256] = "";
    for (int i = 0; i < job->n_pipelines; i++) {
        names[i] = job->pipeline[i].name;
        memcpy(models[i], job->pipeline[i].scorer_name, sizeof models[i]);
        if (!sha256[0]) {
            dn_plan_models_sha256(&job->pipeline[i], sha256);
        }
    }
    dn_trace_place *places = dn_alloc_array((size_t)run->placement.n, sizeof *places);
    for (int i = 0; i < run->placement.n; i++) {
        const dn_topo_place *place = &run->placement.places[i];
        places[i] = (dn_trace_place){i, place->host, place->uuid, place->cpus, place->numa};
    }
    char *machine = machine_text(&run->placement.facts);
    const dn_trace_attribute attributes[] = {{"job", job->conf.job},
                                             {"machine", machine},
                                             {"resolved_job", run->resolved},
                                             {"model_sha256", sha256},
                                             {"librdkafka", dn_kafka_version()},
                                             {"hdf5", dn_h5_version()}};
    dn_trace_conf conf = {
        .output = job->conf.output,
        .run_id = run->run_id,
        .rank = run->comm->rank,
        .pipelines = names,
        .models = models,
        .n_pipelines = job->n_pipelines,
        .attributes = attributes,
        .n_attributes = sizeof attributes / sizeof *attributes,
        .topology = run->placement.table,
        .places = places,
        .n_places = run->placement.n,
    };
    dn_status status = dn_trace_open(&conf, trace);
    free(places);
    free(machine);
    return status;
}

/* ---- all of it ---- */

static void open_telemetry(run_state *run) {
    dn_trace *trace = NULL;
    dn_nvml_open(run->placement.own.pci);
    run->start_gpu_mj = read_gpu_energy(run);
    if (run->options->trace && open_trace(run, &trace) != DN_OK) {
        dn_log(DN_LOG_WARN, "no trace is written: %s", dn_failure_last()->text);
    }
    run->telemetry = dn_telemetry_new(trace);
}

static dn_status run_job(run_state *run) {
    DN_TRY(prepare(run));
    open_telemetry(run);
    prepare_control(run);
    DN_TRY(run_pipelines(run));
    return finish(run);
}

static void close_run(run_state *run) {
    dn_failure failure = *dn_failure_last();
    for (int i = 0; i < run->control.n; i++) {
        dn_pipeline_close(run->control.pipeline[i]);
    }
    for (int i = 0; i < DN_MAX_PIPELINES; i++) {
        dn_drift_free(run->drift[i]);
    }
    dn_wiring_free(&run->wiring);
    dn_status_writer_free(run->control.status);
    dn_telemetry_free(run->telemetry);
    dn_job_close(run->job);
    dn_grid_close(&run->grid);
    dn_placement_free(&run->placement);
    free(run->resolved);
    dn_output_release(run->output);
    dn_failure_set(&failure);
}

dn_status dn_run(dn_comm *comm, const dn_run_options *options, dn_report *report) {
    run_state *run = dn_alloc(sizeof *run);
    run->comm = comm;
    run->options = options;
    run->report = report;
    dn_status status = run_job(run);
    close_run(run);
    free(run);
    return status;
}
