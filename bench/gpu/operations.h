#ifndef DN_BENCH_GPU_OPERATIONS_H
#define DN_BENCH_GPU_OPERATIONS_H
/** The kernels of a pass one by one: how each is launched over operands that lie behind each other,
 * and the bytes and operations that it cannot do without. */
#include "bench.h"

/** What kernels read and write lies in `pool`, set behind set; parameters lie apart. */
typedef struct stand {
    const net_shape *shape;
    int n_tokens, n_rows;
    char *pool;
    size_t pool_bytes;
    int32_t *token, *place, *row_start;
    float *ones; /**< [inner]: factors, biases, scales */
    void *word, *position, *heads, *workspace;
    cudaStream_t stream;
} stand;

/** A side of a product's matrix. */
typedef enum side { HIDDEN, INNER, THREE_HIDDEN } side;

typedef struct operation operation;
struct operation {
    const char *name;
    /** Over the set of operands at `at`.   returns  0, a cudaError_t, or as dn_cuda_gemm */
    int (*launch)(const stand *s, const operation *o, char *at);
    /** Bytes of the operands, parameters apart, and FLOP: as kernels/ops.def counts. */
    void (*cost)(const stand *s, const operation *o, double *bytes, double *flops);
    side n, k;       /**< of a product */
    bool by_library; /**< a product that has to be prepared */
    bool narrow;     /**< in e4m3, or to it */
};

enum { LABELS = 25, ROW_TOKENS = 28, ALIGN = 256 };

/** In the order of the table in kernels/cuda/README.md. */
extern const operation operations[];
extern const int n_operations;
/** The places of up, bias and GELU in it: by the library and `activate`, and by dn_cuda_product. */
enum { IN_TWO = 12, IN_ONE };
/** And of a product in e4m3 whose matrix is square. */
enum { FP8_SQUARE = 9 };

dn_gemm_shape gemm_shape(const stand *s, const operation *o);
dn_gemm_operands gemm_operands(const stand *s, const operation *o, char *at);

#endif
