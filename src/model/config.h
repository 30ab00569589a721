#ifndef DN_MODEL_CONFIG_H
#define DN_MODEL_CONFIG_H
/** What config.json says: the shape of the encoder (Hugging Face's BertConfig) and, in its "dunlin"
 * object, how texts are prepared, pooled and which heads stand on the encoder.
 *
 *   "dunlin": {"normalise": "tweeteval", "max_tokens": 128, "pooling": ["cls", "mean"],
 *              "heads": [{"name": "irony", "labels": ["non_irony", "irony"], "kind": "softmax"}]}
 *
 * Without one, the directory is read as a sequence-classification checkpoint: pooler and
 * classifier, labels from id2label, one head "label". What the encoder cannot compute exactly
 * (another activation, relative positions, several labels at once) is refused by name. */
#include "io/json.h"
#include "model/model.h"

enum { DN_MAX_HEADS = 16, DN_MAX_LABELS = 254 };

typedef struct dn_config {
    int hidden, layers, heads, intermediate, vocabulary, max_positions, types;
    float epsilon;
    int max_tokens;
    const char *normalise; /**< "tweeteval" or "none" */
    int n_parts;
    dn_pooling part[2];
    bool has_pooler; /**< a tanh layer between pooling and heads */
    int n_model_heads, score_width;
    dn_model_head model_head[DN_MAX_HEADS];
    dn_json *doc; /**< keeps the texts alive */
} dn_config;

/** Reads DIR/config.json; MODEL errors name the field.   ownership  the caller: dn_config_free */
dn_status dn_config_load(const char *dir, dn_config *out);
void dn_config_free(dn_config *config);

#endif
