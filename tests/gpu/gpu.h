#ifndef DN_TEST_GPU_H
#define DN_TEST_GPU_H
/** A GPU made up of the host's memory and plain C (launches.c): what api.c is to a real one.
 * Streams run in order and at once, or as late as can be, up to work that waits for another process
 * (nccl.c); recordings are lists of calls, matrix products are loops.
 * Everything that can fail fails on demand: by the fields below, or, where the backend is a library
 * of its own, by DN_TEST_GPU="driver=11000 memory=64" in its environment. */
#include "kernels/cuda/api.h"

typedef struct test_gpu {
    int driver, n_devices, capability; /**< driver 0: there is none */
    int memory_mib;                    /**< of the device */
    int no_code, no_blas, no_dnn;      /**< nonzero: what is missing */
    int no_plan;                       /**< nonzero: the library for long rows cannot do them */
    int bad_driver;                    /**< the error that counting devices gives */
    char fails[32];                    /**< the launch that fails: "attention", "product" ... */
    int dies;  /**< nonzero: not the launch but the next wait says so, as a kernel fault does */
    int lasts; /**< nonzero: it does so when it is run once more than that many times */
    int wrong; /**< 1: matrix products give other numbers; 2: only those in e4m3 */
    int idle;  /**< nonzero: kernels take no time and write nothing; all memory begins as scores */
    int late;  /**< nonzero: streams do nothing before somebody waits for it */

    /* what happened */
    int n_suggested, n_recorded, n_replayed, n_launched;
    int n_planned, n_fused;             /**< plans for long rows, and runs by them */
    int n_worn;                         /**< runs of the launch that lasts */
    int64_t memory_bytes, pinned_bytes; /**< held now */
    int n_objects;                      /**< streams, events and graphs that live */
} test_gpu;
extern test_gpu test_gpu_state;

/** Matrix products and attention of long rows, in launches.c. */
int test_gpu_product(const dn_gemm_shape *shape, const dn_gemm_operands *operands);
int test_gpu_fused(const dn_fused_shape *shape, const dn_fused_operands *operands);

/** Work of another library on a stream, as a kernel of its own would be: run() is called until it
 * is not TEST_GPU_BUSY, once more in each replay where it was recorded; release() when nothing will
 * run it any more. */
enum { TEST_GPU_BUSY = -1 };
typedef struct test_gpu_work {
    int (*run)(struct test_gpu_work *work);
    void (*release)(struct test_gpu_work *work);
} test_gpu_work;

/** What such a library sees of a stream. */
struct CUstream_st {
    int (*enqueue)(cudaStream_t stream, test_gpu_work *work);
};

/** One H200 with nothing wrong. */
void test_gpu_reset(void);
/** Fields of test_gpu_state by DN_TEST_GPU. */
void test_gpu_read_environment(void);

#endif
