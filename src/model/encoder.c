#include "model/encoder.h"

/** What every step of one pass needs. */
typedef struct pass {
    const dn_config *config;
    const dn_weights *weights;
    const dn_kernels *kernels;
    dn_workspace *space;
    const dn_batch *batch;
} pass;

static void probe(const pass *p, int layer) {
    if (p->space->probe) {
        p->space->probe(p->space->probe_ctx, layer, p->space->x, p->batch->n_tokens,
                        p->config->hidden);
    }
}

static void embed(const pass *p) {
    p->kernels->embed(&(dn_embed_args){
        .n_tokens = p->batch->n_tokens,
        .n_rows = p->batch->n_rows,
        .hidden = p->config->hidden,
        .token = p->batch->token,
        .row_start = p->batch->row_start,
        .word = p->weights->word,
        .position = p->weights->position,
        .type = p->weights->type,
        .gamma = p->weights->embedding_norm.gamma,
        .beta = p->weights->embedding_norm.beta,
        .epsilon = p->config->epsilon,
        .out = p->space->x,
    });
}

static void project(const pass *p, int n, const float *x, const dn_dense *dense, dn_activation act,
                    float *out) {
    p->kernels->linear(&(dn_linear_args){.n_tokens = n,
                                         .x = x,
                                         .weight = &dense->weight,
                                         .bias = dense->bias,
                                         .activation = act,
                                         .out = out});
}

/** x = norm(x + dense(in)) */
static void project_back(const pass *p, const float *in, const dn_dense *dense,
                         const dn_norm *norm) {
    p->kernels->linear(&(dn_linear_args){
        .n_tokens = p->batch->n_tokens,
        .x = in,
        .weight = &dense->weight,
        .bias = dense->bias,
        .residual = p->space->x,
        .gamma = norm->gamma,
        .beta = norm->beta,
        .epsilon = p->config->epsilon,
        .out = p->space->x,
    });
}

static void attend(const pass *p) {
    p->kernels->attention(&(dn_attention_args){
        .n_tokens = p->batch->n_tokens,
        .n_rows = p->batch->n_rows,
        .hidden = p->config->hidden,
        .heads = p->config->heads,
        .row_start = p->batch->row_start,
        .qkv = p->space->wide,
        .out = p->space->context,
        .scratch = p->space->scratch,
    });
}

static void run_layer(const pass *p, const dn_layer *layer) {
    dn_workspace *space = p->space;
    int n_tokens = p->batch->n_tokens;
    project(p, n_tokens, space->x, &layer->qkv, DN_ACT_NONE, space->wide);
    attend(p);
    project_back(p, space->context, &layer->out, &layer->attention_norm);
    project(p, n_tokens, space->x, &layer->up, DN_ACT_GELU, space->wide);
    project_back(p, space->wide, &layer->down, &layer->output_norm);
}

static void run_heads(const pass *p, float *score) {
    const dn_config *config = p->config;
    dn_workspace *space = p->space;
    int n_rows = p->batch->n_rows;
    const float *features = space->pooled;
    p->kernels->pool(&(dn_pool_args){
        .n_rows = n_rows,
        .hidden = config->hidden,
        .row_start = p->batch->row_start,
        .n_parts = config->n_parts,
        .part = {config->part[0], config->part[1]},
        .x = space->x,
        .out = space->pooled,
    });
    if (config->has_pooler) {
        project(p, n_rows, space->pooled, &p->weights->pooler, DN_ACT_TANH, space->pooler);
        features = space->pooler;
    }
    project(p, n_rows, features, &p->weights->heads, DN_ACT_NONE, score);
    for (int i = 0; i < config->n_model_heads; i++) {
        const dn_model_head *head = &config->model_head[i];
        p->kernels->softmax(
            &(dn_softmax_args){n_rows, config->score_width, head->begin, head->n_labels, score});
    }
}

void dn_encoder_run(const dn_config *config, const dn_weights *weights, const dn_kernels *kernels,
                    dn_workspace *space, const dn_batch *batch, float *score) {
    pass p = {config, weights, kernels, space, batch};
    embed(&p);
    probe(&p, 0);
    for (int i = 0; i < config->layers; i++) {
        run_layer(&p, &weights->layer[i]);
        probe(&p, i + 1);
    }
    run_heads(&p, score);
}
