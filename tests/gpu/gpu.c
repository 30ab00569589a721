#include "gpu.h"

#include "base/clock.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIED = 700, /* cudaErrorIllegalAddress */ LAUNCH_FAILED = 719, MIB = 1 << 20 };
enum { MAX_CALLS = 4096, HEADER = 256, N_ALGORITHMS = 3 };

test_gpu test_gpu_state;

static atomic_bool dead; /* a kernel has failed: as with CUDA, nothing works any more */

void test_gpu_reset(void) {
    dead = false;
    test_gpu_state =
        (test_gpu){.driver = 13000, .n_devices = 1, .capability = 90, .memory_mib = 4096};
}

__attribute__((constructor)) static void begin(void) {
    test_gpu_reset();
    test_gpu_read_environment();
}

/* ---- recordings ---- */

/** Arguments of any call, by value. */
typedef union arguments {
    dn_cuda_embed_args embed;
    dn_cuda_attention_args attention;
    dn_cuda_starts_args starts;
    struct {
        dn_fused_shape shape;
        dn_fused_operands operands;
    } fused;
    dn_cuda_norm_args norm;
    dn_cuda_activate_args activate;
    dn_cuda_pool_args pool;
    dn_cuda_heads_args heads;
    dn_cuda_score_args score;
    dn_cuda_round_args round;
    dn_cuda_widen_args widen;
    struct {
        dn_gemm_shape shape;
        dn_gemm_operands operands;
    } product;
    struct {
        void *to;
        const void *from;
        size_t bytes;
    } copy;
    dn_cuda_event event;
    struct {
        struct line *line;
        int64_t call;
    } after;
    test_gpu_work *work;
} arguments;

typedef int call_fn(const arguments *args);

typedef struct call {
    call_fn *fn;
    arguments args;
} call;

struct CUgraphExec_st {
    int n;
    call *call;
};

/** A stream. Its calls are counted from its beginning; those that wait are in a ring. */
typedef struct line {
    struct CUstream_st base;
    dn_cuda_graph recording;
    call *waiting;
    int64_t n_issued, n_done;
} line;

struct CUevent_st {
    bool timed;
    int64_t ns;
    line *line; /* where it was recorded last, and which of its calls it was */
    int64_t call;
};

static line *line_of(cudaStream_t stream) {
    return (line *)stream;
}

/** Brings a stream to where so many of its calls are done, as far as none waits for others: then
 * TEST_GPU_BUSY. */
static int run_up_to(line *s, int64_t n) {
    while (s && s->n_done < n && s->n_done < s->n_issued) {
        const call *next = &s->waiting[s->n_done % MAX_CALLS];
        int error = dead ? 0 : next->fn(&next->args);
        if (error == TEST_GPU_BUSY) {
            return error;
        }
        s->n_done++;
        if (error) {
            dead = dead || test_gpu_state.late;
            return error;
        }
    }
    return 0;
}

static void defer(line *s, call_fn *fn, const arguments *args) {
    if (!s->waiting) {
        s->waiting = calloc(MAX_CALLS, sizeof *s->waiting);
    }
    if (s->n_issued - s->n_done == MAX_CALLS) {
        abort();
    }
    s->waiting[s->n_issued++ % MAX_CALLS] = (call){fn, *args};
}

/** Done now, or later, or noted where the stream records. */
static int issue(cudaStream_t stream, call_fn *fn, const arguments *args) {
    line *s = line_of(stream);
    dn_cuda_graph graph = s ? s->recording : NULL;
    if (dead) {
        return DIED;
    }
    if (graph && graph->n == MAX_CALLS) {
        abort();
    } else if (graph) {
        graph->call[graph->n++] = (call){fn, *args};
        return 0;
    }
    if (!s) {
        return fn(args);
    }
    defer(s, fn, args);
    int error = test_gpu_state.late ? 0 : run_up_to(s, s->n_issued);
    return error == TEST_GPU_BUSY ? 0 : error;
}

/* Another library's work. */
static int run_work(const arguments *args) {
    return args->work->run(args->work);
}

static int run_work_once(const arguments *args) {
    int error = args->work->run(args->work);
    if (error != TEST_GPU_BUSY) {
        args->work->release(args->work);
    }
    return error;
}

static int enqueue(cudaStream_t stream, test_gpu_work *work) {
    bool stays = line_of(stream)->recording != NULL;
    return issue(stream, stays ? run_work : run_work_once, &(arguments){.work = work});
}

/** A launch of that name fails, or brings the device down. */
static int fate_of(const char *name) {
    test_gpu_state.n_launched++;
    if (strcmp(test_gpu_state.fails, name) != 0 || test_gpu_state.lasts) {
        return 0;
    }
    dead = test_gpu_state.dies != 0;
    return dead ? 0 : LAUNCH_FAILED;
}

/** A kernel that lasts for some runs brings the device down in the next. */
static void wear(const char *name) {
    if (test_gpu_state.lasts && strcmp(test_gpu_state.fails, name) == 0) {
        dead = dead || test_gpu_state.n_worn++ >= test_gpu_state.lasts;
    }
}

#define LAUNCH(name)                                                                               \
    static int run_##name(const arguments *args) {                                                 \
        wear(#name);                                                                               \
        return dead || test_gpu_state.idle ? 0 : dn_cuda_##name(&args->name, NULL);                \
    }                                                                                              \
    static int launch_##name(const dn_cuda_##name##_args *args, cudaStream_t stream) {             \
        int error = fate_of(#name);                                                                \
        return error ? error : issue(stream, run_##name, &(arguments){.name = *args});             \
    }
LAUNCH(embed)
LAUNCH(attention)
LAUNCH(starts)
LAUNCH(norm)
LAUNCH(activate)
LAUNCH(pool)
LAUNCH(heads)
LAUNCH(score)
LAUNCH(round)
LAUNCH(widen)

/* ---- products ---- */

static int run_product(const arguments *args) {
    return test_gpu_state.idle ? 0
                               : test_gpu_product(&args->product.shape, &args->product.operands);
}

/** Whether a recorded call would only do again what the one before it did: the backend times a
 * product by recording it many times over. */
static bool repeats(const call *a, const call *before) {
    const dn_gemm_operands *x = &a->args.product.operands, *y = &before->args.product.operands;
    return a->fn == run_product && before->fn == run_product && x->x == y->x && x->w == y->w &&
           x->out == y->out && a->args.product.shape.m == before->args.product.shape.m &&
           a->args.product.shape.n == before->args.product.shape.n;
}

static const char *blas_open(void) {
    return test_gpu_state.no_blas ? "libcublasLt.so.13 is nowhere" : NULL;
}

static int blas_version(void) {
    return 130100;
}

static bool blas_accepts(const dn_gemm_shape *shape, const dn_gemm_algorithm *algorithm) {
    (void)shape;
    return algorithm->word[0] >= 1 && algorithm->word[0] <= N_ALGORITHMS;
}

static int blas_suggest(const dn_gemm_shape *shape, dn_gemm_algorithm *list, int max) {
    (void)shape;
    test_gpu_state.n_suggested++;
    for (int i = 0; i < N_ALGORITHMS && i < max; i++) {
        list[i] = (dn_gemm_algorithm){{(uint64_t)i + 1}};
    }
    return N_ALGORITHMS;
}

static int blas_run(const dn_gemm_shape *shape, const dn_gemm_algorithm *algorithm,
                    const dn_gemm_operands *operands, cudaStream_t stream) {
    if (!blas_accepts(shape, algorithm) || fate_of("product")) {
        return 14; /* CUBLAS_STATUS_INTERNAL_ERROR */
    }
    return issue(stream, run_product, &(arguments){.product = {*shape, *operands}});
}

static const dn_blas_ops blas = {.open = blas_open,
                                 .version = blas_version,
                                 .suggest = blas_suggest,
                                 .accepts = blas_accepts,
                                 .run = blas_run};

/* ---- long rows ---- */

struct dn_fused_plan {
    dn_fused_shape shape;
};

static const char *dnn_open(void) {
    return test_gpu_state.no_dnn ? "libcudnn.so.9 is nowhere" : NULL;
}

static int dnn_version(void) {
    return 91900;
}

static int dnn_plan(const dn_fused_shape *shape, dn_fused_plan **out) {
    test_gpu_state.n_planned++;
    if (!test_gpu_state.no_plan) {
        *out = malloc(sizeof **out);
        **out = (dn_fused_plan){*shape};
    }
    return test_gpu_state.no_plan ? 3000 : 0; /* CUDNN_STATUS_NOT_SUPPORTED */
}

static size_t dnn_workspace_bytes(const dn_fused_plan *plan) {
    (void)plan;
    return 1 << 20;
}

static void dnn_plan_free(dn_fused_plan *plan) {
    free(plan);
}

static int run_fused(const arguments *args) {
    test_gpu_state.n_fused++;
    return test_gpu_fused(&args->fused.shape, &args->fused.operands);
}

static int dnn_run(const dn_fused_plan *plan, const dn_fused_operands *operands,
                   cudaStream_t stream) {
    return issue(stream, run_fused, &(arguments){.fused = {plan->shape, *operands}});
}

static const dn_fused_ops fused = {dnn_open,      dnn_version, dnn_plan, dnn_workspace_bytes,
                                   dnn_plan_free, dnn_run};

/* ---- the device ---- */

static int driver_version(int *version) {
    *version = test_gpu_state.driver;
    return 0;
}

static int count(int *n) {
    *n = test_gpu_state.n_devices;
    return test_gpu_state.bad_driver ? test_gpu_state.bad_driver : *n == 0 ? DN_CUDA_NO_DEVICE : 0;
}

static int properties(int device, dn_cuda_properties *out) {
    *out = (dn_cuda_properties){.name = "Test H200",
                                .memory_bytes = (int64_t)test_gpu_state.memory_mib * MIB,
                                .l2_bytes = 50 * MIB,
                                .n_multiprocessors = 132,
                                .capability = test_gpu_state.capability};
    snprintf(out->uuid, sizeof out->uuid, "GPU-00000000-0000-0000-0000-%012d", device);
    snprintf(out->pci, sizeof out->pci, "0000:%02x:00.0", 0x18 + device);
    return device < test_gpu_state.n_devices ? 0 : DN_CUDA_NO_DEVICE;
}

static int use(int device) {
    return device < test_gpu_state.n_devices ? 0 : DN_CUDA_NO_DEVICE;
}

static int prepare(void) {
    return test_gpu_state.no_code ? DN_CUDA_NO_CODE : 0;
}

static int free_memory(size_t *free_bytes, size_t *total_bytes) {
    *total_bytes = (size_t)test_gpu_state.memory_mib * MIB;
    *free_bytes = *total_bytes - (size_t)test_gpu_state.memory_bytes;
    return 0;
}

/** NaN, so that what nobody wrote is seen (not in all of a library's workspace, which takes longer
 * to fill than the test to run); or, where kernels write nothing, what they would have written. */
static void fill(void *memory, size_t bytes) {
    size_t filled = bytes < 4 * (size_t)MIB ? bytes : MIB;
    float *score = memory;
    uint32_t state = 1;
    memset(memory, 0xff, filled);
    for (size_t i = 0; i < filled / sizeof *score && test_gpu_state.idle; i++) {
        state = state * 1664525u + 1013904223u;
        score[i] = (float)(state >> 8) * 0x1p-24f;
    }
}

/** The size stands before the memory. */
static void *reserve(size_t bytes, int64_t *held) {
    char *memory = aligned_alloc(HEADER, (bytes + 2 * HEADER - 1) / HEADER * HEADER);
    memcpy(memory, &bytes, sizeof bytes);
    fill(memory + HEADER, bytes);
    *held += (int64_t)bytes;
    return memory + HEADER;
}

static int give_back(void *memory, int64_t *held) {
    size_t bytes;
    if (!memory) {
        return 0;
    }
    memcpy(&bytes, (char *)memory - HEADER, sizeof bytes);
    *held -= (int64_t)bytes;
    free((char *)memory - HEADER);
    return 0;
}

static int alloc(void **out, size_t bytes) {
    size_t left, total;
    free_memory(&left, &total);
    if (bytes > left) {
        return DN_CUDA_NO_MEMORY;
    }
    *out = reserve(bytes, &test_gpu_state.memory_bytes);
    return 0;
}

static int release(void *memory) {
    return give_back(memory, &test_gpu_state.memory_bytes);
}

static int alloc_pinned(void **out, size_t bytes) {
    *out = reserve(bytes, &test_gpu_state.pinned_bytes);
    return 0;
}

static int release_pinned(void *memory) {
    return give_back(memory, &test_gpu_state.pinned_bytes);
}

static int run_copy(const arguments *args) {
    memcpy(args->copy.to, args->copy.from, args->copy.bytes);
    return 0;
}

static int copy(void *to, const void *from, size_t bytes, cudaStream_t stream) {
    return issue(stream, run_copy, &(arguments){.copy = {to, from, bytes}});
}

static int run_clear(const arguments *args) {
    memset(args->copy.to, 0, args->copy.bytes);
    return 0;
}

static int clear(void *memory, size_t bytes, cudaStream_t stream) {
    return issue(stream, run_clear, &(arguments){.copy = {memory, NULL, bytes}});
}

/* ---- streams, events, graphs ---- */

static void *object(size_t bytes) {
    test_gpu_state.n_objects++;
    return calloc(1, bytes);
}

static void end_object(void *any) {
    test_gpu_state.n_objects--;
    free(any);
}

static int stream_new(cudaStream_t *out) {
    line *s = object(sizeof *s);
    s->base.enqueue = enqueue;
    *out = &s->base;
    return 0;
}

/** Nobody frees what a stream still wants to do. */
static void stream_free(cudaStream_t stream) {
    line *s = line_of(stream);
    if (s->n_done < s->n_issued) {
        abort();
    }
    free(s->waiting);
    end_object(s);
}

static int stream_finish(cudaStream_t stream) {
    line *s = line_of(stream);
    while (s && run_up_to(s, s->n_issued) == TEST_GPU_BUSY) {
        sched_yield();
    }
    return dead ? DIED : 0;
}

static int run_after(const arguments *args) {
    return run_up_to(args->after.line, args->after.call);
}

static int stream_after(cudaStream_t stream, dn_cuda_event event) {
    return issue(stream, run_after, &(arguments){.after = {event->line, event->call}});
}

static int event_new(bool timed, dn_cuda_event *out) {
    *out = object(sizeof **out);
    (*out)->timed = timed;
    return 0;
}

static void event_free(dn_cuda_event event) {
    end_object(event);
}

static int run_record(const arguments *args) {
    args->event->ns = dn_mono_ns();
    return 0;
}

static int event_record(dn_cuda_event event, cudaStream_t stream, bool inside) {
    line *s = line_of(stream);
    if (inside != (s && s->recording)) {
        abort();
    }
    event->line = inside ? NULL : s;
    event->call = s ? s->n_issued + 1 : 0;
    return issue(stream, run_record, &(arguments){.event = event});
}

static int event_finish(dn_cuda_event event) {
    while (run_up_to(event->line, event->call) == TEST_GPU_BUSY) {
        sched_yield();
    }
    return dead ? DIED : 0;
}

/** What has been left behind another process's work comes forward meanwhile. */
static int event_query(dn_cuda_event event) {
    if (!test_gpu_state.late) {
        run_up_to(event->line, event->call);
    }
    return dead ? DIED : event->line && event->line->n_done < event->call ? DN_CUDA_NOT_READY : 0;
}

static int event_ns(dn_cuda_event from, dn_cuda_event to, int64_t *ns) {
    if (!from->timed || !to->timed) {
        abort();
    }
    *ns = to->ns - from->ns;
    return dead ? DIED : 0;
}

static int capture_begin(cudaStream_t stream) {
    line *s = line_of(stream);
    s->recording = object(sizeof *s->recording);
    s->recording->call = calloc(MAX_CALLS, sizeof *s->recording->call);
    return 0;
}

static int capture_end(cudaStream_t stream, dn_cuda_graph *out) {
    *out = line_of(stream)->recording;
    line_of(stream)->recording = NULL;
    test_gpu_state.n_recorded++;
    return 0;
}

static int graph_launch(dn_cuda_graph graph, cudaStream_t stream) {
    int error = dead ? DIED : 0;
    test_gpu_state.n_replayed++;
    for (int i = 0; i < graph->n && !error; i++) {
        const call *next = &graph->call[i];
        error = i > 0 && repeats(next, next - 1) ? 0 : issue(stream, next->fn, &next->args);
    }
    return error;
}

static void graph_free(dn_cuda_graph graph) {
    for (int i = 0; i < graph->n; i++) {
        if (graph->call[i].fn == run_work) {
            graph->call[i].args.work->release(graph->call[i].args.work);
        }
    }
    free(graph->call);
    end_object(graph);
}

static const char *error_name(int error) {
    return error == DIED            ? "cudaErrorIllegalAddress"
           : error == LAUNCH_FAILED ? "cudaErrorLaunchFailure"
                                    : "cudaErrorUnknown";
}

static const char *error_text(int error) {
    return error == DIED            ? "an illegal memory access was encountered"
           : error == LAUNCH_FAILED ? "unspecified launch failure"
                                    : "unknown error";
}

const dn_cuda_api dn_cuda_runtime = {
    .toolkit_version = 13000,
    .blas = &blas,
    .fused = &fused,
    .driver_version = driver_version,
    .count = count,
    .properties = properties,
    .use = use,
    .free_memory = free_memory,
    .alloc = alloc,
    .release = release,
    .alloc_pinned = alloc_pinned,
    .release_pinned = release_pinned,
    .copy = copy,
    .clear = clear,
    .stream_new = stream_new,
    .stream_free = stream_free,
    .stream_finish = stream_finish,
    .stream_after = stream_after,
    .event_new = event_new,
    .event_free = event_free,
    .event_record = event_record,
    .event_finish = event_finish,
    .event_query = event_query,
    .event_ns = event_ns,
    .capture_begin = capture_begin,
    .capture_end = capture_end,
    .graph_launch = graph_launch,
    .graph_free = graph_free,
    .error_name = error_name,
    .error_text = error_text,
    .prepare = prepare,
    .embed = launch_embed,
    .attention = launch_attention,
    .starts = launch_starts,
    .norm = launch_norm,
    .activate = launch_activate,
    .pool = launch_pool,
    .heads = launch_heads,
    .score = launch_score,
    .round = launch_round,
    .widen = launch_widen,
};
