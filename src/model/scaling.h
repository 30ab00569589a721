#ifndef DN_MODEL_SCALING_H
#define DN_MODEL_SCALING_H
/** What makes a head's scores mean what they say: (logits + shift) / temperature before softmax or
 * sigmoid. A temperature above 1 takes confidence away, below 1 it gives some. A shift is for
 * sigmoid heads alone, whose labels are more or less frequent than they were in training. Neither
 * changes a label: softmax's most probable one stays, and sigmoid's are said where the logit
 * without both is above 0 (dn_model_head.said_above).
 *
 * source  Guo et al. 2017, "On calibration of modern neural networks", temperature scaling; Platt
 *         1999, "Probabilistic outputs for support vector machines" */
#include "model/model.h"

typedef struct dn_scaling {
    double temperature, shift;
} dn_scaling;

/** Labelled logits of a head: logit[n][n_labels], right[n][n_labels] (softmax: one of a row). */
typedef struct dn_logits {
    dn_head_kind kind; /**< softmax or sigmoid */
    int n_labels;
    size_t n;
    const float *logit;
    const bool *right;
} dn_logits;

/** The scaling under which the rows are most probable, its temperature in [DN_TEMPERATURE_MIN,
 * DN_TEMPERATURE_MAX] and its shift in [-DN_SHIFT_MAX, DN_SHIFT_MAX]; 1 and 0 for no rows.
 * cost  O(n x n_labels), some 60 passes */
#define DN_TEMPERATURE_MIN 0.05
#define DN_TEMPERATURE_MAX 20.0
#define DN_SHIFT_MAX       100.0
dn_scaling dn_scaling_fit(const dn_logits *logits);

/** Minus the mean log probability of the right labels under it. */
double dn_scaling_loss(const dn_logits *logits, dn_scaling scaling);

/** One scaling of what another has scaled, as one. */
dn_scaling dn_scaling_of_both(dn_scaling inner, dn_scaling outer);

#endif
