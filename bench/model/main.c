/* Times the whole encoder with its heads over micro-batches of tweets' lengths, on one thread and
 * on several, checks the scores against `ref`, and states the rate as a share of the multiply-add
 * peak measured in the same runs. What the columns mean: README.md. */
#include "random_model.h"
#include "report.h"

#include "base/clock.h"
#include "base/memory.h"
#include "model/measure.h"
#include "model/model.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    MAX_RUNS = 1000,
    MAX_BUDGETS = 8,
    MAX_THREADS = 256,
};
enum { MIN_TOKENS = 64, MAX_TOKENS = 1 << 17, CHECKED_ROWS = 3 };

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
    dn_batch head = {CHECKED_ROWS, batch->row_start[CHECKED_ROWS], batch->token, batch->row_start};
    size_t n = dn_model_score_floats(model, head.n_rows, head.n_tokens);
    float *score = dn_alloc_array(n, sizeof *score), *want = dn_alloc_array(n, sizeof *want);
    dn_workspace *mine = workspace_for(model, &head), *theirs = workspace_for(oracle, &head);
    must(dn_model_score(model, mine, &head, score));
    must(dn_model_score(oracle, theirs, &head, want));
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)score[i] - (double)want[i]));
    }
    dn_workspace_free(mine);
    dn_workspace_free(theirs);
    dn_model_close(oracle);
    free(score);
    free(want);
    return worst;
}

/** A line of the report: so many threads on batches of this size. */
typedef struct setup {
    dn_measuring *measuring;
    const dn_kernels *kernels;
    double difference;
} setup;

/** The narrow precisions may round an activation between two levels to either, and go on with that.
 */
static double tolerance_of(const dn_kernels *kernels) {
    return strcmp(kernels->precision, "fp32") == 0 ? REPORT_TOLERANCE : REPORT_NARROW_TOLERANCE;
}

static measurement summarise(const setup *s) {
    return (measurement){
        .speed = dn_measuring_read(s->measuring),
        .difference = s->difference,
        .correct = s->difference <= tolerance_of(s->kernels),
    };
}

/** All setups, their runs taking turns. Returns whether every score was right. */
static bool measure(const options *o, setup *setups, int n_setups) {
    bool correct = true;
    for (int run = 0; run < o->n_runs; run++) {
        for (int i = 0; i < n_setups; i++) {
            must(dn_measuring_run(setups[i].measuring));
        }
    }
    for (int i = 0; i < n_setups; i++) {
        measurement m = summarise(&setups[i]);
        report_row(stdout, o->json, &m, i == 0);
        correct = correct && m.correct;
    }
    return correct;
}

int main(int argc, char **argv) {
    options o = parse(argc, argv);
    char *made = o.dir ? NULL : random_model_write(&random_minilm);
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
            s->kernels = kernels;
            must(dn_measuring_new(model, kernels, o.budget[i], threads, o.n_runs, &s->measuring));
            s->difference = worst_difference(dir, kernels, model, dn_measuring_batch(s->measuring));
        }
    }
    if (made) {
        random_model_remove(made);
    }
    report_begin(stdout, o.json, &h);
    bool correct = measure(&o, setups, n_setups);
    report_end(stdout, o.json);
    for (int i = 0; i < n_setups; i++) {
        dn_measuring_free(setups[i].measuring);
    }
    dn_model_close(model);
    return correct ? EX_OK : 1;
}
