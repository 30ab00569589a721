/* Times every operation of every cpu backend at the shapes of MiniLM-L6-H384, checks its result
 * against `ref`, and states the rate as a share of the multiply-add peak measured between the runs.
 * What the columns mean: README.md. */
#include "load.h"
#include "report.h"

#include "base/clock.h"
#include "base/memory.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { MAX_BACKENDS = 16, MAX_RUNS = 1000, CHECKED_ROWS = 4, PEAK_MS = 3, RUN_NS = 5000000 };

typedef struct options {
    const char *backend;   /**< NULL: every cpu backend of this machine */
    const char *operation; /**< NULL: every operation, else those whose name contains it */
    int n_runs;
    bool json;
} options;

static const char usage[] =
    "usage: kernels [--backend NAME] [--operation TEXT] [--runs N] [--output table|json]\n"
    "  --backend NAME    ref, cpu (the best), fp32, int8, bf16, cpu:avx2 ...; default: every "
    "cpu backend here\n"
    "  --operation TEXT  only operations whose name contains TEXT\n"
    "  --runs N          timed runs of each line, 1 to 1000; default 15\n"
    "  --output FORM     table or json; default table\n";

/** Exits on what it does not understand. */
static options parse(int argc, char **argv) {
    static const struct option names[] = {{"backend", required_argument, NULL, 'b'},
                                          {"runs", required_argument, NULL, 'n'},
                                          {"operation", required_argument, NULL, 'p'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    options o = {.n_runs = 15};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        char *end = NULL;
        if (c == 'b') {
            o.backend = optarg;
        } else if (c == 'p') {
            o.operation = optarg;
        } else if (c == 'n' && (o.n_runs = (int)strtol(optarg, &end, 10)) >= 1 &&
                   o.n_runs <= MAX_RUNS && !*end) {
            continue;
        } else if (c == 'o' && (strcmp(optarg, "json") == 0 || strcmp(optarg, "table") == 0)) {
            o.json = *optarg == 'j';
        } else {
            fputs(usage, c == 'h' ? stdout : stderr);
            exit(c == 'h' ? EX_OK : EX_USAGE);
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        exit(EX_USAGE);
    }
    return o;
}

static const dn_kernels *select_or_exit(const char *name) {
    const dn_kernels *kernels = NULL;
    if (dn_kernels_select(name, &kernels) != DN_OK) {
        fprintf(stderr, "kernels: %s\n", dn_failure_last()->text);
        exit(EX_CONFIG);
    }
    return kernels;
}

/** The backends to time; returns how many. */
static int choose(const char *wanted, const dn_kernels **chosen, int max) {
    const dn_kernels *table[MAX_BACKENDS];
    const char *names[MAX_BACKENDS];
    if (wanted) {
        chosen[0] = select_or_exit(wanted);
        return 1;
    }
    int n = 0, listed = dn_kernels_list(table, names, MAX_BACKENDS);
    for (int i = 0; i < listed && n < max; i++) {
        if (table[i] && strcmp(names[i], "ref") != 0) {
            chosen[n++] = table[i];
        }
    }
    if (n == 0) {
        chosen[n++] = select_or_exit("ref");
    }
    return n;
}

/** The worst difference between what the backend makes of the whole batch and `ref` of its first
 * rows, in units of the tolerance; infinite when an element was not written. Both loads hold the
 * same numbers. */
static double check(const bench_case *c, const load *mine, const load *oracle) {
    load head = load_head(oracle, CHECKED_ROWS);
    size_t n, n_head;
    float *want = c->result(&head, &n_head), *got = c->result(mine, &n);
    for (size_t i = 0; i < n; i++) {
        got[i] = NAN;
    }
    c->run(mine);
    c->run(&head);
    bool is_narrow = strcmp(mine->kernels->precision, "fp32") != 0;
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double allowed = dn_ops[c->op].absolute +
                         dn_ops[c->op].relative * fabs((double)want[i < n_head ? i : 0]);
        allowed *= is_narrow ? c->slack : 1;
        double error = isnan(got[i]) ? INFINITY
                       : i < n_head  ? fabs((double)got[i] - (double)want[i]) / allowed
                                     : 0;
        worst = fmax(worst, error);
    }
    return worst;
}

/** CPU time of one call, from as many calls as fill RUN_NS. */
static double time_call_ns(const bench_case *c, const load *l) {
    int64_t begin_ns = dn_thread_cpu_ns(), end_ns = begin_ns;
    int n = 0;
    for (; end_ns - begin_ns < RUN_NS; n++, end_ns = dn_thread_cpu_ns()) {
        c->run(l);
    }
    return (double)(end_ns - begin_ns) / n;
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

typedef struct series {
    double time_ns[MAX_RUNS], peak[MAX_RUNS], share[MAX_RUNS];
} series;

static void run_once(const bench_case *c, const load *l, series *s, int run) {
    s->peak[run] = l->kernels->measure_peak(PEAK_MS);
    s->time_ns[run] = time_call_ns(c, l);
    s->share[run] = c->flops(l) / s->time_ns[run] / s->peak[run];
}

static measurement summarise(const bench_case *c, const load *l, series *s, int n_runs,
                             double error) {
    double median_ns = quantile(s->time_ns, n_runs, 0.5);
    return (measurement){
        .name = c->name,
        .n_tokens = l->n_tokens,
        .n_runs = n_runs,
        .time_us = median_ns / 1e3,
        .gflops = c->flops(l) / median_ns,
        .gigabytes = c->bytes(l) / median_ns,
        .peak_gflops = quantile(s->peak, n_runs, 0.5),
        .peak_share = quantile(s->share, n_runs, 0.5),
        .spread =
            (quantile(s->time_ns, n_runs, 0.75) - quantile(s->time_ns, n_runs, 0.25)) / median_ns,
        .error = error,
        .correct = error <= 1};
}

/** One case over all backends, their runs taking turns. Returns whether every result was right. */
static bool measure_case(const options *o, const bench_case *c, load **loads, load **oracles,
                         int n_loads, bool is_first) {
    series *all = dn_alloc_array((size_t)n_loads, sizeof *all);
    double error[MAX_BACKENDS];
    bool correct = true;
    for (int i = 0; i < n_loads; i++) {
        error[i] = check(c, loads[i], oracles[i]); /* the warm-up, too */
    }
    for (int run = 0; run < o->n_runs; run++) {
        for (int i = 0; i < n_loads; i++) {
            run_once(c, loads[i], &all[i], run);
        }
    }
    for (int i = 0; i < n_loads; i++) {
        char backend[32];
        snprintf(backend, sizeof backend, "%s:%s", loads[i]->kernels->name, loads[i]->kernels->isa);
        measurement m = summarise(c, loads[i], &all[i], o->n_runs, error[i]);
        m.backend = backend;
        report_row(stdout, o->json, &m, is_first && i == 0);
        correct = correct && m.correct;
    }
    free(all);
    return correct;
}

int main(int argc, char **argv) {
    static const int sizes[] = {512, 2048};
    options o = parse(argc, argv);
    const dn_kernels *chosen[MAX_BACKENDS];
    int n = choose(o.backend, chosen, MAX_BACKENDS);
    bool correct = true;
    int n_lines = 0;
    report_begin(stdout, o.json, o.n_runs);
    for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
        load *loads[MAX_BACKENDS], *oracles[MAX_BACKENDS];
        for (int i = 0; i < n; i++) {
            loads[i] = load_new(chosen[i], sizes[size]);
            oracles[i] = load_new(chosen[i]->oracle, sizes[size]);
        }
        for (int i = 0; i < n_bench_cases; i++) {
            if (!o.operation || strstr(bench_cases[i].name, o.operation)) {
                correct =
                    measure_case(&o, &bench_cases[i], loads, oracles, n, n_lines == 0) && correct;
                n_lines++;
            }
        }
        for (int i = 0; i < n; i++) {
            load_free(loads[i]);
            load_free(oracles[i]);
        }
    }
    report_end(stdout, o.json);
    if (n_lines == 0) {
        fprintf(stderr, "kernels: no operation's name contains \"%s\"\n", o.operation);
        return EX_USAGE;
    }
    return correct ? EX_OK : 1;
}
