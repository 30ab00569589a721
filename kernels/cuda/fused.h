#ifndef DN_CUDA_FUSED_H
#define DN_CUDA_FUSED_H
/** Attention within packed rows by a library, for rows that are long; internal to the backend.
 * cudnn.c does it with cuDNN, tests with loops.
 *
 *    qkv, out     row r from element qkv_start[r], out_start[r] on, length[r] tokens
 *
 * What it computes is what dn_cuda_attention does; sums are in fp32. */
#include "kernels/cuda/launch.h"

#include <stdbool.h>

/** All that a plan depends on. */
typedef struct dn_fused_shape {
    dn_cuda_type type; /**< bf16 or fp16 */
    int n_rows, longest, heads, head_size;
} dn_fused_shape;

typedef struct dn_fused_operands {
    const void *qkv;           /**< elements [T][3H]: q | k | v */
    void *out;                 /**< elements [T][H] */
    const int32_t *length;     /**< [R] */
    const int32_t *qkv_start;  /**< [R + 1] */
    const int32_t *out_start;  /**< [R + 1] */
    void *workspace;           /**< dn_fused_ops.workspace_bytes of the plan */
} dn_fused_operands;

typedef struct dn_fused_plan dn_fused_plan;

typedef struct dn_fused_ops {
    /** Finds the library. NULL, or in one line why there is none. */
    const char *(*open)(void);
    int (*version)(void); /**< 91900: 9.19.0 */
    /** 0, or the library's status: it cannot do the shape.     ownership  the caller: plan_free */
    int (*plan)(const dn_fused_shape *shape, dn_fused_plan **out);
    size_t (*workspace_bytes)(const dn_fused_plan *plan);
    void (*plan_free)(dn_fused_plan *plan);
    /** Can be captured. 0, or the library's status.    thread  one at a time */
    int (*run)(const dn_fused_plan *plan, const dn_fused_operands *operands, cudaStream_t stream);
} dn_fused_ops;

extern const dn_fused_ops dn_fused_cudnn;

/** Rows of up to so many tokens are not worth a library's tiles. */
enum { DN_FUSED_FROM = 128, DN_FUSED_MOST_HEAD = 128 };

#endif
