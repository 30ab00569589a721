#include "../model/random_model.h"
#include "bench_comm.h"

#include "base/clock.h"
#include "base/memory.h"
#include "model/model.h"
#include "model/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_BATCHES = 4, MAX_ROWS = 256, DIR_SIZE = 4096 };
static const int64_t RUN_NS = 300000000;

/** The model over one group. */
typedef struct lane {
    const group *group;
    dn_model *model;
    dn_workspace *space;
    float *score; /**< of the first batch */
    double tokens_per_s[MAX_RUNS];
    double mega_bytes; /**< weights of the rank that holds most */
} lane;

/** The narrow precisions round a split row otherwise, and 24 layers of random weights carry that
 * on. */
static double tolerance_of(const dn_kernels *kernels) {
    return strcmp(kernels->precision, "fp32") == 0 ? 1e-5 : 2e-1;
}

/** The directory that all ranks read, made by rank 0. */
static void find_model(const char *name, dn_comm *world, char dir[DIR_SIZE], char **made) {
    const random_shape *known[] = {&random_minilm, &random_bert_large};
    const char *names[] = {"minilm", "bert-large"};
    snprintf(dir, DIR_SIZE, "%s", name);
    *made = NULL;
    for (int i = 0; i < 2 && world->rank == 0; i++) {
        if (strcmp(name, names[i]) == 0) {
            *made = random_model_write(known[i]);
            snprintf(dir, DIR_SIZE, "%s", *made);
        }
    }
    must(dn_comm_broadcast(world, 0, dir, DIR_SIZE));
}

static void open_lane(const options *o, const char *dir, const dn_kernels *kernels, lane *l) {
    must(dn_model_open_part(dir, kernels, l->group->comm, &l->model));
    must(dn_model_connect(l->model));
    must(dn_workspace_new(l->model, o->tokens, MAX_ROWS, &l->space));
    size_t n = dn_model_score_floats(l->model, MAX_ROWS, o->tokens);
    l->score = dn_alloc_array(n, sizeof *l->score);
    l->mega_bytes = (double)dn_model_describe(l->model)->weight_bytes / 1e6;
    must(dn_comm_reduce(l->group->comm, DN_N_F64, DN_FOLD_MAX, &l->mega_bytes, 1));
}

static void follow(lane *l) {
    for (bool end = false;;) {
        dn_batch batch;
        must(dn_model_receive(l->model, l->space, &batch, &end));
        if (end) {
            return;
        }
        must(dn_model_score(l->model, l->space, &batch, NULL));
    }
}

/** At least one round over the batches, so that every lane does the same work. */
static void lead(lane *l, const dn_sample *sample, int run) {
    int64_t begin_ns = dn_mono_ns(), tokens = 0;
    do {
        for (int i = 0; i < sample->n_batches; i++) {
            must(dn_model_score(l->model, l->space, &sample->batch[i], l->score));
            tokens += sample->batch[i].n_tokens;
        }
    } while (dn_mono_ns() - begin_ns < RUN_NS);
    l->tokens_per_s[run] = (double)tokens * 1e9 / (double)(dn_mono_ns() - begin_ns);
    must(dn_model_score(l->model, l->space, &sample->batch[0], l->score));
    must(dn_model_dismiss(l->model, l->space));
}

static bool print_lane(const options *o, lane *l, const lane *whole, const dn_kernels *kernels,
                       int n_scores) {
    double worst = 0, spread_ = spread(l->tokens_per_s, o->n_runs);
    double rate = median(l->tokens_per_s, o->n_runs);
    for (int i = 0; i < n_scores; i++) {
        worst = fmax(worst, fabs((double)l->score[i] - (double)whole->score[i]));
    }
    bool agrees = worst <= tolerance_of(kernels);
    if (o->json) {
        printf("%s\n  {\"ranks\": %d, \"tokens_per_s\": %.1f, \"spread\": %.3f, "
               "\"mega_bytes_a_rank\": %.1f, \"difference\": %.3g, \"agrees\": %s}",
               l == whole ? "" : ",", l->group->size, rate, spread_, l->mega_bytes, worst,
               agrees ? "true" : "false");
        return agrees;
    }
    printf("  %5d %11.0f %9.0f %10.1f %8.2f %10.1e%s\n", l->group->size, rate, 100 * spread_,
           l->mega_bytes, l->mega_bytes / whole->mega_bytes, worst, agrees ? "" : "  WRONG");
    return agrees;
}

static bool report(const options *o, lane *lanes, int n, const dn_kernels *kernels, int n_rows) {
    const dn_model_info *info = dn_model_describe(lanes[0].model);
    if (!o->json) {
        printf("#\n# %s: %d layers, H %d, I %d; %s %s %s; batches of %d tokens, %d sums each\n"
               "# %5s %11s %9s %10s %8s %10s\n",
               o->model, info->layers, info->hidden, info->intermediate, kernels->name,
               kernels->isa, kernels->precision, o->tokens, 2 * info->layers + 1, "ranks",
               "tokens/s", "spread %", "MB a rank", "of whole", "difference");
    }
    bool agrees = true;
    for (int i = 0; i < n; i++) {
        agrees = print_lane(o, &lanes[i], &lanes[0], kernels, n_rows * info->score_width) && agrees;
    }
    return agrees;
}

static dn_sample make_sample(const options *o, const dn_model *model) {
    const dn_model_info *info = dn_model_describe(model);
    return dn_sample_new(N_BATCHES, o->tokens, MAX_ROWS, info->max_tokens, info->vocabulary);
}

bool bench_encoder(const options *o, dn_comm *world, const group *groups, int n_groups) {
    char *made, *dir = dn_alloc(DIR_SIZE);
    const dn_kernels *kernels;
    lane *lanes = dn_alloc_array((size_t)n_groups, sizeof *lanes);
    must(dn_kernels_select(o->backend, &kernels));
    find_model(o->model, world, dir, &made);
    for (int i = 0; i < n_groups; i++) {
        lanes[i].group = &groups[i];
        if (groups[i].comm) {
            open_lane(o, dir, kernels, &lanes[i]);
        }
        must(dn_comm_barrier(world));
    }
    if (made) {
        random_model_remove(made);
    }
    dn_sample sample = world->rank == 0 ? make_sample(o, lanes[0].model) : (dn_sample){0};
    for (int run = -1; run < o->n_runs; run++) { /* the first is the warm-up */
        for (int i = 0; i < n_groups; i++) {
            if (groups[i].comm && world->rank == 0) {
                lead(&lanes[i], &sample, run < 0 ? 0 : run);
            } else if (groups[i].comm) {
                follow(&lanes[i]);
            }
            must(dn_comm_barrier(world));
        }
    }
    bool agrees =
        world->rank == 0 ? report(o, lanes, n_groups, kernels, sample.batch[0].n_rows) : true;
    if (world->rank == 0) {
        dn_sample_free(&sample);
    }
    for (int i = 0; i < n_groups; i++) {
        dn_workspace_free(lanes[i].space);
        dn_model_close(lanes[i].model);
        free(lanes[i].score);
    }
    free(lanes);
    free(dir);
    return agrees;
}
