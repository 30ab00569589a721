#ifndef DN_CUDA_LAUNCH_H
#define DN_CUDA_LAUNCH_H
/** Launches of the device's own kernels: what stands between the backend (C, this folder) and the
 * kernels (CUDA C++, this folder's .cu files). cuBLASLt does the large matrix products; everything
 * else of a pass is one of these.
 *
 * Shapes are those of kernels.h. All pointers are device memory. "Elements" are of the type that
 * the arguments name (bf16 or fp16; fp32 for tests); parameters of norms, biases and results are
 * float always. Sums, norms and softmax are in fp32 whatever the elements are.
 *
 * A pass has the size of its bucket, not of its batch: behind the batch's rows come rows of padding
 * tokens (id 0) that fill the bucket, and behind those empty rows (row_start[r] ==
 * row_start[r + 1]), for which a kernel writes zeros or nothing. So sizes are those of the launch
 * and a captured graph can be replayed with other texts.
 *
 * Launches neither allocate nor wait and can be captured. They return 0 or the cudaError_t of the
 * launch. A row's result depends on the row alone.   thread  any */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct CUstream_st *cudaStream_t; /* as in driver_types.h */

typedef enum dn_cuda_type { DN_CUDA_F32, DN_CUDA_BF16, DN_CUDA_F16, DN_CUDA_E4M3 } dn_cuda_type;

/** Numbered as dn_activation; GELU is the exact erf form. */
typedef enum dn_cuda_activation {
    DN_CUDA_ACT_NONE,
    DN_CUDA_ACT_GELU,
    DN_CUDA_ACT_TANH,
    DN_CUDA_ACT_RELU
} dn_cuda_activation;

/** A second copy of a kernel's output for an fp8 matrix product, or a look at its range. Each part
 * is left out where its pointer is NULL. */
typedef struct dn_cuda_fp8 {
    void *out;           /**< e4m3, shape of the output: saturate(y * *factor) */
    const float *factor; /**< 448 / largest calibrated |y| */
    float *largest;      /**< becomes max(*largest, |y|): calibration */
} dn_cuda_fp8;

/** out[t] = layer_norm(word[token[t]] + position[place[t]] + token_type). Without gamma the sum as
 * it stands; then `word` may hold the rows of n_words tokens from first_word on, and the other
 * tokens give zeros: the part of a vocabulary that is split over devices. */
typedef struct dn_cuda_embed_args {
    dn_cuda_type type;
    int n_tokens, hidden;
    const int32_t *token;                     /**< [T] */
    const int32_t *place;                     /**< [T]: of the token in its row, 0 first */
    int32_t first_word, n_words;              /**< 0, 0: all of them */
    const void *word, *position, *token_type; /**< elements [V][H], [P][H], [H] */
    const float *gamma, *beta;                /**< [H]; NULL: no LayerNorm */
    float epsilon;
    void *out; /**< elements [T][H] */
    dn_cuda_fp8 fp8;
} dn_cuda_embed_args;
int dn_cuda_embed(const dn_cuda_embed_args *args, cudaStream_t stream);

/** Attention within each row: out[t][a*D..] = softmax(q k^T / sqrt(D)) v, D = hidden / heads. */
typedef struct dn_cuda_attention_args {
    dn_cuda_type type;
    int n_tokens, n_rows, hidden, heads;
    int longest;              /**< no row has more tokens; at least 1 */
    const int32_t *row_start; /**< [R + 1] */
    const void *qkv;          /**< elements [T][3H]: q | k | v */
    void *out;                /**< elements [T][H] */
    dn_cuda_fp8 fp8;
} dn_cuda_attention_args;
int dn_cuda_attention(const dn_cuda_attention_args *args, cudaStream_t stream);

/** Where rows are, as libraries want to be told: length[r] = row_start[r + 1] - row_start[r],
 * qkv_start[r] = row_start[r] * 3H, out_start[r] = row_start[r] * H. */
typedef struct dn_cuda_starts_args {
    int n_rows, hidden;
    const int32_t *row_start;       /**< [R + 1] */
    int32_t *length;                /**< [R] */
    int32_t *qkv_start, *out_start; /**< [R + 1] */
} dn_cuda_starts_args;
int dn_cuda_starts(const dn_cuda_starts_args *args, cudaStream_t stream);

/** out[t] = layer_norm(in[t] + bias + residual[t]); `in`, `residual` and `out` may be the same. */
typedef struct dn_cuda_norm_args {
    dn_cuda_type type;
    int n_tokens, width;
    const void *in;            /**< elements [T][W]: what the matrix product made */
    const void *residual;      /**< elements [T][W], or NULL: already in `in` */
    const float *bias;         /**< [W], or NULL: already in `in` */
    const float *gamma, *beta; /**< [W] */
    float epsilon;
    void *out; /**< elements [T][W] */
    dn_cuda_fp8 fp8;
} dn_cuda_norm_args;
int dn_cuda_norm(const dn_cuda_norm_args *args, cudaStream_t stream);

/** out[t] = act(in[t] + bias), for what cuBLASLt's epilogues cannot do; `in` may be `out`. */
typedef struct dn_cuda_activate_args {
    dn_cuda_type type;
    int n_tokens, width;
    const void *in;    /**< elements [T][W] */
    const float *bias; /**< [W], or NULL */
    dn_cuda_activation activation;
    void *out; /**< elements [T][W], or NULL: fp8.out only */
    dn_cuda_fp8 fp8;
} dn_cuda_activate_args;
int dn_cuda_activate(const dn_cuda_activate_args *args, cudaStream_t stream);

/** out[r][p*H..] of each part (numbered as dn_pooling: 1 the first token, 2 the mean); of an empty
 * row zeros. */
typedef struct dn_cuda_pool_args {
    dn_cuda_type type;
    int n_rows, hidden;
    const int32_t *row_start;
    int n_parts, part[2];
    const void *x; /**< elements [T][H] */
    float *out;    /**< [R][n_parts * H] */
} dn_cuda_pool_args;
int dn_cuda_pool(const dn_cuda_pool_args *args, cudaStream_t stream);

/** out[r][n] = act(x[r] W^T + bias) for few outputs or few rows: the layer before the heads, all
 * text heads, all token heads. */
typedef struct dn_cuda_heads_args {
    dn_cuda_type type;   /**< of the weights */
    dn_cuda_type x_type; /**< of x: the same, or DN_CUDA_F32 */
    int n_rows, n, k;
    const void *x;     /**< [R][k] */
    const void *w;     /**< elements [n][k] */
    const float *bias; /**< [n], or NULL */
    dn_cuda_activation activation;
    float *out; /**< [R][n] */
} dn_cuda_heads_args;
int dn_cuda_heads(const dn_cuda_heads_args *args, cudaStream_t stream);

typedef enum dn_cuda_finish {
    DN_CUDA_AS_IS,
    DN_CUDA_SOFTMAX,
    DN_CUDA_SIGMOID,
    DN_CUDA_UNIT_LENGTH /**< x / max(|x|, 1e-12) */
} dn_cuda_finish;

enum { DN_CUDA_MAX_GROUPS = 32 };

/** Columns that belong together: a head. */
typedef struct dn_cuda_group {
    int begin, width;
    dn_cuda_finish finish;
} dn_cuda_group;

/** out[r][out_begin + c] = finished x[r][c], for c below `width`; the groups cover [0, width)
 * without overlap, in order. */
typedef struct dn_cuda_score_args {
    int n_rows, width;
    int n_groups;
    dn_cuda_group group[DN_CUDA_MAX_GROUPS];
    const float *x; /**< [R][width] */
    float *out;     /**< [R][out_stride]; may be x where both have the same width */
    int out_begin, out_stride;
} dn_cuda_score_args;
int dn_cuda_score(const dn_cuda_score_args *args, cudaStream_t stream);

/** out = elements of x, rounded to nearest even; to e4m3 saturating at +-448. For weights, at
 * set-up: out[i] = round(x[i] * factor). */
typedef struct dn_cuda_round_args {
    dn_cuda_type type;
    size_t n;
    const float *x;
    float factor;
    void *out;
} dn_cuda_round_args;
int dn_cuda_round(const dn_cuda_round_args *args, cudaStream_t stream);

/** out[i] = float(x[i]): what probes and tests read. */
typedef struct dn_cuda_widen_args {
    dn_cuda_type type;
    size_t n;
    const void *x;
    float *out;
} dn_cuda_widen_args;
int dn_cuda_widen(const dn_cuda_widen_args *args, cudaStream_t stream);

/** Once per device and process, before the first launch: shared memory limits. Nonzero where the
 * library holds no code for this device (cudaErrorNoKernelImageForDevice). */
int dn_cuda_prepare(void);

#ifdef __cplusplus
}
#endif
#endif
