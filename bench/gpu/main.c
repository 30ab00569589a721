/* The CUDA backend on the GPU of this machine, without anything else of Dunlin: is it right, what
 * does the GPU give at most, what does each kernel take, how many tweets a second. One table, and
 * the same as JSON. Every figure is of this run; a share is of a ceiling measured in it. */
#include "bench.h"

#include "base/clock.h"
#include "trace/nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MINILM(layers, hidden, heads, inner, words)                                                \
    { "MiniLM-L6", hidden, layers, heads, inner, words }
#define BERT(layers, hidden, heads, inner, words)                                                  \
    { "BERT-base", hidden, layers, heads, inner, words }

static const effort full_effort = {.n_runs = 5,
                                   .run_ns = 1000000000,
                                   .n_calls = 200,
                                   .copy_bytes = 1 << 30,
                                   .peak_ms = 1000,
                                   .narrow_side = 8192,
                                   .long_tokens = 8192,
                                   .latency_calls = 2000,
                                   .minilm = MINILM(6, 384, 12, 1536, 30522),
                                   .bert = BERT(12, 768, 12, 3072, 30522)};
static const effort brief_effort = {.brief = true,
                                    .n_runs = 1,
                                    .run_ns = 1,
                                    .n_calls = 2,
                                    .wave_tokens = 64,
                                    .copy_bytes = 1 << 20,
                                    .peak_ms = 1,
                                    .narrow_side = 64,
                                    .long_tokens = 512,
                                    .latency_calls = 2,
                                    .minilm = MINILM(1, 64, 2, 128, 300),
                                    .bert = BERT(1, 128, 2, 256, 300)};

/* ---- ceilings ---- */

/** Dense bf16 by the datasheets, FLOP/s, for what the driver's name begins with. */
static const struct {
    const char *name;
    double flops;
} datasheets[] = {{"NVIDIA H200", 989e12},      {"NVIDIA H100 80GB HBM3", 989e12},
                  {"NVIDIA H100 PCIe", 756e12}, {"NVIDIA GH200", 989e12},
                  {"NVIDIA B200", 2250e12},     {"NVIDIA A100", 312e12}};

static double datasheet(const char *gpu) {
    for (size_t i = 0; i < sizeof datasheets / sizeof *datasheets; i++) {
        if (strncmp(gpu, datasheets[i].name, strlen(datasheets[i].name)) == 0) {
            return datasheets[i].flops;
        }
    }
    return 0;
}

/** Bytes read and written per second by a copy that fits no cache. */
static double measure_copy(size_t bytes) {
    enum { TIMES = 10 };
    const dn_cuda_api *api = dn_cuda.api;
    void *from, *to;
    dn_cuda_event begin, end;
    cudaStream_t stream;
    int64_t ns = 0;
    must(dn_cuda_alloc(bytes, "a measurement", &from));
    must(dn_cuda_alloc(bytes, "a measurement", &to));
    must_run(api->stream_new(&stream), "making a stream");
    must_run(api->event_new(true, &begin), "making an event");
    must_run(api->event_new(true, &end), "making an event");
    for (int i = -1; i < TIMES; i++) {
        if (i == 0) {
            must_run(api->event_record(begin, stream, false), "measuring a copy");
        }
        must_run(api->copy(to, from, bytes, stream), "measuring a copy");
    }
    must_run(api->event_record(end, stream, false), "measuring a copy");
    must_run(api->event_finish(end), "measuring a copy");
    must_run(api->event_ns(begin, end, &ns), "measuring a copy");
    dn_cuda_release(from);
    dn_cuda_release(to);
    api->event_free(begin);
    api->event_free(end);
    api->stream_free(stream);
    return 2.0 * (double)bytes * TIMES / (double)ns * 1e9;
}

static ceilings measure_ceilings(const effort *e, const dn_kernels *bf16) {
    ceilings c = {.product = bf16->measure_peak(e->peak_ms) * 1e9,
                  .copy = measure_copy(e->copy_bytes),
                  .named = datasheet(dn_cuda.properties.name)};
    c.narrow = measure_narrow(e);
    row("ceiling", "bf16 product, large and square", c.product / 1e12, 0, "TFLOP/s", -1);
    row("ceiling", "e4m3 product, large and square", c.narrow / 1e12, 0, "TFLOP/s", -1);
    row("ceiling", "copy, read and write", c.copy / 1e9, 0, "GB/s", -1);
    if (c.named > 0) {
        row("ceiling", "bf16 by the datasheet", c.named / 1e12, 0, "TFLOP/s", -1);
    }
    return c;
}

/* ---- the run ---- */

const dn_kernels *table(const char *name) {
    for (int i = 0; i < dn_cuda_plugin.n_tables; i++) {
        if (strcmp(dn_cuda_plugin.names[i], name) == 0 && dn_cuda_plugin.usable(i)) {
            return dn_cuda_plugin.table[i];
        }
    }
    return NULL;
}

static dn_status open_gpu(dn_gpu *gpu) {
    int n = 0;
    DN_TRY(dn_cuda_plugin.find(gpu, 1, &n));
    if (n == 0) {
        return DN_FAIL(DEVICE, "no GPU: there is no NVIDIA driver or no device");
    }
    return dn_cuda_plugin.open(0);
}

/** How a child ended, once it has; one that takes too long is killed. */
static int wait_for(pid_t child) {
    enum { PATIENCE_S = 60 };
    const struct timespec nap = {.tv_nsec = 10000000};
    int64_t end_ns = dn_mono_ns() + INT64_C(1000000000) * PATIENCE_S;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (dn_mono_ns() > end_ns) {
            kill(child, SIGKILL);
        }
        nanosleep(&nap, NULL);
    }
    return status;
}

/** A candidate that faults or hangs takes its process with it, but no figure of the others. Before
 * this process opens the GPU: a context does not survive a fork. */
static bool product_is_right(const effort *e) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dn_gpu gpu;
        bool right = open_gpu(&gpu) != DN_OK || check_product(e); /* else told below */
        fflush(stdout);
        _exit(right ? 0 : 1);
    }
    int status = wait_for(child);
    if (WIFSIGNALED(status)) {
        printf("%-12s %-52s ended by signal %d: WRONG\n", "correctness", "dn_cuda_product",
               WTERMSIG(status));
    }
    return status == 0;
}

static void introduce_gpu(void) {
    dn_gpu gpu;
    must(open_gpu(&gpu));
    dn_nvml_open(gpu.pci);
    printf("%s\n\n", dn_cuda_plugin.describe());
    note("gpu", dn_cuda_plugin.describe());
}

/** Rows of 256 tokens by our own kernel, then by cuDNN where it is found. */
static void bench_long(const effort *e, const dn_kernels *kernels, const ceilings *c) {
    enum { LONG_ROW = 256 };
    bench_encoder(e, kernels, &e->bert, e->long_tokens, LONG_ROW, "own attention", c);
    setenv("DN_CUDA_CUDNN", "1", 1);
    must(dn_cuda_plugin.open(0));
    if (dn_cuda.fused) {
        bench_encoder(e, kernels, &e->bert, e->long_tokens, LONG_ROW, "cuDNN's attention", c);
    } else {
        printf("%s\n", dn_cuda_plugin.describe());
    }
    unsetenv("DN_CUDA_CUDNN");
    must(dn_cuda_plugin.open(0));
}

/** What was never run by most comes last. */
static void bench_all(const effort *e, const verdicts *v) {
    const dn_kernels *bf16 = table("cuda:bf16"), *fp16 = v->fp16 ? table("cuda:fp16") : NULL;
    const dn_kernels *fp8 = v->fp8 ? table("cuda:fp8") : NULL;
    int wave = e->wave_tokens ? e->wave_tokens : dn_cuda.properties.n_multiprocessors / 3 * 128;
    ceilings c = measure_ceilings(e, bf16);
    for (int k = 1; k <= 3; k++) {
        bench_encoder(e, bf16, &e->minilm, k * wave, 0, "", &c);
    }
    bench_encoder(e, bf16, &e->minilm, e->long_tokens, 0, "", &c);
    bench_encoder(e, bf16, &e->minilm, e->long_tokens, 128, "", &c);
    if (fp16) {
        bench_encoder(e, fp16, &e->minilm, 2 * wave, 0, "", &c);
    }
    for (int k = 1; k <= 2 && fp8; k++) {
        bench_encoder(e, fp8, &e->minilm, k * wave, 0, "", &c);
    }
    bench_encoder(e, bf16, &e->bert, e->long_tokens, 0, "", &c);
    bench_latency(e, bf16);
    bench_variants(e, bf16, wave);
    bench_operations(e, v, &e->minilm, wave, &c);
    bench_operations(e, v, &e->bert, e->long_tokens, &c);
    bench_long(e, bf16, &c);
}

static const char usage[] =
    "usage: bench_gpu [--brief] RESULT.json\n"
    "  --brief  a moment of everything at small sizes: shows that it works; "
    "no figure means anything\n";

int main(int argc, char **argv) {
    int64_t begin_ns = dn_mono_ns();
    bool brief = argc == 3 && strcmp(argv[1], "--brief") == 0;
    const effort *e = brief ? &brief_effort : &full_effort;
    if (argc != (brief ? 3 : 2)) {
        fprintf(stderr, "%s", usage);
        return 64;
    }
    rows_open(argv[argc - 1]);
    verdicts v = {.product = product_is_right(e)};
    introduce_gpu();
    check_encoder(e, &v);
    bool right = v.bf16 && v.fp16 && v.fp8 && v.product;
    note("correct", right ? "yes" : "no");
    if (v.bf16) {
        bench_all(e, &v);
    }
    double took_s = (double)(dn_mono_ns() - begin_ns) / 1e9;
    printf("%-12s %.0f s\n", "took", took_s);
    if (!rows_close(took_s)) {
        fprintf(stderr, "bench/gpu: cannot write %s\n", argv[argc - 1]);
        return 74;
    }
    return right ? 0 : 1;
}
