#include "net.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(dn_status status) {
    if (status != DN_OK) {
        const dn_failure *failure = dn_failure_last();
        fprintf(stderr, "bench/gpu: E%d %s\n", dn_error_get(failure->error)->number, failure->text);
        exit(dn_error_get(failure->error)->exit_status);
    }
}

/* One rank has nothing to add up. */
dn_status dn_comm_sum(dn_comm *comm, float *values, size_t count) {
    (void)comm, (void)values, (void)count;
    return DN_FAIL(INTERNAL, "a group of ranks in a program of one");
}

static uint32_t state;

static float uniform(float width, float mean) {
    state = state * 1664525u + 1013904223u;
    return mean + width * (float)(int32_t)state * 0x1p-31f;
}

static float *numbers(size_t n, float width, float mean) {
    float *out = dn_alloc_aligned(64, n * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        out[i] = uniform(width, mean);
    }
    return out;
}

/** Takes the host's numbers to where the table computes. */
static float *settle(const net *net, dn_numbers kind, float *host, size_t n) {
    const dn_device_ops *device = net->kernels->device;
    float *there = host;
    if (device) {
        must(device->reserve(kind, n, &there));
        must(device->upload(kind, host, n, there));
        free(host);
    }
    return there;
}

static dn_norm norm_of(const net *net, int width) {
    size_t n = (size_t)width;
    return (dn_norm){settle(net, DN_FLOATS, numbers(n, 0.1f, 1), n),
                     settle(net, DN_FLOATS, numbers(n, 0.1f, 0), n)};
}

/** Uniform, of the variance that keeps the output's at one. */
static dn_dense dense_of(const net *net, int n, int k) {
    dn_dense dense = {0};
    float *w = numbers((size_t)n * (size_t)k, sqrtf(3.0f / (float)k), 0);
    must(net->kernels->pack(w, n, k, &dense.weight));
    free(w);
    dense.bias = settle(net, DN_FLOATS, numbers((size_t)n, 0.1f, 0), (size_t)n);
    return dense;
}

static void make_weights(net *net, const net_shape *s) {
    size_t hidden = (size_t)s->hidden;
    dn_weights *w = &net->weights;
    w->device = net->kernels->device;
    w->word = settle(net, DN_ELEMENTS, numbers(NET_VOCABULARY * hidden, 1, 0), NET_VOCABULARY * hidden);
    w->position = settle(net, DN_ELEMENTS, numbers(NET_POSITIONS * hidden, 0.5f, 0), NET_POSITIONS * hidden);
    w->type = settle(net, DN_ELEMENTS, numbers(hidden, 0.5f, 0), hidden);
    w->embedding_norm = norm_of(net, s->hidden);
    w->n_layers = s->layers;
    w->layer = dn_alloc_array((size_t)s->layers, sizeof *w->layer);
    for (int i = 0; i < s->layers; i++) {
        dn_layer *layer = &w->layer[i];
        layer->qkv = dense_of(net, 3 * s->hidden, s->hidden);
        layer->out = dense_of(net, s->hidden, s->hidden);
        layer->up = dense_of(net, s->intermediate, s->hidden);
        layer->down = dense_of(net, s->hidden, s->intermediate);
        layer->attention_norm = norm_of(net, s->hidden);
        layer->output_norm = norm_of(net, s->hidden);
    }
    w->heads = dense_of(net, NET_LABELS, s->hidden);
}

static float *buffer(const net *net, dn_numbers kind, size_t n) {
    float *out;
    if (!net->kernels->device) {
        return dn_alloc_aligned(64, n * sizeof *out);
    }
    must(net->kernels->device->reserve(kind, n, &out));
    return out;
}

static void make_space(net *net, const net_shape *s, int max_tokens, int max_rows) {
    dn_workspace *space = &net->space;
    int tokens = max_tokens, rows = max_rows;
    *space = (dn_workspace){.device = net->kernels->device,
                            .max_tokens = max_tokens,
                            .max_rows = max_rows,
                            .depth = 1};
    if (space->device) {
        space->device->fill_up(&tokens, &rows);
        space->depth = space->device->n_lanes;
    }
    size_t n = (size_t)tokens, hidden = (size_t)s->hidden, inner = (size_t)s->intermediate;
    size_t scratch = net->kernels->attention_scratch(NET_POSITIONS, s->hidden, s->heads);
    space->x = buffer(net, DN_ELEMENTS, n * hidden);
    space->wide = buffer(net, DN_ELEMENTS, n * (3 * hidden > inner ? 3 * hidden : inner));
    space->context = buffer(net, DN_ELEMENTS, n * hidden);
    space->pooled = buffer(net, DN_FLOATS, (size_t)rows * hidden);
    space->logits = buffer(net, DN_FLOATS, (size_t)rows * NET_LABELS);
    space->scratch = buffer(net, DN_FLOATS, scratch + 1);
    space->flight = dn_alloc_array((size_t)space->depth, sizeof *space->flight);
    dn_lane_conf conf = {.max_tokens = max_tokens, .max_rows = max_rows, .row_width = NET_LABELS};
    for (int i = 0; i < space->depth && space->device; i++) {
        conf.beside = space->flight[0].lane;
        must(space->device->lane_new(&conf, &space->flight[i].lane));
    }
}

static const char *const labels[NET_LABELS] = {"a", "b", "c"};

void net_open(net *net, const net_shape *shape, const dn_kernels *kernels, int max_tokens,
              int max_rows) {
    state = 20261129;
    *net = (struct net){.kernels = kernels};
    net->config = (dn_config){.hidden = shape->hidden,
                              .layers = shape->layers,
                              .heads = shape->heads,
                              .intermediate = shape->intermediate,
                              .vocabulary = NET_VOCABULARY,
                              .embedding = shape->hidden,
                              .max_positions = NET_POSITIONS,
                              .epsilon = 1e-12f,
                              .n_parts = 1,
                              .part = {DN_POOL_MEAN},
                              .n_model_heads = 1,
                              .text_width = NET_LABELS,
                              .score_width = NET_LABELS};
    net->config.model_head[0] = (dn_model_head){
        .name = "label", .kind = DN_HEAD_SOFTMAX, .n_labels = NET_LABELS, .labels = labels};
    net->shard = (dn_shard){.leads = true,
                            .heads = {0, shape->heads, shape->heads},
                            .width = {0, shape->hidden, shape->hidden},
                            .inner = {0, shape->intermediate, shape->intermediate},
                            .words = {0, NET_VOCABULARY, NET_VOCABULARY}};
    make_weights(net, shape);
    make_space(net, shape, max_tokens, max_rows);
}

static void give_back(const net *net, float *memory) {
    if (net->kernels->device) {
        net->kernels->device->release(memory);
    } else {
        free(memory);
    }
}

static void free_dense(const net *net, dn_dense *dense) {
    dn_weight_free(&dense->weight);
    give_back(net, dense->bias);
}

static void free_norm(const net *net, dn_norm *norm) {
    give_back(net, norm->gamma);
    give_back(net, norm->beta);
}

void net_close(net *net) {
    dn_workspace *space = &net->space;
    dn_weights *w = &net->weights;
    for (int i = space->depth - 1; i >= 0 && space->device; i--) {
        space->device->lane_free(space->flight[i].lane);
    }
    float *memory[] = {space->x,      space->wide, space->context, space->pooled, space->logits,
                       space->scratch, w->word,    w->position,    w->type};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        give_back(net, memory[i]);
    }
    for (int i = 0; i < w->n_layers; i++) {
        dn_layer *layer = &w->layer[i];
        free_dense(net, &layer->qkv);
        free_dense(net, &layer->out);
        free_dense(net, &layer->up);
        free_dense(net, &layer->down);
        free_norm(net, &layer->attention_norm);
        free_norm(net, &layer->output_norm);
    }
    free_norm(net, &w->embedding_norm);
    free_dense(net, &w->heads);
    free(w->layer);
    free(space->flight);
}

int net_depth(const net *net) {
    return net->space.depth;
}

static dn_status run(net *net, const dn_batch *batch, float *score) {
    return dn_encoder_run(&net->config, &net->shard, &net->weights, net->kernels, &net->space,
                          batch, batch, score);
}

void net_submit(net *net, int flight, const dn_batch *batch) {
    dn_flight *f = &net->space.flight[flight];
    dn_pass pass = {.n_tokens = batch->n_tokens,
                    .n_rows = batch->n_rows,
                    .token = batch->token,
                    .row_start = batch->row_start};
    f->batch = *batch;
    if (!net->kernels->device) {
        return;
    }
    must(net->kernels->device->begin(f->lane, &pass));
    if (!pass.known) {
        dn_batch filled = {pass.n_rows, pass.n_tokens, pass.token, pass.row_start};
        must(run(net, &filled, pass.score));
    }
    must(net->kernels->device->end(f->lane));
}

void net_wait(net *net, int flight, float *score, dn_pass_times *times) {
    dn_flight *f = &net->space.flight[flight];
    const float *from;
    *times = (dn_pass_times){0};
    if (!net->kernels->device) {
        must(run(net, &f->batch, score));
        return;
    }
    must(net->kernels->device->wait(f->lane, &from, times));
    memcpy(score, from, (size_t)f->batch.n_rows * NET_LABELS * sizeof *score);
}

double net_flops(const net_shape *s, const dn_batch *batch) {
    double hidden = s->hidden, pairs = 0;
    for (int r = 0; r < batch->n_rows; r++) {
        double length = batch->row_start[r + 1] - batch->row_start[r];
        pairs += length * length;
    }
    return 2.0 * s->layers *
           ((4 * hidden * hidden + 2 * hidden * s->intermediate) * batch->n_tokens +
            2 * hidden * pairs);
}
