#ifndef DN_RUN_PROVENANCE_H
#define DN_RUN_PROVENANCE_H
/** What results say of where they come from: model, kernels, machine, versions. */
#include "flow/pipeline.h"
#include "kernels/kernels.h"
#include "model/model.h"

/** Model `i` of a bound pipeline, NULL for a scorer without one. lends until unbind */
const dn_model_info *dn_plan_model(const dn_pipeline_plan *plan, int i);

enum {
    DN_MAX_MODELS = 2 * DN_MAX_SCORERS + DN_MAX_STAGES,
    DN_MODELS_SHA256 = DN_MAX_MODELS * (DN_PART_NAME + 66)
};

/** Hashes of the pipeline's weights, those of its stages `linear` too: that of its model alone,
 * "NAME=HASH NAME=HASH" of several, "" without one. */
void dn_plan_models_sha256(const dn_pipeline_plan *plan, char out[DN_MODELS_SHA256]);

/** The time within which model `i` should have scored a text, 0 when none is asked for. */
int64_t dn_plan_slo_ns(const dn_pipeline_plan *plan, int i);

/** The kernels it computes with, NULL without a model. */
const dn_kernels *dn_plan_kernels(const dn_pipeline_plan *plan, int i);

#endif
