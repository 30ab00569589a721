/* What the sums of a split model cost: dn_comm_sum alone at the sizes of micro-batches, and with
 * --model the encoder over 1, 2, 4 ... ranks. What the columns mean: README.md. */
#include "bench_comm.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/kernels.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { SUMS_A_RUN = 20, MAX_TOKENS = 1 << 16 };

static const char usage[] =
    "usage: mpirun -n RANKS --bind-to none comm [--model minilm|bert-large|DIR] [--backend NAME]\n"
    "                [--tokens N] [--runs N] [--output table|json]\n"
    "  --model WHICH   the encoder too: random weights of that shape, or a model directory\n"
    "  --backend NAME  its kernels; default: the best of this machine\n"
    "  --tokens N      of its micro-batches; default 512\n"
    "  --runs N        timed runs of each line; default 15\n"
    "  --output FORM   table or json; default table\n";

void must(dn_status status) {
    if (status != DN_OK) {
        fprintf(stderr, "comm: %s\n", dn_failure_last()->text);
        exit(dn_error_get(dn_failure_last()->error)->exit_status);
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *x, int n, double q) {
    qsort(x, (size_t)n, sizeof *x, by_value);
    return x[(int)(q * (n - 1) + 0.5)];
}

double median(double *x, int n) {
    return quantile(x, n, 0.5);
}

double spread(double *x, int n) {
    return (quantile(x, n, 0.75) - quantile(x, n, 0.25)) / quantile(x, n, 0.5);
}

static void leave(bool asked) {
    fputs(usage, asked ? stdout : stderr);
    exit(asked ? EX_OK : EX_USAGE);
}

static int number(const char *text, int max) {
    char *rest;
    long value = strtol(text, &rest, 10);
    if (rest == text || *rest || value < 1 || value > max) {
        leave(false);
    }
    return (int)value;
}

static options parse(int argc, char **argv) {
    static const struct option known[] = {
        {"model", required_argument, NULL, 'm'},
        {"backend", required_argument, NULL, 'b'},
        {"tokens", required_argument, NULL, 't'},
        {"runs", required_argument, NULL, 'r'},
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    options o = {.tokens = 512, .n_runs = 15};
    for (int letter; (letter = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (letter == 'm') {
            o.model = optarg;
        } else if (letter == 'b') {
            o.backend = optarg;
        } else if (letter == 't') {
            o.tokens = number(optarg, MAX_TOKENS);
        } else if (letter == 'r') {
            o.n_runs = number(optarg, MAX_RUNS);
        } else if (letter == 'o' && (strcmp(optarg, "json") == 0 || strcmp(optarg, "table") == 0)) {
            o.json = optarg[0] == 'j';
        } else {
            leave(letter == 'h');
        }
    }
    return o;
}

/* ---- sums ---- */

static const struct {
    int tokens, width;
} shapes[] = {{1, 384}, {32, 384}, {128, 384}, {512, 384}, {512, 1024}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/** A line: a group and a size. */
typedef struct line {
    size_t n;
    double wall_us[MAX_RUNS], cpu_us[MAX_RUNS];
} line;

static void time_sums(const group *g, line *l, float *values, int run) {
    must(dn_comm_barrier(g->comm));
    int64_t wall_ns = dn_mono_ns(), cpu_ns = dn_thread_cpu_ns();
    for (int i = 0; i < SUMS_A_RUN; i++) {
        must(dn_comm_sum(g->comm, values, l->n));
    }
    l->wall_us[run] = (double)(dn_mono_ns() - wall_ns) / 1e3 / SUMS_A_RUN;
    l->cpu_us[run] = (double)(dn_thread_cpu_ns() - cpu_ns) / 1e3 / SUMS_A_RUN;
}

static void print_sum(const options *o, const group *g, int shape, line *l, bool is_first) {
    double bytes = (double)l->n * sizeof(float), spread_ = spread(l->wall_us, o->n_runs);
    double us = median(l->wall_us, o->n_runs), cpu_us = median(l->cpu_us, o->n_runs);
    if (o->json) {
        printf("%s\n  {\"ranks\": %d, \"tokens\": %d, \"width\": %d, \"us\": %.1f, \"spread\": "
               "%.3f, \"cpu_us\": %.1f}",
               is_first ? "" : ",", g->size, shapes[shape].tokens, shapes[shape].width, us, spread_,
               cpu_us);
        return;
    }
    printf("  %5d %7d %6d %9.1f %10.1f %8.0f %10.1f %8.2f\n", g->size, shapes[shape].tokens,
           shapes[shape].width, bytes / 1e3, us, 100 * spread_, cpu_us, bytes / us / 1e3);
}

static void bench_sums(const options *o, dn_comm *world, const group *groups, int n_groups) {
    line *lines = dn_alloc_array((size_t)(n_groups * N_SHAPES), sizeof *lines);
    size_t most = (size_t)shapes[N_SHAPES - 1].tokens * (size_t)shapes[N_SHAPES - 1].width;
    float *values = dn_alloc_array(most, sizeof *values);
    for (int g = 0; g < n_groups; g++) {
        if (groups[g].comm) {
            must(dn_comm_reserve(groups[g].comm, most));
        }
    }
    for (int run = -1; run < o->n_runs; run++) { /* the first is the warm-up */
        for (int i = 0; i < n_groups * N_SHAPES; i++) {
            const group *g = &groups[i / N_SHAPES];
            lines[i].n = (size_t)shapes[i % N_SHAPES].tokens * (size_t)shapes[i % N_SHAPES].width;
            if (g->comm && g->size > 1) {
                time_sums(g, &lines[i], values, run < 0 ? 0 : run);
            }
            must(dn_comm_barrier(world));
        }
    }
    for (int i = 0; i < n_groups * N_SHAPES && world->rank == 0; i++) {
        if (groups[i / N_SHAPES].size > 1) {
            print_sum(o, &groups[i / N_SHAPES], i % N_SHAPES, &lines[i], i == N_SHAPES);
        }
    }
    free(values);
    free(lines);
}

/* ---- both ---- */

static int make_groups(dn_comm *world, group *groups) {
    int n = 0;
    for (int size = 1; size <= world->size && n < MAX_GROUPS; size *= 2) {
        bool is_in = world->rank < size;
        dn_comm *comm;
        must(dn_comm_split(world, is_in ? 0 : 1, &comm));
        groups[n++] = (group){size, is_in ? comm : NULL};
        if (!is_in) {
            dn_comm_close(comm);
        }
    }
    return n;
}

int main(int argc, char **argv) {
    options o = parse(argc, argv);
    dn_comm *world;
    group groups[MAX_GROUPS];
    must(dn_comm_open(&world));
    dn_kernels_use_gpu(world->local_rank);
    int n_groups = make_groups(world, groups);
    if (world->rank == 0 && o.json) {
        printf("{\"program\": \"dunlin bench comm\", \"comm\": \"%s\", \"runs\": %d, \"sums\": [",
               world->ops->name, o.n_runs);
    } else if (world->rank == 0) {
        printf("# dunlin bench comm: %d ranks, %d on this host, %s, %s; %d runs of %d sums\n#\n"
               "# %5s %7s %6s %9s %10s %8s %10s %8s\n",
               world->size, world->local_size, world->ops->name, dn_comm_version(), o.n_runs,
               SUMS_A_RUN, "ranks", "tokens", "width", "kB", "us a sum", "spread %", "CPU us",
               "GB/s");
    }
    bench_sums(&o, world, groups, n_groups);
    if (world->rank == 0 && o.json) {
        printf("\n], \"encoder\": [");
    }
    bool agrees = o.model ? bench_encoder(&o, world, groups, n_groups) : true;
    if (world->rank == 0 && o.json) {
        printf("\n]}\n");
    }
    for (int g = 0; g < n_groups; g++) {
        dn_comm_close(groups[g].comm);
    }
    dn_comm_close(world);
    return agrees ? EX_OK : 1;
}
