#ifndef DN_MODEL_ENCODER_H
#define DN_MODEL_ENCODER_H
/** The forward pass, as a list of calls into one table of kernels. Between layers only `x` lives:
 *
 *    x ─ qkv ─▶ wide ─ attention ─▶ context ─ out, + x, norm ─▶ x ─ up, GELU ─▶ wide ─ down, + x,
 * norm ─▶ x
 *
 * `wide` serves q|k|v [T][3H] and the feed-forward [T][I] in turn, so that it stays in cache. */
#include "model/weights.h"

struct dn_workspace {
    int max_tokens, max_rows;
    float *x;       /**< [T][H] */
    float *wide;    /**< [T][max(3H, I)] */
    float *context; /**< [T][H] */
    float *pooled;  /**< [R][parts * H] */
    float *pooler;  /**< [R][H], NULL without a pooler */
    float *scratch; /**< of the attention */
    dn_layer_probe *probe;
    void *probe_ctx;
};

/** Requires a checked batch that fits the workspace. */
void dn_encoder_run(const dn_config *config, const dn_weights *weights, const dn_kernels *kernels,
                    dn_workspace *space, const dn_batch *batch, float *score);

#endif
