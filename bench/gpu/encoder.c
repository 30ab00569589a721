/* Whole passes: tweets a second, where their time goes, and what they cost. */
#include "bench.h"

#include "base/clock.h"
#include "kernels/cuda/variants.h"
#include "trace/nvml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 8, MAX_RUNS = 16, ROW_LEAST = 12 };

/** A net with the batches that it scores in turn. */
typedef struct rig {
    const net_shape *shape;
    net net;
    texts text[TEXTS];
    float *score;
} rig;

typedef struct rate {
    double tweets, flops; /**< per second */
    double busy;          /**< share of the time that the device computed */
    double joules;        /**< of 1,000 tweets; NaN: not known */
    int64_t group_ns[DN_GROUPS];
} rate;

static void rig_open(rig *r, const dn_kernels *kernels, const net_shape *shape, int n_tokens,
                     int length) {
    int rows = n_tokens / (length ? length : ROW_LEAST) + 1;
    r->shape = shape;
    r->score = calloc((size_t)rows * NET_LABELS, sizeof *r->score);
    net_open(&r->net, shape, kernels, n_tokens, rows);
    for (int i = 0; i < TEXTS; i++) {
        r->text[i] = make_texts(n_tokens, length, (uint32_t)i + 1, shape->vocabulary);
    }
    calibrate(&r->net, &r->text[0].batch);
}

static void rig_close(rig *r) {
    for (int i = 0; i < TEXTS; i++) {
        free_texts(&r->text[i]);
    }
    net_close(&r->net);
    free(r->score);
}

static int64_t energy_mj(void) {
    dn_gpu_sample sample;
    dn_nvml_read(&sample);
    return sample.energy_mj;
}

/** Batches for so long, as many under way as the device wants; those that it ends with count. */
static rate run_for(rig *r, int64_t run_ns) {
    rate out = {0};
    int depth = net_depth(&r->net), sent = 0, done = 0;
    int64_t begin_mj = energy_mj(), begin_ns = dn_mono_ns(), device_ns = 0;
    do {
        for (; sent - done < depth && (done == 0 || dn_mono_ns() - begin_ns < run_ns); sent++) {
            net_submit(&r->net, sent % depth, &r->text[sent % TEXTS].batch);
        }
        dn_pass_times times;
        const dn_batch *batch = &r->text[done % TEXTS].batch;
        net_wait(&r->net, done++ % depth, r->score, &times);
        out.tweets += batch->n_rows;
        out.flops += net_flops(r->shape, batch);
        device_ns += times.device_ns;
        for (int g = 0; g < DN_GROUPS; g++) {
            out.group_ns[g] += times.group_ns[g];
        }
    } while (done < sent);
    double took_ns = (double)(dn_mono_ns() - begin_ns);
    int64_t end_mj = energy_mj();
    out.joules = begin_mj == INT64_MIN ? NAN : (double)(end_mj - begin_mj) / out.tweets;
    out.busy = (double)device_ns / took_ns;
    out.tweets /= took_ns / 1e9;
    out.flops /= took_ns / 1e9;
    return out;
}

/** Of one GPU: nothing is added up over others. */
static void print_groups(const char *name, const rate *r) {
    int64_t sum = 0;
    char text[160];
    for (int g = 0; g < DN_GROUP_SUMS; g++) {
        sum += r->group_ns[g];
    }
    for (int g = 0; g < DN_GROUP_SUMS && sum > 0; g++) {
        snprintf(text, sizeof text, "%s: %s", name, dn_pass_group_names[g]);
        row("share", text, 100.0 * (double)r->group_ns[g] / (double)sum, 0, "% of time", -1);
    }
    snprintf(text, sizeof text, "%s: device computes", name);
    row("share", text, 100 * r->busy, 0, "% of time", -1);
}

/** What the driver says at the end of the runs. */
static void print_state(const char *name, double *joules, int n) {
    dn_gpu_sample sample;
    char text[160];
    double spread;
    dn_nvml_read(&sample);
    if (sample.clock_mhz == INT64_MIN || isnan(joules[0])) {
        return;
    }
    double median = median_of(joules, n, &spread);
    row("energy", name, median, spread, "J/1,000 tweets", -1);
    snprintf(text, sizeof text, "%s: throttled by 0x%llx", name,
             (unsigned long long)sample.throttle_bits);
    row("clock", text, (double)sample.clock_mhz, 0, "MHz", -1);
}

void bench_encoder(const effort *e, const dn_kernels *kernels, const net_shape *shape, int n_tokens,
                   int length, const char *what, const ceilings *c) {
    rig r;
    rate last = {0};
    double tweets[MAX_RUNS], joules[MAX_RUNS], flops = 0, spread;
    bool narrow = strcmp(kernels->precision, "fp8") == 0;
    char name[128];
    rig_open(&r, kernels, shape, n_tokens, length);
    run_for(&r, e->run_ns); /* records the passes, warms clocks and caches */
    for (int i = 0; i < e->n_runs; i++) {
        last = run_for(&r, e->run_ns);
        tweets[i] = last.tweets;
        joules[i] = last.joules;
        flops += last.flops / e->n_runs;
    }
    snprintf(name, sizeof name, "%s %s, %d tokens%s%s%s", shape->name, kernels->precision, n_tokens,
             length ? ", full rows" : "", *what ? ", " : "", what);
    double median = median_of(tweets, e->n_runs, &spread);
    row("encoder", name, median, spread, "tweets/s", flops / (narrow ? c->narrow : c->product));
    if (c->named > 0 && !narrow) {
        row("datasheet", name, 100 * flops / c->named, spread, "% of bf16 peak", -1);
    }
    print_groups(name, &last);
    print_state(name, joules, e->n_runs);
    rig_close(&r);
}

/** By turns with what is chosen by shape, so that clocks and heat are those of both. The passes of
 * the forced one are recorded in its first run, while it is forced. */
static void bench_variant(const effort *e, const dn_kernels *kernels, int n_tokens,
                          const dn_cuda_variant *v, rig *usual) {
    rig forced;
    double ratio[MAX_RUNS], spread;
    char name[96];
    rig_open(&forced, kernels, &e->minilm, n_tokens, 0);
    if (dn_cuda_force(v->operation, v->name) == 0) {
        run_for(&forced, e->run_ns);
        dn_cuda_force(v->operation, NULL);
        for (int i = 0; i < e->n_runs; i++) {
            double before = run_for(usual, e->run_ns / 2).tweets;
            ratio[i] = run_for(&forced, e->run_ns / 2).tweets / before;
        }
        snprintf(name, sizeof name, "%s %s against the chosen one", v->operation, v->name);
        double median = median_of(ratio, e->n_runs, &spread);
        row("variant", name, median, spread, "x", -1);
    }
    rig_close(&forced);
}

/** All variants: the first of an operation is mostly the chosen one, so its ratio is the noise. */
void bench_variants(const effort *e, const dn_kernels *kernels, int n_tokens) {
    rig usual;
    rig_open(&usual, kernels, &e->minilm, n_tokens, 0);
    run_for(&usual, e->run_ns);
    for (int i = 0; i < dn_n_cuda_variants; i++) {
        bench_variant(e, kernels, n_tokens, &dn_cuda_variants[i], &usual);
    }
    rig_close(&usual);
}

/** One tweet at a time, from the call to its scores. */
void bench_latency(const effort *e, const dn_kernels *kernels) {
    enum { TOKENS = 30, WARM = 100 };
    net n;
    texts t = make_texts(TOKENS, TOKENS, 3, e->minilm.vocabulary);
    int calls = e->latency_calls;
    double *us = calloc((size_t)calls, sizeof *us), *device = calloc((size_t)calls, sizeof *device);
    double spread;
    float score[NET_LABELS * 2];
    dn_pass_times times;
    net_open(&n, &e->minilm, kernels, 64, 2);
    calibrate(&n, &t.batch);
    for (int i = e->brief ? 0 : -WARM; i < calls; i++) {
        int64_t begin_ns = dn_mono_ns();
        net_submit(&n, 0, &t.batch);
        net_wait(&n, 0, score, &times);
        if (i >= 0) {
            us[i] = (double)(dn_mono_ns() - begin_ns) / 1e3;
            device[i] = (double)times.device_ns / 1e3;
        }
    }
    row("latency", "one tweet of 30 tokens, p50", median_of(us, calls, &spread), 0, "us", -1);
    row("latency", "one tweet of 30 tokens, p99", us[calls * 99 / 100], 0, "us", -1);
    row("latency", "one tweet of 30 tokens, on the device, p50", median_of(device, calls, &spread),
        0, "us", -1);
    free_texts(&t);
    free(us);
    free(device);
    net_close(&n);
}
