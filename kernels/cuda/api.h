#ifndef DN_CUDA_API_H
#define DN_CUDA_API_H
/** What the backend asks of CUDA, as a table: api.c fills it from the toolkit, tests from the
 * host's memory. So everything but api.c and blas_lt.c is compiled and tested without a toolkit.
 *
 * Calls return 0 or a cudaError_t; streams, events and graphs are CUDA's own, by their struct
 * names. Everything between capture_begin and capture_end on a stream is recorded, not done.
 *
 * A thread that waits for the device sleeps: the device and every event are made so. By itself the
 * runtime spins where there are more cores than contexts, and two model threads would take two
 * cores from the text workers. To be woken takes some tens of microseconds. Under load two more
 * batches of 300 us stand behind the one that is waited for, so the device does not notice; a text
 * alone has about 150 us on the device and 30 before it, which leaves room within 300. (Expected;
 * bench/gpu measures it on a device.) */
#include "kernels/cuda/blas.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/launch.h"

#include <stdbool.h>

typedef struct CUevent_st *dn_cuda_event;
typedef struct CUgraphExec_st *dn_cuda_graph;

/** Those of cudaError_t that the backend tells apart; api.c checks the numbers. */
enum {
    DN_CUDA_NO_MEMORY = 2,
    DN_CUDA_NOT_INITIALISED = 3,
    DN_CUDA_OLD_DRIVER = 35,
    DN_CUDA_NO_DEVICE = 100,
    DN_CUDA_NO_CODE = 209,
    DN_CUDA_NOT_READY = 600
};

typedef struct dn_cuda_properties {
    char name[64], uuid[48], pci[20];
    int64_t memory_bytes, l2_bytes;
    int n_multiprocessors, capability; /**< 90: compute capability 9.0 */
} dn_cuda_properties;

typedef struct dn_cuda_api {
    int toolkit_version; /**< 13000: 13.0, what the backend was built with */
    const dn_blas_ops *blas;
    const dn_fused_ops *fused;

    int (*driver_version)(int *version); /**< 0: no driver */
    int (*count)(int *n);
    int (*properties)(int device, dn_cuda_properties *out);
    int (*use)(int device); /**< for the calling thread; waiting threads sleep */
    int (*free_memory)(size_t *free_bytes, size_t *total_bytes);

    int (*alloc)(void **out, size_t bytes);
    int (*release)(void *memory);
    int (*alloc_pinned)(void **out, size_t bytes);
    int (*release_pinned)(void *memory);
    int (*copy)(void *to, const void *from, size_t bytes, cudaStream_t stream);
    int (*clear)(void *memory, size_t bytes, cudaStream_t stream);

    int (*stream_new)(cudaStream_t *out);
    void (*stream_free)(cudaStream_t stream);
    int (*stream_finish)(cudaStream_t stream);
    int (*stream_after)(cudaStream_t stream, dn_cuda_event event);

    /** `timed`: event_ns may be asked of it; the others are quicker to record and to wait for. */
    int (*event_new)(bool timed, dn_cuda_event *out);
    void (*event_free)(dn_cuda_event event);
    /** `inside` a capture: the event is one of the graph's, recorded at each launch. */
    int (*event_record)(dn_cuda_event event, cudaStream_t stream, bool inside);
    int (*event_finish)(dn_cuda_event event);
    /** 0, or DN_CUDA_NOT_READY where what was recorded has not come yet. */
    int (*event_query)(dn_cuda_event event);
    int (*event_ns)(dn_cuda_event from, dn_cuda_event to, int64_t *ns);

    int (*capture_begin)(cudaStream_t stream);
    int (*capture_end)(cudaStream_t stream, dn_cuda_graph *out);
    int (*graph_launch)(dn_cuda_graph graph, cudaStream_t stream);
    void (*graph_free)(dn_cuda_graph graph);

    const char *(*error_name)(int error);
    const char *(*error_text)(int error);

    /* launch.h */
    int (*prepare)(void);
    int (*embed)(const dn_cuda_embed_args *, cudaStream_t);
    int (*attention)(const dn_cuda_attention_args *, cudaStream_t);
    int (*starts)(const dn_cuda_starts_args *, cudaStream_t);
    int (*norm)(const dn_cuda_norm_args *, cudaStream_t);
    int (*activate)(const dn_cuda_activate_args *, cudaStream_t);
    int (*pool)(const dn_cuda_pool_args *, cudaStream_t);
    int (*heads)(const dn_cuda_heads_args *, cudaStream_t);
    int (*score)(const dn_cuda_score_args *, cudaStream_t);
    int (*round)(const dn_cuda_round_args *, cudaStream_t);
    int (*widen)(const dn_cuda_widen_args *, cudaStream_t);
} dn_cuda_api;

/** The real one. */
extern const dn_cuda_api dn_cuda_runtime;

#endif
