/* The CUDA runtime, linked in statically: without a driver its calls say so and nothing else. */
#include "kernels/cuda/api.h"

#include <cuda_runtime_api.h>

#include <stdio.h>
#include <string.h>

_Static_assert(DN_CUDA_NO_MEMORY == (int)cudaErrorMemoryAllocation, "cudaError_t");
_Static_assert(DN_CUDA_NOT_INITIALISED == (int)cudaErrorInitializationError, "cudaError_t");
_Static_assert(DN_CUDA_OLD_DRIVER == (int)cudaErrorInsufficientDriver, "cudaError_t");
_Static_assert(DN_CUDA_NO_DEVICE == (int)cudaErrorNoDevice, "cudaError_t");
_Static_assert(DN_CUDA_NO_CODE == (int)cudaErrorNoKernelImageForDevice, "cudaError_t");
_Static_assert(DN_CUDA_NOT_READY == (int)cudaErrorNotReady, "cudaError_t");

/** The last error of a thread sticks to its next call; it has been returned, so it is taken away.
 */
static int done(cudaError_t error) {
    if (error != cudaSuccess) {
        (void)cudaGetLastError();
    }
    return (int)error;
}

static int driver_version(int *version) {
    return done(cudaDriverGetVersion(version));
}

static int count(int *n) {
    return done(cudaGetDeviceCount(n));
}

static void write_uuid(const struct cudaDeviceProp *from, dn_cuda_properties *out) {
    const unsigned char *b = (const unsigned char *)from->uuid.bytes;
    snprintf(out->uuid, sizeof out->uuid,
             "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

static int properties(int device, dn_cuda_properties *out) {
    struct cudaDeviceProp from;
    cudaError_t error = cudaGetDeviceProperties(&from, device);
    if (error == cudaSuccess) {
        *out = (dn_cuda_properties){.memory_bytes = (int64_t)from.totalGlobalMem,
                                    .l2_bytes = from.l2CacheSize,
                                    .n_multiprocessors = from.multiProcessorCount,
                                    .capability = 10 * from.major + from.minor};
        snprintf(out->name, sizeof out->name, "%.*s", (int)sizeof out->name - 1, from.name);
        snprintf(out->pci, sizeof out->pci, "%04x:%02x:%02x.0", from.pciDomainID & 0xffff,
                 from.pciBusID & 0xff, from.pciDeviceID & 0xff);
        write_uuid(&from, out);
    }
    return done(error);
}

static int use(int device) {
    int error = done(cudaSetDevice(device));
    return error ? error : done(cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync));
}

static int free_memory(size_t *free_bytes, size_t *total_bytes) {
    return done(cudaMemGetInfo(free_bytes, total_bytes));
}

static int alloc(void **out, size_t bytes) {
    return done(cudaMalloc(out, bytes));
}

static int release(void *memory) {
    return done(cudaFree(memory));
}

static int alloc_pinned(void **out, size_t bytes) {
    return done(cudaHostAlloc(out, bytes, cudaHostAllocDefault));
}

static int release_pinned(void *memory) {
    return done(cudaFreeHost(memory));
}

static int copy(void *to, const void *from, size_t bytes, cudaStream_t stream) {
    return done(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream));
}

static int clear(void *memory, size_t bytes, cudaStream_t stream) {
    return done(cudaMemsetAsync(memory, 0, bytes, stream));
}

static int stream_new(cudaStream_t *out) {
    return done(cudaStreamCreateWithFlags(out, cudaStreamNonBlocking));
}

static void stream_free(cudaStream_t stream) {
    done(cudaStreamDestroy(stream));
}

static int stream_finish(cudaStream_t stream) {
    return done(cudaStreamSynchronize(stream));
}

static int stream_after(cudaStream_t stream, dn_cuda_event event) {
    return done(cudaStreamWaitEvent(stream, event, 0));
}

static int event_new(bool timed, dn_cuda_event *out) {
    return done(cudaEventCreateWithFlags(
        out, timed ? cudaEventBlockingSync : cudaEventBlockingSync | cudaEventDisableTiming));
}

static void event_free(dn_cuda_event event) {
    done(cudaEventDestroy(event));
}

static int event_record(dn_cuda_event event, cudaStream_t stream, bool inside) {
    return done(cudaEventRecordWithFlags(
        event, stream, inside ? cudaEventRecordExternal : cudaEventRecordDefault));
}

static int event_finish(dn_cuda_event event) {
    return done(cudaEventSynchronize(event));
}

static int event_query(dn_cuda_event event) {
    return done(cudaEventQuery(event));
}

static int event_ns(dn_cuda_event from, dn_cuda_event to, int64_t *ns) {
    float ms = 0;
    int error = done(cudaEventElapsedTime(&ms, from, to));
    *ns = (int64_t)((double)ms * 1e6);
    return error;
}

/* Other threads may allocate meanwhile (a second model): only this thread's calls are watched. */
static int capture_begin(cudaStream_t stream) {
    return done(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
}

static int capture_end(cudaStream_t stream, dn_cuda_graph *out) {
    cudaGraph_t graph = NULL;
    int error = done(cudaStreamEndCapture(stream, &graph));
    if (!error) {
        error = done(cudaGraphInstantiate(out, graph, 0));
    }
    if (graph) {
        done(cudaGraphDestroy(graph));
    }
    return error;
}

static int graph_launch(dn_cuda_graph graph, cudaStream_t stream) {
    return done(cudaGraphLaunch(graph, stream));
}

static void graph_free(dn_cuda_graph graph) {
    done(cudaGraphExecDestroy(graph));
}

static const char *error_name(int error) {
    return cudaGetErrorName((cudaError_t)error);
}

static const char *error_text(int error) {
    return cudaGetErrorString((cudaError_t)error);
}

const dn_cuda_api dn_cuda_runtime = {
    .toolkit_version = CUDART_VERSION,
    .blas = &dn_blas_lt,
    .fused = &dn_fused_cudnn,
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
    .prepare = dn_cuda_prepare,
    .embed = dn_cuda_embed,
    .attention = dn_cuda_attention,
    .starts = dn_cuda_starts,
    .norm = dn_cuda_norm,
    .activate = dn_cuda_activate,
    .pool = dn_cuda_pool,
    .heads = dn_cuda_heads,
    .score = dn_cuda_score,
    .round = dn_cuda_round,
    .widen = dn_cuda_widen,
};
