#include "load.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static uint64_t state;

/** SplitMix64, uniform in [-scale, scale]. */
static float draw(float scale) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return scale * ((float)((z ^ (z >> 31)) >> 40) / (float)(1 << 23) - 1.0f);
}

static float *draw_floats(size_t n, float scale) {
    float *x = dn_alloc_aligned(64, n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = draw(scale);
    }
    return x;
}

static float *room(size_t rows, size_t width) {
    return dn_alloc_aligned(64, rows * width * sizeof(float));
}

static dn_weight draw_weight(const dn_kernels *kernels, int n, int k) {
    float *w = draw_floats((size_t)n * (size_t)k, 0.06f);
    dn_weight weight = {0};
    if (kernels->pack(w, n, k, &weight) != DN_OK) {
        abort();
    }
    free(w);
    return weight;
}

static void draw_rows(load *l) {
    l->row_start = dn_alloc_array((size_t)l->n_tokens + 1, sizeof *l->row_start);
    int t = 0;
    while (t < l->n_tokens) {
        l->row_start[l->n_rows++] = t;
        t += 28 + (int)draw(20.9f);
    }
    l->row_start[l->n_rows] = l->n_tokens;
    l->part_start = dn_alloc_array((size_t)l->n_rows + 1, sizeof *l->part_start);
    l->token = dn_alloc_array((size_t)l->n_tokens, sizeof *l->token);
    for (int i = 0; i < l->n_tokens; i++) {
        l->token[i] = (int32_t)((draw(0.5f) + 0.5f) * (VOCABULARY - 1));
    }
}

load *load_new(const dn_kernels *kernels, int n_tokens) {
    load *l = dn_alloc(sizeof *l);
    size_t tokens = (size_t)n_tokens;
    state = 4;
    l->kernels = kernels, l->n_tokens = n_tokens;
    draw_rows(l);
    for (int i = 0; i < LAYERS; i++) {
        l->layer[i].qkv = draw_weight(kernels, 3 * HIDDEN, HIDDEN);
        l->layer[i].out = draw_weight(kernels, HIDDEN, HIDDEN);
        l->layer[i].up = draw_weight(kernels, INNER, HIDDEN);
        l->layer[i].down = draw_weight(kernels, HIDDEN, INNER);
    }
    l->word = draw_floats((size_t)VOCABULARY * HIDDEN, 1);
    l->position = draw_floats((size_t)POSITIONS * HIDDEN, 1);
    l->vector = draw_floats(INNER, 1);
    l->x = draw_floats(tokens * HIDDEN, 1), l->wide = draw_floats(tokens * INNER, 1);
    l->hidden = room(tokens, HIDDEN), l->qkv = draw_floats(tokens * 3 * HIDDEN, 1);
    l->inner = draw_floats(tokens * INNER, 1);
    l->pooled = room((size_t)l->n_rows, 2 * HIDDEN),
    l->logit = draw_floats((size_t)l->n_rows * CLASSES, 3);
    l->score = room((size_t)l->n_rows, CLASSES);
    l->scratch = room(kernels->attention_scratch(POSITIONS, HIDDEN, HEADS), 1);
    return l;
}

void load_free(load *l) {
    for (int i = 0; i < LAYERS; i++) {
        dn_weight_free(&l->layer[i].qkv), dn_weight_free(&l->layer[i].out);
        dn_weight_free(&l->layer[i].up), dn_weight_free(&l->layer[i].down);
    }
    free(l->row_start), free(l->part_start), free(l->token), free(l->word), free(l->position),
        free(l->vector), free(l->x), free(l->wide);
    free(l->hidden), free(l->qkv), free(l->inner), free(l->pooled), free(l->score),
        free(l->scratch);
    free(l);
}

load load_head(const load *l, int n_rows) {
    load head = *l;
    head.n_rows = n_rows < l->n_rows ? n_rows : l->n_rows;
    head.n_tokens = l->row_start[head.n_rows];
    return head;
}

static dn_shape shape_of(const load *l, int k, int n) {
    dn_shape shape = {
        .T = l->n_tokens, .R = l->n_rows, .H = HIDDEN, .A = HEADS, .K = k, .N = n, .C = CLASSES};
    for (int r = 0; r < l->n_rows; r++) {
        double length = l->row_start[r + 1] - l->row_start[r];
        shape.S2 += length * length;
    }
    return shape;
}

static void embed(const load *l) {
    l->kernels->embed(&(dn_embed_args){.n_tokens = l->n_tokens,
                                       .n_rows = l->n_rows,
                                       .hidden = HIDDEN,
                                       .token = l->token,
                                       .row_start = l->row_start,
                                       .word = l->word,
                                       .position = l->position,
                                       .type = l->vector,
                                       .gamma = l->vector,
                                       .beta = l->vector,
                                       .epsilon = 1e-12f,
                                       .out = l->hidden});
}

static void linear(const load *l, const dn_weight *weight, const float *x, dn_activation activation,
                   float *out) {
    l->kernels->linear(&(dn_linear_args){.n_tokens = l->n_tokens,
                                         .x = x,
                                         .weight = weight,
                                         .bias = l->vector,
                                         .activation = activation,
                                         .out = out});
}

static void linear_norm(const load *l, const dn_weight *weight, const float *x,
                        const float *residual, float *out) {
    l->kernels->linear(&(dn_linear_args){.n_tokens = l->n_tokens,
                                         .x = x,
                                         .weight = weight,
                                         .bias = l->vector,
                                         .residual = residual,
                                         .gamma = l->vector,
                                         .beta = l->vector,
                                         .epsilon = 1e-12f,
                                         .out = out});
}

/** What a rank of a sharded model does behind the all-reduce. */
static void add_norm(const load *l) {
    l->kernels->add_norm(&(dn_add_norm_args){.n_tokens = l->n_tokens,
                                             .hidden = HIDDEN,
                                             .x = l->wide,
                                             .bias = l->vector,
                                             .residual = l->x,
                                             .gamma = l->vector,
                                             .beta = l->vector,
                                             .epsilon = 1e-12f,
                                             .out = l->hidden});
}

static void attention_into(const load *l, float *out) {
    l->kernels->attention(&(dn_attention_args){.n_tokens = l->n_tokens,
                                               .n_rows = l->n_rows,
                                               .hidden = HIDDEN,
                                               .heads = HEADS,
                                               .row_start = l->row_start,
                                               .qkv = l->qkv,
                                               .out = out,
                                               .scratch = l->scratch});
}

static void qkv(const load *l) {
    linear(l, &l->layer[0].qkv, l->x, DN_ACT_NONE, l->qkv);
}
static void up(const load *l) {
    linear(l, &l->layer[0].up, l->x, DN_ACT_GELU, l->inner);
}
static void out(const load *l) {
    linear_norm(l, &l->layer[0].out, l->x, l->x, l->hidden);
}
static void down(const load *l) {
    linear_norm(l, &l->layer[0].down, l->wide, l->x, l->hidden);
}
static void attention(const load *l) {
    attention_into(l, l->hidden);
}
static void pool(const load *l) {
    l->kernels->pool(&(dn_pool_args){.n_rows = l->n_rows,
                                     .hidden = HIDDEN,
                                     .row_start = l->row_start,
                                     .n_parts = 2,
                                     .part = {DN_POOL_CLS, DN_POOL_MEAN},
                                     .x = l->x,
                                     .out = l->pooled});
}
static void softmax(const load *l) {
    memcpy(l->score, l->logit, (size_t)l->n_rows * CLASSES * sizeof *l->score);
    l->kernels->softmax(&(dn_softmax_args){
        .n_rows = l->n_rows, .stride = CLASSES, .classes = CLASSES, .x = l->score});
}

/** The load cut to some tokens, without buffers of its own. */
static load part_of(const load *l, int token, int n_tokens) {
    load part = *l;
    part.n_tokens = n_tokens;
    part.hidden += (size_t)token * HIDDEN;
    return part;
}

/** q, k, v to the attention's result of as many rows as go together; the row after them. The result
 * passes through the first columns of `inner`, which the next product overwrites. */
static int run_attention(const load *l, const layer *w, int row) {
    int end = row + 1, begin = l->row_start[row];
    while (end < l->n_rows && l->row_start[end + 1] - begin <= l->kernels->part_tokens.attention) {
        end++;
    }
    load part = part_of(l, begin, l->row_start[end] - begin);
    part.n_rows = end - row, part.row_start = l->part_start;
    for (int i = 0; i <= part.n_rows; i++) {
        part.row_start[i] = l->row_start[row + i] - begin;
    }
    linear(&part, &w->qkv, part.hidden, DN_ACT_NONE, part.qkv);
    attention_into(&part, part.inner);
    linear_norm(&part, &w->out, part.inner, part.hidden, part.hidden);
    return end;
}

/** The feed-forward of as many tokens as go together; the token after them. */
static int run_feed_forward(const load *l, const layer *w, int token) {
    int most = l->kernels->part_tokens.feed_forward, left = l->n_tokens - token;
    load part = part_of(l, token, most > 0 && most < left ? most : left);
    linear(&part, &w->up, part.hidden, DN_ACT_GELU, part.inner);
    linear_norm(&part, &w->down, part.inner, part.hidden, part.hidden);
    return token + part.n_tokens;
}

/** The whole encoder: embedding and six layers, as the model runs them. */
static void encoder(const load *l) {
    embed(l);
    for (int i = 0; i < LAYERS; i++) {
        for (int row = 0; row < l->n_rows;) {
            row = run_attention(l, &l->layer[i], row);
        }
        for (int token = 0; token < l->n_tokens;) {
            token = run_feed_forward(l, &l->layer[i], token);
        }
    }
}

#define DN_COST(name, op, k, n)                                                                    \
    static double name##_flops(const load *l) {                                                    \
        dn_shape shape = shape_of(l, k, n);                                                        \
        return dn_ops[DN_OP_##op].flops(&shape);                                                   \
    }                                                                                              \
    static double name##_bytes(const load *l) {                                                    \
        dn_shape shape = shape_of(l, k, n);                                                        \
        return dn_ops[DN_OP_##op].bytes(&shape);                                                   \
    }
DN_COST(embed, embed, 0, 0)
DN_COST(qkv, linear, HIDDEN, 3 * HIDDEN)
DN_COST(out, linear_norm, HIDDEN, HIDDEN)
DN_COST(up, linear, HIDDEN, INNER)
DN_COST(down, linear_norm, INNER, HIDDEN)
DN_COST(attention, attention, 0, 0)
DN_COST(add_norm, add_norm, 0, 0)
DN_COST(pool, pool, 0, 0)
DN_COST(softmax, softmax, 0, 0)

static double encoder_flops(const load *l) {
    return embed_flops(l) + LAYERS * (qkv_flops(l) + attention_flops(l) + out_flops(l) +
                                      up_flops(l) + down_flops(l));
}
static double encoder_bytes(const load *l) {
    return embed_bytes(l) + LAYERS * (qkv_bytes(l) + attention_bytes(l) + out_bytes(l) +
                                      up_bytes(l) + down_bytes(l));
}

#define DN_RESULT(name, buffer, size)                                                              \
    static float *name(const load *l, size_t *n) {                                                 \
        *n = (size_t)(size);                                                                       \
        return l->buffer;                                                                          \
    }
DN_RESULT(hidden_of, hidden, l->n_tokens *HIDDEN)
DN_RESULT(qkv_of, qkv, l->n_tokens * 3 * HIDDEN)
DN_RESULT(inner_of, inner, l->n_tokens *INNER)
DN_RESULT(pooled_of, pooled, l->n_rows * 2 * HIDDEN)
DN_RESULT(score_of, score, l->n_rows *CLASSES)

/* Attention reads what qkv has written. A value between two levels may round to either, by the last
 * bit of what came before: through six layers that moves the result by hundredths. */
const bench_case bench_cases[] = {
    {"embed", DN_OP_embed, 1, embed, embed_flops, embed_bytes, hidden_of},
    {"linear 384>1152", DN_OP_linear, 1, qkv, qkv_flops, qkv_bytes, qkv_of},
    {"attention", DN_OP_attention, 1, attention, attention_flops, attention_bytes, hidden_of},
    {"linear_norm 384>384", DN_OP_linear_norm, 1, out, out_flops, out_bytes, hidden_of},
    {"linear 384>1536 gelu", DN_OP_linear, 1, up, up_flops, up_bytes, inner_of},
    {"linear_norm 1536>384", DN_OP_linear_norm, 1, down, down_flops, down_bytes, hidden_of},
    {"add_norm", DN_OP_add_norm, 1, add_norm, add_norm_flops, add_norm_bytes, hidden_of},
    {"pool", DN_OP_pool, 1, pool, pool_flops, pool_bytes, pooled_of},
    {"softmax", DN_OP_softmax, 1, softmax, softmax_flops, softmax_bytes, score_of},
    {"encoder, 6 layers", DN_OP_linear_norm, 5000, encoder, encoder_flops, encoder_bytes,
     hidden_of},
};
const int n_bench_cases = sizeof bench_cases / sizeof *bench_cases;
