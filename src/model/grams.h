#ifndef DN_MODEL_GRAMS_H
#define DN_MODEL_GRAMS_H
/** A linear model on hashed n-grams (text/ngrams.h): no encoder, no tokeniser, any language.
 *
 *    DIR/config.json         {"model_type": "dunlin-ngrams", "dunlin": {"normalise": "none",
 * "heads":
 *                            [{"name": "topic", "kind": "softmax", "labels": [...]}]}}
 *    DIR/model.safetensors   ngrams.bucket [columns], heads.NAME.weight [columns][labels],
 *                            heads.NAME.bias [labels]
 *
 * Only buckets that its examples had are there; what else a text has counts in its length alone. */
#include "model/new_head.h"
#include "text/ngrams.h"

typedef struct dn_gram_model dn_gram_model;

/** NO_INPUT, MODEL: names file and field.    ownership  the caller: dn_gram_model_close
 *  thread  const afterwards, shared by any number */
dn_status dn_gram_model_open(const char *dir, dn_gram_model **out);
void dn_gram_model_close(dn_gram_model *model);

/** Its one head; lends until close. */
const dn_model_head *dn_gram_model_head(const dn_gram_model *model);

/** Probabilities score[n_labels] of a text that was normalised as config.json says.
 *  cost  O(bytes x labels), no malloc once `ngrams` has seen the longest text */
void dn_gram_model_score(const dn_gram_model *model, dn_ngrams *ngrams, dn_span text, float *score);

/** Makes the directory, whole or not at all. head->width columns, of bucket[width], rising;
 * head->weight is [width][n_labels].     errors  CANT_CREATE, IO */
dn_status dn_gram_model_write(const char *dir, const dn_new_head *head, const int32_t *bucket,
                              const char *normalise);

#endif
