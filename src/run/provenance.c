#include "run/provenance.h"

#include "base/props.h"
#include "model/scorer.h"

const dn_model_info *dn_plan_model(const dn_pipeline_plan *plan) {
    return plan->scorer ? dn_scorer_info(plan->scorer_conf) : NULL;
}

const char *dn_plan_model_sha256(const dn_pipeline_plan *plan) {
    const dn_model_info *info = dn_plan_model(plan);
    return info ? info->sha256 : "";
}

int64_t dn_plan_slo_ns(const dn_pipeline_plan *plan) {
    const dn_prop *slo = plan->scorer ? dn_prop_find(plan->scorer->props, "slo") : NULL;
    return slo ? *(const int64_t *)((const char *)plan->scorer_conf + slo->offset) : 0;
}

const dn_kernels *dn_plan_kernels(const dn_pipeline_plan *plan) {
    if (!dn_plan_model(plan)) {
        return NULL;
    }
    const dn_prop *backend = dn_prop_find(plan->scorer->props, "backend");
    const char *name = *(char *const *)((const char *)plan->scorer_conf + backend->offset);
    const dn_kernels *kernels;
    return dn_kernels_select(name && name[0] ? name : NULL, &kernels) == DN_OK ? kernels : NULL;
}
