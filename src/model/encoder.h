#ifndef DN_MODEL_ENCODER_H
#define DN_MODEL_ENCODER_H
/** The forward pass, as a list of calls into one table of kernels. Between layers only `x` lives:
 *
 *    embed ─▶ context ─ projection ─▶ x            where the embedding is narrower, else embed ─▶ x
 *    x ─ qkv ─▶ wide ─ attention ─▶ context ─ out, + x, norm ─▶ x
 *    x ─ up, GELU ─▶ wide ─ down, + x, norm ─▶ x
 *    x ─ pool ─▶ pooled ─ dense ─▶ features ─ heads ─▶ logits ─ softmax ─▶ score
 *                pooled ─ at length 1 ─▶ features ─ means ─▶ logits ─▶ score
 *
 * Where the model is split (model/shard.h) `out`, `down` and the embedding go by way of `partial`,
 * which is summed over the group, and x is made from it by add_norm.
 *
 * `wide` serves q|k|v [T][3H] and the feed-forward [T][I] in turn. Each of the two lines of a layer
 * goes over the batch in parts of as many tokens as the backend finds best
 * (dn_kernels.part_tokens), whose `wide` and `context` stay in cache. */
#include "model/model.h"
#include "model/weights.h"

/** A batch between submit and wait. */
typedef struct dn_flight {
    dn_batch batch; /**< on the host: what wait() will score */
    dn_lane *lane;  /**< on a device: where it is being scored */
    int filled_rows;
} dn_flight;

struct dn_workspace {
    const dn_device_ops *device; /**< whose memory the buffers are in; NULL: the host's */
    int max_tokens, max_rows;
    dn_flight *flight; /**< [depth], used in turn */
    int depth, n_flying, oldest;
    int own_tokens;        /**< of a batch on a device, without what filled it up */
    float *x;              /**< [T][H] */
    float *wide;           /**< [T][max(3H, I)], of a shard its own columns */
    float *context;        /**< [T][max(H, E)] */
    float *partial;        /**< [T][H], NULL without a group */
    int32_t *part_start;   /**< [W+1], where a part's windows begin within it */
    int32_t *window_start; /**< [W+1], of the batch's windows; NULL where rows are not split */
    int32_t *message;      /**< a batch on its way through the group, NULL without one */
    float *pooled;         /**< [R][max(parts, 1) * H] */
    float *features;     /**< of pooled: what the dense layer makes of them, [R][H], or at length 1;
                            NULL without either */
    float *logits;       /**< [R][text_width], then the cosines [R][mean_width] */
    float *token_logits; /**< [T][token_width] */
    float *scratch;      /**< of the attention */
    bool wants_logits;
    dn_layer_probe *probe;
    dn_input_probe *input_probe;
    void *probe_ctx, *input_probe_ctx;
};

/** Requires a checked batch that fits the workspace, and its windows: the same tokens, rows split
 * (or the same). `score` as in dn_model_score. With a device: all of a pass that has begun.
 *  errors  those of dn_comm_sum, where the model is split */
dn_status dn_encoder_run(const dn_config *config, const dn_shard *shard, const dn_weights *weights,
                         const dn_kernels *kernels, dn_workspace *space, const dn_batch *batch,
                         const dn_batch *windows, float *score);

/** Logits to probabilities, for the heads of texts or of tokens: rows of `stride` in the host's
 * memory. */
void dn_heads_finish(const dn_config *config, const dn_kernels *kernels, bool tokens, int n_rows,
                     int stride, float *x);

/** x[n] / max(|x|, 1e-12), as sentence-transformers do it. */
void dn_make_unit_length(float *x, size_t n);

#endif
