/* The launches of kernels/cuda/launch.h in plain C, by the operations of ref, so that whole models
 * run in a moment on the GPU of gpu.c. Whether the kernels themselves are right is for tests/cuda,
 * and for the tests that link them in this file's place.
 */
#include "elements.h"

#include "kernels/cuda/launch.h"
#include "kernels/ref/ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *taken(dn_cuda_type type, const void *from, size_t n) {
    float *out = malloc((n ? n : 1) * sizeof *out);
    test_elements_get(type, from, n, out);
    return out;
}

static size_t size(int a, int b) {
    return (size_t)a * (size_t)b;
}

/** y as elements and, where wanted, as e4m3 and into its range. */
static void finish(dn_cuda_type type, const float *y, size_t n, void *out, const dn_cuda_fp8 *fp8) {
    for (size_t i = 0; fp8->largest && i < n; i++) {
        *fp8->largest = fmaxf(*fp8->largest, fabsf(y[i]));
    }
    for (size_t i = 0; fp8->out && i < n; i++) {
        float scaled = y[i] * *fp8->factor;
        test_elements_put(DN_CUDA_E4M3, &scaled, 1, (uint8_t *)fp8->out + i);
    }
    if (out) {
        test_elements_put(type, y, n, out);
    }
}

/* ---- launches ---- */

int dn_cuda_prepare(void) {
    return 0;
}

int dn_cuda_round(const dn_cuda_round_args *a, cudaStream_t stream) {
    (void)stream;
    for (size_t i = 0; i < a->n; i++) {
        float y = a->x[i] * a->factor;
        test_elements_put(a->type, &y, 1, (char *)a->out + i * test_element_bytes(a->type));
    }
    return 0;
}

int dn_cuda_widen(const dn_cuda_widen_args *a, cudaStream_t stream) {
    (void)stream;
    test_elements_get(a->type, a->x, a->n, a->out);
    return 0;
}

static void normalise(float *x, int n, const float *gamma, const float *beta, float epsilon) {
    dn_ref_add_norm(&(dn_add_norm_args){.n_tokens = 1,
                                        .hidden = n,
                                        .x = x,
                                        .gamma = gamma,
                                        .beta = beta,
                                        .epsilon = epsilon,
                                        .out = x});
}

int dn_cuda_embed(const dn_cuda_embed_args *a, cudaStream_t stream) {
    (void)stream;
    size_t width = (size_t)a->hidden, bytes = a->type == DN_CUDA_F32 ? 4 : 2;
    float *y = malloc(size(a->n_tokens, a->hidden) * sizeof *y);
    float *type = taken(a->type, a->token_type, width);
    for (int t = 0; t < a->n_tokens; t++) {
        float *row = y + (size_t)t * width;
        int32_t at = a->token[t] - a->first_word;
        bool is_here = a->n_words == 0 || (at >= 0 && at < a->n_words);
        const char *word = (const char *)a->word + (is_here ? (size_t)at * width * bytes : 0);
        const char *place = (const char *)a->position + (size_t)a->place[t] * width * bytes;
        float *words = taken(a->type, word, width), *places = taken(a->type, place, width);
        for (size_t j = 0; j < width; j++) {
            row[j] = is_here ? words[j] + places[j] + type[j] : 0;
        }
        if (a->gamma) {
            normalise(row, a->hidden, a->gamma, a->beta, a->epsilon);
        }
        free(words);
        free(places);
    }
    finish(a->type, y, size(a->n_tokens, a->hidden), a->out, &a->fp8);
    free(type);
    free(y);
    return 0;
}

int dn_cuda_attention(const dn_cuda_attention_args *a, cudaStream_t stream) {
    (void)stream;
    size_t n = size(a->n_tokens, a->hidden);
    float *qkv = taken(a->type, a->qkv, 3 * n), *y = calloc(n + 1, sizeof *y);
    float *scratch =
        calloc(dn_ref_attention_scratch(a->longest, a->hidden, a->heads) + 1, sizeof *scratch);
    dn_ref_attention(&(dn_attention_args){.n_tokens = a->n_tokens,
                                          .n_rows = a->n_rows,
                                          .hidden = a->hidden,
                                          .heads = a->heads,
                                          .row_start = a->row_start,
                                          .qkv = qkv,
                                          .out = y,
                                          .scratch = scratch});
    finish(a->type, y, n, a->out, &a->fp8);
    free(scratch);
    free(qkv);
    free(y);
    return 0;
}

int dn_cuda_starts(const dn_cuda_starts_args *a, cudaStream_t stream) {
    (void)stream;
    for (int r = 0; r <= a->n_rows; r++) {
        a->qkv_start[r] = a->row_start[r] * 3 * a->hidden;
        a->out_start[r] = a->row_start[r] * a->hidden;
        if (r < a->n_rows) {
            a->length[r] = a->row_start[r + 1] - a->row_start[r];
        }
    }
    return 0;
}

int dn_cuda_norm(const dn_cuda_norm_args *a, cudaStream_t stream) {
    (void)stream;
    size_t n = size(a->n_tokens, a->width);
    float *x = taken(a->type, a->in, n);
    float *residual = a->residual ? taken(a->type, a->residual, n) : NULL;
    dn_ref_add_norm(&(dn_add_norm_args){.n_tokens = a->n_tokens,
                                        .hidden = a->width,
                                        .x = x,
                                        .bias = a->bias,
                                        .residual = residual,
                                        .gamma = a->gamma,
                                        .beta = a->beta,
                                        .epsilon = a->epsilon,
                                        .out = x});
    finish(a->type, x, n, a->out, &a->fp8);
    free(residual);
    free(x);
    return 0;
}

static float activated(dn_cuda_activation activation, float x) {
    switch (activation) {
    case DN_CUDA_ACT_GELU:
        return 0.5f * x * (1 + erff(x * 0.70710678f));
    case DN_CUDA_ACT_TANH:
        return tanhf(x);
    case DN_CUDA_ACT_RELU:
        return x > 0 ? x : 0;
    case DN_CUDA_ACT_NONE:
        break;
    }
    return x;
}

int dn_cuda_activate(const dn_cuda_activate_args *a, cudaStream_t stream) {
    (void)stream;
    size_t n = size(a->n_tokens, a->width);
    float *y = taken(a->type, a->in, n);
    for (size_t i = 0; i < n; i++) {
        y[i] = activated(a->activation, y[i] + (a->bias ? a->bias[i % (size_t)a->width] : 0));
    }
    finish(a->type, y, n, a->out, &a->fp8);
    free(y);
    return 0;
}

int dn_cuda_pool(const dn_cuda_pool_args *a, cudaStream_t stream) {
    (void)stream;
    size_t tokens = (size_t)a->row_start[a->n_rows], width = (size_t)a->hidden;
    float *x = taken(a->type, a->x, tokens * width);
    for (int r = 0; r < a->n_rows; r++) {
        int32_t start[2] = {0, a->row_start[r + 1] - a->row_start[r]};
        float *out = a->out + (size_t)r * (size_t)a->n_parts * width;
        memset(out, 0, (size_t)a->n_parts * width * sizeof *out);
        dn_pool_args one = {.n_rows = start[1] > 0,
                            .hidden = a->hidden,
                            .row_start = start,
                            .n_parts = a->n_parts,
                            .part = {(dn_pooling)a->part[0], (dn_pooling)a->part[1]},
                            .x = x + (size_t)a->row_start[r] * width,
                            .out = out};
        dn_ref_pool(&one);
    }
    free(x);
    return 0;
}

int dn_cuda_heads(const dn_cuda_heads_args *a, cudaStream_t stream) {
    (void)stream;
    size_t k = (size_t)a->k;
    float *x = taken(a->x_type, a->x, size(a->n_rows, a->k)),
          *w = taken(a->type, a->w, size(a->n, a->k));
    for (int r = 0; r < a->n_rows; r++) {
        for (int j = 0; j < a->n; j++) {
            double sum = a->bias ? (double)a->bias[j] : 0;
            for (size_t l = 0; l < k; l++) {
                sum += (double)x[(size_t)r * k + l] * (double)w[(size_t)j * k + l];
            }
            a->out[(size_t)r * (size_t)a->n + (size_t)j] = activated(a->activation, (float)sum);
        }
    }
    free(x);
    free(w);
    return 0;
}

static void finish_group(const dn_cuda_group *group, float *x) {
    double sum = 0;
    if (group->finish == DN_CUDA_SOFTMAX) {
        dn_ref_softmax(&(dn_softmax_args){1, group->width, 0, group->width, x});
    }
    for (int i = 0; i < group->width; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    for (int i = 0; i < group->width; i++) {
        if (group->finish == DN_CUDA_SIGMOID) {
            x[i] = (float)(1 / (1 + exp(-(double)x[i])));
        } else if (group->finish == DN_CUDA_UNIT_LENGTH) {
            x[i] = (float)((double)x[i] / fmax(sqrt(sum), 1e-12));
        }
    }
}

int dn_cuda_score(const dn_cuda_score_args *a, cudaStream_t stream) {
    (void)stream;
    for (int r = 0; r < a->n_rows; r++) {
        const float *x = a->x + size(r, a->width);
        float *out = a->out + size(r, a->out_stride) + a->out_begin;
        memmove(out, x, (size_t)a->width * sizeof *out);
        for (int g = 0; g < a->n_groups; g++) {
            finish_group(&a->group[g], out + a->group[g].begin);
        }
    }
    return 0;
}
