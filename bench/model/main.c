/* Times the whole encoder with its heads over micro-batches of tweets' lengths, on one thread and
 * on several, checks the scores against `ref`, and states the rate as a share of the multiply-add
 * peak measured in the same runs. What the columns mean: README.md. */
#include "random_model.h"
#include "report.h"
#include "tweets.h"

#include "base/clock.h"
#include "base/memory.h"
#include "model/model.h"

#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    MAX_RUNS = 1000,
    MAX_BUDGETS = 8,
    MAX_THREADS = 256,
    N_BATCHES = 16,
    MAX_ROWS = 1024,
    PEAK_MS = 5
};
enum { MIN_TOKENS = 64, MAX_TOKENS = 1 << 17, CHECKED_ROWS = 3 };
static const int64_t slice_ns = 300000000;

typedef struct options {
    const char *dir, *backend; /**< NULL: a random model, the best backend */
    int budget[MAX_BUDGETS], n_budgets;
    int n_threads, n_runs;
    bool json;
} options;

static const char usage[] =
    "usage: model [--dir MODEL | --random] [--backend NAME] [--tokens N,N...] [--threads N] "
    "[--runs N]\n"
    "             [--output table|json]\n"
    "  --dir MODEL     a model directory; default: random weights of MiniLM-L6's shape (--random)\n"
    "  --backend NAME  ref, cpu, cpu:avx2 ...; default: the best of this machine\n"
    "  --tokens LIST   tokens of a micro-batch, 64 to 131072; default 512,2048\n"
    "  --threads N     measures one thread and N; default: the cores, at most 2\n"
    "  --runs N        timed runs of each line, of 0.3 s or one batch; default 7\n"
    "  --output FORM   table or json; default table\n";

static void leave(bool asked) {
    fputs(usage, asked ? stdout : stderr);
    exit(asked ? EX_OK : EX_USAGE);
}

/** A whole number of [min, max]; `*rest` is what follows it. */
static int number(const char *text, long min, long max, char **rest) {
    long value = strtol(text, rest, 10);
    if (*rest == text || value < min || value > max) {
        leave(false);
    }
    return (int)value;
}

static int whole(const char *text, long min, long max) {
    char *rest;
    int value = number(text, min, max, &rest);
    if (*rest) {
        leave(false);
    }
    return value;
}

static void read_budgets(options *o, char *list) {
    char *rest = list;
    o->n_budgets = 0;
    do {
        if (o->n_budgets == MAX_BUDGETS) {
            leave(false);
        }
        o->budget[o->n_budgets++] = number(rest, MIN_TOKENS, MAX_TOKENS, &rest);
    } while (*rest++ == ',');
    if (rest[-1]) {
        leave(false);
    }
}

static options parse(int argc, char **argv) {
    static const struct option names[] = {{"dir", required_argument, NULL, 'd'},
                                          {"random", no_argument, NULL, 'r'},
                                          {"backend", required_argument, NULL, 'b'},
                                          {"tokens", required_argument, NULL, 't'},
                                          {"threads", required_argument, NULL, 'j'},
                                          {"runs", required_argument, NULL, 'n'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    options o = {
        .budget = {512, 2048}, .n_budgets = 2, .n_threads = cores > 1 ? 2 : 1, .n_runs = 7};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'd' || c == 'r') {
            o.dir = c == 'd' ? optarg : NULL;
        } else if (c == 'b') {
            o.backend = optarg;
        } else if (c == 't') {
            read_budgets(&o, optarg);
        } else if (c == 'j') {
            o.n_threads = whole(optarg, 1, MAX_THREADS);
        } else if (c == 'n') {
            o.n_runs = whole(optarg, 1, MAX_RUNS);
        } else if (c == 'o' && (strcmp(optarg, "json") == 0 || strcmp(optarg, "table") == 0)) {
            o.json = *optarg == 'j';
        } else {
            leave(c == 'h');
        }
    }
    if (optind < argc) {
        leave(false);
    }
    return o;
}

static void must(dn_status status) {
    if (status != DN_OK) {
        fprintf(stderr, "model: %s\n", dn_failure_last()->text);
        exit(dn_error_get(dn_failure_last()->error)->exit_status);
    }
}

static dn_workspace *workspace_for(const dn_model *model, const dn_batch *batch) {
    dn_workspace *space;
    must(dn_workspace_new(model, batch->n_tokens, batch->n_rows, &space));
    return space;
}

/** Worst difference of a score from what the kernels' oracle makes of the same text, over the first
 * rows of a batch. */
static double worst_difference(const char *dir, const dn_kernels *kernels, const dn_model *model,
                               const dn_batch *batch) {
    dn_model *oracle;
    must(dn_model_open(dir, kernels->oracle, &oracle));
    int width = dn_model_describe(model)->score_width;
    dn_batch head = {CHECKED_ROWS, batch->row_start[CHECKED_ROWS], batch->token, batch->row_start};
    float *score = dn_alloc_array((size_t)(batch->n_rows * width), sizeof *score);
    float *want = dn_alloc_array((size_t)(CHECKED_ROWS * width), sizeof *want);
    dn_workspace *mine = workspace_for(model, batch), *theirs = workspace_for(oracle, &head);
    must(dn_model_score(model, mine, batch, score));
    must(dn_model_score(oracle, theirs, &head, want));
    double worst = 0;
    for (int i = 0; i < CHECKED_ROWS * width; i++) {
        worst = fmax(worst, fabs((double)score[i] - (double)want[i]));
    }
    dn_workspace_free(mine);
    dn_workspace_free(theirs);
    dn_model_close(oracle);
    free(score);
    free(want);
    return worst;
}

/** What one thread does in a run, and what it measured. */
typedef struct lane {
    pthread_t thread;
    pthread_barrier_t *start;
    const dn_model *model;
    const dn_kernels *kernels;
    const tweets *work;
    dn_workspace *space;
    float *score;
    int first;
    double tokens, rows, flops, peak_gflops;
    int64_t wall_ns, cpu_ns;
} lane;

/** Scores one batch and adds what it took. */
static void run_batch(lane *l, const dn_batch *batch) {
    int64_t cpu_ns = dn_thread_cpu_ns(), wall_ns = dn_mono_ns();
    must(dn_model_score(l->model, l->space, batch, l->score));
    l->wall_ns += dn_mono_ns() - wall_ns;
    l->cpu_ns += dn_thread_cpu_ns() - cpu_ns;
    l->tokens += batch->n_tokens;
    l->rows += batch->n_rows;
    l->flops += dn_model_flops(l->model, batch);
}

/** A burst of peak stands behind every batch: on a shared machine the clock changes within a
 * second, and a share must not compare two clocks. */
static void *run_lane(void *arg) {
    lane *l = arg;
    int n = 0;
    l->tokens = l->rows = l->flops = l->peak_gflops = 0;
    l->wall_ns = l->cpu_ns = 0;
    pthread_barrier_wait(l->start);
    for (; l->wall_ns < slice_ns; n++) {
        run_batch(l, &l->work->batch[(l->first + n) % l->work->n_batches]);
        l->peak_gflops += l->kernels->measure_peak(PEAK_MS);
    }
    l->peak_gflops /= n;
    return NULL;
}

/** A line of the report: so many threads on batches of this size. */
typedef struct setup {
    int n_threads, budget;
    tweets work;
    pthread_barrier_t start;
    lane *lane;
    double difference;
    double *tokens_per_s, *tweets_per_s, *gflops, *peak, *share; /**< [n_runs] */
} setup;

static void setup_open(setup *s, const dn_model *model, const dn_kernels *kernels, int n_runs) {
    const dn_model_info *info = dn_model_describe(model);
    s->work = tweets_new(N_BATCHES, s->budget, MAX_ROWS, info->vocabulary);
    s->lane = dn_alloc_array((size_t)s->n_threads, sizeof *s->lane);
    pthread_barrier_init(&s->start, NULL, (unsigned)s->n_threads);
    for (int i = 0; i < s->n_threads; i++) {
        lane *l = &s->lane[i];
        *l = (lane){.start = &s->start,
                    .model = model,
                    .kernels = kernels,
                    .work = &s->work,
                    .first = 5 * i};
        must(dn_workspace_new(model, s->budget, MAX_ROWS, &l->space));
        l->score = dn_alloc_array(MAX_ROWS * (size_t)info->score_width, sizeof *l->score);
    }
    double **series[] = {&s->tokens_per_s, &s->tweets_per_s, &s->gflops, &s->peak, &s->share};
    for (size_t i = 0; i < sizeof series / sizeof *series; i++) {
        *series[i] = dn_alloc_array((size_t)n_runs, sizeof **series[i]);
    }
}

static void setup_close(setup *s) {
    double *series[] = {s->tokens_per_s, s->tweets_per_s, s->gflops, s->peak, s->share};
    for (size_t i = 0; i < sizeof series / sizeof *series; i++) {
        free(series[i]);
    }
    for (int i = 0; i < s->n_threads; i++) {
        dn_workspace_free(s->lane[i].space);
        free(s->lane[i].score);
    }
    pthread_barrier_destroy(&s->start);
    free(s->lane);
    tweets_free(&s->work);
}

/** Rates add up over the threads; GFLOP/s and peak are those of one thread, by its CPU time. */
static void run_once(setup *s, int run) {
    for (int i = 0; i < s->n_threads; i++) {
        pthread_create(&s->lane[i].thread, NULL, run_lane, &s->lane[i]);
    }
    s->tokens_per_s[run] = s->tweets_per_s[run] = s->gflops[run] = s->peak[run] = 0;
    for (int i = 0; i < s->n_threads; i++) {
        const lane *l = &s->lane[i];
        pthread_join(l->thread, NULL);
        s->tokens_per_s[run] += l->tokens / (double)l->wall_ns * 1e9;
        s->tweets_per_s[run] += l->rows / (double)l->wall_ns * 1e9;
        s->gflops[run] += l->flops / (double)l->cpu_ns / s->n_threads;
        s->peak[run] += l->peak_gflops / s->n_threads;
    }
    s->share[run] = s->gflops[run] / s->peak[run];
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

/** The narrow precisions may round an activation between two levels to either, and go on with that.
 */
static double tolerance_of(const dn_kernels *kernels) {
    return strcmp(kernels->precision, "fp32") == 0 ? REPORT_TOLERANCE : REPORT_NARROW_TOLERANCE;
}

static measurement summarise(const setup *s, int n_runs) {
    double median = quantile(s->tokens_per_s, n_runs, 0.5);
    double quartiles =
        quantile(s->tokens_per_s, n_runs, 0.75) - quantile(s->tokens_per_s, n_runs, 0.25);
    return (measurement){
        .n_threads = s->n_threads,
        .budget = s->budget,
        .tokens_per_s = median,
        .spread = quartiles / median,
        .tweets_per_s = quantile(s->tweets_per_s, n_runs, 0.5),
        .gflops = quantile(s->gflops, n_runs, 0.5),
        .peak_gflops = quantile(s->peak, n_runs, 0.5),
        .peak_share = quantile(s->share, n_runs, 0.5),
        .difference = s->difference,
        .correct = s->difference <= tolerance_of(s->lane[0].kernels),
    };
}

/** All setups, their runs taking turns. Returns whether every score was right. */
static bool measure(const options *o, setup *setups, int n_setups) {
    bool correct = true;
    for (int run = 0; run < o->n_runs; run++) {
        for (int i = 0; i < n_setups; i++) {
            run_once(&setups[i], run);
        }
    }
    for (int i = 0; i < n_setups; i++) {
        measurement m = summarise(&setups[i], o->n_runs);
        report_row(stdout, o->json, &m, i == 0);
        correct = correct && m.correct;
    }
    return correct;
}

int main(int argc, char **argv) {
    options o = parse(argc, argv);
    char *made = o.dir ? NULL : random_model_write();
    const char *dir = o.dir ? o.dir : made;
    const dn_kernels *kernels;
    dn_model *model;
    must(dn_kernels_select(o.backend, &kernels));
    int64_t begin_ns = dn_mono_ns();
    must(dn_model_open(dir, kernels, &model));
    header h = {.model = o.dir ? o.dir : "random MiniLM-L6-H384",
                .backend = kernels->name,
                .isa = kernels->isa,
                .open_ms = (double)(dn_mono_ns() - begin_ns) / 1e6,
                .info = dn_model_describe(model),
                .n_runs = o.n_runs};
    setup setups[2 * MAX_BUDGETS] = {0};
    int n_setups = 0;
    for (int i = 0; i < o.n_budgets; i++) {
        for (int threads = 1; threads <= o.n_threads;
             threads += o.n_threads > 1 ? o.n_threads - 1 : 1) {
            setup *s = &setups[n_setups++];
            s->n_threads = threads;
            s->budget = o.budget[i];
            setup_open(s, model, kernels, o.n_runs);
            s->difference = worst_difference(dir, kernels, model, &s->work.batch[0]);
        }
    }
    if (made) {
        random_model_remove(made);
    }
    report_begin(stdout, o.json, &h);
    bool correct = measure(&o, setups, n_setups);
    report_end(stdout, o.json);
    for (int i = 0; i < n_setups; i++) {
        setup_close(&setups[i]);
    }
    dn_model_close(model);
    return correct ? EX_OK : 1;
}
