#ifndef DN_MODEL_CONFIG_H
#define DN_MODEL_CONFIG_H
/** What config.json says: the family and shape of the encoder, and which heads stand on it. Heads
 * come from the first of these that is there:
 *
 *   1. "heads" of the "dunlin" object: any number, tensors heads.NAME.weight and .bias
 *        "dunlin": {"normalise": "tweeteval", "max_tokens": 128, "languages": ["en"],
 *                   "pooling": ["cls", "mean"],
 *                   "heads": [{"name": "irony", "kind": "softmax", "labels": ["no", "yes"]},
 *                             {"name": "topics", "kind": "sigmoid", "labels": ["art", "sport"]},
 *                             {"name": "entities", "kind": "tokens", "labels": ["O", "B-PER"]},
 *                             {"name": "embedding", "kind": "embedding", "pooling": "mean",
 *                              "l2": true}]}
 *      softmax and sigmoid heads may have "temperature" and "undecided_below", sigmoid "shift",
 *      softmax "means": true, the mean of each label's examples in heads.NAME.mean; of a
 *      model on n-grams several may have one name, each with its "language": tensors
 *      heads.NAME.LANGUAGE.weight, and the same columns in a job
 *      "windows": 8, "overlap": 16 beside max_tokens: longer texts are not cut but read in windows
 *   2. modules.json of sentence-transformers: one head "embedding"
 *   3. the checkpoint's own classifier, for texts ("label") or tokens ("entities"), as
 *      `architectures` says, labels from id2label; "dunlin": {"head": NAME} renames it
 *
 * What the encoder cannot compute exactly (another activation, relative positions) is refused by
 * name. */
#include "io/json.h"
#include "model/family.h"
#include "model/languages.h"
#include "model/model.h"

enum { DN_MAX_HEADS = 16, DN_MAX_LABELS = 254 };

/** How an embedding is made of the token states. */
typedef struct dn_embedding_form {
    dn_pooling pooling;
    bool unit_length;
} dn_embedding_form;

typedef struct dn_config {
    const dn_family *family; /**< NULL: heads without an encoder */
    int hidden, layers, heads, intermediate, vocabulary, types;
    int embedding;      /**< width of the embedding tables */
    int position_rows;  /**< of the position table */
    int first_position; /**< of a row's first token */
    int max_positions;  /**< longest row */
    float epsilon;
    int max_tokens;
    int windows, overlap;  /**< of a text longer than max_tokens; 1: it is cut */
    const char *normalise; /**< "tweeteval" or "none" */
    dn_languages languages;
    int n_parts; /**< 0: no head reads pooled texts */
    dn_pooling part[2];
    bool own_head;  /**< the checkpoint's, not "dunlin".heads: the family names its tensors */
    bool has_dense; /**< a dense layer between pooling and text heads: the family's */
    int n_model_heads;
    dn_model_head model_head[DN_MAX_HEADS];
    dn_embedding_form form[DN_MAX_HEADS]; /**< of heads that are embeddings */
    int text_width;                       /**< columns of softmax and sigmoid heads: the first */
    int mean_width;                       /**< columns of cosines to means: behind those */
    int score_width;                      /**< all of these and the embeddings behind them */
    int token_width;                      /**< columns of token heads */
    dn_json *doc;                         /**< keeps the texts alive */
} dn_config;

/** Reads DIR/config.json, and of sentence-transformers DIR/modules.json and what it names; MODEL
 * errors name the field.   ownership  the caller: dn_config_free */
dn_status dn_config_load(const char *dir, dn_config *out);
void dn_config_free(dn_config *config);

/** What a new softmax or sigmoid head would see: "pooling", else what the first embedding is made
 * of, else cls and mean. How many parts. */
int dn_config_features(const dn_config *config, dn_pooling part[2]);
extern const char *const dn_pooling_names[]; /**< by dn_pooling */

/** In place of the heads: these parts, as embeddings side by side. */
void dn_config_want_features(dn_config *config);

/** Where a head's weights are: "heads.NAME" or the checkpoint's own name. */
void dn_config_head_tensor(const dn_config *config, const dn_model_head *head, size_t room,
                           char *out);

/** heads.c: everything below the shape. Without a family (model/grams.h) there is no encoder:
 * listed heads, which pool nothing, and no limit of tokens. */
dn_status dn_config_read_heads(const char *dir, const dn_json_at *root, dn_config *config);

#endif
