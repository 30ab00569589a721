#ifndef DN_JOB_REGISTRY_H
#define DN_JOB_REGISTRY_H
/** Everything a job file can name, in plain sight. Adding a part is a row in registry.c; a foreign
 * program adds its own stages with dn_stage_register. */
#include "flow/pipeline.h"
#include "job/register.h"

extern const dn_source_ops *const dn_sources[];
extern const dn_stage_ops *dn_stages[];
extern const dn_scorer_ops *const dn_scorers[];
extern const dn_sink_ops *const dn_sinks[];

/** The part of that name; NULL with a CONFIG failure that offers the nearest name. */
const dn_source_ops *dn_source_get(const char *name);
const dn_stage_ops *dn_stage_get(const char *name);
const dn_scorer_ops *dn_scorer_get(const char *name);
const dn_sink_ops *dn_sink_get(const char *name);

#endif
