#ifndef DN_MODEL_MODEL_H
#define DN_MODEL_MODEL_H
/** An encoder with any number of heads, from a Hugging Face directory (config.json,
 * model.safetensors or its shards, the tokeniser's files).
 *
 * Families: BERT, DistilBERT, ELECTRA, RoBERTa, XLM-R. Heads come from config.json's "dunlin"
 * object, from sentence-transformers' modules.json or are the checkpoint's own: model/config.h. */
#include "base/status.h"
#include "batch/batch.h"
#include "flow/schema.h"
#include "kernels/kernels.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct dn_model dn_model;
typedef struct dn_comm dn_comm; /**< comm/comm.h */

typedef enum dn_head_kind {
    DN_HEAD_SOFTMAX,   /**< one label a text: probabilities that add up to 1 */
    DN_HEAD_SIGMOID,   /**< any number of labels a text: a probability each */
    DN_HEAD_TOKENS,    /**< one label a token: softmax, in the token scores */
    DN_HEAD_EMBEDDING, /**< the text as n_labels numbers */
    DN_HEAD_KINDS
} dn_head_kind;
extern const char *const dn_head_kind_names[DN_HEAD_KINDS];

typedef struct dn_model_head {
    const char *name;
    dn_head_kind kind;
    const char *language;      /**< NULL: it answers for all languages of its model */
    int n_labels;              /**< its columns */
    const char *const *labels; /**< NULL for an embedding; behind the last stands DN_UNDECIDED */
    int begin;                 /**< its first column in the score rows, or in the token scores */
    int means_begin;           /**< the first of n_labels cosines in the score rows; -1: none */
    float shift, temperature;  /**< (logits + shift) / temperature: both already in its weights */
    float said_above;          /**< sigmoid: each label that is more probable is said */
    float undecided_below;     /**< a text that is less like its best label has none */
    float sure_above; /**< of a linear model before an encoder: model/cascade.h; 1: never */
} dn_model_head;

/** Windows of a text at most (dn_model_info.windows). */
enum { DN_MAX_WINDOWS = 64 };

/** The label of a score row: the most probable one, or n_labels, the place of DN_UNDECIDED, where
 * its likeness is below the head's threshold. */
int dn_head_decide(const dn_model_head *head, const float *row);

/** How much a text is like the examples of its most probable label: that label's probability, and
 * where the head has means, times the squared cosine between the text and the label's mean, the
 * share of the text that lies along it. A softmax has to divide 1 among its labels, however far
 * from all of them a text is; the cosine has not. */
float dn_head_likeness(const dn_model_head *head, const float *row);

typedef struct dn_model_info {
    const char *dir, *architecture; /**< model_type: "bert" ... */
    int hidden, layers, heads, intermediate, vocabulary, max_positions, max_tokens;
    int windows, overlap; /**< of a text longer than max_tokens, see below; 1: it is cut */
    int longest;          /**< tokens of a row at most: max_tokens x windows */
    int n_model_heads;
    const dn_model_head *model_head;
    int score_width;       /**< columns of a text: softmax and sigmoid heads, cosines, embeddings */
    int token_width;       /**< columns of a token: token heads */
    const char *sha256;    /**< of model.safetensors, hex; of shards: of their sums' list */
    const char *normalise; /**< "tweeteval" or "none" */
    const struct dn_languages *languages; /**< that it names: model/languages.h */
    int part, n_parts;     /**< of the model that this rank holds; 0 of 1: all of it */
    int64_t weight_bytes;  /**< packed, as held in memory by this rank */
    int n_ignored_tensors; /**< in the file, but not asked for by config.json (position_ids, a
                              language-model head) */
    const char *const *ignored_tensor; /**< their names */
    double flops_per_token; /**< of this rank's part, without attention's S-dependent share; see
                               dn_model_flops */
} dn_model_info;

/** Loads, checks and packs. MODEL errors name the file, tensor or field.   ownership  the caller:
 * dn_model_close */
dn_status dn_model_open(const char *dir, const dn_kernels *kernels, dn_model **out);

/** The part of the model that this rank of a group holds: model/shard.h. CONFIG where the attention
 * heads cannot be shared evenly. A group of one, or NULL, holds all of it.
 *  collective  no      lends  the group, to one workspace at a time */
dn_status dn_model_open_part(const char *dir, const dn_kernels *kernels, dn_comm *group,
                             dn_model **out);

/** Lets the parts of a model meet: on devices they join their sums (comm.h,
 * dn_comm_over_devices), before the first batch and after any workspace that only asks whether
 * there is room. On the host, or of a whole model, it does nothing.
 *  collective  the group, once all have opened their parts    errors  those of
 *  dn_comm_over_devices */
dn_status dn_model_connect(dn_model *model);

/** Without its heads: a row's scores are what a new head would see of the text, the "pooling" of
 * config.json side by side. */
dn_status dn_model_open_features(const char *dir, const dn_kernels *kernels, dn_model **out);

const dn_model_info *dn_model_describe(const dn_model *model);
void dn_model_close(dn_model *model);

/** Floating-point operations of this rank in one forward pass over the batch (2 per multiply-add).
 */
double dn_model_flops(const dn_model *model, const dn_batch *batch);

/** Buffers for batches of up to max_tokens and max_rows; one per thread. */
typedef struct dn_workspace dn_workspace;
dn_status dn_workspace_new(const dn_model *model, int max_tokens, int max_rows, dn_workspace **out);
void dn_workspace_free(dn_workspace *workspace);

/** Floats that dn_model_score writes for so many rows and tokens. */
size_t dn_model_score_floats(const dn_model *model, int n_rows, int n_tokens);

/** The batches of a model that is split over a group. The leader (rank 0 of the group) scores and
 * in the end dismisses the others; these receive a batch and score it, until there is no other:
 *
 *    leader      dn_model_score ...                                          dn_model_dismiss
 *    followers   dn_model_receive, dn_model_score(..., NULL) ...             dn_model_receive: *end
 *
 * Workspaces are of the same size on all of them.
 *  collective  the group      blocks  for each other      errors  SYSTEM; ABORT after
 *  dn_comm_cancel of the group */
dn_status dn_model_receive(const dn_model *model, dn_workspace *workspace, dn_batch *batch,
                           bool *end);
dn_status dn_model_dismiss(const dn_model *model, dn_workspace *workspace);

/** Where the model has windows, a row longer than max_tokens is several of them, max_tokens each
 * but for the last (text/tokeniser.h makes them so). Each is read by itself, positions from 0;
 * `mean` is the mean over the tokens of all, `cls` the first token of the first. So a text costs
 * what its windows cost, and heads, scores and rows know nothing of them.
 *
 * Scores a batch: score[R][score_width], head after head, and behind it, where the model has token
 * heads, [T][token_width]. Token ids must be below the vocabulary, rows at most max_positions, with
 * windows info->longest, long (checked once per batch; FATAL otherwise). No allocation.
 *  thread  any, one per workspace      blocks  never; a part of a model as said above. A follower
 * gets no scores: NULL */
dn_status dn_model_score(const dn_model *model, dn_workspace *workspace, const dn_batch *batch,
                         float *score);

/** How many batches may be under way before the oldest must be waited for: 1 on the host. */
int dn_workspace_depth(const dn_workspace *workspace);

/** The two halves of dn_model_score. With a device, submit packs, copies and starts, and wait
 * blocks until the oldest batch is done; on the host wait does the work and `batch` is lent until
 * then. Requires fewer than depth batches under way for submit, and one for wait. `times` may be
 * NULL; without a device it is all 0.    errors  DATA: the batch; DEVICE_FAULT; NOT_FINITE: a score
 * is infinite or no number, as where an activation overflows in fp16 */
dn_status dn_model_submit(const dn_model *model, dn_workspace *workspace, const dn_batch *batch);
dn_status dn_model_wait(const dn_model *model, dn_workspace *workspace, float *score,
                        dn_pass_times *times);

/** Whether dn_model_wait would not block: the oldest batch is done, or has failed. Requires one
 * under way. On the host, where wait does the work: true. */
bool dn_workspace_is_done(const dn_workspace *workspace);

/** Called after the embedding (layer 0) and each layer with its hidden states [T][H]: for goldens.
 */
typedef void dn_layer_probe(void *ctx, int layer, const float *hidden, int n_tokens, int width);
void dn_workspace_probe(dn_workspace *workspace, dn_layer_probe *probe, void *ctx);

/** The matrices of a layer, in the order of their use, and what each of them reads: called before
 * it does, with x[n_rows][width], for each part of a batch. */
typedef enum dn_matrix { DN_QKV, DN_OUT, DN_UP, DN_DOWN, DN_MATRICES } dn_matrix;
typedef void dn_input_probe(void *ctx, int layer, dn_matrix matrix, const float *x, int n_rows,
                            int width);
void dn_workspace_probe_inputs(dn_workspace *workspace, dn_input_probe *probe, void *ctx);

/** From now on dn_model_score gives what stands before softmax and sigmoid: for comparisons. */
void dn_workspace_want_logits(dn_workspace *workspace, bool wanted);

/** What is left to do for them: makes logits score[R][score_width] of texts the scores that
 * dn_model_score gives otherwise, bit for bit. Those of a device, whose kernels take no numbers of
 * the host, are finished by `host` and equal but for the last bits. */
void dn_model_finish(const dn_model *model, const dn_kernels *host, int n_rows, float *score);

#endif
