#ifndef DN_CPU_ROWS_H
#define DN_CPU_ROWS_H
/** Operations over one row at a time: LayerNorm, softmax, embedding, pooling. All of them wait for
 * memory, so each reads its row once from there and passes again over it in the first-level cache.
 */
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* Chains of a sum over a row: one would wait for its own last addition. */
enum { STRANDS = 4 };

/** sum of (x - mean)^2 over a row, or of x where `mean` is NULL. */
static inline float row_moment(const float *x, int n, const vec *mean) {
    vec sum[STRANDS];
    for (int i = 0; i < STRANDS; i++) {
        sum[i] = v_set(0);
    }
    int j = 0;
    for (; j + STRANDS * VW <= n; j += STRANDS * VW) {
#pragma GCC unroll 4
        for (int i = 0; i < STRANDS; i++) {
            vec y = v_load(x + j + i * VW);
            if (mean) {
                y = v_sub(y, *mean);
            }
            sum[i] = mean ? v_fma(y, y, sum[i]) : v_add(sum[i], y);
        }
    }
    for (; j < n; j += VW) {
        vec y = load_row(x + j, n - j);
        if (mean) {
            y = v_sub(y, *mean);
            y = n - j >= VW ? v_mul(y, y) : v_select_part(n - j, v_mul(y, y), v_set(0));
        }
        sum[0] = v_add(sum[0], y);
    }
    return v_sum(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
}

/** out = layer_norm(x + bias): biased variance about the mean (two passes), epsilon inside the
 * root; bias may be NULL. */
static inline void normalise_row(float *x, int n, const float *bias, const float *gamma,
                                 const float *beta, float epsilon) {
    for (int j = 0; bias && j < n; j += VW) {
        store_row(x + j, n - j, v_add(load_row(x + j, n - j), load_row(bias + j, n - j)));
    }
    const vec mean = v_set(row_moment(x, n, NULL) / (float)n);
    const vec scale = v_set(1.0f / sqrtf(row_moment(x, n, &mean) / (float)n + epsilon));
    for (int j = 0; j < n; j += VW) {
        vec y = v_mul(v_sub(load_row(x + j, n - j), mean), scale);
        store_row(x + j, n - j, v_fma(y, load_row(gamma + j, n - j), load_row(beta + j, n - j)));
    }
}

/** x = softmax(scale x), scale > 0. */
static inline void softmax_row(float *x, int n, float scale) {
    vec top = v_set(-INFINITY), sum = v_set(0), factor = v_set(scale);
    for (int j = 0; j < n; j += VW) {
        vec y = load_row(x + j, n - j);
        top = v_max(top, n - j >= VW ? y : v_select_part(n - j, y, top));
    }
    top = v_set(v_largest(top));
    for (int j = 0; j < n; j += VW) {
        vec y = v_exp(v_mul(v_sub(load_row(x + j, n - j), top), factor));
        store_row(x + j, n - j, y);
        sum = v_add(sum, n - j >= VW ? y : v_select_part(n - j, y, v_set(0)));
    }
    vec share = v_set(1.0f / v_sum(sum));
    for (int j = 0; j < n; j += VW) {
        store_row(x + j, n - j, v_mul(load_row(x + j, n - j), share));
    }
}

static void softmax(const dn_softmax_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        softmax_row(a->x + (size_t)r * (size_t)a->stride + a->begin, a->classes, 1.0f);
    }
}

static void embed_token(const dn_embed_args *a, int t, int place) {
    size_t width = (size_t)a->hidden;
    int32_t row = a->token[t] - a->first_word;
    float *out = a->out + (size_t)t * width;
    if (a->n_words && (row < 0 || row >= a->n_words)) {
        memset(out, 0, width * sizeof *out);
        return;
    }
    const float *word = a->word + (size_t)row * width;
    const float *position = a->position + (size_t)place * width;
    for (int j = 0; j < a->hidden; j += VW) {
        int left = a->hidden - j;
        vec y = v_add(load_row(word + j, left), load_row(position + j, left));
        store_row(out + j, left, v_add(y, load_row(a->type + j, left)));
    }
    if (a->gamma) {
        normalise_row(out, a->hidden, NULL, a->gamma, a->beta, a->epsilon);
    }
}

static void embed(const dn_embed_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        for (int t = a->row_start[r]; t < a->row_start[r + 1]; t++) {
            embed_token(a, t, t - a->row_start[r]);
        }
    }
}

static void add_norm(const dn_add_norm_args *a) {
    size_t width = (size_t)a->hidden;
    for (size_t t = 0; t < (size_t)a->n_tokens; t++) {
        const float *x = a->x + t * width;
        const float *residual = a->residual ? a->residual + t * width : NULL;
        float *out = a->out + t * width;
        for (int j = 0; j < a->hidden; j += VW) {
            int left = a->hidden - j;
            vec y = load_row(x + j, left);
            y = a->bias ? v_add(y, load_row(a->bias + j, left)) : y;
            store_row(out + j, left, residual ? v_add(y, load_row(residual + j, left)) : y);
        }
        normalise_row(out, a->hidden, NULL, a->gamma, a->beta, a->epsilon);
    }
}

/** The mean of tokens [begin, end); of one token, that token to the bit. */
static void mean_tokens(const dn_pool_args *a, int begin, int end, float *out) {
    size_t width = (size_t)a->hidden;
    vec count = v_set((float)(end - begin));
    for (int j = 0; j < a->hidden; j += VW) {
        vec sum = v_set(0);
        for (int t = begin; t < end; t++) {
            sum = v_add(sum, load_row(a->x + (size_t)t * width + j, a->hidden - j));
        }
        store_row(out + j, a->hidden - j, v_div(sum, count));
    }
}

static void pool(const dn_pool_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        for (int p = 0; p < a->n_parts; p++) {
            int begin = a->row_start[r];
            int end = a->part[p] == DN_POOL_CLS ? begin + 1 : a->row_start[r + 1];
            mean_tokens(a, begin, end, a->out + (size_t)(r * a->n_parts + p) * (size_t)a->hidden);
        }
    }
}

#endif
