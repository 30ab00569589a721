#include "model/measure.h"

#include "base/clock.h"
#include "base/memory.h"
#include "model/sample.h"

#include <pthread.h>
#include <stdlib.h>

enum { N_BATCHES = 16, MAX_ROWS = 1024, PEAK_MS = 5, STEP = 5 };
static const int64_t slice_ns = 300000000, between_peaks_ns = 15000000;

/** What one thread does in a run, and what it measured. */
typedef struct lane {
    pthread_t thread;
    pthread_barrier_t *start;
    const dn_model *model;
    const dn_kernels *kernels;
    const dn_sample *work;
    dn_workspace *space;
    float *score;
    int first, n_flying;
    dn_status status;
    dn_failure failure;
    double tokens, rows, flops, peak_gflops;
    int64_t wall_ns, cpu_ns;
} lane;

enum { TOKENS, TWEETS, GFLOPS, PEAK, SHARE, N_SERIES };

struct dn_measuring {
    int n_threads, n_runs, budget;
    dn_sample work;
    lane *lane;
    double *series[N_SERIES]; /**< [n_runs of new] each */
};

/** Waits until no more than `n` batches are under way. */
static dn_status land(lane *l, int n) {
    int64_t wall_ns = dn_mono_ns();
    while (l->n_flying > n) {
        DN_TRY(dn_model_wait(l->model, l->space, l->score, NULL));
        l->n_flying--;
    }
    l->wall_ns += dn_mono_ns() - wall_ns;
    return DN_OK;
}

/** On a device as many are under way as a run has there. */
static dn_status run_batch(lane *l, const dn_batch *batch) {
    int64_t cpu_ns = dn_thread_cpu_ns(), wall_ns = dn_mono_ns();
    DN_TRY(dn_model_submit(l->model, l->space, batch));
    l->n_flying++;
    l->wall_ns += dn_mono_ns() - wall_ns;
    DN_TRY(land(l, dn_workspace_depth(l->space) - 1));
    l->cpu_ns += dn_thread_cpu_ns() - cpu_ns;
    l->tokens += batch->n_tokens;
    l->rows += batch->n_rows;
    l->flops += dn_model_flops(l->model, batch);
    return DN_OK;
}

static void *run_lane(void *arg) {
    lane *l = arg;
    int n_peaks = 0;
    int64_t next_peak_ns = 0;
    l->tokens = l->rows = l->flops = l->peak_gflops = 0;
    l->wall_ns = l->cpu_ns = 0;
    pthread_barrier_wait(l->start);
    for (int n = 0; l->wall_ns < slice_ns && l->status == DN_OK; n++) {
        l->status = run_batch(l, &l->work->batch[(l->first + n) % l->work->n_batches]);
        if (l->wall_ns >= next_peak_ns) {
            l->peak_gflops += l->kernels->measure_peak(PEAK_MS);
            n_peaks++;
            next_peak_ns = l->wall_ns + between_peaks_ns;
        }
    }
    l->status = l->status == DN_OK ? land(l, 0) : l->status;
    l->peak_gflops /= n_peaks;
    if (l->status != DN_OK) {
        l->failure = *dn_failure_last();
    }
    return NULL;
}

static dn_status open_lane(dn_measuring *b, int i, const dn_model *model, const dn_kernels *kernels,
                           int budget) {
    lane *l = &b->lane[i];
    *l = (lane){.model = model, .kernels = kernels, .work = &b->work, .first = STEP * i};
    l->score = dn_alloc_array(dn_model_score_floats(model, MAX_ROWS, budget), sizeof *l->score);
    if (kernels->device) {
        (void)kernels->measure_peak(PEAK_MS); /* which it keeps: with nothing else under way */
    }
    return dn_workspace_new(model, budget, MAX_ROWS, &l->space);
}

/** The lanes wait for each other, and the caller's thread runs one of them: one that cannot be
 * started would hold them all, so that ends the process. */
static dn_status run_lanes(dn_measuring *b) {
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)b->n_threads);
    for (int i = 0; i < b->n_threads; i++) {
        b->lane[i].start = &start;
    }
    for (int i = 1; i < b->n_threads; i++) {
        if (pthread_create(&b->lane[i].thread, NULL, run_lane, &b->lane[i]) != 0) {
            abort();
        }
    }
    run_lane(&b->lane[0]);
    for (int i = 1; i < b->n_threads; i++) {
        pthread_join(b->lane[i].thread, NULL);
    }
    pthread_barrier_destroy(&start);
    for (int i = 0; i < b->n_threads; i++) {
        if (b->lane[i].status != DN_OK) {
            dn_failure_set(&b->lane[i].failure);
            return b->lane[i].status;
        }
    }
    return DN_OK;
}

/** Rates add up over the threads. GFLOP/s and peak are those of one thread, by its CPU time; where
 * they share a device, of that. */
static double gflops_of(const dn_measuring *b, const lane *l) {
    return l->kernels->device ? l->flops / (double)l->wall_ns
                              : l->flops / (double)l->cpu_ns / b->n_threads;
}

dn_status dn_measuring_run(dn_measuring *b) {
    int run = b->n_runs++;
    DN_TRY(run_lanes(b));
    for (int i = 0; i < b->n_threads; i++) {
        const lane *l = &b->lane[i];
        b->series[TOKENS][run] += l->tokens / (double)l->wall_ns * 1e9;
        b->series[TWEETS][run] += l->rows / (double)l->wall_ns * 1e9;
        b->series[GFLOPS][run] += gflops_of(b, l);
        b->series[PEAK][run] += l->peak_gflops / b->n_threads;
    }
    b->series[SHARE][run] = b->series[GFLOPS][run] / b->series[PEAK][run];
    return DN_OK;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** The q-quantile; sorts. */
static double quantile(double *x, int n, double q) {
    qsort(x, (size_t)n, sizeof *x, by_value);
    return x[(int)(q * (n - 1) + 0.5)];
}

dn_measurement dn_measuring_read(dn_measuring *b) {
    int n = b->n_runs;
    double median = quantile(b->series[TOKENS], n, 0.5);
    double quartiles = quantile(b->series[TOKENS], n, 0.75) - quantile(b->series[TOKENS], n, 0.25);
    return (dn_measurement){
        .n_threads = b->n_threads,
        .budget = b->budget,
        .tokens_per_s = median,
        .spread = quartiles / median,
        .tweets_per_s = quantile(b->series[TWEETS], n, 0.5),
        .gflops = quantile(b->series[GFLOPS], n, 0.5),
        .peak_gflops = quantile(b->series[PEAK], n, 0.5),
        .peak_share = quantile(b->series[SHARE], n, 0.5),
    };
}

const dn_batch *dn_measuring_batch(const dn_measuring *b) {
    return &b->work.batch[0];
}

void dn_measuring_free(dn_measuring *b) {
    if (!b) {
        return;
    }
    for (int i = 0; i < b->n_threads; i++) {
        dn_workspace_free(b->lane[i].space);
        free(b->lane[i].score);
    }
    for (int i = 0; i < N_SERIES; i++) {
        free(b->series[i]);
    }
    free(b->lane);
    dn_sample_free(&b->work);
    free(b);
}

dn_status dn_measuring_new(const dn_model *model, const dn_kernels *kernels, int budget,
                           int n_threads, int n_runs, dn_measuring **out) {
    const dn_model_info *info = dn_model_describe(model);
    dn_measuring *b = dn_alloc(sizeof *b);
    *b = (dn_measuring){
        .n_threads = n_threads,
        .budget = budget,
        .work = dn_sample_new(N_BATCHES, budget, MAX_ROWS, info->max_tokens, info->vocabulary),
        .lane = dn_alloc_array((size_t)n_threads, sizeof *b->lane)};
    dn_status status = DN_OK;
    for (int i = 0; i < N_SERIES; i++) {
        b->series[i] = dn_alloc_array((size_t)n_runs, sizeof *b->series[i]);
    }
    for (int i = 0; i < n_threads && status == DN_OK; i++) {
        status = open_lane(b, i, model, kernels, budget);
    }
    if (status != DN_OK) {
        dn_measuring_free(b);
        return status;
    }
    *out = b;
    return DN_OK;
}
