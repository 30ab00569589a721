#ifndef DN_MODEL_GRAMS_H
#define DN_MODEL_GRAMS_H
/** A linear model on hashed n-grams (text/ngrams.h): no encoder, no tokeniser, any language, any
 * number of heads.
 *
 *    DIR/config.json         {"model_type": "dunlin-ngrams", "dunlin": {"ngrams": 2,
 *                            "normalise": "none", "heads": [{"name": "topic", "kind": "softmax",
 *                            "labels": [...]}]}}: heads as in model/config.h, softmax or sigmoid
 *    DIR/model.safetensors   ngrams.bucket [columns], rising, heads.NAME.weight [columns][labels],
 *                            heads.NAME.bias [labels]
 *
 * A head of one language (heads.NAME.LANGUAGE), and any other, may have a list of buckets of its
 * own, heads.NAME.bucket, in place of ngrams.bucket.
 * "ngrams" is DN_NGRAMS_RULE: which bucket an n-gram has. Only buckets that its examples had are
 * there; what else a text has counts in its length alone. In memory the weights of all heads for a
 * column stand side by side, so that an n-gram costs one line of a cache, not one a head. */
#include "model/new_head.h"
#include "text/ngrams.h"

typedef struct dn_gram_model dn_gram_model;

/** Whether DIR/config.json says that it is such a model; false too where it cannot be read. */
bool dn_gram_model_found(const char *dir);

/** NO_INPUT, MODEL: names file and field.    ownership  the caller: dn_gram_model_close
 *  thread  const afterwards, shared by any number */
dn_status dn_gram_model_open(const char *dir, dn_gram_model **out);
void dn_gram_model_close(dn_gram_model *model);

/** Heads and columns as of any model; what belongs to an encoder is 0. lends until close */
const dn_model_info *dn_gram_model_describe(const dn_gram_model *model);
int dn_gram_model_columns(const dn_gram_model *model);

/** SHA-256 of the encoder's weights for which `sure_above` of its heads was chosen, NULL: of none
 * (model/cascade.h). lends until close */
const char *dn_gram_model_cascade(const dn_gram_model *model);

/** score[score_width] of a text that was normalised as config.json says, head after head; or what
 * stands before softmax and sigmoid.
 *  cost  O(bytes x labels), no malloc once `ngrams` has seen the longest text */
void dn_gram_model_score(const dn_gram_model *model, dn_ngrams *ngrams, dn_span text, float *score);
void dn_gram_model_logits(const dn_gram_model *model, dn_ngrams *ngrams, dn_span text,
                          float *logit);

/** What a directory is made of: heads with `width` columns each, weight [width][n_labels], and the
 * columns' buckets, rising. */
typedef struct dn_gram_parts {
    const dn_new_head *head;
    int n_heads, n_columns;
    const int32_t *bucket;
    const char *normalise;
    bool narrow; /**< weights in bf16, half as large */
} dn_gram_parts;

/** Makes the directory, whole or not at all.     errors  CANT_CREATE, IO */
dn_status dn_gram_model_write(const char *dir, const dn_gram_parts *parts);

#endif
