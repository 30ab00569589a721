#ifndef DN_MODEL_SCORER_H
#define DN_MODEL_SCORER_H
/** The two scorers of job/registry.c. `model` scores a column of token ids ("ids") and adds, for
 * every head, the columns of its kind:
 *
 *    softmax    score.HEAD  probabilities; label.HEAD  the most probable label
 *    sigmoid    score.HEAD  a probability each; label.HEAD  the most probable label
 *    tokens     entities.HEAD  spans as JSON: model/spans.h
 *    embedding  embedding.HEAD  the vector
 *
 * A head that is called "entities" or "embedding" gives that name to its column as it is; with a
 * `prefix` of the job file the columns are called score.PREFIX.HEAD and so on. `none`
 * forms the same batches by the same rules and scores nothing: the pipeline without the model's
 * cost. */
#include "flow/scorer.h"
#include "model/model.h"

extern const dn_stage_ops
    dn_stage_linear; /**< clean -> score.HEAD, label.HEAD, by n-grams: linear.c */
extern const dn_scorer_ops dn_scorer_model, dn_scorer_none;

/** The linear model before that of a bound scorer, NULL: none.    lends  until unbind */
const dn_model_info *dn_scorer_cascade_info(const void *conf);

/** The model of a bound stage `linear`: provenance.    lends  until unbind */
const dn_model_info *dn_linear_info(const void *conf);

/** The model of a bound scorer, NULL for `none`: provenance and `describe`. lends until unbind */
const dn_model_info *dn_scorer_info(const void *conf);

#endif
