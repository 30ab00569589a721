#ifndef DN_RUN_PROVENANCE_H
#define DN_RUN_PROVENANCE_H
/** What results say of where they come from: model, kernels, machine, versions. */
#include "flow/pipeline.h"
#include "kernels/kernels.h"
#include "model/model.h"

/** The model of a bound pipeline, NULL without one. lends until unbind */
const dn_model_info *dn_plan_model(const dn_pipeline_plan *plan);

/** Hash of its weights, "" without one. */
const char *dn_plan_model_sha256(const dn_pipeline_plan *plan);

/** The time within which it should score a text, 0 when none is asked for. */
int64_t dn_plan_slo_ns(const dn_pipeline_plan *plan);

/** The kernels it computes with, NULL without a model. */
const dn_kernels *dn_plan_kernels(const dn_pipeline_plan *plan);

#endif
