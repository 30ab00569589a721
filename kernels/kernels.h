#ifndef DN_KERNELS_H
#define DN_KERNELS_H
/** One table of operations for all backends.
 *
 * Shapes: T tokens of a packed batch, R rows, H hidden size, A attention heads, D = H/A, I
 * intermediate size, V vocabulary, C classes of a head. All activations are float32, row-major,
 * dense, 64-byte aligned, in the host's memory; where `device` is given, in the backend's, of its
 * own type (device.h). Operations never allocate, never fail and are called by one thread per
 * workspace; weights are shared and const. Each output element's order of summation depends on K
 * alone, never on T or on its neighbours: a text scores bit for bit the same alone and in any
 * batch.
 *
 * ops.def gives each operation its FLOP and byte formula and its tolerance against `ref`. */
#include "base/status.h"
#include "kernels/device.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A weight matrix [n][k] prepared by one backend for its own linear(). */
typedef struct dn_weight {
    int n, k;
    const char *layout; /**< who packed it ("ref", "cpu:avx2"); only its own linear() reads it */
    size_t bytes;
    void *packed; /**< 64-byte aligned, the backend's layout; ownership: whoever called pack */
    void (*release)(void *packed); /**< NULL: free() */
} dn_weight;

/** Inputs that a narrow linear() does not round with the others, because a few channels of many
 * encoders are so large that their steps would be all that is left of the rest (narrow.h): they are
 * multiplied in fp32. In the packed matrix their columns are zero. */
enum { DN_MAX_KEPT = 4 };
typedef struct dn_kept {
    int n; /**< 1 to DN_MAX_KEPT */
    int32_t input[DN_MAX_KEPT];
    const float *column; /**< [n][outputs]: their columns of the matrix */
    const float *others; /**< [inputs]: 0 for these inputs, 1 for the others */
} dn_kept;

typedef enum dn_activation { DN_ACT_NONE, DN_ACT_GELU, DN_ACT_TANH, DN_ACT_RELU } dn_activation;

/** y[t] = layer_norm(word[token[t]] + position[t - row start] + type[0]); GELU is the exact erf
 * form everywhere. Of a vocabulary that is split over ranks `word` holds the rows of n_words tokens
 * from first_word on; the other tokens give zeros, and without gamma the sum stays as it is: added
 * over the ranks it is to the bit what stands before LayerNorm where one rank holds them all. */
typedef struct dn_embed_args {
    int n_tokens, n_rows, hidden;
    const int32_t *token, *row_start;
    int32_t first_word, n_words;         /**< 0, 0: all of them */
    const float *word, *position, *type; /**< [V][H], [P][H], [H] (one row of the type table) */
    const float *gamma, *beta;           /**< [H]; NULL: no LayerNorm */
    float epsilon;
    float *out; /**< [T][H] */
} dn_embed_args;

/** out[T][n] = act(x[T][k] W^T + bias); when gamma is given: out = layer_norm(residual + x W^T +
 * bias) (n == H). */
typedef struct dn_linear_args {
    int n_tokens;
    const float *x;
    const dn_weight *weight;
    const float *bias; /**< [n] or NULL */
    const dn_kept *kept; /**< NULL: none; only on the host, in a narrow precision */
    dn_activation activation;
    const float *residual, *gamma,
        *beta; /**< all given, or all NULL; residual [T][n] may be `out` */
    float epsilon;
    float *out;
    dn_numbers x_kind, out_kind; /**< where a backend has two kinds of numbers */
} dn_linear_args;

/** out[t] = layer_norm(x[t] + bias + residual[t]): what follows a linear() whose inputs are split
 * over ranks, once their results are added up. */
typedef struct dn_add_norm_args {
    int n_tokens, hidden;
    const float *x;        /**< [T][H] */
    const float *bias;     /**< [H] or NULL */
    const float *residual; /**< [T][H] or NULL */
    const float *gamma, *beta;
    float epsilon;
    float *out; /**< [T][H]; may be x or residual */
} dn_add_norm_args;

/** Scaled dot-product attention within each row: out[t][a*D..] = softmax(q k^T / sqrt(D)) v.
 * qkv[T][3H] = q | k | v. */
typedef struct dn_attention_args {
    int n_tokens, n_rows, hidden, heads;
    const int32_t *row_start;
    const float *qkv;
    float *out;     /**< [T][H] */
    float *scratch; /**< dn_kernels.attention_scratch floats for the longest row */
} dn_attention_args;

/** out[R][p*H..]: the row's first token (CLS), the mean over its tokens, or both side by side in
 * the given order. */
typedef enum dn_pooling { DN_POOL_CLS = 1, DN_POOL_MEAN = 2 } dn_pooling;
typedef struct dn_pool_args {
    int n_rows, hidden;
    const int32_t *row_start;
    int n_parts;
    dn_pooling part[2];
    const float *x; /**< [T][H] */
    float *out;     /**< [R][n_parts * H] */
} dn_pool_args;

/** In place over out[R][stride]: columns [begin, begin + classes) become probabilities. */
typedef struct dn_softmax_args {
    int n_rows, stride, begin, classes;
    float *x;
} dn_softmax_args;

/** How many tokens a caller should pass at once over steps that feed each other, so that what lies
 * between them stays near; 0: the whole batch. Results do not depend on it. */
typedef struct dn_part_tokens {
    int attention;    /**< q, k, v, attention, output: at least one row */
    int feed_forward; /**< up, down */
} dn_part_tokens;

typedef struct dn_kernels {
    const char *name;      /**< "ref", "cpu" */
    const char *isa;       /**< "scalar", "avx2", "vnni", "amx" ...: what was chosen */
    const char *precision; /**< of linear(): "fp32", "int8", "bf16"; all else is fp32 always */
    dn_part_tokens part_tokens;
    /** Prepares w[n][k] (row-major). The result is the caller's: dn_weight_free. The narrow
     * precisions round here, and refuse more than 8,192 inputs and weights that are not finite
     * (MODEL). */
    dn_status (*pack)(const float *w, int n, int k, dn_weight *out);
    size_t (*attention_scratch)(int max_row_tokens, int hidden, int heads); /**< floats */
    void (*embed)(const dn_embed_args *);
    void (*linear)(const dn_linear_args *);
    void (*add_norm)(const dn_add_norm_args *);
    void (*attention)(const dn_attention_args *);
    void (*pool)(const dn_pool_args *);
    void (*softmax)(const dn_softmax_args *);
    /** Multiply-add peak of one core by the instructions of linear(), 1e9 operations/s (2 per
     * multiply-add), measured now for about `ms` milliseconds. */
    double (*measure_peak)(int ms);
    /** The scalar backend that rounds as this one does: what its results are held against. */
    const struct dn_kernels *oracle;
    const dn_device_ops *device; /**< NULL: operands are floats in the host's memory */
} dn_kernels;

void dn_weight_free(dn_weight *weight);

/** The best backend of this machine, or the one that `force` names: in full ("ref", "cpu:avx2"), by
 * device ("cpu"), by precision ("fp32", "int8", "bf16"), each the best of its kind; NULL:
 * environment variable DN_BACKEND, else best. An unknown or impossible name is a CONFIG error that
 * lists what there is. thread  main, at set-up */
dn_status dn_kernels_select(const char *force, const dn_kernels **out);

/** A GPU, as its backend found it. */
typedef struct dn_gpu {
    char name[64], uuid[48];
    char pci[20]; /**< "0000:18:00.0" */
    int64_t memory_bytes;
    int n_multiprocessors;
} dn_gpu;

/** The GPUs that this process sees, at most `max` of them; 0 without a backend for them. */
int dn_kernels_gpus(dn_gpu *list, int max);

/** The GPU that the backends of this process use; without it the first.    thread  main, before
 * dn_kernels_select */
void dn_kernels_use_gpu(int index);

/** Which GPU and which libraries, or why there is none: one line for a person.   lends  for ever */
const char *dn_kernels_gpu_note(void);

/** Tokens of a micro-batch that fill whole waves of the GPU's multiprocessors; 0 without one. */
int dn_kernels_gpu_tokens(void);

/** All backends and instruction sets built in, usable on this machine or not: for conformance,
 * bench and describe. Returns the number; table[i] may be NULL when this machine lacks it, names[i]
 * never. */
int dn_kernels_list(const dn_kernels **table, const char **names, int max);

#ifdef __cplusplus
}
#endif
#endif
