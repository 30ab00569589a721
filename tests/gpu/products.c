/* What the libraries of the GPU of gpu.c do: matrix products and attention of long rows. In plain C
 * over elements; attention by whatever kernels are linked beside. */
#include "elements.h"
#include "gpu.h"

#include <stdlib.h>
#include <string.h>

static float *widened(dn_cuda_type type, const void *x, size_t n) {
    float *out = malloc(n * sizeof *out);
    test_elements_get(type, x, n, out);
    return out;
}

/** Columns of a panel, as vectors that stay in registers; rows that share what is read of it. */
enum { LANES = 16, VECTORS = 4, WIDTH = LANES * VECTORS, ROWS = 4 };
typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

/** w[n][k] as panels [n / WIDTH][k][WIDTH], zeros behind the last column. */
static float *panels_of(const float *w, size_t n, size_t k) {
    size_t n_panels = (n + WIDTH - 1) / WIDTH;
    float *out = calloc(n_panels * k * WIDTH, sizeof *out);
    for (size_t j = 0; j < n; j++) {
        for (size_t l = 0; l < k; l++) {
            out[(j / WIDTH * k + l) * WIDTH + j % WIDTH] = w[j * k + l];
        }
    }
    return out;
}

/** ROWS rows of x with one panel. Each output's sum is one lane's and in order, so a row's bits are
 * the same in any company. Without the sanitizers' looks at every number, which cost ten times the
 * product. */
__attribute__((no_sanitize("address", "undefined")))
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static void
multiply_panel(const float *const x[ROWS], const float *panel, size_t k, float out[ROWS][WIDTH]) {
    vector sum[ROWS][VECTORS] = {0};
    for (size_t l = 0; l < k; l++) {
        const vector *column = (const vector *)(const void *)(panel + l * WIDTH);
        for (int i = 0; i < ROWS; i++) {
            for (int v = 0; v < VECTORS; v++) {
                sum[i][v] += x[i][l] * column[v];
            }
        }
    }
    memcpy(out, sum, sizeof sum);
}

/** out[m][n]; rows that are not there are the last one again. */
static void multiply(const float *x, const float *w, size_t m, size_t n, size_t k, float *out) {
    float *panels = panels_of(w, n, k), tile[ROWS][WIDTH];
    for (size_t i = 0; i < m; i += ROWS) {
        const float *row[ROWS];
        for (size_t r = 0; r < ROWS; r++) {
            row[r] = x + (i + r < m ? i + r : m - 1) * k;
        }
        for (size_t j = 0; j < n; j += WIDTH) {
            size_t width = n - j < WIDTH ? n - j : WIDTH;
            multiply_panel(row, panels + j * k, k, tile);
            for (size_t r = 0; r < ROWS && i + r < m; r++) {
                memcpy(out + (i + r) * n + j, tile[r], width * sizeof *out);
            }
        }
    }
    free(panels);
}

/** A factor of all results. */
static float fault_of(const dn_gemm_operands *o) {
    bool wrong = test_gpu_state.wrong == 1 || (test_gpu_state.wrong == 2 && o->x_scale);
    return !wrong ? 1 : o->x_scale ? -1 : 1.25f;
}

int test_gpu_product(const dn_gemm_shape *s, const dn_gemm_operands *o) {
    size_t m = (size_t)s->m, n = (size_t)s->n, k = (size_t)s->k;
    float *x = widened(s->in_type, o->x, m * k), *w = widened(s->in_type, o->w, n * k);
    float *bias = s->has_bias ? widened(s->out_type, o->bias, n) : NULL;
    float *out = malloc(m * n * sizeof *out);
    float scale = (o->x_scale ? *o->x_scale * *o->w_scale : 1) * fault_of(o);
    multiply(x, w, m, n, k, out);
    for (size_t i = 0; i < m * n; i++) {
        out[i] = out[i] * scale + (bias ? bias[i % n] : 0);
    }
    test_elements_put(s->out_type, out, m * n, o->out);
    free(x);
    free(w);
    free(bias);
    free(out);
    return 0;
}

/** By what a library is told of the rows, and no more: each must be where its start says. */
int test_gpu_fused(const dn_fused_shape *s, const dn_fused_operands *o) {
    int hidden = s->heads * s->head_size, wrong = 0;
    int32_t *row_start = calloc((size_t)s->n_rows + 1, sizeof *row_start);
    for (int r = 0; r < s->n_rows; r++) {
        row_start[r + 1] = row_start[r] + o->length[r];
        wrong |= o->length[r] > s->longest || o->out_start[r] != row_start[r] * hidden ||
                 o->qkv_start[r] != row_start[r] * 3 * hidden;
    }
    int error = wrong
                    ? 1
                    : dn_cuda_attention(&(dn_cuda_attention_args){.type = s->type,
                                                                  .n_tokens = row_start[s->n_rows],
                                                                  .n_rows = s->n_rows,
                                                                  .hidden = hidden,
                                                                  .heads = s->heads,
                                                                  .longest = s->longest,
                                                                  .row_start = row_start,
                                                                  .qkv = o->qkv,
                                                                  .out = o->out},
                                        NULL);
    free(row_start);
    return error;
}
