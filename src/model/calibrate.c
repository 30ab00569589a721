#include "model/calibrate.h"

#include "base/memory.h"

#include <stdlib.h>

enum { BATCHES = 4, ROWS = 16, ROW_TOKENS = 32 };

/** Any row of a vocabulary brings the outlier channels of its encoder to light, and the backend
 * leaves room above the largest value: the ids need not be a text. */
static void fill(int vocabulary, int row_tokens, uint32_t *state, int32_t *token,
                 int32_t *row_start) {
    for (int i = 0; i < ROWS * row_tokens; i++) {
        *state = *state * 1664525u + 1013904223u;
        token[i] = (int32_t)((uint64_t)*state * (uint64_t)vocabulary >> 32);
    }
    for (int r = 0; r <= ROWS; r++) {
        row_start[r] = r * row_tokens;
    }
}

/** That there is a probe makes a pass one that the host watches. */
static void look_away(void *ctx, int layer, const float *hidden, int n_tokens, int width) {
    (void)ctx, (void)layer, (void)hidden, (void)n_tokens, (void)width;
}

/** The batch that is at hand; a part of a model takes its leader's, which is the same. */
static dn_status score(const dn_model *model, dn_workspace *space, dn_batch batch, float *out) {
    bool end;
    if (dn_model_describe(model)->part > 0) {
        DN_TRY(dn_model_receive(model, space, &batch, &end));
    }
    return dn_model_score(model, space, &batch, out);
}

static dn_status run(const dn_model *model, dn_workspace *space, int row_tokens) {
    const dn_model_info *info = dn_model_describe(model);
    int n_tokens = ROWS * row_tokens;
    int32_t *token = dn_alloc_array((size_t)n_tokens, sizeof *token), row_start[ROWS + 1];
    float *scores =
        dn_alloc_array(dn_model_score_floats(model, ROWS, n_tokens) + 1, sizeof *scores);
    uint32_t state = 1;
    dn_status status = DN_OK;
    dn_workspace_probe(space, look_away, NULL);
    for (int i = 0; i < BATCHES && status == DN_OK; i++) {
        fill(info->vocabulary, row_tokens, &state, token, row_start);
        status = score(model, space, (dn_batch){ROWS, n_tokens, token, row_start}, scores);
    }
    free(scores);
    free(token);
    return status;
}

dn_status dn_calibrate(const dn_model *model, const dn_kernels *kernels, dn_weights *weights) {
    const dn_device_ops *device = kernels->device;
    int longest = dn_model_describe(model)->max_positions;
    int row_tokens = longest < ROW_TOKENS ? longest : ROW_TOKENS;
    dn_workspace *space;
    if (!device || !device->calibrate) {
        return DN_OK;
    }
    DN_TRY(dn_workspace_new(model, ROWS * row_tokens, ROWS, &space));
    dn_status status = run(model, space, row_tokens);
    dn_workspace_free(space);
    for (int i = 0; i < weights->n_layers && status == DN_OK; i++) {
        dn_layer *layer = &weights->layer[i];
        dn_dense *dense[] = {&layer->qkv, &layer->out, &layer->up, &layer->down};
        for (int j = 0; j < 4 && status == DN_OK; j++) {
            status = device->calibrate(&dense[j]->weight);
        }
    }
    return status;
}
