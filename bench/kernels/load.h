#ifndef DN_BENCH_LOAD_H
#define DN_BENCH_LOAD_H
/** What the kernel benchmark runs: a packed batch at the shapes of MiniLM-L6-H384, and one case per
 * operation over it. */
#include "kernels/kernels.h"
#include "kernels/ops.h"

enum {
    HIDDEN = 384,
    HEADS = 12,
    INNER = 1536,
    LAYERS = 6,
    VOCABULARY = 30522,
    POSITIONS = 512,
    CLASSES = 4
};

/** The weights of a layer, packed by one backend. */
typedef struct layer {
    dn_weight qkv, out, up, down;
} layer;

/** A batch of tweet-like rows (8 to 48 tokens, 28 on average) with all the buffers of an encoder.
 */
typedef struct load {
    const dn_kernels *kernels;
    int n_tokens, n_rows;
    int32_t *row_start, *token;
    int32_t *part_start; /**< where the rows of a part begin within it */
    layer layer[LAYERS];
    float *word, *position,
        *vector;                 /**< vector: bias, gamma, beta, type of any length up to INNER */
    float *x, *wide;             /**< inputs [T][H], [T][INNER] */
    float *hidden, *qkv, *inner; /**< what the operations write */
    float *pooled, *logit, *score, *scratch; /**< softmax copies logit to score before it starts */
} load;

/** Seeded: two loads of the same size hold the same numbers.  ownership  the caller: load_free */
load *load_new(const dn_kernels *kernels, int n_tokens);
void load_free(load *load);

/** The load cut to its first n_rows rows, without buffers of its own. */
load load_head(const load *load, int n_rows);

/** One line of the benchmark. */
typedef struct bench_case {
    const char *name; /**< the operation and which use of it */
    dn_op_id op;      /**< whose tolerance holds */
    double slack;     /**< times which, where a narrow precision rounds again what it has rounded */
    void (*run)(const load *load);
    double (*flops)(const load *load);
    double (*bytes)(const load *load);
    float *(*result)(const load *load, size_t *n); /**< what run wrote */
} bench_case;

extern const bench_case bench_cases[];
extern const int n_bench_cases;

#endif
