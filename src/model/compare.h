#ifndef DN_MODEL_COMPARE_H
#define DN_MODEL_COMPARE_H
/** Two openings of one model, by other kernels or in another precision, on the same batches: how
 * far apart are their logits, and how often do they say something else? */
#include "model/model.h"

typedef struct dn_head_difference {
    int64_t n;     /**< decisions: a text or token for softmax, a label each for sigmoid; 0 for
                      embeddings, which decide nothing */
    int64_t flips; /**< of those, how many came out otherwise */
    int64_t texts, changed; /**< texts, and those of which at least one decision did */
    double logit;           /**< largest difference of a logit, or of a number of an embedding */
    double flip_margin; /**< largest distance of the two best logits (from 0 for sigmoid) where a
                           decision flipped, in the first model */
} dn_head_difference;

typedef struct dn_comparison dn_comparison;

/** Models of the same shape and heads; batches up to these limits.   ownership  the caller:
 * dn_comparison_free */
dn_status dn_comparison_new(const dn_model *first, const dn_model *second, int max_tokens,
                            int max_rows, dn_comparison **out);
void dn_comparison_free(dn_comparison *comparison);

/** Adds one batch.     thread  one at a time */
dn_status dn_comparison_add(dn_comparison *comparison, const dn_batch *batch);

/** [n_rows][score_width]: what model 0 (the first) or 1 gave the texts of the newest batch, as
 * dn_model_score does. lends until the next */
const float *dn_comparison_scores(const dn_comparison *comparison, int model);

/** [n_model_heads], over all batches so far. lends until free */
const dn_head_difference *dn_comparison_read(const dn_comparison *comparison);

#endif
