#ifndef DN_MODEL_TEMPERATURE_H
#define DN_MODEL_TEMPERATURE_H
/** One number a head that makes its scores mean what they say: logits / T before softmax or
 * sigmoid. Above 1 it takes confidence away, below 1 it gives some; the most probable label stays.
 *
 * source  Guo et al. 2017, "On calibration of modern neural networks", temperature scaling */
#include "model/model.h"

/** Labelled logits of a head: logit[n][n_labels], right[n][n_labels] (softmax: one of a row). */
typedef struct dn_logits {
    dn_head_kind kind; /**< softmax or sigmoid */
    int n_labels;
    size_t n;
    const float *logit;
    const bool *right;
} dn_logits;

/** The T of [DN_TEMPERATURE_MIN, DN_TEMPERATURE_MAX] under which the rows are most probable; 1 for
 * no rows.   cost  O(n x n_labels), some 60 passes */
#define DN_TEMPERATURE_MIN 0.05
#define DN_TEMPERATURE_MAX 20.0
double dn_temperature_fit(const dn_logits *logits);

/** Minus the mean log probability of the right labels under T. */
double dn_temperature_loss(const dn_logits *logits, double temperature);

#endif
