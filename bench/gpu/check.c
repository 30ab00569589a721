/* The encoder's scores against those of `ref`: same weights, same texts. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECKED_TOKENS = 256 };

double relative_error(const float *got, const float *want, size_t n) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += pow((double)got[i] - (double)want[i], 2);
        norm += pow((double)want[i], 2);
    }
    return sqrt(difference / norm);
}

void calibrate(net *n, const dn_batch *batch) {
    const dn_device_ops *device = n->kernels->device;
    dn_pass pass = {.n_tokens = batch->n_tokens,
                    .n_rows = batch->n_rows,
                    .token = batch->token,
                    .row_start = batch->row_start,
                    .variant = -1};
    dn_pass_times times;
    const float *from;
    if (!device || !device->calibrate) {
        return;
    }
    must(device->begin(n->space.flight[0].lane, &pass));
    dn_batch filled = {pass.n_rows, pass.n_tokens, pass.token, pass.row_start};
    must(dn_encoder_run(&n->config, &n->shard, &n->weights, n->kernels, &n->space, &filled, &filled,
                        pass.score));
    must(device->end(n->space.flight[0].lane));
    must(device->wait(n->space.flight[0].lane, &from, &times));
    for (int i = 0; i < n->weights.n_layers; i++) {
        dn_layer *layer = &n->weights.layer[i];
        dn_dense *dense[] = {&layer->qkv, &layer->out, &layer->up, &layer->down};
        for (int j = 0; j < 4; j++) {
            must(device->calibrate(&dense[j]->weight));
        }
    }
}

/** Scores of the second of two passes: recorded, then replayed. */
static float *scores_of(const net_shape *shape, const dn_kernels *kernels, const dn_batch *batch) {
    net n;
    size_t bytes = (size_t)batch->n_rows * NET_LABELS * sizeof(float);
    float *score = malloc(bytes);
    dn_pass_times times;
    net_open(&n, shape, kernels, CHECKED_TOKENS, batch->n_rows);
    calibrate(&n, batch);
    for (int again = 0; again < (kernels->device ? 2 : 1); again++) {
        memset(score, 0xff, bytes);
        net_submit(&n, 0, batch);
        net_wait(&n, 0, score, &times);
    }
    net_close(&n);
    return score;
}

void check_encoder(const effort *e, verdicts *v) {
    const struct {
        const char *name;
        double allowed;
        bool *right;
    } tables[] = {
        {"cuda:bf16", 3e-2, &v->bf16}, {"cuda:fp16", 4e-3, &v->fp16}, {"cuda:fp8", 1e-1, &v->fp8}};
    const dn_kernels *ref;
    texts t = make_texts(CHECKED_TOKENS, 0, 7, e->minilm.vocabulary);
    must(dn_kernels_select("ref", &ref));
    float *want = scores_of(&e->minilm, ref, &t.batch);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const dn_kernels *kernels = table(tables[i].name);
        *tables[i].right = true;
        if (!kernels) {
            continue;
        }
        float *got = scores_of(&e->minilm, kernels, &t.batch);
        double error = relative_error(got, want, (size_t)t.batch.n_rows * NET_LABELS);
        *tables[i].right = error <= tables[i].allowed; /* NaN is not */
        printf("%-12s %-52s %12.4g relative error, %g allowed: %s\n", "correctness", tables[i].name,
               error, tables[i].allowed, *tables[i].right ? "right" : "WRONG");
        free(got);
    }
    free(want);
    free_texts(&t);
}
