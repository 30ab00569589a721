#ifndef DN_JOB_JOB_PARTS_H
#define DN_JOB_JOB_PARTS_H
/** Inside of job/: the tables of the job's own sections, and binding YAML and options to them. */
#include "io/yaml.h"
#include "job/job.h"

/** Settings of a pipeline itself, beside its parts. */
typedef struct dn_pipeline_conf {
    int64_t text_threads, model_threads, chunks;
} dn_pipeline_conf;

extern const dn_prop dn_job_props[];
extern const dn_prop dn_pipeline_props[];

/** Settings of pipeline i, kept beside dn_job's plan until dn_job_bind. */
dn_pipeline_conf *dn_job_pipeline_conf(dn_job *job, int i);

/** Sets the properties of `map` (a MAP, or an empty value) in conf; `what` names the section in
 * errors. Keys in `except` (NULL-terminated) are skipped: somebody else binds them. */
dn_status dn_bind_props(const dn_prop *props, void *conf, const dn_yaml *map, const char *what,
                        const char *const *except);

/** CONFIG error at a node. */
dn_status dn_yaml_fail(const dn_yaml *node, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Fills `job` from the document. */
dn_status dn_job_parse(dn_job *job, const dn_yaml *root);

/** Applies "path.to.property=value". */
dn_status dn_job_set(dn_job *job, const char *assignment);

/** Makes a part's conf with its defaults. */
dn_status dn_conf_new(const dn_prop *props, size_t conf_size, void **out);

/** The text of a property by name, NULL when the part has none such: how the job asks a part what
 * it does not know. */
const char *dn_conf_text(const dn_prop *props, const void *conf, const char *name);

/** Adds the scorer of that kind to a pipeline; or puts it in the place of all that are there. */
dn_status dn_plan_add_scorer(dn_pipeline_plan *plan, const char *kind);
dn_status dn_plan_set_scorer(dn_pipeline_plan *plan, const char *kind);

#endif
