#ifndef DN_CUDA_BLAS_H
#define DN_CUDA_BLAS_H
/** Matrix products of a layer: out[m][n] = x[m][k] W[n][k]^T + bias, sums in fp32; internal to the
 * backend. blas_lt.c does it with cuBLASLt, tests with loops.
 *
 * An algorithm is the library's own description, valid for its version and a shape; gemm.c times
 * them once and remembers the best. */
#include "kernels/cuda/launch.h"

#include <stdbool.h>

/** All that an algorithm depends on. */
typedef struct dn_gemm_shape {
    int m, n, k;
    dn_cuda_type in_type;  /**< of x and W: bf16, fp16, or e4m3 with scales */
    dn_cuda_type out_type; /**< bf16 or fp16, and of the bias */
    bool has_bias;
} dn_gemm_shape;

enum { DN_ALGORITHM_WORDS = 8, DN_BLAS_WORKSPACE = 32 << 20 };
typedef struct dn_gemm_algorithm {
    uint64_t word[DN_ALGORITHM_WORDS];
} dn_gemm_algorithm;

typedef struct dn_gemm_operands {
    const void *x, *w, *bias;
    const float *x_scale, *w_scale; /**< e4m3: what a stored 1 stands for; else NULL */
    void *out;
    void *workspace; /**< DN_BLAS_WORKSPACE bytes */
} dn_gemm_operands;

typedef struct dn_blas_ops {
    /** Finds the library. NULL, or in one line why there is none. */
    const char *(*open)(void);
    int (*version)(void); /**< 130100: 13.1.0 */
    /** The library's guesses, best first.   returns  their number, 0: it cannot do the shape */
    int (*suggest)(const dn_gemm_shape *shape, dn_gemm_algorithm *list, int max);
    /** Whether an algorithm from a file fits shape and device. */
    bool (*accepts)(const dn_gemm_shape *shape, const dn_gemm_algorithm *algorithm);
    /** 0, or the library's status. */
    int (*run)(const dn_gemm_shape *shape, const dn_gemm_algorithm *algorithm,
               const dn_gemm_operands *operands, cudaStream_t stream);
} dn_blas_ops;

extern const dn_blas_ops dn_blas_lt;

#endif
