#include "job/job.h"

#include "base/home.h"
#include "base/memory.h"
#include "job/job_parts.h"
#include "job/registry.h"

#include <stddef.h>
#include <stdlib.h>

#define JOB(field)      offsetof(dn_job_conf, field)
#define PIPELINE(field) offsetof(dn_pipeline_conf, field)

const dn_prop dn_job_props[] = {
    {.name = "job",
     .type = DN_P_TEXT,
     .offset = JOB(job),
     .text = "Name of the job; part of its consumer groups and transactional ids."},
    {.name = "output",
     .type = DN_P_PATH,
     .offset = JOB(output),
     .initial = "",
     .text = "Output folder; out/<job> when empty."},
    {.name = "broker",
     .type = DN_P_TEXT,
     .offset = JOB(broker),
     .initial = "none",
     .text = "HOST:PORT of a Kafka broker, 'local' (started by scripts/kafka) or 'none'; -b and "
             "--broker override it."},
    {.name = "max_bad",
     .type = DN_P_REAL,
     .offset = JOB(max_bad),
     .initial = "10%",
     .max = 1,
     .text = "Share of bad records beyond which the run ends."},
    {.name = "drift",
     .type = DN_P_PATH,
     .offset = JOB(drift),
     .initial = "",
     .text = "labels.json of an earlier run of this job: the log warns where labels, und, null and "
             "unknown tokens are no longer distributed as there, and the summary says how far."},
    {.name = "drift_rows",
     .type = DN_P_COUNT,
     .offset = JOB(drift_rows),
     .initial = "10k",
     .min = 100,
     .max = 1e9,
     .text = "The newest rows of a rank that are compared with `drift`, each tenth of them anew."},
    {.name = "drift_notice",
     .type = DN_P_REAL,
     .offset = JOB(drift_notice),
     .initial = "0.1",
     .max = 100,
     .text = "Population stability index of a column above which the log notes it (level info)."},
    {.name = "drift_warn",
     .type = DN_P_REAL,
     .offset = JOB(drift_warn),
     .initial = "0.25",
     .max = 100,
     .text = "The index above which the log warns, once for each rise."},
    {.name = "create_topics",
     .type = DN_P_BOOL,
     .offset = JOB(create_topics),
     .initial = "true",
     .text = "Make declared topics where the broker lacks them."},
    {.name = "kafka",
     .type = DN_P_MAP,
     .offset = JOB(kafka),
     .text = "librdkafka properties, passed through."},
    {.name = "text_threads",
     .type = DN_P_COUNT,
     .offset = JOB(text_threads),
     .initial = "0",
     .max = 256,
     .text = "Text workers of each pipeline, and half as many that make records for topics; 0: "
             "the cores of the rank."},
    {.name = "model_threads",
     .type = DN_P_COUNT,
     .offset = JOB(model_threads),
     .initial = "0",
     .max = 256,
     .text = "Threads of each model of each pipeline; 0: the cores of the rank, or up to 2 for a "
             "model on a GPU without `cascade`."},
    {.name = NULL},
};

const dn_prop dn_pipeline_props[] = {
    {.name = "text_threads",
     .type = DN_P_COUNT,
     .offset = PIPELINE(text_threads),
     .initial = "0",
     .max = 256,
     .text = "Text workers; 0: as the job says."},
    {.name = "model_threads",
     .type = DN_P_COUNT,
     .offset = PIPELINE(model_threads),
     .initial = "0",
     .max = 256,
     .text = "Threads of each model; 0: as the job says."},
    {.name = "chunks",
     .type = DN_P_COUNT,
     .offset = PIPELINE(chunks),
     .initial = "0",
     .max = 65536,
     .text = "Chunks of up to 1,024 records under way at once, which bounds the memory; 0: by the "
             "number of threads."},
    {.name = NULL},
};

/* dn_job as the outside sees it, and what only this folder knows. */
typedef struct job_private {
    dn_job job;
    dn_pipeline_conf pipeline_conf[DN_MAX_PIPELINES];
} job_private;

dn_pipeline_conf *dn_job_pipeline_conf(dn_job *job, int i) {
    return &((job_private *)job)->pipeline_conf[i];
}

static dn_status init_defaults(dn_job *job) {
    DN_TRY(dn_props_init(dn_job_props, &job->conf));
    for (int i = 0; i < DN_MAX_PIPELINES; i++) {
        DN_TRY(dn_props_init(dn_pipeline_props, dn_job_pipeline_conf(job, i)));
    }
    return DN_OK;
}

/* What a job reads may lie beside the program: `jobs/tweets.yaml` runs in any folder. */
static void find_paths(const dn_prop *props, void *conf) {
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        char **path = (char **)((char *)conf + prop->offset);
        if (prop->type == DN_P_PATH && *path && **path) {
            char *found = dn_home_find(*path);
            free(*path);
            *path = found;
        }
    }
}

static void find_inputs(const dn_pipeline_plan *plan) {
    find_paths(plan->source->props, plan->source_conf);
    for (int i = 0; i < plan->n_stages; i++) {
        find_paths(plan->stage[i]->props, plan->stage_conf[i]);
    }
    for (int i = 0; i < plan->n_scorers; i++) {
        find_paths(plan->scorer[i]->props, plan->scorer_conf[i]);
    }
}

static void finish_defaults(dn_job *job) {
    if (!job->conf.output[0]) {
        free(job->conf.output);
        job->conf.output = dn_format("out/%s", job->conf.job);
    }
    for (int i = 0; i < job->n_pipelines; i++) {
        find_inputs(&job->pipeline[i]);
        job->pipeline[i].job = job->conf.job;
        job->pipeline[i].max_bad = job->conf.max_bad;
    }
}

static dn_status check_required(const dn_prop *props, const void *conf, const char *pipeline,
                                const char *part) {
    const dn_prop *missing = dn_props_missing(props, conf);
    return missing ? DN_FAIL(CONFIG, "pipeline '%s': %s needs the property '%s' (%s)", pipeline,
                             part, missing->name, missing->text)
                   : DN_OK;
}

static bool is_name(const char *name) {
    return name[0] && strlen(name) < DN_PART_NAME && !strpbrk(name, ". \t\n/=");
}

/* Reports and --set know a model by its name. */
static dn_status name_models(dn_pipeline_plan *plan) {
    for (int i = 0; i < plan->n_scorers; i++) {
        const char *name = dn_conf_text(plan->scorer[i]->props, plan->scorer_conf[i], "name");
        plan->scorer_name[i] = name ? name : "model";
        if (!is_name(plan->scorer_name[i])) {
            return DN_FAIL(
                CONFIG,
                "pipeline '%s': a model's name is one word of 1 to %d bytes without '.', "
                "'/' and '=', not '%s'",
                plan->name, DN_PART_NAME - 1, plan->scorer_name[i]);
        }
        for (int k = 0; k < i; k++) {
            if (strcmp(plan->scorer_name[k], plan->scorer_name[i]) == 0) {
                return DN_FAIL(CONFIG,
                               "pipeline '%s': two models are called '%s'; give one a `name`",
                               plan->name, plan->scorer_name[i]);
            }
        }
    }
    return DN_OK;
}

static dn_status check_plan(const dn_pipeline_plan *plan) {
    DN_TRY(check_required(plan->source->props, plan->source_conf, plan->name, plan->source->name));
    for (int i = 0; i < plan->n_stages; i++) {
        DN_TRY(check_required(plan->stage[i]->props, plan->stage_conf[i], plan->name,
                              plan->stage[i]->name));
    }
    for (int i = 0; i < plan->n_scorers; i++) {
        DN_TRY(check_required(plan->scorer[i]->props, plan->scorer_conf[i], plan->name,
                              plan->scorer_name[i]));
    }
    for (int i = 0; i < plan->n_sinks; i++) {
        DN_TRY(check_required(plan->sink[i]->props, plan->sink_conf[i], plan->name,
                              plan->sink[i]->name));
    }
    return DN_OK;
}

static dn_status check_job(dn_job *job) {
    if (!job->conf.job || !job->conf.job[0]) {
        return DN_FAIL(CONFIG, "%s: the job has no name (job: NAME)", job->file);
    }
    for (int i = 0; i < job->n_pipelines; i++) {
        DN_TRY(name_models(&job->pipeline[i]));
        DN_TRY(check_plan(&job->pipeline[i]));
    }
    return DN_OK;
}

static dn_status fill(dn_job *job, const dn_yaml *root, const dn_list *set) {
    DN_TRY(init_defaults(job));
    DN_TRY(dn_job_parse(job, root));
    for (int i = 0; i < set->n; i++) {
        DN_TRY(dn_job_set(job, set->item[i]));
    }
    DN_TRY(check_job(job));
    finish_defaults(job);
    return DN_OK;
}

dn_status dn_job_open(const char *path, const dn_list *set, dn_job **out) {
    dn_yaml_document *document = NULL;
    dn_job *job = &((job_private *)dn_alloc(sizeof(job_private)))->job;
    job->file = dn_home_find(path);
    dn_status status = dn_yaml_open(job->file, &document);
    if (status == DN_OK) {
        status = fill(job, dn_yaml_root(document), set);
        dn_yaml_close(document);
    }
    if (status != DN_OK) {
        dn_job_close(job);
        return status;
    }
    *out = job;
    return DN_OK;
}

static void free_part(const dn_prop *props, void *conf) {
    if (conf) {
        dn_props_free(props, conf);
        free(conf);
    }
}

static void close_plan(dn_pipeline_plan *plan) {
    dn_pipeline_unbind(plan);
    if (plan->source) {
        free_part(plan->source->props, plan->source_conf);
    }
    for (int i = 0; i < plan->n_stages; i++) {
        free_part(plan->stage[i]->props, plan->stage_conf[i]);
    }
    for (int i = 0; i < plan->n_scorers; i++) {
        free_part(plan->scorer[i]->props, plan->scorer_conf[i]);
    }
    for (int i = 0; i < plan->n_sinks; i++) {
        free_part(plan->sink[i]->props, plan->sink_conf[i]);
    }
    if (plan->letters) {
        free_part(plan->letters->props, plan->letters_conf);
    }
    free((char *)plan->name);
}

void dn_job_close(dn_job *job) {
    if (!job) {
        return;
    }
    for (int i = 0; i < job->n_pipelines; i++) {
        close_plan(&job->pipeline[i]);
    }
    for (int i = 0; i < job->n_topics; i++) {
        dn_props_free(dn_topic_spec_props, &job->topic[i]);
    }
    dn_props_free(dn_job_props, &job->conf);
    free(job->file);
    free(job);
}

dn_status dn_job_only(dn_job *job, const dn_list *only) {
    for (int k = 0; k < only->n; k++) {
        bool known = false;
        for (int i = 0; i < job->n_pipelines; i++) {
            known = known || strcmp(job->pipeline[i].name, only->item[k]) == 0;
        }
        if (!known) {
            return DN_FAIL(CONFIG, "--only %s: the job %s has no such pipeline", only->item[k],
                           job->conf.job);
        }
    }
    int kept = 0;
    for (int i = 0; i < job->n_pipelines; i++) {
        bool wanted = only->n == 0;
        for (int k = 0; k < only->n; k++) {
            wanted = wanted || strcmp(job->pipeline[i].name, only->item[k]) == 0;
        }
        if (wanted) {
            *dn_job_pipeline_conf(job, kept) = *dn_job_pipeline_conf(job, i);
            job->pipeline[kept++] = job->pipeline[i];
        } else {
            close_plan(&job->pipeline[i]);
        }
    }
    job->n_pipelines = kept;
    return DN_OK;
}

const char *dn_conf_text(const dn_prop *props, const void *conf, const char *name) {
    const dn_prop *prop = dn_prop_find(props, name);
    return prop ? *(char *const *)((const char *)conf + prop->offset) : NULL;
}

/* The first that is set: the pipeline's, the job's, what is of use. */
static int first_set(int64_t own, int64_t common, int of_use) {
    return own > 0 ? (int)own : common > 0 ? (int)common : of_use;
}

static int threads_of_use(const dn_pipeline_plan *plan, int scorer, int cores) {
    const dn_scorer_ops *ops = plan->scorer[scorer];
    return ops->threads ? ops->threads(plan->scorer_conf[scorer], cores) : cores;
}

/* A record costs about half of what the text stages do with its text. */
static int prepare_threads(const dn_pipeline_plan *plan) {
    bool prepares = false;
    for (int i = 0; i < plan->n_sinks; i++) {
        prepares = prepares || plan->sink[i]->prepare;
    }
    return prepares ? (plan->text_threads + 1) / 2 : 0;
}

void dn_job_set_threads(dn_job *job, int i, int cores, int base, int a_thread) {
    dn_pipeline_plan *plan = &job->pipeline[i];
    const dn_pipeline_conf *conf = dn_job_pipeline_conf(job, i);
    plan->text_threads = first_set(conf->text_threads, job->conf.text_threads, cores);
    plan->prepare_threads = prepare_threads(plan);
    int threads = plan->text_threads + plan->prepare_threads;
    for (int k = 0; k < plan->n_scorers; k++) {
        plan->model_threads[k] =
            first_set(conf->model_threads, job->conf.model_threads, threads_of_use(plan, k, cores));
        threads += plan->model_threads[k];
    }
    plan->n_chunks = conf->chunks > 0 ? (int)conf->chunks : base + a_thread * threads;
}

dn_status dn_job_bind_one(dn_job *job, int i) {
    dn_pipeline_plan *plan = &job->pipeline[i];
    dn_bind bind = {.job = job->conf.job, .output = job->conf.output};
    for (int k = 0; k < plan->n_scorers; k++) {
        const char *dir = dn_conf_text(plan->scorer[k]->props, plan->scorer_conf[k], "path");
        if (dir) {
            bind.model[bind.n_models++] = (dn_bind_model){
                dir, dn_conf_text(plan->scorer[k]->props, plan->scorer_conf[k], "ids")};
        }
    }
    return dn_pipeline_bind(plan, &bind);
}

dn_status dn_job_bind(dn_job *job) {
    for (int i = 0; i < job->n_pipelines; i++) {
        DN_TRY(dn_job_bind_one(job, i));
    }
    return DN_OK;
}

const dn_topic_spec *dn_job_topic(const dn_job *job, const char *name) {
    for (int i = 0; i < job->n_topics; i++) {
        if (strcmp(job->topic[i].name, name) == 0) {
            return &job->topic[i];
        }
    }
    return NULL;
}
