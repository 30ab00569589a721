#ifndef DN_CUDA_PRODUCT_H
#define DN_CUDA_PRODUCT_H
/** A matrix product of our own with everything behind it in one kernel, for Hopper (sm_90a): what
 * cuBLASLt writes and an epilogue kernel reads again stays in registers. Nothing calls it yet but
 * tests and bench: whether it beats cuBLASLt and dn_cuda_activate is for a measurement to say. */
#include "kernels/cuda/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/** out[t] = act(x[t] W^T + bias); n and k multiples of 8. */
typedef struct dn_cuda_product_args {
    dn_cuda_type type; /**< bf16 or fp16 */
    int n_tokens, n, k;
    const void *x;     /**< elements [T][k] */
    const void *w;     /**< elements [n][k] */
    const float *bias; /**< [n], or NULL */
    dn_cuda_activation activation;
    void *out; /**< elements [T][n], or NULL: fp8.out only */
    dn_cuda_fp8 fp8;
} dn_cuda_product_args;

/** As the launches of launch.h; cudaErrorInvalidValue also where the device is no sm_90. */
int dn_cuda_product(const dn_cuda_product_args *args, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
