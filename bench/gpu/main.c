/* The CUDA backend on the GPU of this machine, without anything else of Dunlin: is it right, what does
 * the GPU give at most, what does each operation take, how many tweets a second. One table, and the
 * same as JSON. Every figure is of this run; a share is of a ceiling measured in it. */
#include "net.h"

#include "base/clock.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/variants.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_LEAST = 12, ROW_SPREAD = 33, RUNS = 5, SECOND_NS = 1000000000, MAX_FLIGHTS = 8 };

static const net_shape minilm = {"MiniLM-L6", 384, 6, 12, 1536};
static const net_shape bert = {"BERT-base", 768, 12, 12, 3072};

static FILE *json;
static int n_rows_written;

static void must(dn_status status) {
    if (status != DN_OK) {
        fprintf(stderr, "bench/gpu: E%d %s\n", dn_error_get(dn_failure_last()->error)->number,
                dn_failure_last()->text);
        exit(dn_error_get(dn_failure_last()->error)->exit_status);
    }
}

/** One line of the table and of the JSON's rows. `share` of the ceiling in that unit, below 0: none. */
static void row(const char *group, const char *name, double median, double spread, const char *unit,
                double share) {
    printf("%-12s %-44s %12.4g %-10s +-%4.1f %%", group, name, median, unit, 100 * spread);
    if (share >= 0) {
        printf("  %5.1f %% of the ceiling", 100 * share);
    }
    printf("\n");
    fprintf(json, "%s{\"group\":\"%s\",\"name\":\"%s\",\"median\":%.6g,\"spread\":%.4g,\"unit\":\"%s\",\"share\":%.4g}",
            n_rows_written++ ? ",\n" : "", group, name, median, spread, unit, share);
    fflush(stdout);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** Median, and half the distance of the extremes as a share of it. */
static double median_of(double *x, int n, double *spread) {
    qsort(x, (size_t)n, sizeof *x, compare);
    *spread = (x[n - 1] - x[0]) / 2 / x[n / 2];
    return x[n / 2];
}

/* ---- batches ---- */

typedef struct texts {
    dn_batch batch;
    int32_t *token, *row_start;
} texts;

/** Rows of 12 to 44 tokens, 28 in the mean as tweets have, or all of `length`; at most n_tokens. */
static texts make_texts(int n_tokens, int length, uint32_t seed) {
    texts t = {.token = calloc((size_t)n_tokens, sizeof(int32_t)),
               .row_start = calloc((size_t)n_tokens + 1, sizeof(int32_t))};
    int r = 0, at = 0;
    for (;; r++) {
        seed = seed * 1664525u + 1013904223u;
        int n = length ? length : ROW_LEAST + (int)((seed >> 16) % ROW_SPREAD);
        if (at + n > n_tokens) {
            break;
        }
        for (int i = 0; i < n; i++, at++) {
            seed = seed * 1664525u + 1013904223u;
            t.token[at] = (int32_t)((uint64_t)seed * NET_VOCABULARY >> 32);
        }
        t.row_start[r + 1] = at;
    }
    t.batch = (dn_batch){r, at, t.token, t.row_start};
    return t;
}

static void free_texts(texts *t) {
    free(t->token);
    free(t->row_start);
}

/* ---- right first ---- */

static void calibrate(net *n, const dn_batch *batch, float *score) {
    const dn_device_ops *device = n->kernels->device;
    dn_pass pass = {.n_tokens = batch->n_tokens, .n_rows = batch->n_rows, .token = batch->token,
                    .row_start = batch->row_start, .variant = -1};
    dn_pass_times times;
    const float *from;
    if (!device->calibrate) {
        return;
    }
    must(device->begin(n->space.flight[0].lane, &pass));
    dn_batch filled = {pass.n_rows, pass.n_tokens, pass.token, pass.row_start};
    must(dn_encoder_run(&n->config, &n->shard, &n->weights, n->kernels, &n->space, &filled, &filled,
                        pass.score));
    must(device->end(n->space.flight[0].lane));
    must(device->wait(n->space.flight[0].lane, &from, &times));
    (void)score;
    for (int i = 0; i < n->weights.n_layers; i++) {
        dn_layer *layer = &n->weights.layer[i];
        dn_dense *dense[] = {&layer->qkv, &layer->out, &layer->up, &layer->down};
        for (int j = 0; j < 4; j++) {
            must(device->calibrate(&dense[j]->weight));
        }
    }
}

/** Scores of the device against ref's, same weights and texts; false and a line where they differ
 * by more than the type explains. */
static bool is_right(const dn_kernels *kernels, const char *name, double allowed) {
    const dn_kernels *ref;
    net device, host;
    texts t = make_texts(512, 0, 7);
    size_t n = (size_t)t.batch.n_rows * NET_LABELS;
    float *got = calloc(n, sizeof *got), *want = calloc(n, sizeof *want);
    dn_pass_times times;
    double difference = 0, norm = 0;
    must(dn_kernels_select("ref", &ref));
    net_open(&host, &minilm, ref, 512, 64);
    net_open(&device, &minilm, kernels, 512, 64);
    calibrate(&device, &t.batch, got);
    net_submit(&host, 0, &t.batch);
    net_wait(&host, 0, want, &times);
    for (int again = 0; again < 2; again++) { /* recorded, then replayed */
        memset(got, 0xff, n * sizeof *got);
        net_submit(&device, 0, &t.batch);
        net_wait(&device, 0, got, &times);
    }
    for (size_t i = 0; i < n; i++) {
        difference += pow((double)got[i] - (double)want[i], 2);
        norm += pow((double)want[i], 2);
    }
    double error = sqrt(difference / norm);
    bool right = error <= allowed; /* NaN is not */
    printf("%-12s %-44s %12.4g relative error, %g allowed: %s\n", "correctness", name, error, allowed,
           right ? "right" : "WRONG");
    net_close(&device);
    net_close(&host);
    free_texts(&t);
    free(got);
    free(want);
    return right;
}

/* ---- ceilings ---- */

/** Bytes read and written per second by a copy that fits no cache. */
static double measure_copy(void) {
    enum { BYTES = 1 << 30, TIMES = 10 };
    const dn_cuda_api *api = dn_cuda.api;
    void *from, *to;
    dn_cuda_event begin, end;
    cudaStream_t stream;
    int64_t ns = 1;
    must(dn_cuda_alloc(BYTES, "a measurement", &from));
    must(dn_cuda_alloc(BYTES, "a measurement", &to));
    int error = api->stream_new(&stream) || api->event_new(&begin) || api->event_new(&end) ||
                api->copy(to, from, BYTES, stream) || api->event_record(begin, stream, false);
    for (int i = 0; i < TIMES && !error; i++) {
        error = api->copy(to, from, BYTES, stream);
    }
    error = error || api->event_record(end, stream, false) || api->event_finish(end) ||
            api->event_ns(begin, end, &ns);
    dn_cuda_release(from);
    dn_cuda_release(to);
    api->event_free(begin);
    api->event_free(end);
    api->stream_free(stream);
    return error ? 0 : 2.0 * BYTES * TIMES / (double)ns * 1e9;
}

/* ---- the encoder ---- */

typedef struct rate {
    double tweets, flops; /**< per second */
    double device_share;  /**< time that the device computed */
    int64_t group_ns[DN_GROUPS];
} rate;

/** About a second of batches, as many under way as the device wants. */
static rate run_for_a_second(net *n, const net_shape *shape, texts *t, int n_texts, float *score) {
    rate out = {0};
    int depth = net_depth(n), sent = 0, done = 0;
    int64_t begin_ns = dn_mono_ns(), now_ns, device_ns = 0;
    do {
        for (; sent - done < depth; sent++) {
            net_submit(n, sent % depth, &t[sent % n_texts].batch);
        }
        dn_pass_times times;
        const dn_batch *batch = &t[done % n_texts].batch;
        net_wait(n, done++ % depth, score, &times);
        out.tweets += batch->n_rows;
        out.flops += net_flops(shape, batch);
        device_ns += times.device_ns;
        for (int g = 0; g < DN_GROUPS; g++) {
            out.group_ns[g] += times.group_ns[g];
        }
        now_ns = dn_mono_ns();
    } while (now_ns - begin_ns < SECOND_NS);
    for (dn_pass_times times; done < sent; done++) {
        net_wait(n, done % depth, score, &times);
    }
    double seconds = (double)(now_ns - begin_ns) / 1e9;
    out.tweets /= seconds;
    out.flops /= seconds;
    out.device_share = (double)device_ns / (double)(now_ns - begin_ns);
    return out;
}

static void print_groups(const char *name, const rate *r) {
    int64_t sum = 1;
    char text[128];
    for (int g = 0; g < DN_GROUPS; g++) {
        sum += r->group_ns[g];
    }
    for (int g = 0; g < DN_GROUP_SUMS; g++) { /* of one GPU: nothing is added up */
        snprintf(text, sizeof text, "%s: %s", name, dn_pass_group_names[g]);
        row("share", text, 100.0 * (double)r->group_ns[g] / (double)sum, 0, "% of time", -1);
    }
}

static void bench_encoder(const dn_kernels *kernels, const net_shape *shape, int n_tokens, int length,
                          const char *variant, double peak) {
    enum { TEXTS = 8 };
    net n;
    texts t[TEXTS];
    rate last = {0};
    double tweets[RUNS], share = 0, spread;
    char name[96];
    int rows = length ? n_tokens / length + 1 : n_tokens / ROW_LEAST + 1;
    float *score = calloc((size_t)rows * NET_LABELS, sizeof *score);
    net_open(&n, shape, kernels, n_tokens, rows);
    for (int i = 0; i < TEXTS; i++) {
        t[i] = make_texts(n_tokens, length, (uint32_t)i + 1);
    }
    calibrate(&n, &t[0].batch, score);
    run_for_a_second(&n, shape, t, TEXTS, score); /* records the passes, warms clocks and caches */
    for (int i = 0; i < RUNS; i++) {
        last = run_for_a_second(&n, shape, t, TEXTS, score);
        tweets[i] = last.tweets;
        share += last.flops / peak / RUNS;
    }
    snprintf(name, sizeof name, "%s %s, %d tokens%s%s%s", shape->name, kernels->precision, n_tokens,
             length ? ", full rows" : "", variant ? ", " : "", variant ? variant : "");
    double median = median_of(tweets, RUNS, &spread);
    row("encoder", name, median, spread, "tweets/s", share);
    if (!variant) {
        print_groups(name, &last);
    }
    for (int i = 0; i < TEXTS; i++) {
        free_texts(&t[i]);
    }
    net_close(&n);
    free(score);
}

/** Rows of 256 tokens by our own kernel, then by cuDNN where it is found. */
static void bench_long(const dn_kernels *kernels, double peak) {
    bench_encoder(kernels, &bert, 8192, 256, "own attention", peak);
    setenv("DN_CUDA_CUDNN", "1", 1);
    must(dn_cuda_plugin.open(0));
    if (dn_cuda.fused) {
        bench_encoder(kernels, &bert, 8192, 256, "cuDNN's attention", peak);
    } else {
        printf("%s\n", dn_cuda_plugin.describe());
    }
    unsetenv("DN_CUDA_CUDNN");
    must(dn_cuda_plugin.open(0));
}

/** One tweet at a time, from the call to its scores. */
static void bench_latency(const dn_kernels *kernels) {
    enum { CALLS = 2000 };
    net n;
    texts t = make_texts(30, 30, 3);
    double *us = calloc(CALLS, sizeof *us), spread;
    float score[NET_LABELS * 2];
    dn_pass_times times;
    net_open(&n, &minilm, kernels, 64, 2);
    calibrate(&n, &t.batch, score);
    for (int i = -100; i < CALLS; i++) {
        int64_t begin_ns = dn_mono_ns();
        net_submit(&n, 0, &t.batch);
        net_wait(&n, 0, score, &times);
        if (i >= 0) {
            us[i] = (double)(dn_mono_ns() - begin_ns) / 1e3;
        }
    }
    double median = median_of(us, CALLS, &spread);
    row("latency", "MiniLM-L6, one tweet of 30 tokens, p50", median, 0, "us", -1);
    row("latency", "MiniLM-L6, one tweet of 30 tokens, p99", us[CALLS * 99 / 100], 0, "us", -1);
    free_texts(&t);
    free(us);
    net_close(&n);
}

/* ---- up and GELU, in one kernel or two ---- */

/** out = gelu(x W^T + bias) of one layer, by the library and `activate` or by dn_cuda_product. */
typedef struct up {
    dn_gemm_shape shape;
    dn_gemm_operands operands;
    dn_cuda_product_args own;
    cudaStream_t stream;
} up;

static int up_in_two(const up *u) {
    dn_cuda_activate_args gelu = {.type = u->own.type,
                                  .n_tokens = u->own.n_tokens,
                                  .width = u->own.n,
                                  .in = u->operands.out,
                                  .bias = u->own.bias,
                                  .activation = DN_CUDA_ACT_GELU,
                                  .out = u->operands.out};
    int error = dn_cuda_gemm(&u->shape, &u->operands, u->stream);
    return error ? error : dn_cuda.api->activate(&gelu, u->stream);
}

static int up_in_one(const up *u) {
    return dn_cuda_product(&u->own, u->stream);
}

/** Median microseconds of a call, of RUNS times a hundred; below 0 where the device refuses it. */
static double time_up(int (*run)(const up *), const up *u, double *spread) {
    enum { CALLS = 100 };
    const dn_cuda_api *api = dn_cuda.api;
    dn_cuda_event begin, end;
    double us[RUNS];
    int error = run(u) || api->stream_finish(u->stream);
    must(api->event_new(&begin) || api->event_new(&end) ? DN_FATAL : DN_OK);
    for (int i = 0; i < RUNS && !error; i++) {
        int64_t ns = 0;
        error = api->event_record(begin, u->stream, false);
        for (int k = 0; k < CALLS && !error; k++) {
            error = run(u);
        }
        error = error || api->event_record(end, u->stream, false) || api->event_finish(end) ||
                api->event_ns(begin, end, &ns);
        us[i] = (double)ns / 1e3 / CALLS;
    }
    api->event_free(begin);
    api->event_free(end);
    return error ? -1 : median_of(us, RUNS, spread);
}

static void *room_for(size_t n, dn_numbers kind, bool filled) {
    float *there, *host = calloc(n, sizeof *host);
    uint32_t state = (uint32_t)n;
    must(dn_cuda_reserve(DN_CUDA_BF16, kind, n, &there));
    for (size_t i = 0; i < n && filled; i++) {
        state = state * 1664525u + 1013904223u;
        host[i] = (float)(int32_t)state * 0x1p-31f;
    }
    must(dn_cuda_upload(DN_CUDA_BF16, kind, host, n, there));
    free(host);
    return there;
}

static void bench_up(int n_tokens, double peak) {
    size_t m = (size_t)n_tokens, n = (size_t)minilm.intermediate, k = (size_t)minilm.hidden;
    double flops = 2.0 * (double)m * (double)n * (double)k, spread;
    void *x = room_for(m * k, DN_ELEMENTS, true), *w = room_for(n * k, DN_ELEMENTS, true);
    void *bias = room_for(n, DN_FLOATS, true), *out = room_for(m * n, DN_ELEMENTS, false), *workspace;
    up u = {.shape = {n_tokens, (int)n, (int)k, DN_CUDA_BF16, DN_CUDA_BF16, false}};
    must(dn_cuda_alloc(DN_BLAS_WORKSPACE, "workspace", &workspace));
    must(dn_cuda.api->stream_new(&u.stream) ? DN_FATAL : DN_OK);
    u.operands = (dn_gemm_operands){.x = x, .w = w, .out = out, .workspace = workspace};
    u.own = (dn_cuda_product_args){.type = DN_CUDA_BF16, .n_tokens = n_tokens, .n = (int)n, .k = (int)k,
                                   .x = x, .w = w, .bias = bias, .activation = DN_CUDA_ACT_GELU, .out = out};
    must(dn_cuda_gemm_prepare(&u.shape, &u.operands, u.stream));
    static const struct {
        const char *name;
        int (*run)(const up *);
    } ways[] = {{"up + GELU, cuBLASLt and activate", up_in_two}, {"up + GELU, dn_cuda_product", up_in_one}};
    for (int i = 0; i < 2; i++) {
        double us = time_up(ways[i].run, &u, &spread);
        if (us > 0) {
            row("operation", ways[i].name, us, spread, "us", flops / (us * 1e-6) / peak);
        }
    }
    void *all[] = {x, w, bias, out, workspace};
    for (int i = 0; i < 5; i++) {
        dn_cuda_release(all[i]);
    }
    dn_cuda.api->stream_free(u.stream);
}

static void bench_variants(const dn_kernels *kernels, int n_tokens, double peak) {
    for (int i = 0; i < dn_n_cuda_variants; i++) {
        const dn_cuda_variant *v = &dn_cuda_variants[i];
        char name[64];
        snprintf(name, sizeof name, "%s %s", v->operation, v->name);
        if (dn_cuda_force(v->operation, v->name) == 0) {
            bench_encoder(kernels, &minilm, n_tokens, 0, name, peak);
            dn_cuda_force(v->operation, NULL);
        }
    }
}

static const dn_kernels *table(const char *name) {
    for (int i = 0; i < dn_cuda_plugin.n_tables; i++) {
        if (strcmp(dn_cuda_plugin.names[i], name) == 0 && dn_cuda_plugin.usable(i)) {
            return dn_cuda_plugin.table[i];
        }
    }
    return NULL;
}

static void open_gpu(void) {
    dn_gpu gpu;
    int n = 0;
    must(dn_cuda_plugin.find(&gpu, 1, &n));
    if (n == 0) {
        must(DN_FAIL(DEVICE, "no GPU: there is no NVIDIA driver or no device"));
    }
    must(dn_cuda_plugin.open(0));
    printf("%s\n\n", dn_cuda_plugin.describe());
    fprintf(json, "{\"gpu\":\"%s\",\n\"rows\":[\n", dn_cuda_plugin.describe());
}

static bool check_all(void) {
    static const struct {
        const char *name;
        double allowed;
    } tables[] = {{"cuda:bf16", 3e-2}, {"cuda:fp16", 4e-3}, {"cuda:fp8", 1e-1}};
    bool right = true;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const dn_kernels *kernels = table(tables[i].name);
        right = (!kernels || is_right(kernels, tables[i].name, tables[i].allowed)) && right;
    }
    return right;
}

int main(int argc, char **argv) {
    if (argc != 2 || !(json = fopen(argv[1], "w"))) {
        fprintf(stderr, "usage: bench_gpu RESULT.json\n");
        return 64;
    }
    open_gpu();
    if (!check_all()) {
        return 1;
    }
    const dn_kernels *bf16 = table("cuda:bf16"), *fp8 = table("cuda:fp8");
    double peak = bf16->measure_peak(1000) * 1e9, copy = measure_copy();
    int wave = dn_cuda.properties.n_multiprocessors / 3 * 128;
    row("ceiling", "bf16 product of 8192 cubed", peak / 1e12, 0, "TFLOP/s", -1);
    row("ceiling", "copy of 1 GiB, read and write", copy / 1e9, 0, "GB/s", -1);
    for (int k = 1; k <= 3; k++) {
        bench_encoder(bf16, &minilm, k * wave, 0, NULL, peak);
    }
    bench_encoder(bf16, &minilm, 8192, 0, NULL, peak);
    bench_encoder(bf16, &minilm, 64 * 128, 128, NULL, peak);
    if (fp8) {
        bench_encoder(fp8, &minilm, wave, 0, NULL, peak);
        bench_encoder(fp8, &minilm, 2 * wave, 0, NULL, peak);
    }
    bench_encoder(bf16, &bert, 8192, 0, NULL, peak);
    bench_long(bf16, peak);
    bench_latency(bf16);
    bench_up(wave, peak);
    bench_variants(bf16, wave, peak);
    fprintf(json, "\n]}\n");
    return fclose(json) == 0 ? 0 : 74;
}
