/** Options of the command line that reach into the job: `--set path.to.property=value`. */
#include "base/memory.h"
#include "job/job_parts.h"

#include <stdlib.h>

static dn_status set_failed(const char *assignment) {
    char why[DN_FAILURE_TEXT];
    snprintf(why, sizeof why, "%s", dn_failure_last()->text);
    return DN_FAIL(CONFIG, "--set %s: %s", assignment, why);
}

static dn_status no_such(const char *what, const char *name) {
    return DN_FAIL(CONFIG, "there is no %s '%s'", what, name);
}

/* Sets `name` (for a mapping "name.key") of a table; AGAIN when the table has no such property. */
static dn_status set_in(const dn_prop *props, void *conf, const char *name, const char *value) {
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        size_t n = strlen(prop->name);
        if (strcmp(prop->name, name) == 0 && prop->type != DN_P_MAP) {
            return dn_prop_set(prop, conf, value);
        }
        if (prop->type == DN_P_MAP && strncmp(prop->name, name, n) == 0 && name[n] == '.') {
            dn_map_put((dn_map *)((char *)conf + prop->offset), name + n + 1, value);
            return DN_OK;
        }
    }
    return DN_AGAIN;
}

static dn_status set_property(const dn_prop *props, void *conf, const char *name,
                              const char *value) {
    dn_status status = set_in(props, conf, name, value);
    if (status != DN_AGAIN) {
        return status;
    }
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        if (dn_near(name, prop->name)) {
            return DN_FAIL(CONFIG, "there is no property '%s'; did you mean '%s'?", name,
                           prop->name);
        }
    }
    return no_such("property", name);
}

typedef struct part {
    const dn_prop *props;
    void *conf;
} part;

static bool named(const char *name, const char *want, size_t want_len) {
    return strlen(name) == want_len && strncmp(name, want, want_len) == 0;
}

enum { MAX_PARTS = 2 + DN_MAX_STAGES + DN_MAX_SCORERS + DN_MAX_SINKS };

static void add_part(part *parts, int *n, bool wanted, const dn_prop *props, void *conf) {
    if (wanted) {
        parts[(*n)++] = (part){props, conf};
    }
}

/* Whether the word is the part's own `name`. */
static bool called(const dn_prop *props, const void *conf, const char *word, size_t len) {
    const char *name = dn_conf_text(props, conf, "name");
    return name && *name && named(name, word, len);
}

/* The parts of a pipeline that a word names, by their section, their kind or the name that the job
 * gives them: a topic may be both source and sink, two stages the same kind. */
static int find_parts(const dn_pipeline_plan *plan, const char *word, size_t len,
                      part parts[MAX_PARTS]) {
    int n = 0;
    add_part(parts, &n, named("source", word, len) || named(plan->source->name, word, len),
             plan->source->props, plan->source_conf);
    for (int i = 0; i < plan->n_scorers; i++) {
        add_part(parts, &n,
                 (i == 0 && named("model", word, len)) ||
                     called(plan->scorer[i]->props, plan->scorer_conf[i], word, len),
                 plan->scorer[i]->props, plan->scorer_conf[i]);
    }
    add_part(parts, &n, named("dead_letters", word, len), plan->letters->props, plan->letters_conf);
    for (int i = 0; i < plan->n_stages; i++) {
        add_part(parts, &n,
                 named(plan->stage[i]->name, word, len) ||
                     called(plan->stage[i]->props, plan->stage_conf[i], word, len),
                 plan->stage[i]->props, plan->stage_conf[i]);
    }
    for (int i = 0; i < plan->n_sinks; i++) {
        add_part(parts, &n, named(plan->sink[i]->name, word, len), plan->sink[i]->props,
                 plan->sink_conf[i]);
    }
    return n;
}

/* Of several parts of that name, the first that has the property. */
static dn_status set_in_parts(const part *parts, int n, const char *name, const char *value) {
    for (int i = 0; i < n; i++) {
        dn_status status = set_in(parts[i].props, parts[i].conf, name, value);
        if (status != DN_AGAIN) {
            return status;
        }
    }
    return set_property(parts[0].props, parts[0].conf, name, value);
}

static dn_status set_in_pipeline(dn_job *job, int number, const char *path, const char *value) {
    dn_pipeline_plan *plan = &job->pipeline[number];
    const char *dot = strchr(path, '.');
    if (!dot) {
        return strcmp(path, "model") == 0
                   ? dn_plan_set_scorer(plan, value)
                   : set_property(dn_pipeline_props, dn_job_pipeline_conf(job, number), path,
                                  value);
    }
    part parts[MAX_PARTS];
    int n = find_parts(plan, path, (size_t)(dot - path), parts);
    return n ? set_in_parts(parts, n, dot + 1, value)
             : DN_FAIL(CONFIG, "pipeline '%s' has no part '%.*s'", plan->name, (int)(dot - path),
                       path);
}

static dn_status set_in_topics(dn_job *job, const char *path, const char *value) {
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < job->n_topics; i++) {
        if (named(job->topic[i].name, path, (size_t)(dot - path))) {
            return set_property(dn_topic_spec_props, &job->topic[i], dot + 1, value);
        }
    }
    return no_such("declared topic in", path);
}

/* "*.corpus.path": in every pipeline that has the part; at least one must. */
static dn_status set_everywhere(dn_job *job, const char *path, const char *value) {
    const char *dot = strchr(path, '.');
    size_t len = dot ? (size_t)(dot - path) : strlen(path);
    bool any = false;
    for (int i = 0; i < job->n_pipelines; i++) {
        part parts[MAX_PARTS];
        if (find_parts(&job->pipeline[i], path, len, parts)) {
            any = true;
            DN_TRY(set_in_pipeline(job, i, path, value));
        }
    }
    return any ? DN_OK : DN_FAIL(CONFIG, "no pipeline has a part '%.*s'", (int)len, path);
}

static dn_status set_path(dn_job *job, const char *path, const char *value) {
    dn_status status = set_in(dn_job_props, &job->conf, path, value);
    if (status != DN_AGAIN) {
        return status;
    }
    const char *dot = strchr(path, '.');
    if (dot && named("topics", path, (size_t)(dot - path))) {
        return set_in_topics(job, dot + 1, value);
    }
    if (dot && named("*", path, (size_t)(dot - path))) {
        return set_everywhere(job, dot + 1, value);
    }
    for (int i = 0; dot && i < job->n_pipelines; i++) {
        if (named(job->pipeline[i].name, path, (size_t)(dot - path))) {
            return set_in_pipeline(job, i, dot + 1, value);
        }
    }
    return dot ? DN_FAIL(CONFIG, "there is no pipeline '%.*s'", (int)(dot - path), path)
               : set_property(dn_job_props, &job->conf, path, value);
}

dn_status dn_job_set(dn_job *job, const char *assignment) {
    const char *sign = strchr(assignment, '=');
    if (!sign || sign == assignment) {
        return DN_FAIL(CONFIG, "--set %s: written as property=value", assignment);
    }
    char *path = dn_strdup(assignment);
    path[sign - assignment] = '\0';
    dn_status status = set_path(job, path, sign + 1);
    free(path);
    return status == DN_OK ? DN_OK : set_failed(assignment);
}
