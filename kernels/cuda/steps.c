/* The operations of a pass are noted first and launched when it ends. Only then is it known what
 * follows what: which output the next product wants in e4m3 as well, how large the buffers between
 * must be, and which products have to be timed before a recording begins. */
#include "kernels/cuda/backend.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_STEPS = 1024, MAX_TEXT = 160 };

typedef enum step_kind {
    EMBED,
    PRODUCT,
    ATTENTION,
    NORM,
    ACTIVATE,
    POOL,
    HEADS,
    SCORE,
    SUM
} step_kind;

/** out = x W^T. */
typedef struct product {
    dn_cuda_matrix *matrix;
    int m;
    const void *x;
    const void *bias; /**< elements, NULL without */
    void *out;        /**< NULL: the steps' spare buffer */
    bool narrow;      /**< x and W in e4m3 */
} product;

/** x[n] over the steps' group. */
typedef struct sum {
    void *x;
    size_t n;
} sum;

struct dn_step {
    step_kind kind;
    dn_pass_group group;
    const dn_fused_plan *plan; /**< of an attention; NULL: our own kernel */
    bool finds_starts;         /**< the first of those with a plan */
    union {
        dn_cuda_embed_args embed;
        product product;
        dn_cuda_attention_args attention;
        dn_cuda_norm_args norm; /**< `in` NULL: the spare buffer */
        dn_cuda_activate_args activate;
        dn_cuda_pool_args pool;
        dn_cuda_heads_args heads;
        dn_cuda_score_args score;
        sum sum;
    };
};

void dn_steps_open(dn_steps *steps) {
    steps->step = dn_alloc_array(MAX_STEPS, sizeof *steps->step);
    steps->max = MAX_STEPS;
}

void dn_steps_close(dn_steps *steps) {
    free(steps->step);
    dn_cuda_release(steps->spare);
    dn_cuda_release(steps->narrow);
    dn_cuda_release(steps->starts);
    steps->step = NULL;
}

void dn_steps_clear(dn_steps *steps) {
    steps->n = 0;
    steps->overflow = false;
}

static dn_step *add(dn_steps *steps, step_kind kind, dn_pass_group group) {
    static _Thread_local dn_step beyond;
    dn_step *step = &beyond;
    if (steps->n < steps->max) {
        step = &steps->step[steps->n++];
    } else {
        steps->overflow = true;
    }
    *step = (dn_step){.kind = kind, .group = group};
    return step;
}

/* ---- noting ---- */

void dn_steps_embed(dn_steps *steps, const dn_embed_args *a) {
    add(steps, EMBED, DN_GROUP_EMBED)->embed = (dn_cuda_embed_args){.type = steps->mode->type,
                                                                    .n_tokens = a->n_tokens,
                                                                    .hidden = a->hidden,
                                                                    .token = a->token,
                                                                    .place = steps->place,
                                                                    .first_word = a->first_word,
                                                                    .n_words = a->n_words,
                                                                    .word = a->word,
                                                                    .position = a->position,
                                                                    .token_type = a->type,
                                                                    .gamma = a->gamma,
                                                                    .beta = a->beta,
                                                                    .epsilon = a->epsilon,
                                                                    .out = a->out};
}

static void note_heads(dn_steps *steps, const dn_linear_args *a) {
    const dn_cuda_matrix *matrix = a->weight->packed;
    add(steps, HEADS, DN_GROUP_HEADS)->heads =
        (dn_cuda_heads_args){.type = steps->mode->type,
                             .x_type = a->x_kind == DN_FLOATS ? DN_CUDA_F32 : steps->mode->type,
                             .n_rows = a->n_tokens,
                             .n = matrix->n,
                             .k = matrix->k,
                             .x = a->x,
                             .w = matrix->elements,
                             .bias = a->bias,
                             .activation = (dn_cuda_activation)a->activation,
                             .out = a->out};
}

/** Bias and residual are added in fp32 by the norm, so the product leaves them out. */
static void note_norm(dn_steps *steps, const dn_linear_args *a) {
    add(steps, NORM, DN_GROUP_NORM)->norm = (dn_cuda_norm_args){.type = steps->mode->type,
                                                                .n_tokens = a->n_tokens,
                                                                .width = a->weight->n,
                                                                .residual = a->residual,
                                                                .bias = a->bias,
                                                                .gamma = a->gamma,
                                                                .beta = a->beta,
                                                                .epsilon = a->epsilon,
                                                                .out = a->out};
}

/** cuBLASLt's GELU is the tanh form; ours is the exact one, so it is a step of its own. */
static void note_activation(dn_steps *steps, const dn_linear_args *a) {
    add(steps, ACTIVATE, DN_GROUP_LINEAR)->activate =
        (dn_cuda_activate_args){.type = steps->mode->type,
                                .n_tokens = a->n_tokens,
                                .width = a->weight->n,
                                .in = a->out,
                                .bias = a->bias,
                                .activation = (dn_cuda_activation)a->activation,
                                .out = a->out};
}

void dn_steps_linear(dn_steps *steps, const dn_linear_args *a) {
    if (a->out_kind == DN_FLOATS) {
        note_heads(steps, a);
        return;
    }
    bool plain = !a->gamma && a->activation == DN_ACT_NONE;
    add(steps, PRODUCT, DN_GROUP_LINEAR)->product =
        (product){.matrix = a->weight->packed,
                  .m = a->n_tokens,
                  .x = a->x,
                  .bias = plain ? dn_cuda_elements_of(a->bias, a->weight->n) : NULL,
                  .out = a->gamma ? NULL : a->out};
    if (a->gamma) {
        note_norm(steps, a);
    } else if (!plain) {
        note_activation(steps, a);
    }
}

void dn_steps_add_norm(dn_steps *steps, const dn_add_norm_args *a) {
    add(steps, NORM, DN_GROUP_NORM)->norm = (dn_cuda_norm_args){.type = steps->mode->type,
                                                                .n_tokens = a->n_tokens,
                                                                .width = a->hidden,
                                                                .in = a->x,
                                                                .residual = a->residual,
                                                                .bias = a->bias,
                                                                .gamma = a->gamma,
                                                                .beta = a->beta,
                                                                .epsilon = a->epsilon,
                                                                .out = a->out};
}

void dn_steps_attention(dn_steps *steps, const dn_attention_args *a) {
    add(steps, ATTENTION, DN_GROUP_ATTENTION)->attention =
        (dn_cuda_attention_args){.type = steps->mode->type,
                                 .n_tokens = a->n_tokens,
                                 .n_rows = a->n_rows,
                                 .hidden = a->hidden,
                                 .heads = a->heads,
                                 .longest = steps->longest,
                                 .row_start = a->row_start,
                                 .qkv = a->qkv,
                                 .out = a->out};
}

void dn_steps_pool(dn_steps *steps, const dn_pool_args *a) {
    add(steps, POOL, DN_GROUP_HEADS)->pool =
        (dn_cuda_pool_args){.type = steps->mode->type,
                            .n_rows = a->n_rows,
                            .hidden = a->hidden,
                            .row_start = a->row_start,
                            .n_parts = a->n_parts,
                            .part = {(int)a->part[0], (int)a->part[1]},
                            .x = a->x,
                            .out = a->out};
}

void dn_steps_softmax(dn_steps *steps, const dn_softmax_args *a) {
    dn_cuda_score_args *score = &add(steps, SCORE, DN_GROUP_HEADS)->score;
    int end = a->begin + a->classes;
    *score = (dn_cuda_score_args){
        .n_rows = a->n_rows, .width = a->stride, .x = a->x, .out = a->x, .out_stride = a->stride};
    if (a->begin > 0) {
        score->group[score->n_groups++] = (dn_cuda_group){0, a->begin, DN_CUDA_AS_IS};
    }
    score->group[score->n_groups++] = (dn_cuda_group){a->begin, a->classes, DN_CUDA_SOFTMAX};
    if (end < a->stride) {
        score->group[score->n_groups++] = (dn_cuda_group){end, a->stride - end, DN_CUDA_AS_IS};
    }
}

void dn_steps_score(dn_steps *steps, const dn_score_args *a) {
    dn_cuda_score_args *score = &add(steps, SCORE, DN_GROUP_HEADS)->score;
    *score = (dn_cuda_score_args){.n_rows = a->n_rows,
                                  .width = a->width,
                                  .n_groups = a->n_columns,
                                  .x = a->x,
                                  .out = a->out,
                                  .out_begin = a->out_begin,
                                  .out_stride = a->out_stride};
    for (int i = 0; i < a->n_columns; i++) {
        score->group[i] = (dn_cuda_group){a->columns[i].begin, a->columns[i].width,
                                          (dn_cuda_finish)a->columns[i].finish};
    }
}

void dn_steps_sum(dn_steps *steps, dn_device_group *group, float *elements, size_t n) {
    steps->group = group;
    add(steps, SUM, DN_GROUP_SUMS)->sum = (sum){elements, n};
}

/* ---- e4m3 ---- */

/** Where a step can leave a second copy of what it writes to `x`; NULL: it does not write there. */
static dn_cuda_fp8 *second_copy(dn_step *step, const void *x) {
    switch (step->kind) {
    case EMBED:
        return step->embed.out == x ? &step->embed.fp8 : NULL;
    case ATTENTION:
        return step->attention.out == x ? &step->attention.fp8 : NULL;
    case NORM:
        return step->norm.out == x ? &step->norm.fp8 : NULL;
    case ACTIVATE:
        return step->activate.out == x ? &step->activate.fp8 : NULL;
    case PRODUCT:
    case POOL:
    case HEADS:
    case SCORE:
    case SUM:
        break;
    }
    return NULL;
}

/** Products whose input comes straight from the step before take it in e4m3; before they are
 * calibrated they look at its range. Others (behind a projection) stay wide. */
static void link_products(dn_steps *steps) {
    for (int i = 1; i < steps->n; i++) {
        dn_step *step = &steps->step[i];
        dn_cuda_matrix *matrix = step->kind == PRODUCT ? step->product.matrix : NULL;
        dn_cuda_fp8 *copy =
            matrix && matrix->fp8 ? second_copy(&steps->step[i - 1], step->product.x) : NULL;
        if (!copy) {
            continue;
        }
        if (!matrix->calibrated) {
            copy->largest = matrix->scales + DN_LARGEST_X;
            continue;
        }
        copy->out = steps->narrow;
        copy->factor = matrix->scales + DN_FACTOR_X;
        step->product.narrow = true;
        if (steps->step[i - 1].kind == ACTIVATE) {
            steps->step[i - 1].activate.out = NULL; /* nobody else reads it */
        }
    }
}

/* ---- preparing ---- */

static dn_gemm_shape shape_of(const dn_steps *steps, const product *p) {
    return (dn_gemm_shape){.m = p->m,
                           .n = p->matrix->n,
                           .k = p->matrix->k,
                           .in_type = p->narrow ? DN_CUDA_E4M3 : steps->mode->type,
                           .out_type = steps->mode->type,
                           .has_bias = p->bias != NULL};
}

static dn_gemm_operands operands_of(const dn_steps *steps, const product *p) {
    return (dn_gemm_operands){.x = p->narrow ? steps->narrow : p->x,
                              .w = p->narrow ? p->matrix->fp8 : p->matrix->elements,
                              .bias = p->bias,
                              .x_scale = p->narrow ? p->matrix->scales + DN_SCALE_X : NULL,
                              .w_scale = p->narrow ? p->matrix->scales + DN_SCALE_W : NULL,
                              .out = p->out ? p->out : steps->spare,
                              .workspace = steps->workspace};
}

/** Recorded passes keep a buffer's address, so each is made once, for the largest pass: it grows
 * only where a wider layer comes, and that comes in the first pass. */
static dn_status need(size_t bytes, void **buffer, size_t *size_bytes) {
    if (bytes > *size_bytes) {
        dn_cuda_release(*buffer);
        *size_bytes = 0;
        DN_TRY(dn_cuda_alloc(bytes, "activations", buffer));
        *size_bytes = bytes;
    }
    return DN_OK;
}

static dn_status need_buffers(dn_steps *steps) {
    size_t spare = 0, narrow = 0, tokens = (size_t)steps->most_tokens;
    size_t element = dn_cuda_element_bytes(steps->mode->type);
    for (int i = 0; i < steps->n; i++) {
        const product *p = &steps->step[i].product;
        if (steps->step[i].kind == PRODUCT) {
            size_t out = p->out ? 0 : tokens * (size_t)p->matrix->n * element;
            size_t in = p->matrix->fp8 ? tokens * (size_t)p->matrix->k : 0;
            spare = out > spare ? out : spare;
            narrow = in > narrow ? in : narrow;
        }
    }
    DN_TRY(need(spare, &steps->spare, &steps->spare_bytes));
    return need(narrow, &steps->narrow, &steps->narrow_bytes);
}

/** Long rows go to a library, where there is one. */
static dn_status choose_attention(dn_steps *steps) {
    size_t bytes = (3 * (size_t)steps->most_rows + 2) * sizeof(int32_t);
    bool found = false;
    for (int i = 0; i < steps->n; i++) {
        dn_step *step = &steps->step[i];
        if (step->kind == ATTENTION && dn_cuda_fused_fits(&step->attention)) {
            DN_TRY(need(bytes, &steps->starts, &steps->starts_bytes));
            DN_TRY(dn_cuda_fused_plan(&step->attention, &step->plan));
            step->finds_starts = !found;
            found = true;
        }
    }
    return DN_OK;
}

dn_status dn_steps_prepare(dn_steps *steps, cudaStream_t stream) {
    if (steps->overflow) {
        return DN_FAIL(INTERNAL, "a pass of more than %d operations", steps->max);
    }
    DN_TRY(need_buffers(steps));
    link_products(steps);
    DN_TRY(choose_attention(steps));
    for (int i = 0; i < steps->n; i++) {
        dn_step *step = &steps->step[i];
        if (step->kind == NORM && !step->norm.in) {
            step->norm.in = steps->spare;
        } else if (step->kind == PRODUCT) {
            dn_gemm_shape shape = shape_of(steps, &step->product);
            dn_gemm_operands operands = operands_of(steps, &step->product);
            DN_TRY(dn_cuda_gemm_prepare(&shape, &operands, stream));
        }
    }
    return DN_OK;
}

/* ---- running ---- */

/** Below 0: the library's status. */
static int attend_long(const dn_steps *steps, const dn_step *step, cudaStream_t stream) {
    const dn_cuda_api *api = dn_cuda.api;
    const dn_cuda_attention_args *a = &step->attention;
    int32_t *length = steps->starts, *qkv = length + a->n_rows, *out = qkv + a->n_rows + 1;
    dn_cuda_starts_args starts = {a->n_rows, a->hidden, a->row_start, length, qkv, out};
    dn_fused_operands operands = {a->qkv, a->out, length, qkv, out, steps->workspace};
    int error = step->finds_starts ? api->starts(&starts, stream) : 0;
    return error ? error : -api->fused->run(step->plan, &operands, stream);
}

static int launch(const dn_steps *steps, const dn_step *step, cudaStream_t stream) {
    const dn_cuda_api *api = dn_cuda.api;
    switch (step->kind) {
    case EMBED:
        return api->embed(&step->embed, stream);
    case PRODUCT: {
        dn_gemm_shape shape = shape_of(steps, &step->product);
        dn_gemm_operands operands = operands_of(steps, &step->product);
        return dn_cuda_gemm(&shape, &operands, stream);
    }
    case ATTENTION:
        return step->plan ? attend_long(steps, step, stream)
                          : api->attention(&step->attention, stream);
    case NORM:
        return api->norm(&step->norm, stream);
    case ACTIVATE:
        return api->activate(&step->activate, stream);
    case POOL:
        return api->pool(&step->pool, stream);
    case HEADS:
        return api->heads(&step->heads, stream);
    case SCORE:
        return api->score(&step->score, stream);
    case SUM:
        break;
    }
    return -1;
}

/** What a step does and at which shape, for a person. */
static void describe(const dn_step *step, char text[MAX_TEXT]) {
    switch (step->kind) {
    case EMBED:
        snprintf(text, MAX_TEXT, "embed of %d tokens, hidden %d", step->embed.n_tokens,
                 step->embed.hidden);
        break;
    case PRODUCT:
        snprintf(text, MAX_TEXT, "product of %d x %d with %d x %d%s", step->product.m,
                 step->product.matrix->k, step->product.matrix->n, step->product.matrix->k,
                 step->product.narrow ? " in fp8" : "");
        break;
    case ATTENTION:
        snprintf(text, MAX_TEXT,
                 "attention of %d tokens in %d rows of at most %d, hidden %d, %d heads%s",
                 step->attention.n_tokens, step->attention.n_rows, step->attention.longest,
                 step->attention.hidden, step->attention.heads, step->plan ? " by cuDNN" : "");
        break;
    case NORM:
        snprintf(text, MAX_TEXT, "norm of %d x %d", step->norm.n_tokens, step->norm.width);
        break;
    case ACTIVATE:
        snprintf(text, MAX_TEXT, "activation of %d x %d", step->activate.n_tokens,
                 step->activate.width);
        break;
    case POOL:
        snprintf(text, MAX_TEXT, "pooling of %d rows, hidden %d", step->pool.n_rows,
                 step->pool.hidden);
        break;
    case HEADS:
        snprintf(text, MAX_TEXT, "heads of %d rows, %d x %d", step->heads.n_rows, step->heads.n,
                 step->heads.k);
        break;
    case SCORE:
        snprintf(text, MAX_TEXT, "scores of %d rows, width %d", step->score.n_rows,
                 step->score.width);
        break;
    case SUM:
        snprintf(text, MAX_TEXT, "sum of %zu elements over the group", step->sum.n);
        break;
    }
}

static dn_status fail(const dn_step *step, int error) {
    char text[MAX_TEXT];
    describe(step, text);
    if (error < 0) {
        return DN_FAIL(DEVICE_FAULT, "%s: %s status %d on GPU %d, %s", text,
                       step->plan ? "cuDNN" : "cuBLASLt", -error, dn_cuda.device,
                       dn_cuda.properties.name);
    }
    return dn_cuda_fault(error, text);
}

static int mark(dn_step_marks *marks, dn_pass_group group, cudaStream_t stream, bool captured) {
    if (!marks || marks->n == marks->max) {
        return 0;
    }
    marks->group[marks->n] = group;
    return dn_cuda.api->event_record(marks->event[marks->n++], stream, captured);
}

static dn_status start(const dn_steps *steps, const dn_step *step, cudaStream_t stream) {
    if (step->kind == SUM) {
        return dn_group_sum(steps->group, steps->mode->type, step->sum.x, step->sum.n, stream);
    }
    int error = launch(steps, step, stream);
    return error ? fail(step, error) : DN_OK;
}

dn_status dn_steps_run(dn_steps *steps, cudaStream_t stream, bool captured, dn_step_marks *marks) {
    int error = mark(marks, DN_GROUP_EMBED, stream, captured);
    for (int i = 0; i < steps->n; i++) {
        const dn_step *step = &steps->step[i];
        if (!error) {
            DN_TRY(start(steps, step, stream));
        }
        error = error ? error : mark(marks, step->group, stream, captured);
        if (!error && dn_cuda.checks && !captured) {
            error = dn_cuda.api->stream_finish(stream);
        }
        if (error) {
            return fail(step, error);
        }
    }
    return DN_OK;
}
