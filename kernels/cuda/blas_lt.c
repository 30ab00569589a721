/* cuBLASLt, opened at run time. Its matrices are column-major: a row-major x[m][k] is its [k][m],
 * so out^T [n][m] = W^T^T [n][k] x^T [k][m], the one orientation that fp8 has too. */
#include "kernels/cuda/blas.h"
#include "kernels/cuda/libraries.h"

#include <cublasLt.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(cublasLtMatmulAlgo_t) == sizeof(dn_gemm_algorithm), "an algorithm's size");

/* Every function of the library that is called below: its name after "cublasLt". */
#define FUNCTIONS(F)                                                                               \
    F(Create)                                                                                      \
    F(GetVersion)                                                                                  \
    F(Matmul)                                                                                      \
    F(MatmulDescCreate)                                                                            \
    F(MatmulDescSetAttribute)                                                                      \
    F(MatmulDescDestroy)                                                                           \
    F(MatrixLayoutCreate)                                                                          \
    F(MatrixLayoutDestroy)                                                                         \
    F(MatmulPreferenceCreate)                                                                      \
    F(MatmulPreferenceSetAttribute)                                                                \
    F(MatmulPreferenceDestroy)                                                                     \
    F(MatmulAlgoGetHeuristic)                                                                      \
    F(MatmulAlgoCheck)

static struct {
#define F(name) __typeof__(cublasLt##name) *name;
    FUNCTIONS(F)
#undef F
    cublasLtHandle_t handle;
} lt;

static const cudaDataType_t data_types[] = {[DN_CUDA_F32] = CUDA_R_32F,
                                            [DN_CUDA_BF16] = CUDA_R_16BF,
                                            [DN_CUDA_F16] = CUDA_R_16F,
                                            [DN_CUDA_E4M3] = CUDA_R_8F_E4M3};

static bool find_functions(void *library, char *why, size_t why_bytes) {
    void *symbol;
#define F(name)                                                                                    \
    symbol = dlsym(library, "cublasLt" #name);                                                     \
    if (!symbol) {                                                                                 \
        snprintf(why, why_bytes, "libcublasLt has no function cublasLt%s: it is too old", #name);  \
        return false;                                                                              \
    }                                                                                              \
    memcpy(&lt.name, &symbol, sizeof symbol);
    FUNCTIONS(F)
#undef F
    return true;
}

static const char *lt_open(void) {
    static char why[512];
    char file[32];
    snprintf(file, sizeof file, "libcublasLt.so.%d", CUBLAS_VER_MAJOR);
    void *library = lt.handle ? NULL : dn_cuda_library(file, why, sizeof why);
    if (lt.handle) {
        return NULL;
    }
    if (!library || !find_functions(library, why, sizeof why)) {
        return why;
    }
    cublasStatus_t status = lt.Create(&lt.handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        snprintf(why, sizeof why, "cublasLtCreate failed with status %d", (int)status);
        return why;
    }
    return NULL;
}

static int lt_version(void) {
    return lt.handle ? (int)lt.GetVersion() : 0;
}

/** A product as cuBLASLt wants it described. */
typedef struct product {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, out;
} product;

static cublasStatus_t set(product *p, cublasLtMatmulDescAttributes_t what, const void *value,
                          size_t bytes) {
    return lt.MatmulDescSetAttribute(p->desc, what, value, bytes);
}

static void release(product *p) {
    if (p->desc) {
        lt.MatmulDescDestroy(p->desc);
    }
    cublasLtMatrixLayout_t layouts[] = {p->w, p->x, p->out};
    for (int i = 0; i < 3; i++) {
        if (layouts[i]) {
            lt.MatrixLayoutDestroy(layouts[i]);
        }
    }
}

/** Bias and scales may be NULL where only an algorithm is wanted. */
static cublasStatus_t describe(const dn_gemm_shape *s, const dn_gemm_operands *o, product *p) {
    cudaDataType_t in = data_types[s->in_type], out = data_types[s->out_type];
    cublasOperation_t transposed = CUBLAS_OP_T;
    cublasLtEpilogue_t epilogue = s->has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    uint64_t m = (uint64_t)s->m, n = (uint64_t)s->n, k = (uint64_t)s->k;
    cublasStatus_t status;
    *p = (product){0};
#define TRY(call)                                                                                  \
    if ((status = (call)) != CUBLAS_STATUS_SUCCESS) {                                              \
        return status;                                                                             \
    }
    TRY(lt.MatmulDescCreate(&p->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    TRY(lt.MatrixLayoutCreate(&p->w, in, k, n, (int64_t)k));
    TRY(lt.MatrixLayoutCreate(&p->x, in, k, m, (int64_t)k));
    TRY(lt.MatrixLayoutCreate(&p->out, out, n, m, (int64_t)n));
    TRY(set(p, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed));
    TRY(set(p, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue));
    if (s->has_bias) {
        TRY(set(p, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &out, sizeof out));
        TRY(set(p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &o->bias, sizeof o->bias));
    }
    if (s->in_type == DN_CUDA_E4M3) {
        TRY(set(p, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &o->w_scale, sizeof o->w_scale));
        TRY(set(p, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &o->x_scale, sizeof o->x_scale));
    }
    return CUBLAS_STATUS_SUCCESS;
#undef TRY
}

static int lt_suggest(const dn_gemm_shape *shape, dn_gemm_algorithm *list, int max) {
    enum { MOST = 32 };
    cublasLtMatmulHeuristicResult_t results[MOST];
    cublasLtMatmulPreference_t preference = NULL;
    size_t workspace = DN_BLAS_WORKSPACE;
    product p;
    int n = 0, kept = 0;
    bool ok =
        describe(shape, &(dn_gemm_operands){0}, &p) == CUBLAS_STATUS_SUCCESS &&
        lt.MatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS &&
        lt.MatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                        &workspace, sizeof workspace) == CUBLAS_STATUS_SUCCESS &&
        lt.MatmulAlgoGetHeuristic(lt.handle, p.desc, p.w, p.x, p.out, p.out, preference,
                                  max < MOST ? max : MOST, results, &n) == CUBLAS_STATUS_SUCCESS;
    for (int i = 0; ok && i < n; i++) {
        if (results[i].state == CUBLAS_STATUS_SUCCESS) {
            memcpy(&list[kept++], &results[i].algo, sizeof *list);
        }
    }
    if (preference) {
        lt.MatmulPreferenceDestroy(preference);
    }
    release(&p);
    return kept;
}

static bool lt_accepts(const dn_gemm_shape *shape, const dn_gemm_algorithm *algorithm) {
    cublasLtMatmulHeuristicResult_t result;
    cublasLtMatmulAlgo_t algo;
    product p;
    memcpy(&algo, algorithm, sizeof algo);
    bool fits = describe(shape, &(dn_gemm_operands){0}, &p) == CUBLAS_STATUS_SUCCESS &&
                lt.MatmulAlgoCheck(lt.handle, p.desc, p.w, p.x, p.out, p.out, &algo, &result) ==
                    CUBLAS_STATUS_SUCCESS &&
                result.workspaceSize <= DN_BLAS_WORKSPACE;
    release(&p);
    return fits;
}

static int lt_run(const dn_gemm_shape *shape, const dn_gemm_algorithm *algorithm,
                  const dn_gemm_operands *o, cudaStream_t stream) {
    const float one = 1, zero = 0;
    cublasLtMatmulAlgo_t algo;
    product p;
    memcpy(&algo, algorithm, sizeof algo);
    cublasStatus_t status = describe(shape, o, &p);
    if (status == CUBLAS_STATUS_SUCCESS) {
        status = lt.Matmul(lt.handle, p.desc, &one, o->w, p.w, o->x, p.x, &zero, o->out, p.out,
                           o->out, p.out, &algo, o->workspace, DN_BLAS_WORKSPACE, stream);
    }
    release(&p);
    return (int)status;
}

const dn_blas_ops dn_blas_lt = {.open = lt_open,
                                .version = lt_version,
                                .suggest = lt_suggest,
                                .accepts = lt_accepts,
                                .run = lt_run};
