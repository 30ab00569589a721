#ifndef DN_RUN_REPORT_H
#define DN_RUN_REPORT_H
/** What a run did, in numbers: per rank, merged over ranks by adding, printed as a table or JSON.
 */
#include "comm/comm.h"
#include "flow/pipeline.h"
#include "job/job.h"
#include "run/drift.h"

#include <stdatomic.h>
#include <stdio.h>

/** Sums over the micro-batches of a model; added to by its threads. */
typedef struct dn_batch_totals {
    _Atomic int64_t batches, rows, tokens, budget_tokens, reused, late, flops, model_ns;
    _Atomic int64_t foreign_rows, foreign_tokens, linear_rows, linear_tokens;
    _Atomic int64_t device_ns, group_ns[DN_DEVICE_GROUPS];
    _Atomic int64_t reason[DN_CLOSE_REASONS];
} dn_batch_totals;

void dn_batch_totals_add(dn_batch_totals *totals, const dn_batch_event *event);

/** One model of a pipeline. */
typedef struct dn_model_report {
    const char *name;
    const char *kernels; /**< "cpu avx512 fp32", NULL: it computes nothing */
    int64_t batches, rows_scored, tokens_scored, budget_tokens, rows_reused, flops, model_ns;
    int64_t device_ns;                    /**< of model_ns on a GPU, 0: none */
    int64_t group_ns[DN_DEVICE_GROUPS];   /**< of the passes whose groups were timed */
    int64_t rows_foreign, tokens_foreign; /**< in languages that the model does not serve */
    int64_t rows_linear, tokens_linear;   /**< answered by the linear model before it */
    int64_t rows_late;                    /**< beyond slo before the model saw them */
    int64_t reason[DN_CLOSE_REASONS];
    bool on_device;       /**< its kernels */
    double peak_gflops;   /**< of its kernels, per core or device, mean of the ranks */
    int64_t computing_ns; /**< model_ns, of all threads; on a device device_ns, at most the wall's:
                               passes of several threads may share the device */
    double peak_flops_ns; /**< FLOP that could have been done in computing_ns at that peak */
    int threads;          /**< of all ranks */
} dn_model_report;

/** One pipeline. Plain numbers, so that ranks can send it; names in `stats` are rank 0's own. */
typedef struct dn_pipeline_report {
    dn_pipeline_stats stats;
    dn_pipeline_latency latency;
    int64_t wall_ns; /**< longest of the ranks, start to last commit */
    int64_t slo_ns;  /**< the shortest asked for of a model, 0: none */
    int n_models;
    dn_model_report model[DN_MAX_SCORERS];
    int n_labels;
    dn_drift_column labels[DN_MAX_LABEL_COLUMNS];
} dn_pipeline_report;

typedef struct dn_report {
    const char *job, *run_id, *output, *broker; /**< rank 0's */
    int ranks, tp;                              /**< tp of them share each model; 1: none do */
    int restarts;                               /**< by Slurm, of this job */
    int64_t wall_ns, cpu_ns, rss_bytes_max;
    int64_t gpu_mj; /**< energy of all GPUs of the job while it ran; 0: none, or not known */
    bool drained;
    int n_pipelines;
    const char *name[DN_MAX_PIPELINES];
    dn_pipeline_report pipeline[DN_MAX_PIPELINES];
} dn_report;

/** Copies what a pipeline says of itself, after join. */
void dn_report_pipeline(dn_pipeline *pipeline, dn_pipeline_report *out);

/** Copies the sums of a model. */
void dn_report_model(const dn_batch_totals *totals, dn_model_report *out);

/** All models of a pipeline as if they were one, with the name and kernels of the first. */
dn_model_report dn_report_models(const dn_pipeline_report *pipeline);

/** Adds the reports of all ranks into rank 0's.      collective  yes */
dn_status dn_report_merge(dn_comm *comm, dn_report *report);

/** The pipeline whose numbers stand for the job: the one with the model, else the last. */
const dn_pipeline_report *dn_report_main(const dn_report *report);

void dn_report_print(const dn_report *report, FILE *out);
void dn_report_print_json(const dn_report *report, FILE *out);

#endif
