#include "model/encoder.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** What every step of one pass needs. With a device, `batch` and `score` lie there, of the size
 * that the pass was filled up to. */
typedef struct pass {
    const dn_config *config;
    const dn_shard *shard;
    const dn_weights *weights;
    const dn_kernels *kernels;
    dn_workspace *space;
    const dn_batch *batch;   /**< its rows are texts: pooling, heads */
    const dn_batch *windows; /**< embedding, attention */
    float *score;
} pass;

/** Without the tokens that filled the batch up. */
static dn_status probe(const pass *p, int layer) {
    const dn_workspace *space = p->space;
    int width = p->config->hidden;
    if (!space->probe) {
        return DN_OK;
    }
    if (!space->device) {
        space->probe(space->probe_ctx, layer, space->x, p->batch->n_tokens, width);
        return DN_OK;
    }
    size_t n = (size_t)space->own_tokens * (size_t)width;
    float *seen = dn_alloc_array(n, sizeof *seen);
    dn_status status = space->device->download(DN_ELEMENTS, space->x, n, seen);
    if (status == DN_OK) {
        space->probe(space->probe_ctx, layer, seen, space->own_tokens, width);
    }
    free(seen);
    return status;
}

/** Kinds of numbers in and out: activations between layers, floats towards the scores. */
typedef struct kinds {
    dn_numbers x, out;
} kinds;

static const kinds in_layers = {DN_ELEMENTS, DN_ELEMENTS};
static const kinds of_texts = {DN_FLOATS, DN_FLOATS};
static const kinds of_tokens = {DN_ELEMENTS, DN_FLOATS};

/** Windows that go through the steps of half a layer together, so that what lies between the steps
 * stays in a near cache (dn_kernels.part_tokens). */
typedef struct portion {
    int row, n_rows;
    int token, n_tokens;
} portion;

static portion whole(const pass *p) {
    return (portion){.n_rows = p->windows->n_rows, .n_tokens = p->batch->n_tokens};
}

/** Whole windows from `row` on, at least one. */
static portion part_of_rows(const pass *p, int row) {
    const int32_t *start = p->windows->row_start;
    int most = p->kernels->part_tokens.attention, end = row + 1;
    if (most == 0) {
        return whole(p);
    }
    while (end < p->windows->n_rows && start[end + 1] - start[row] <= most) {
        end++;
    }
    return (portion){row, end - row, start[row], start[end] - start[row]};
}

static portion part_of_tokens(const pass *p, int token) {
    int most = p->kernels->part_tokens.feed_forward, left = p->batch->n_tokens - token;
    return most == 0 ? whole(p) : (portion){.token = token, .n_tokens = left < most ? left : most};
}

static float *at_token(float *x, const portion *part, int width) {
    return x ? x + (size_t)part->token * (size_t)width : NULL;
}

static void probe_input(const pass *p, const portion *part, int layer, dn_matrix matrix,
                        const float *x, int width) {
    if (p->space->input_probe) {
        p->space->input_probe(p->space->input_probe_ctx, layer, matrix, x, part->n_tokens, width);
    }
}

static void project(const pass *p, kinds kind, int n, const float *x, const dn_dense *dense,
                    dn_activation act, float *out) {
    p->kernels->linear(&(dn_linear_args){.n_tokens = n,
                                         .x = x,
                                         .weight = &dense->weight,
                                         .bias = dense->bias,
                                         .kept = dense->kept.n ? &dense->kept : NULL,
                                         .activation = act,
                                         .out = out,
                                         .x_kind = kind.x,
                                         .out_kind = kind.out});
}

/** x = norm(x + bias + partial), where the group's partial sums are added up first. */
static dn_status sum_and_norm(const pass *p, float *partial, int width, const float *bias,
                              const float *residual, const dn_norm *norm, float *x) {
    DN_TRY(dn_comm_sum(p->shard->group, partial, (size_t)p->batch->n_tokens * (size_t)width));
    p->kernels->add_norm(&(dn_add_norm_args){
        .n_tokens = p->batch->n_tokens,
        .hidden = width,
        .x = partial,
        .bias = bias,
        .residual = residual,
        .gamma = norm->gamma,
        .beta = norm->beta,
        .epsilon = p->config->epsilon,
        .out = x,
    });
    return DN_OK;
}

static dn_status embed(const pass *p) {
    const dn_weights *weights = p->weights;
    const dn_slice *words = &p->shard->words;
    bool projected = weights->projection.weight.packed != NULL, is_part = p->shard->group != NULL;
    float *out = projected ? p->space->context : p->space->x;
    p->kernels->embed(&(dn_embed_args){
        .n_tokens = p->batch->n_tokens,
        .n_rows = p->windows->n_rows,
        .hidden = p->config->embedding,
        .token = p->batch->token,
        .row_start = p->windows->row_start,
        .first_word = words->begin,
        .n_words = words->n,
        .word = weights->word,
        .position = weights->position,
        .type = weights->type,
        .gamma = is_part ? NULL : weights->embedding_norm.gamma,
        .beta = weights->embedding_norm.beta,
        .epsilon = p->config->epsilon,
        .out = out,
    });
    if (is_part) {
        DN_TRY(
            sum_and_norm(p, out, p->config->embedding, NULL, NULL, &weights->embedding_norm, out));
    }
    if (projected) {
        project(p, in_layers, p->batch->n_tokens, out, &weights->projection, DN_ACT_NONE,
                p->space->x);
    }
    return DN_OK;
}

/** x = norm(x + dense(in)), in[part]; of a shard partial = dense(in), which add_up() makes x of. */
static void project_back(const pass *p, const portion *part, const float *in, const dn_dense *dense,
                         const dn_norm *norm) {
    float *x = at_token(p->space->x, part, p->config->hidden);
    if (p->shard->group) {
        dn_dense own = {.weight = dense->weight, .kept = dense->kept};
        project(p, in_layers, part->n_tokens, in, &own, DN_ACT_NONE,
                at_token(p->space->partial, part, p->config->hidden));
        return;
    }
    p->kernels->linear(&(dn_linear_args){
        .n_tokens = part->n_tokens,
        .x = in,
        .weight = &dense->weight,
        .bias = dense->bias,
        .kept = dense->kept.n ? &dense->kept : NULL,
        .residual = x,
        .gamma = norm->gamma,
        .beta = norm->beta,
        .epsilon = p->config->epsilon,
        .out = x,
    });
}

static dn_status add_up(const pass *p, const dn_dense *dense, const dn_norm *norm) {
    return p->shard->group ? sum_and_norm(p, p->space->partial, p->config->hidden, dense->bias,
                                          p->space->x, norm, p->space->x)
                           : DN_OK;
}

/** Where the windows of a part begin within it. */
static const int32_t *starts_of(const pass *p, const portion *part) {
    const int32_t *start = p->windows->row_start + part->row;
    if (part->token == 0) {
        return start;
    }
    for (int i = 0; i <= part->n_rows; i++) {
        p->space->part_start[i] = start[i] - part->token;
    }
    return p->space->part_start;
}

static void attend(const pass *p, const portion *part, int index) {
    const dn_layer *layer = &p->weights->layer[index];
    dn_workspace *space = p->space;
    const float *x = at_token(space->x, part, p->config->hidden);
    probe_input(p, part, index, DN_QKV, x, p->config->hidden);
    project(p, in_layers, part->n_tokens, x, &layer->qkv, DN_ACT_NONE, space->wide);
    p->kernels->attention(&(dn_attention_args){
        .n_tokens = part->n_tokens,
        .n_rows = part->n_rows,
        .hidden = p->shard->width.n,
        .heads = p->shard->heads.n,
        .row_start = starts_of(p, part),
        .qkv = space->wide,
        .out = space->context,
        .scratch = space->scratch,
    });
    probe_input(p, part, index, DN_OUT, space->context, p->shard->width.n);
    project_back(p, part, space->context, &layer->out, &layer->attention_norm);
}

static void feed_forward(const pass *p, const portion *part, int index) {
    const dn_layer *layer = &p->weights->layer[index];
    const float *x = at_token(p->space->x, part, p->config->hidden);
    float *wide = p->space->wide;
    probe_input(p, part, index, DN_UP, x, p->config->hidden);
    project(p, in_layers, part->n_tokens, x, &layer->up, DN_ACT_GELU, wide);
    probe_input(p, part, index, DN_DOWN, wide, p->shard->inner.n);
    project_back(p, part, wide, &layer->down, &layer->output_norm);
}

static dn_status run_layer(const pass *p, int index) {
    const dn_layer *layer = &p->weights->layer[index];
    for (int row = 0; row < p->windows->n_rows;) {
        portion part = part_of_rows(p, row);
        attend(p, &part, index);
        row += part.n_rows;
    }
    DN_TRY(add_up(p, &layer->out, &layer->attention_norm));
    for (int token = 0; token < p->batch->n_tokens;) {
        portion part = part_of_tokens(p, token);
        feed_forward(p, &part, index);
        token += part.n_tokens;
    }
    return add_up(p, &layer->down, &layer->output_norm);
}

static void pool(const pass *p, int n_parts, const dn_pooling *part) {
    p->kernels->pool(&(dn_pool_args){
        .n_rows = p->batch->n_rows,
        .hidden = p->config->hidden,
        .row_start = p->batch->row_start,
        .n_parts = n_parts,
        .part = {part[0], part[n_parts - 1]},
        .x = p->space->x,
        .out = p->space->pooled,
    });
}

/** A probability for each label by itself. */
static void sigmoid(int n_rows, int stride, const dn_model_head *head, float *x) {
    for (int row = 0; row < n_rows; row++) {
        float *y = x + (size_t)row * (size_t)stride + head->begin;
        for (int i = 0; i < head->n_labels; i++) {
            y[i] = (float)(1 / (1 + exp(-(double)y[i])));
        }
    }
}

void dn_heads_finish(const dn_config *config, const dn_kernels *kernels, bool tokens, int n_rows,
                     int stride, float *x) {
    for (int i = 0; i < config->n_model_heads; i++) {
        const dn_model_head *head = &config->model_head[i];
        if ((head->kind == DN_HEAD_TOKENS) != tokens) {
            continue;
        }
        if (head->kind == DN_HEAD_SIGMOID) {
            sigmoid(n_rows, stride, head, x);
        } else if (head->kind != DN_HEAD_EMBEDDING) {
            kernels->softmax(&(dn_softmax_args){n_rows, stride, head->begin, head->n_labels, x});
        }
    }
}

/** Columns from `begin` on of rows of `stride`. */
typedef struct place {
    float *rows;
    int begin, stride;
} place;

void dn_make_unit_length(float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    double scale = 1 / fmax(sqrt(sum), 1e-12);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)((double)x[i] * scale);
    }
}

/** A row [width] of each text to its place, as it is or at length 1. */
static void put_rows(const pass *p, const float *from, int width, dn_finish finish, place to) {
    if (p->kernels->device) {
        p->kernels->device->score(&(dn_score_args){
            .n_rows = p->batch->n_rows,
            .width = width,
            .n_columns = 1,
            .columns = {{0, width, finish}},
            .x = from,
            .out = to.rows,
            .out_begin = to.begin,
            .out_stride = to.stride,
        });
        return;
    }
    size_t n = (size_t)width;
    for (int row = 0; row < p->batch->n_rows; row++, from += n) {
        float *out = to.rows + (size_t)row * (size_t)to.stride + to.begin;
        memcpy(out, from, n * sizeof *out);
        if (finish == DN_UNIT_LENGTH) {
            dn_make_unit_length(out, n);
        }
    }
}

/** The columns of the heads of one matrix, for the device. */
static void list_columns(const pass *p, bool tokens, dn_score_args *args) {
    static const dn_finish finish[DN_HEAD_KINDS] = {[DN_HEAD_SOFTMAX] = DN_FINISH_SOFTMAX,
                                                    [DN_HEAD_SIGMOID] = DN_FINISH_SIGMOID,
                                                    [DN_HEAD_TOKENS] = DN_FINISH_SOFTMAX};
    for (int i = 0; i < p->config->n_model_heads; i++) {
        const dn_model_head *head = &p->config->model_head[i];
        if (head->kind != DN_HEAD_EMBEDDING && (head->kind == DN_HEAD_TOKENS) == tokens) {
            args->columns[args->n_columns++] =
                (dn_columns){head->begin, head->n_labels,
                             p->space->wants_logits ? DN_AS_IS : finish[head->kind]};
        }
    }
}

/** Logits of all heads of one matrix to their place in the scores. */
static void score_heads(const pass *p, bool tokens, int n_rows, int width, float *logits,
                        float *score) {
    if (p->kernels->device) {
        dn_score_args args = {
            .n_rows = n_rows,
            .width = width,
            .x = logits,
            .out = score,
            .out_stride = tokens ? width : p->config->score_width,
        };
        list_columns(p, tokens, &args);
        p->kernels->device->score(&args);
        return;
    }
    if (!p->space->wants_logits) {
        dn_heads_finish(p->config, p->kernels, tokens, n_rows, width, logits);
    }
    if (tokens) {
        memcpy(score, logits, (size_t)n_rows * (size_t)width * sizeof *logits);
    } else {
        put_rows(p, logits, width, DN_AS_IS, (place){score, 0, p->config->score_width});
    }
}

static void run_text_heads(const pass *p) {
    const dn_config *config = p->config;
    dn_workspace *space = p->space;
    int n_rows = p->batch->n_rows;
    const float *features = space->pooled;
    pool(p, config->n_parts, config->part);
    if (config->has_dense) {
        project(p, of_texts, n_rows, space->pooled, &p->weights->dense,
                config->family->dense_activation, space->features);
        features = space->features;
    }
    project(p, of_texts, n_rows, features, &p->weights->heads, DN_ACT_NONE, space->logits);
    score_heads(p, false, n_rows, config->text_width, space->logits, p->score);
}

static void score_embedding(const pass *p, const dn_model_head *head, bool unit_length) {
    put_rows(p, p->space->pooled, head->n_labels, unit_length ? DN_UNIT_LENGTH : DN_AS_IS,
             (place){p->score, head->begin, p->config->score_width});
}

/** Cosines to the labels' means, behind the columns of the text heads. */
static void run_means(const pass *p) {
    const dn_config *config = p->config;
    dn_workspace *space = p->space;
    int width = config->n_parts * config->hidden;
    put_rows(p, space->pooled, width, DN_UNIT_LENGTH, (place){space->features, 0, width});
    project(p, of_texts, p->batch->n_rows, space->features, &p->weights->means, DN_ACT_NONE,
            space->logits);
    put_rows(p, space->logits, config->mean_width, DN_AS_IS,
             (place){p->score, config->text_width, config->score_width});
}

static void run_embeddings(const pass *p) {
    for (int i = 0; i < p->config->n_model_heads; i++) {
        const dn_model_head *head = &p->config->model_head[i];
        const dn_embedding_form *form = &p->config->form[i];
        if (head->kind == DN_HEAD_EMBEDDING) {
            pool(p, 1, &form->pooling);
            score_embedding(p, head, form->unit_length);
        }
    }
}

static void run_token_heads(const pass *p) {
    int n_tokens = p->batch->n_tokens, width = p->config->token_width;
    float *logits = p->space->token_logits;
    project(p, of_tokens, n_tokens, p->space->x, &p->weights->token_heads, DN_ACT_NONE, logits);
    score_heads(p, true, n_tokens, width, logits,
                p->score + (size_t)p->batch->n_rows * (size_t)p->config->score_width);
}

static void run_heads(const pass *p) {
    if (p->config->text_width > 0) {
        run_text_heads(p);
    }
    if (p->config->mean_width > 0) {
        run_means(p);
    }
    run_embeddings(p);
    if (p->config->token_width > 0) {
        run_token_heads(p);
    }
}

dn_status dn_encoder_run(const dn_config *config, const dn_shard *shard, const dn_weights *weights,
                         const dn_kernels *kernels, dn_workspace *space, const dn_batch *batch,
                         const dn_batch *windows, float *score) {
    pass p = {config, shard, weights, kernels, space, batch, windows, score};
    DN_TRY(embed(&p));
    DN_TRY(probe(&p, 0));
    for (int i = 0; i < config->layers; i++) {
        DN_TRY(run_layer(&p, i));
        DN_TRY(probe(&p, i + 1));
    }
    if (shard->leads) {
        run_heads(&p);
    }
    return DN_OK;
}
