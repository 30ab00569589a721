/* The oracle: every operation as its formula is written, scalar, one element after the other. Sums
 * are held in double and rounded once, so that a difference from here is the other backend's own
 * error. Kept for ever; never optimised. */
#include "kernels/ref/ref.h"
#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static dn_status pack(const float *w, int n, int k, dn_weight *out) {
    size_t bytes = (size_t)n * (size_t)k * sizeof(float);
    float *copy = dn_alloc_aligned(64, bytes);
    memcpy(copy, w, bytes);
    *out = (dn_weight){.n = n, .k = k, .layout = "ref", .bytes = bytes, .packed = copy};
    return DN_OK;
}

/** PyTorch's LayerNorm: biased variance about the mean, epsilon inside the root. */
static void normalise_row(float *x, int n, const float *gamma, const float *beta, float epsilon) {
    double sum = 0, squares = 0;
    for (int j = 0; j < n; j++) {
        sum += x[j];
    }
    double mean = sum / n;
    for (int j = 0; j < n; j++) {
        squares += (x[j] - mean) * (x[j] - mean);
    }
    double scale = 1 / sqrt(squares / n + (double)epsilon);
    for (int j = 0; j < n; j++) {
        x[j] = (float)((x[j] - mean) * scale * (double)gamma[j] + (double)beta[j]);
    }
}

static void embed_token(const dn_embed_args *a, int t, int place) {
    size_t width = (size_t)a->hidden;
    int32_t row = a->token[t] - a->first_word;
    bool is_here = a->n_words == 0 || (row >= 0 && row < a->n_words);
    const float *word = a->word + (is_here ? (size_t)row * width : 0);
    const float *position = a->position + (size_t)place * width;
    float *out = a->out + (size_t)t * width;
    for (size_t j = 0; j < width; j++) {
        out[j] = is_here ? word[j] + position[j] + a->type[j] : 0;
    }
    if (a->gamma) {
        normalise_row(out, a->hidden, a->gamma, a->beta, a->epsilon);
    }
}

void dn_ref_embed(const dn_embed_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        for (int t = a->row_start[r]; t < a->row_start[r + 1]; t++) {
            embed_token(a, t, t - a->row_start[r]);
        }
    }
}

void dn_ref_add_norm(const dn_add_norm_args *a) {
    size_t width = (size_t)a->hidden;
    for (size_t t = 0; t < (size_t)a->n_tokens; t++) {
        const float *x = a->x + t * width;
        float *out = a->out + t * width;
        for (size_t j = 0; j < width; j++) {
            double y = (double)x[j] + (a->bias ? (double)a->bias[j] : 0);
            out[j] = (float)(y + (a->residual ? (double)a->residual[t * width + j] : 0));
        }
        normalise_row(out, a->hidden, a->gamma, a->beta, a->epsilon);
    }
}

static double activate(double x, dn_activation activation) {
    switch (activation) {
    case DN_ACT_GELU:
        return 0.5 * x * (1 + erf(x * M_SQRT1_2));
    case DN_ACT_TANH:
        return tanh(x);
    case DN_ACT_RELU:
        return x > 0 ? x : 0;
    case DN_ACT_NONE:
        break;
    }
    return x;
}

static double dot(const float *x, const float *y, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += (double)x[i] * (double)y[i];
    }
    return sum;
}

static double kept_part(const dn_linear_args *a, int t, int output) {
    const float *x = a->x + (size_t)t * (size_t)a->weight->k;
    double sum = 0;
    for (int i = 0; i < a->kept->n; i++) {
        const float *column = a->kept->column + (size_t)i * (size_t)a->weight->n;
        sum += (double)x[a->kept->input[i]] * (double)column[output];
    }
    return sum;
}

void dn_ref_linear_row(const dn_linear_args *a, int t, const float *x, const float *w, double scale,
                       const float *column_scale) {
    int n = a->weight->n, k = a->weight->k;
    float *out = a->out + (size_t)t * (size_t)n;
    for (int j = 0; j < n; j++) {
        double y = dot(x, w + (size_t)j * (size_t)k, k) * scale;
        y *= column_scale ? (double)column_scale[j] : 1;
        y += a->bias ? (double)a->bias[j] : 0;
        y += a->kept ? kept_part(a, t, j) : 0;
        y = activate(y, a->activation);
        y += a->residual ? (double)a->residual[(size_t)t * (size_t)n + (size_t)j] : 0;
        out[j] = (float)y;
    }
    if (a->gamma) {
        normalise_row(out, n, a->gamma, a->beta, a->epsilon);
    }
}

static void linear(const dn_linear_args *a) {
    assert(strcmp(a->weight->layout, "ref") == 0 && !a->kept);
    for (int t = 0; t < a->n_tokens; t++) {
        dn_ref_linear_row(a, t, a->x + (size_t)t * (size_t)a->weight->k, a->weight->packed, 1,
                          NULL);
    }
}

static void softmax_row(float *x, int n) {
    float max = x[0];
    double sum = 0;
    for (int j = 1; j < n; j++) {
        max = x[j] > max ? x[j] : max;
    }
    for (int j = 0; j < n; j++) {
        x[j] = (float)exp((double)x[j] - (double)max);
        sum += (double)x[j];
    }
    for (int j = 0; j < n; j++) {
        x[j] = (float)((double)x[j] / sum);
    }
}

size_t dn_ref_attention_scratch(int max_row_tokens, int hidden, int heads) {
    (void)hidden, (void)heads;
    return (size_t)max_row_tokens;
}

/** One query of one head: its probabilities over the row's keys, then the mean of the values under
 * them. */
static void attend(const dn_attention_args *a, int begin, int end, int query, int head) {
    size_t width = (size_t)a->hidden, stride = 3 * width;
    int depth = a->hidden / a->heads;
    const float *q = a->qkv + (size_t)query * stride + (size_t)(head * depth);
    const float *k = a->qkv + (size_t)begin * stride + width + (size_t)(head * depth);
    const float *v = k + width;
    float *out = a->out + (size_t)query * width + (size_t)(head * depth);
    for (int j = 0; j < end - begin; j++) {
        a->scratch[j] = (float)(dot(q, k + (size_t)j * stride, depth) / sqrt(depth));
    }
    softmax_row(a->scratch, end - begin);
    for (int d = 0; d < depth; d++) {
        double sum = 0;
        for (int j = 0; j < end - begin; j++) {
            sum += (double)a->scratch[j] * (double)v[(size_t)j * stride + (size_t)d];
        }
        out[d] = (float)sum;
    }
}

void dn_ref_attention(const dn_attention_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        for (int t = a->row_start[r]; t < a->row_start[r + 1]; t++) {
            for (int head = 0; head < a->heads; head++) {
                attend(a, a->row_start[r], a->row_start[r + 1], t, head);
            }
        }
    }
}

static void pool_row(const dn_pool_args *a, int r, dn_pooling part, float *out) {
    size_t width = (size_t)a->hidden;
    int begin = a->row_start[r], end = part == DN_POOL_CLS ? begin + 1 : a->row_start[r + 1];
    for (size_t j = 0; j < width; j++) {
        double sum = 0;
        for (int t = begin; t < end; t++) {
            sum += (double)a->x[(size_t)t * width + j];
        }
        out[j] = (float)(sum / (end - begin));
    }
}

void dn_ref_pool(const dn_pool_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        for (int p = 0; p < a->n_parts; p++) {
            pool_row(a, r, a->part[p], a->out + (size_t)(r * a->n_parts + p) * (size_t)a->hidden);
        }
    }
}

void dn_ref_softmax(const dn_softmax_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        softmax_row(a->x + (size_t)r * (size_t)a->stride + a->begin, a->classes);
    }
}

/** Scalar multiply-adds in eight independent chains, which is what this backend could reach at
 * best. */
double dn_ref_measure_peak(int ms) {
    enum { CHAINS = 8, STEPS = 100000 };
    volatile float sink = 0;
    double best = 0;
    int64_t stop_ns = dn_thread_cpu_ns() + (int64_t)ms * 1000000;
    for (int64_t now_ns = dn_thread_cpu_ns(); now_ns < stop_ns;) {
        float sum[CHAINS] = {0};
        for (int i = 0; i < STEPS; i++) {
            for (int c = 0; c < CHAINS; c++) {
                sum[c] = sum[c] * 0.999f + 0.5f;
            }
        }
        for (int c = 0; c < CHAINS; c++) {
            sink = sink + sum[c];
        }
        int64_t then_ns = dn_thread_cpu_ns();
        double rate = 2.0 * CHAINS * STEPS / (double)(then_ns - now_ns);
        best = rate > best ? rate : best;
        now_ns = then_ns;
    }
    return best;
}

const dn_kernels dn_kernels_ref = {
    .name = "ref",
    .isa = "scalar",
    .precision = "fp32",
    .pack = pack,
    .attention_scratch = dn_ref_attention_scratch,
    .embed = dn_ref_embed,
    .linear = linear,
    .add_norm = dn_ref_add_norm,
    .attention = dn_ref_attention,
    .pool = dn_ref_pool,
    .softmax = dn_ref_softmax,
    .measure_peak = dn_ref_measure_peak,
    .oracle = &dn_kernels_ref,
};
