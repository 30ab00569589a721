#include "operations.h"

#include "kernels/cuda/product.h"

static size_t elements(int a, int b) {
    return (size_t)a * (size_t)b;
}

static char *behind(char *at, size_t bytes) {
    return at + (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- what stands before, between and behind the products ---- */

static int launch_embed(const stand *s, const operation *o, char *at) {
    (void)o;
    return dn_cuda.api->embed(&(dn_cuda_embed_args){.type = DN_CUDA_BF16,
                                                    .n_tokens = s->n_tokens,
                                                    .hidden = s->shape->hidden,
                                                    .token = s->token,
                                                    .place = s->place,
                                                    .word = s->word,
                                                    .position = s->position,
                                                    .token_type = s->position,
                                                    .gamma = s->ones,
                                                    .beta = s->ones,
                                                    .epsilon = 1e-12f,
                                                    .out = at},
                              s->stream);
}

static void cost_embed(const stand *s, const operation *o, double *bytes, double *flops) {
    double n = (double)elements(s->n_tokens, s->shape->hidden);
    (void)o;
    *bytes = 4 * n; /* a row of the table, and the result */
    *flops = 9 * n;
}

static int launch_norm(const stand *s, const operation *o, char *at) {
    size_t bytes = 2 * elements(s->n_tokens, s->shape->hidden);
    char *residual = behind(at, bytes);
    (void)o;
    return dn_cuda.api->norm(&(dn_cuda_norm_args){.type = DN_CUDA_BF16,
                                                  .n_tokens = s->n_tokens,
                                                  .width = s->shape->hidden,
                                                  .in = at,
                                                  .residual = residual,
                                                  .bias = s->ones,
                                                  .gamma = s->ones,
                                                  .beta = s->ones,
                                                  .epsilon = 1e-12f,
                                                  .out = behind(residual, bytes)},
                             s->stream);
}

static void cost_norm(const stand *s, const operation *o, double *bytes, double *flops) {
    double n = (double)elements(s->n_tokens, s->shape->hidden);
    (void)o;
    *bytes = 6 * n;
    *flops = 10 * n;
}

static int launch_gelu(const stand *s, const operation *o, char *at) {
    char *out = behind(at, 2 * elements(s->n_tokens, s->shape->intermediate));
    dn_cuda_activate_args args = {.type = DN_CUDA_BF16,
                                  .n_tokens = s->n_tokens,
                                  .width = s->shape->intermediate,
                                  .in = at,
                                  .bias = s->ones,
                                  .activation = DN_CUDA_ACT_GELU,
                                  .out = o->narrow ? NULL : out};
    if (o->narrow) {
        args.fp8 = (dn_cuda_fp8){.out = out, .factor = s->ones};
    }
    return dn_cuda.api->activate(&args, s->stream);
}

static void cost_gelu(const stand *s, const operation *o, double *bytes, double *flops) {
    double n = (double)elements(s->n_tokens, s->shape->intermediate);
    *bytes = (o->narrow ? 3 : 4) * n;
    *flops = 20 * n; /* gelu_rational of kernels/cuda/activation.cuh */
}

static int launch_attention(const stand *s, const operation *o, char *at) {
    (void)o;
    return dn_cuda.api->attention(
        &(dn_cuda_attention_args){.type = DN_CUDA_BF16,
                                  .n_tokens = s->n_tokens,
                                  .n_rows = s->n_rows,
                                  .hidden = s->shape->hidden,
                                  .heads = s->shape->heads,
                                  .longest = 32,
                                  .row_start = s->row_start,
                                  .qkv = at,
                                  .out = behind(at, 6 * elements(s->n_tokens, s->shape->hidden))},
        s->stream);
}

static void cost_attention(const stand *s, const operation *o, double *bytes, double *flops) {
    double pairs = (double)s->n_rows * ROW_TOKENS * ROW_TOKENS;
    (void)o;
    *bytes = 8.0 * (double)elements(s->n_tokens, s->shape->hidden);
    *flops = 4 * pairs * (s->shape->hidden + s->shape->heads);
}

static int launch_pool(const stand *s, const operation *o, char *at) {
    size_t bytes = 2 * elements(s->n_tokens, s->shape->hidden);
    (void)o;
    return dn_cuda.api->pool(&(dn_cuda_pool_args){.type = DN_CUDA_BF16,
                                                  .n_rows = s->n_rows,
                                                  .hidden = s->shape->hidden,
                                                  .row_start = s->row_start,
                                                  .n_parts = 1,
                                                  .part = {DN_POOL_MEAN},
                                                  .x = at,
                                                  .out = (float *)(void *)behind(at, bytes)},
                             s->stream);
}

static void cost_pool(const stand *s, const operation *o, double *bytes, double *flops) {
    double n = (double)elements(s->n_tokens, s->shape->hidden);
    (void)o;
    *bytes = 2 * n + 4.0 * s->n_rows * s->shape->hidden;
    *flops = n;
}

static int launch_heads(const stand *s, const operation *o, char *at) {
    size_t bytes = sizeof(float) * elements(s->n_rows, s->shape->hidden);
    (void)o;
    return dn_cuda.api->heads(&(dn_cuda_heads_args){.type = DN_CUDA_BF16,
                                                    .x_type = DN_CUDA_F32,
                                                    .n_rows = s->n_rows,
                                                    .n = LABELS,
                                                    .k = s->shape->hidden,
                                                    .x = at,
                                                    .w = s->heads,
                                                    .bias = s->ones,
                                                    .out = (float *)(void *)behind(at, bytes)},
                              s->stream);
}

static void cost_heads(const stand *s, const operation *o, double *bytes, double *flops) {
    (void)o;
    *bytes = 4.0 * s->n_rows * (s->shape->hidden + LABELS);
    *flops = 2.0 * s->n_rows * s->shape->hidden * LABELS;
}

static int launch_score(const stand *s, const operation *o, char *at) {
    size_t bytes = sizeof(float) * elements(s->n_rows, LABELS);
    (void)o;
    return dn_cuda.api->score(&(dn_cuda_score_args){.n_rows = s->n_rows,
                                                    .width = LABELS,
                                                    .n_groups = 1,
                                                    .group = {{0, LABELS, DN_CUDA_SOFTMAX}},
                                                    .x = (const float *)(const void *)at,
                                                    .out = (float *)(void *)behind(at, bytes),
                                                    .out_stride = LABELS},
                              s->stream);
}

static void cost_score(const stand *s, const operation *o, double *bytes, double *flops) {
    (void)o;
    *bytes = 8.0 * s->n_rows * LABELS;
    *flops = 4.0 * s->n_rows * LABELS;
}

/* ---- products ---- */

static int length_of(const net_shape *shape, side which) {
    return which == INNER ? shape->intermediate : (which == HIDDEN ? 1 : 3) * shape->hidden;
}

dn_gemm_shape gemm_shape(const stand *s, const operation *o) {
    return (dn_gemm_shape){.m = s->n_tokens,
                           .n = length_of(s->shape, o->n),
                           .k = length_of(s->shape, o->k),
                           .in_type = o->narrow ? DN_CUDA_E4M3 : DN_CUDA_BF16,
                           .out_type = DN_CUDA_BF16};
}

dn_gemm_operands gemm_operands(const stand *s, const operation *o, char *at) {
    dn_gemm_shape p = gemm_shape(s, o);
    size_t element = o->narrow ? 1 : 2;
    char *w = behind(at, element * elements(p.m, p.k));
    return (dn_gemm_operands){.x = at,
                              .w = w,
                              .x_scale = o->narrow ? s->ones : NULL,
                              .w_scale = o->narrow ? s->ones : NULL,
                              .out = behind(w, element * elements(p.n, p.k)),
                              .workspace = s->workspace};
}

static int launch_product(const stand *s, const operation *o, char *at) {
    dn_gemm_shape shape = gemm_shape(s, o);
    dn_gemm_operands operands = gemm_operands(s, o, at);
    return dn_cuda_gemm(&shape, &operands, s->stream);
}

/** As the library and `activate` do it: what is written between the two is read again. */
static int launch_in_two(const stand *s, const operation *o, char *at) {
    int error = launch_product(s, o, at);
    dn_cuda_activate_args gelu = {.type = DN_CUDA_BF16,
                                  .n_tokens = s->n_tokens,
                                  .width = gemm_shape(s, o).n,
                                  .in = gemm_operands(s, o, at).out,
                                  .bias = s->ones,
                                  .activation = DN_CUDA_ACT_GELU,
                                  .out = gemm_operands(s, o, at).out};
    return error ? error : dn_cuda.api->activate(&gelu, s->stream);
}

static int launch_in_one(const stand *s, const operation *o, char *at) {
    dn_gemm_shape p = gemm_shape(s, o);
    dn_gemm_operands operands = gemm_operands(s, o, at);
    return dn_cuda_product(&(dn_cuda_product_args){.type = DN_CUDA_BF16,
                                                   .n_tokens = s->n_tokens,
                                                   .n = p.n,
                                                   .k = p.k,
                                                   .x = operands.x,
                                                   .w = operands.w,
                                                   .bias = s->ones,
                                                   .activation = DN_CUDA_ACT_GELU,
                                                   .out = operands.out},
                           s->stream);
}

static void cost_product(const stand *s, const operation *o, double *bytes, double *flops) {
    dn_gemm_shape p = gemm_shape(s, o);
    double m = p.m, element = o->narrow ? 1 : 2;
    *bytes = element * (m * p.k + (double)p.n * p.k) + 2 * m * p.n;
    *flops = 2 * m * p.n * p.k;
}

#define PRODUCT(n, k, narrow) launch_product, cost_product, n, k, true, narrow
const operation operations[] = {
    {"embed + LayerNorm", .launch = launch_embed, .cost = cost_embed},
    {"bias + residual + LayerNorm", .launch = launch_norm, .cost = cost_norm},
    {"bias + GELU, I wide", .launch = launch_gelu, .cost = cost_gelu},
    {"bias + GELU to fp8 only", .launch = launch_gelu, .cost = cost_gelu, .narrow = true},
    {"product, H to 3H", PRODUCT(THREE_HIDDEN, HIDDEN, false)},
    {"product, H to H", PRODUCT(HIDDEN, HIDDEN, false)},
    {"product, H to I", PRODUCT(INNER, HIDDEN, false)},
    {"product, I to H", PRODUCT(HIDDEN, INNER, false)},
    {"fp8 product, H to 3H", PRODUCT(THREE_HIDDEN, HIDDEN, true)},
    [FP8_SQUARE] = {"fp8 product, H to H", PRODUCT(HIDDEN, HIDDEN, true)},
    {"fp8 product, H to I", PRODUCT(INNER, HIDDEN, true)},
    {"fp8 product, I to H", PRODUCT(HIDDEN, INNER, true)},
    [IN_TWO] = {"H to I + bias + GELU, in two", launch_in_two, cost_product, INNER, HIDDEN, true,
                false},
    [IN_ONE] = {"H to I + bias + GELU, in one", launch_in_one, cost_product, INNER, HIDDEN, false,
                false},
    {"attention", .launch = launch_attention, .cost = cost_attention},
    {"pool, mean", .launch = launch_pool, .cost = cost_pool},
    {"heads, 25 outputs", .launch = launch_heads, .cost = cost_heads},
    {"score", .launch = launch_score, .cost = cost_score},
};
const int n_operations = sizeof operations / sizeof *operations;
