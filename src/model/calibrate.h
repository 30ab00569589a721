#ifndef DN_MODEL_CALIBRATE_H
#define DN_MODEL_CALIBRATE_H
/** Ranges of activations for backends that keep them in a narrow type by fixed scales. */
#include "model/model.h"
#include "model/weights.h"

/** Runs rows of token ids that depend on nothing but the vocabulary's size, so that a model has the
 * same scales wherever and for whatever texts it is opened. Does nothing where the backend needs no
 * ranges. */
dn_status dn_calibrate(const dn_model *model, const dn_kernels *kernels, dn_weights *weights);

#endif
