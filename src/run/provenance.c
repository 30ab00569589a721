#include "run/provenance.h"

#include "base/props.h"
#include "model/scorer.h"

const dn_model_info *dn_plan_model(const dn_pipeline_plan *plan, int i) {
    return dn_scorer_info(plan->scorer_conf[i]);
}

/** Of the pipeline's models and its stages `linear`, in this order. */
typedef struct named_model {
    const char *name;
    const dn_model_info *info;
} named_model;

static int list_models(const dn_pipeline_plan *plan, named_model list[DN_MAX_MODELS]) {
    int n = 0;
    for (int i = 0; i < plan->n_scorers; i++) {
        list[n] = (named_model){plan->scorer_name[i], dn_plan_model(plan, i)};
        n += list[n].info != NULL;
        list[n] = (named_model){"cascade", dn_scorer_cascade_info(plan->scorer_conf[i])};
        n += list[n].info != NULL;
    }
    for (int i = 0; i < plan->n_stages; i++) {
        if (plan->stage[i] == &dn_stage_linear) {
            list[n++] = (named_model){dn_stage_linear.name, dn_linear_info(plan->stage_conf[i])};
        }
    }
    return n;
}

void dn_plan_models_sha256(const dn_pipeline_plan *plan, char out[DN_MODELS_SHA256]) {
    named_model list[DN_MAX_MODELS];
    size_t n = 0;
    int n_models = list_models(plan, list);
    out[0] = '\0';
    for (int i = 0; i < n_models; i++) {
        bool alone = n_models == 1;
        n += (size_t)snprintf(out + n, DN_MODELS_SHA256 - n, "%s%s%s%s", n ? " " : "",
                              alone ? "" : list[i].name, alone ? "" : "=", list[i].info->sha256);
    }
}

int64_t dn_plan_slo_ns(const dn_pipeline_plan *plan, int i) {
    const dn_prop *slo = dn_prop_find(plan->scorer[i]->props, "slo");
    return slo ? *(const int64_t *)((const char *)plan->scorer_conf[i] + slo->offset) : 0;
}

const dn_kernels *dn_plan_kernels(const dn_pipeline_plan *plan, int i) {
    if (!dn_plan_model(plan, i)) {
        return NULL;
    }
    const dn_prop *backend = dn_prop_find(plan->scorer[i]->props, "backend");
    const char *name = *(char *const *)((const char *)plan->scorer_conf[i] + backend->offset);
    const dn_kernels *kernels;
    return dn_kernels_select(name && name[0] ? name : NULL, &kernels) == DN_OK ? kernels : NULL;
}
