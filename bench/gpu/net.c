#include "bench.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One rank has nothing to add up. */
dn_status dn_comm_sum(dn_comm *comm, float *values, size_t count) {
    (void)comm, (void)values, (void)count;
    return DN_FAIL(INTERNAL, "a group of ranks in a program of one");
}

enum { ROW_LEAST = 12, ROW_SPREAD = 33 };

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
static float *settle(const net *self, dn_numbers kind, float *host, size_t n) {
    const dn_device_ops *device = self->kernels->device;
    float *there = host;
    if (device) {
        must(device->reserve(kind, n, &there));
        must(device->upload(kind, host, n, there));
        free(host);
    }
    return there;
}

static dn_norm norm_of(const net *self, int width) {
    size_t n = (size_t)width;
    return (dn_norm){settle(self, DN_FLOATS, numbers(n, 0.1f, 1), n),
                     settle(self, DN_FLOATS, numbers(n, 0.1f, 0), n)};
}

/** Uniform, of the variance that keeps the output's at one. */
static dn_dense dense_of(const net *self, int n, int k) {
    dn_dense dense = {0};
    float *w = numbers((size_t)n * (size_t)k, sqrtf(3.0f / (float)k), 0);
    must(self->kernels->pack(w, n, k, &dense.weight));
    free(w);
    dense.bias = settle(self, DN_FLOATS, numbers((size_t)n, 0.1f, 0), (size_t)n);
    return dense;
}

static void make_weights(net *self, const net_shape *s) {
    size_t hidden = (size_t)s->hidden, words = (size_t)s->vocabulary * hidden;
    dn_weights *w = &self->weights;
    w->device = self->kernels->device;
    w->word = settle(self, DN_ELEMENTS, numbers(words, 1, 0), words);
    w->position =
        settle(self, DN_ELEMENTS, numbers(NET_POSITIONS * hidden, 0.5f, 0), NET_POSITIONS * hidden);
    w->type = settle(self, DN_ELEMENTS, numbers(hidden, 0.5f, 0), hidden);
    w->embedding_norm = norm_of(self, s->hidden);
    w->n_layers = s->layers;
    w->layer = dn_alloc_array((size_t)s->layers, sizeof *w->layer);
    for (int i = 0; i < s->layers; i++) {
        dn_layer *layer = &w->layer[i];
        layer->qkv = dense_of(self, 3 * s->hidden, s->hidden);
        layer->out = dense_of(self, s->hidden, s->hidden);
        layer->up = dense_of(self, s->intermediate, s->hidden);
        layer->down = dense_of(self, s->hidden, s->intermediate);
        layer->attention_norm = norm_of(self, s->hidden);
        layer->output_norm = norm_of(self, s->hidden);
    }
    w->heads = dense_of(self, NET_LABELS, s->hidden);
}

static float *buffer(const net *self, dn_numbers kind, size_t n) {
    float *out;
    if (!self->kernels->device) {
        return dn_alloc_aligned(64, n * sizeof *out);
    }
    must(self->kernels->device->reserve(kind, n, &out));
    return out;
}

static void make_space(net *self, const net_shape *s, int max_tokens, int max_rows) {
    dn_workspace *space = &self->space;
    int tokens = max_tokens, rows = max_rows;
    *space = (dn_workspace){.device = self->kernels->device,
                            .max_tokens = max_tokens,
                            .max_rows = max_rows,
                            .depth = 1};
    if (space->device) {
        space->device->fill_up(&tokens, &rows);
        space->depth = space->device->n_lanes;
    }
    size_t n = (size_t)tokens, hidden = (size_t)s->hidden, inner = (size_t)s->intermediate;
    size_t scratch = self->kernels->attention_scratch(NET_POSITIONS, s->hidden, s->heads);
    space->x = buffer(self, DN_ELEMENTS, n * hidden);
    space->wide = buffer(self, DN_ELEMENTS, n * (3 * hidden > inner ? 3 * hidden : inner));
    space->context = buffer(self, DN_ELEMENTS, n * hidden);
    space->pooled = buffer(self, DN_FLOATS, (size_t)rows * hidden);
    space->logits = buffer(self, DN_FLOATS, (size_t)rows * NET_LABELS);
    space->scratch = buffer(self, DN_FLOATS, scratch + 1);
    space->flight = dn_alloc_array((size_t)space->depth, sizeof *space->flight);
    dn_lane_conf conf = {.max_tokens = max_tokens, .max_rows = max_rows, .row_width = NET_LABELS};
    for (int i = 0; i < space->depth && space->device; i++) {
        conf.beside = space->flight[0].lane;
        must(space->device->lane_new(&conf, &space->flight[i].lane));
    }
}

static const char *const labels[NET_LABELS] = {"a", "b", "c"};

void net_open(net *self, const net_shape *shape, const dn_kernels *kernels, int max_tokens,
              int max_rows) {
    state = 20261129;
    *self = (struct net){.kernels = kernels};
    self->config = (dn_config){.hidden = shape->hidden,
                               .layers = shape->layers,
                               .heads = shape->heads,
                               .intermediate = shape->intermediate,
                               .vocabulary = shape->vocabulary,
                               .embedding = shape->hidden,
                               .max_positions = NET_POSITIONS,
                               .epsilon = 1e-12f,
                               .n_parts = 1,
                               .part = {DN_POOL_MEAN},
                               .n_model_heads = 1,
                               .text_width = NET_LABELS,
                               .score_width = NET_LABELS};
    self->config.model_head[0] = (dn_model_head){
        .name = "label", .kind = DN_HEAD_SOFTMAX, .n_labels = NET_LABELS, .labels = labels};
    self->shard = (dn_shard){.leads = true,
                             .heads = {0, shape->heads, shape->heads},
                             .width = {0, shape->hidden, shape->hidden},
                             .inner = {0, shape->intermediate, shape->intermediate},
                             .words = {0, shape->vocabulary, shape->vocabulary}};
    make_weights(self, shape);
    make_space(self, shape, max_tokens, max_rows);
}

static void give_back(const net *self, float *memory) {
    if (self->kernels->device) {
        self->kernels->device->release(memory);
    } else {
        free(memory);
    }
}

static void free_dense(const net *self, dn_dense *dense) {
    dn_weight_free(&dense->weight);
    give_back(self, dense->bias);
}

static void free_norm(const net *self, dn_norm *norm) {
    give_back(self, norm->gamma);
    give_back(self, norm->beta);
}

void net_close(net *self) {
    dn_workspace *space = &self->space;
    dn_weights *w = &self->weights;
    for (int i = space->depth - 1; i >= 0 && space->device; i--) {
        space->device->lane_free(space->flight[i].lane);
    }
    float *memory[] = {space->x,       space->wide, space->context, space->pooled, space->logits,
                       space->scratch, w->word,     w->position,    w->type};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        give_back(self, memory[i]);
    }
    for (int i = 0; i < w->n_layers; i++) {
        dn_layer *layer = &w->layer[i];
        free_dense(self, &layer->qkv);
        free_dense(self, &layer->out);
        free_dense(self, &layer->up);
        free_dense(self, &layer->down);
        free_norm(self, &layer->attention_norm);
        free_norm(self, &layer->output_norm);
    }
    free_norm(self, &w->embedding_norm);
    free_dense(self, &w->heads);
    free(w->layer);
    free(space->flight);
}

int net_depth(const net *self) {
    return self->space.depth;
}

static dn_status run(net *self, const dn_batch *batch, float *score) {
    return dn_encoder_run(&self->config, &self->shard, &self->weights, self->kernels, &self->space,
                          batch, batch, score);
}

void net_submit(net *self, int flight, const dn_batch *batch) {
    dn_flight *f = &self->space.flight[flight];
    dn_pass pass = {.n_tokens = batch->n_tokens,
                    .n_rows = batch->n_rows,
                    .token = batch->token,
                    .row_start = batch->row_start};
    f->batch = *batch;
    if (!self->kernels->device) {
        return;
    }
    must(self->kernels->device->begin(f->lane, &pass));
    if (!pass.known) {
        dn_batch filled = {pass.n_rows, pass.n_tokens, pass.token, pass.row_start};
        must(run(self, &filled, pass.score));
    }
    must(self->kernels->device->end(f->lane));
}

void net_wait(net *self, int flight, float *score, dn_pass_times *times) {
    dn_flight *f = &self->space.flight[flight];
    const float *from;
    *times = (dn_pass_times){0};
    if (!self->kernels->device) {
        must(run(self, &f->batch, score));
        return;
    }
    must(self->kernels->device->wait(f->lane, &from, times));
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

texts make_texts(int n_tokens, int length, uint32_t seed, int vocabulary) {
    texts t = {.token = calloc((size_t)n_tokens, sizeof(int32_t)),
               .row_start = calloc((size_t)n_tokens + 1, sizeof(int32_t))};
    int r = 0, at = 0;
    for (;; r++) {
        seed = seed * 1664525u + 1013904223u;
        int n = length ? length : ROW_LEAST + (int)((seed >> 16) % ROW_SPREAD);
        if (at + n > n_tokens) {
            break;
        }
        for (int i = 0; i < n; i++, at++) {
            seed = seed * 1664525u + 1013904223u;
            t.token[at] = (int32_t)((uint64_t)seed * (uint64_t)vocabulary >> 32);
        }
        t.row_start[r + 1] = at;
    }
    t.batch = (dn_batch){r, at, t.token, t.row_start};
    return t;
}

void free_texts(texts *t) {
    free(t->token);
    free(t->row_start);
}
