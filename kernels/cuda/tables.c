/* The tables of kernels.h, one a mode. A function of a table knows its mode from the lane of the
 * pass that it is called in, or is made for one. */
#include "kernels/cuda/backend.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

enum { LANES = 3, FP8_CAPABILITY = 89 };
enum { LEAST_SIDE = 128, MOST_SIDE = 8192, LONG_ENOUGH_NS = 1000000 };

static const dn_cuda_mode bf16 = {DN_CUDA_BF16, false};
static const dn_cuda_mode fp16 = {DN_CUDA_F16, false};
static const dn_cuda_mode fp8 = {DN_CUDA_BF16, true};

/* ---- operations ---- */

static void embed(const dn_embed_args *args) {
    dn_steps_embed(dn_lane_steps(), args);
}

static void linear(const dn_linear_args *args) {
    dn_steps_linear(dn_lane_steps(), args);
}

static void add_norm(const dn_add_norm_args *args) {
    dn_steps_add_norm(dn_lane_steps(), args);
}

static void attention(const dn_attention_args *args) {
    dn_steps_attention(dn_lane_steps(), args);
}

static void pool(const dn_pool_args *args) {
    dn_steps_pool(dn_lane_steps(), args);
}

static void softmax(const dn_softmax_args *args) {
    dn_steps_softmax(dn_lane_steps(), args);
}

static void score(const dn_score_args *args) {
    dn_steps_score(dn_lane_steps(), args);
}

/** Scores of a row stay on the chip. */
static size_t no_scratch(int max_row_tokens, int hidden, int heads) {
    (void)max_row_tokens, (void)hidden, (void)heads;
    return 0;
}

/* ---- the ceiling ---- */

/** Operands of a square product; freed by free_square. */
typedef struct square {
    int side;
    dn_cuda_type type;
    void *x, *w, *out, *workspace;
    cudaStream_t stream;
} square;

static void free_square(square *s) {
    void *buffers[] = {s->x, s->w, s->out, s->workspace};
    for (int i = 0; i < 4; i++) {
        dn_cuda_release(buffers[i]);
    }
    if (s->stream) {
        dn_cuda.api->stream_free(s->stream);
    }
    *s = (square){.side = s->side, .type = s->type};
}

/** Random numbers: a product of zeros runs faster than one of data. */
static dn_status fill_square(square *s) {
    size_t n = (size_t)s->side * (size_t)s->side;
    float *host = malloc(n * sizeof *host);
    uint32_t state = 1;
    if (!host) {
        return DN_FAIL(MEMORY, "no room for %zu MiB on the host", n * sizeof *host >> 20);
    }
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        host[i] = (float)(int32_t)state * 0x1p-31f;
    }
    dn_status status = dn_cuda_upload(s->type, DN_ELEMENTS, host, n, s->x);
    if (status == DN_OK) {
        status = dn_cuda_upload(s->type, DN_ELEMENTS, host, n, s->w);
    }
    free(host);
    return status;
}

static dn_status make_square(square *s) {
    size_t bytes = (size_t)s->side * (size_t)s->side * dn_cuda_element_bytes(s->type);
    void **buffers[] = {&s->x, &s->w, &s->out};
    for (int i = 0; i < 3; i++) {
        DN_TRY(dn_cuda_alloc(bytes, "a measurement", buffers[i]));
    }
    DN_TRY(dn_cuda_alloc(DN_BLAS_WORKSPACE, "workspace", &s->workspace));
    int error = dn_cuda.api->stream_new(&s->stream);
    return error ? dn_cuda_fault(error, "making a stream") : fill_square(s);
}

static dn_status run_square(const square *s, int64_t least_ns, int *runs, int64_t *ns) {
    dn_gemm_shape shape = {s->side, s->side, s->side, s->type, s->type, false};
    dn_gemm_operands operands = {.x = s->x, .w = s->w, .out = s->out, .workspace = s->workspace};
    int64_t begin_ns = dn_mono_ns();
    int error;
    *runs = 0;
    do {
        error = dn_cuda_gemm(&shape, &operands, s->stream);
        error = error ? error : dn_cuda.api->stream_finish(s->stream);
        *ns = dn_mono_ns() - begin_ns;
        ++*runs;
    } while (!error && *ns < least_ns);
    return error ? dn_cuda_fault(error, "measuring the peak") : DN_OK;
}

/** The least that one product takes, of a few: the first loads the library's code. */
static dn_status time_square(const square *s, int64_t *least_ns) {
    dn_gemm_shape shape = {s->side, s->side, s->side, s->type, s->type, false};
    dn_gemm_operands operands = {.x = s->x, .w = s->w, .out = s->out, .workspace = s->workspace};
    DN_TRY(dn_cuda_gemm_prepare(&shape, &operands, s->stream));
    *least_ns = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t ns;
        int runs;
        DN_TRY(run_square(s, 0, &runs, &ns));
        *least_ns = ns < *least_ns ? ns : *least_ns;
    }
    return DN_OK;
}

/** Large is a product that takes long enough for its launch not to count: the side is doubled until
 * it does, so that a slow device has not to multiply what a fast one can. */
static dn_status measure_square(square *s, int ms, double *gflops) {
    int64_t ns = 0;
    int runs;
    for (s->side = LEAST_SIDE;; s->side *= 2) {
        DN_TRY(make_square(s));
        DN_TRY(time_square(s, &ns));
        if (ns >= LONG_ENOUGH_NS || s->side == MOST_SIDE) {
            break;
        }
        free_square(s);
    }
    DN_TRY(run_square(s, (int64_t)ms * 1000000, &runs, &ns));
    *gflops = 2.0 * s->side * s->side * s->side * runs / (double)ns;
    return DN_OK;
}

/** A large product's rate, 1e9 operations/s; 0 where it cannot be run now. Measured once: operands
 * of half a gigabyte take longer to make than the product, and a GPU's clock is its own. */
static double measure_peak(dn_cuda_type type, int ms) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static double known[DN_CUDA_E4M3 + 1];
    pthread_mutex_lock(&lock);
    if (known[type] == 0) {
        dn_failure before = *dn_failure_last();
        square s = {.type = type};
        (void)measure_square(&s, ms, &known[type]);
        free_square(&s);
        dn_failure_set(&before);
    }
    double gflops = known[type];
    pthread_mutex_unlock(&lock);
    return gflops;
}

/* ---- one table a mode ---- */

static dn_status calibrate(dn_weight *weight) {
    return dn_cuda_calibrate(weight->packed);
}

static void release(float *numbers) {
    dn_cuda_release(numbers);
}

#define TABLE(mode, precision_, calibrate_)                                                        \
    static dn_status mode##_pack(const float *w, int n, int k, dn_weight *out) {                   \
        return dn_cuda_pack(&mode, w, n, k, out);                                                  \
    }                                                                                              \
    static dn_status mode##_reserve(dn_numbers kind, size_t n, float **out) {                      \
        return dn_cuda_reserve(mode.type, kind, n, out);                                           \
    }                                                                                              \
    static dn_status mode##_upload(dn_numbers kind, const float *host, size_t n, float *out) {     \
        return dn_cuda_upload(mode.type, kind, host, n, out);                                      \
    }                                                                                              \
    static dn_status mode##_download(dn_numbers kind, const float *numbers, size_t n,              \
                                     float *host) {                                                \
        cudaStream_t stream;                                                                       \
        DN_TRY(dn_lane_settle(&stream));                                                           \
        return dn_cuda_download(mode.type, kind, numbers, n, stream, host);                        \
    }                                                                                              \
    static dn_status mode##_lane_new(const dn_lane_conf *conf, dn_lane **out) {                    \
        return dn_lane_new(&mode, conf, out);                                                      \
    }                                                                                              \
    static double mode##_peak(int ms) {                                                            \
        return measure_peak(mode.type, ms);                                                        \
    }                                                                                              \
    static const dn_device_ops mode##_device = {.n_lanes = LANES,                                  \
                                                .reserve = mode##_reserve,                         \
                                                .release = release,                                \
                                                .upload = mode##_upload,                           \
                                                .download = mode##_download,                       \
                                                .fill_up = dn_lane_fill_up,                        \
                                                .lane_new = mode##_lane_new,                       \
                                                .lane_free = dn_lane_free,                         \
                                                .begin = dn_lane_begin,                            \
                                                .end = dn_lane_end,                                \
                                                .is_done = dn_lane_is_done,                        \
                                                .wait = dn_lane_wait,                              \
                                                .calibrate = calibrate_,                           \
                                                .score = score,                                    \
                                                .group = &dn_cuda_groups};                         \
    static const dn_kernels mode##_table = {.name = "cuda",                                        \
                                            .isa = "cublaslt",                                     \
                                            .precision = precision_,                               \
                                            .pack = mode##_pack,                                   \
                                            .attention_scratch = no_scratch,                       \
                                            .embed = embed,                                        \
                                            .linear = linear,                                      \
                                            .add_norm = add_norm,                                  \
                                            .attention = attention,                                \
                                            .pool = pool,                                          \
                                            .softmax = softmax,                                    \
                                            .measure_peak = mode##_peak,                           \
                                            .device = &mode##_device};

TABLE(bf16, "bf16", NULL)
TABLE(fp16, "fp16", NULL)
TABLE(fp8, "fp8", calibrate)

static const dn_kernels *const tables[] = {&bf16_table, &fp16_table, &fp8_table};
static const char *const names[] = {"cuda:bf16", "cuda:fp16", "cuda:fp8"};
enum { N_TABLES = sizeof tables / sizeof *tables };

/* ---- the plugin ---- */

static dn_status find(dn_gpu *list, int max, int *n) {
    return dn_cuda_find(&dn_cuda_runtime, list, max, n);
}

static dn_status open(int device) {
    return dn_cuda_open(&dn_cuda_runtime, device);
}

/** bf16 since Ampere, e4m3 products since Ada and Hopper. */
static bool usable(int table) {
    return tables[table] != &fp8_table || dn_cuda.properties.capability >= FP8_CAPABILITY;
}

static const char *describe(void) {
    return dn_cuda.note;
}

const dn_plugin dn_cuda_plugin = {.version = DN_PLUGIN_VERSION,
                                  .n_tables = N_TABLES,
                                  .names = names,
                                  .table = tables,
                                  .find = find,
                                  .open = open,
                                  .usable = usable,
                                  .describe = describe};
