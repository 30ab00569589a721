#ifndef DN_MODEL_FAMILY_H
#define DN_MODEL_FAMILY_H
/** What tells one family of encoders from another: the keys of its config.json, the names of its
 * tensors, where positions begin and what stands before the classifier. All families run through
 * the same encoder; a new one is a row in family.c and a golden. */
#include "kernels/kernels.h"

#include <stdbool.h>

/** Keys of config.json. */
typedef struct dn_family_keys {
    const char *hidden, *layers, *heads, *intermediate, *activation;
} dn_family_keys;

typedef struct dn_family {
    const char *model_type; /**< of config.json */
    const char *prefix;     /**< of the encoder's tensors, which may also stand without it */
    const char *type_table; /**< embeddings of token types; NULL: the family has none */
    const char *projection; /**< from the embedding's width to the encoder's, there when they
                               differ; NULL: they never do */
    bool behind_padding;    /**< positions begin at pad_token_id + 1 */
    const char *layer;      /**< "%d": its number */
    const char *query, *key, *value, *attention_out, *attention_norm, *up, *down, *output_norm;
    /** The family's own head for texts: a dense layer on the first token, then the classifier. */
    const char *dense, *classifier;
    dn_activation dense_activation;
    dn_family_keys keys;
} dn_family;

/** NULL when there is none of that model_type. */
const dn_family *dn_family_find(const char *model_type);

/** "bert, distilbert, ...": lends for ever */
const char *dn_family_names(void);

#endif
