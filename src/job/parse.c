/** From a YAML tree to a job: every key is looked up in a property table. */
#include "base/memory.h"
#include "job/job_parts.h"
#include "job/registry.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

dn_status dn_yaml_fail(const dn_yaml *node, const char *fmt, ...) {
    char text[768];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    int line = node->key ? node->key_line : node->line;
    int column = node->key ? node->key_column : node->column;
    return DN_FAIL(CONFIG, "%s:%d:%d: %s", node->file, line, column, text);
}

static bool is_empty(const dn_yaml *node) {
    return node->kind == DN_YAML_TEXT &&
           (!node->text[0] || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static bool is_one_of(const char *word, const char *const *words) {
    for (; words && *words; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

typedef struct name_list {
    char text[512];
    size_t n;
    const char *near;
} name_list;

static void add_name(name_list *list, const char *word, const char *name) {
    if (list->n < sizeof list->text) {
        list->n += (size_t)snprintf(list->text + list->n, sizeof list->text - list->n, "%s%s",
                                    list->n ? ", " : "", name);
    }
    if (!list->near && dn_near(word, name)) {
        list->near = name;
    }
}

static dn_status unknown_key(const dn_prop *props, const char *const *except, const dn_yaml *node,
                             const char *what) {
    name_list known = {.text = ""};
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        add_name(&known, node->key, prop->name);
    }
    for (; except && *except; except++) {
        add_name(&known, node->key, *except);
    }
    if (known.near) {
        return dn_yaml_fail(node, "unknown key '%s' in %s; did you mean '%s'?", node->key, what,
                            known.near);
    }
    return dn_yaml_fail(node, "unknown key '%s' in %s (known: %s)", node->key, what,
                        known.n ? known.text : "none");
}

/* A failure of the property table, with the place in front. */
static dn_status place(dn_status status, const dn_yaml *node, const char *name) {
    if (status == DN_OK) {
        return DN_OK;
    }
    char why[DN_FAILURE_TEXT];
    snprintf(why, sizeof why, "%s", dn_failure_last()->text);
    return DN_FAIL(CONFIG, "%s:%d:%d: %s: %s", node->file, node->line, node->column, name, why);
}

static dn_status bind_list(const dn_prop *prop, void *conf, const dn_yaml *node) {
    char *joined = dn_strdup("");
    for (const dn_yaml *item = node->first; item; item = item->next) {
        if (item->kind != DN_YAML_TEXT) {
            free(joined);
            return dn_yaml_fail(item, "%s: an item must be plain text", prop->name);
        }
        char *longer = dn_format("%s%s%s", joined, joined[0] ? "," : "", item->text);
        free(joined);
        joined = longer;
    }
    dn_status status = dn_prop_set(prop, conf, joined);
    free(joined);
    return status;
}

static dn_status bind_mapping(const dn_prop *prop, void *conf, const dn_yaml *node) {
    for (const dn_yaml *entry = node->first; entry; entry = entry->next) {
        if (entry->kind != DN_YAML_TEXT) {
            return dn_yaml_fail(entry, "%s.%s must be plain text", prop->name, entry->key);
        }
        dn_map_put((dn_map *)((char *)conf + prop->offset), entry->key, entry->text);
    }
    return DN_OK;
}

/* {p95: 200ms} is handed on as a command line would write it. */
static dn_status bind_goal(const dn_prop *prop, void *conf, const dn_yaml *node) {
    const dn_yaml *entry = node->first;
    if (!entry || entry->next || entry->kind != DN_YAML_TEXT) {
        return dn_yaml_fail(node, "%s must be throughput, or one time: {p95: 200ms}", prop->name);
    }
    char *text = dn_format("%s=%s", entry->key, entry->text);
    dn_status status = place(dn_prop_set(prop, conf, text), entry, prop->name);
    free(text);
    return status;
}

static dn_status bind_value(const dn_prop *prop, void *conf, const dn_yaml *node) {
    if (node->kind == DN_YAML_LIST && prop->type == DN_P_LIST) {
        return bind_list(prop, conf, node);
    }
    if (node->kind == DN_YAML_MAP && prop->type == DN_P_MAP) {
        return bind_mapping(prop, conf, node);
    }
    if (node->kind == DN_YAML_MAP && prop->type == DN_P_GOAL) {
        return bind_goal(prop, conf, node);
    }
    if (node->kind != DN_YAML_TEXT || (prop->type == DN_P_MAP && !is_empty(node))) {
        return dn_yaml_fail(node, "%s must be %s", prop->name,
                            prop->type == DN_P_MAP    ? "a mapping"
                            : prop->type == DN_P_LIST ? "a list"
                                                      : "one value");
    }
    return prop->type == DN_P_MAP ? DN_OK
                                  : place(dn_prop_set(prop, conf, node->text), node, prop->name);
}

dn_status dn_bind_props(const dn_prop *props, void *conf, const dn_yaml *map, const char *what,
                        const char *const *except) {
    if (is_empty(map)) {
        return DN_OK;
    }
    if (map->kind != DN_YAML_MAP) {
        return dn_yaml_fail(map, "%s must be a mapping (key: value)", what);
    }
    for (const dn_yaml *child = map->first; child; child = child->next) {
        if (is_one_of(child->key, except)) {
            continue;
        }
        const dn_prop *prop = dn_prop_find(props, child->key);
        if (!prop) {
            return unknown_key(props, except, child, what);
        }
        DN_TRY(bind_value(prop, conf, child));
    }
    return DN_OK;
}

dn_status dn_conf_new(const dn_prop *props, size_t conf_size, void **out) {
    *out = dn_alloc(conf_size);
    return dn_props_init(props, *out);
}

/* A part is written `name` or `name: {properties}`; finds its name and the node of its properties
 * (NULL: none). */
static dn_status read_part(const dn_yaml *node, const char *what, const char **name,
                           const dn_yaml **props) {
    if (node->kind == DN_YAML_TEXT && !is_empty(node)) {
        *name = node->text;
        *props = NULL;
        return DN_OK;
    }
    if (node->kind != DN_YAML_MAP || !node->first || node->first->next) {
        return dn_yaml_fail(node, "%s must be 'name' or 'name: {properties}'", what);
    }
    *name = node->first->key;
    *props = node->first;
    return DN_OK;
}

static dn_status bind_part(const dn_prop *table, size_t conf_size, const char *name,
                           const dn_yaml *props, void **conf) {
    DN_TRY(dn_conf_new(table, conf_size, conf));
    return props ? dn_bind_props(table, *conf, props, name, NULL) : DN_OK;
}

static dn_status parse_source(dn_pipeline_plan *plan, const dn_yaml *node) {
    const char *name = NULL;
    const dn_yaml *props = NULL;
    DN_TRY(read_part(node, "source", &name, &props));
    plan->source = dn_source_get(name);
    if (!plan->source) {
        return place(DN_FATAL, props ? props : node, "source");
    }
    return bind_part(plan->source->props, plan->source->conf_size, name, props, &plan->source_conf);
}

static dn_status parse_stages(dn_pipeline_plan *plan, const dn_yaml *list) {
    if (list->kind != DN_YAML_LIST && !is_empty(list)) {
        return dn_yaml_fail(list, "stages must be a list");
    }
    for (const dn_yaml *item = list->first; item; item = item->next) {
        const char *name = NULL;
        const dn_yaml *props = NULL;
        DN_TRY(read_part(item, "a stage", &name, &props));
        const dn_stage_ops *ops = dn_stage_get(name);
        if (!ops) {
            return place(DN_FATAL, item, "stages");
        }
        if (plan->n_stages == DN_MAX_STAGES) {
            return dn_yaml_fail(item, "more than %d stages", DN_MAX_STAGES);
        }
        int i = plan->n_stages++;
        plan->stage[i] = ops;
        DN_TRY(bind_part(ops->props, ops->conf_size, name, props, &plan->stage_conf[i]));
    }
    return DN_OK;
}

static dn_status parse_sinks(dn_pipeline_plan *plan, const dn_yaml *list) {
    if (list->kind != DN_YAML_LIST || !list->first) {
        return dn_yaml_fail(list, "sinks must be a list with at least one sink");
    }
    for (const dn_yaml *item = list->first; item; item = item->next) {
        const char *name = NULL;
        const dn_yaml *props = NULL;
        DN_TRY(read_part(item, "a sink", &name, &props));
        const dn_sink_ops *ops = dn_sink_get(name);
        if (!ops) {
            return place(DN_FATAL, item, "sinks");
        }
        if (plan->n_sinks == DN_MAX_SINKS) {
            return dn_yaml_fail(item, "more than %d sinks", DN_MAX_SINKS);
        }
        int i = plan->n_sinks++;
        plan->sink[i] = ops;
        DN_TRY(bind_part(ops->props, ops->conf_size, name, props, &plan->sink_conf[i]));
    }
    return DN_OK;
}

dn_status dn_plan_add_scorer(dn_pipeline_plan *plan, const char *kind) {
    const dn_scorer_ops *ops = dn_scorer_get(kind);
    if (!ops) {
        return DN_FATAL;
    }
    int i = plan->n_scorers++;
    plan->scorer[i] = ops;
    return dn_conf_new(ops->props, ops->conf_size, &plan->scorer_conf[i]);
}

dn_status dn_plan_set_scorer(dn_pipeline_plan *plan, const char *kind) {
    for (int i = 0; i < plan->n_scorers; i++) {
        dn_props_free(plan->scorer[i]->props, plan->scorer_conf[i]);
        free(plan->scorer_conf[i]);
    }
    plan->n_scorers = 0;
    return dn_plan_add_scorer(plan, kind);
}

/* `{properties}` is the scorer "model"; a word one of the others. */
static dn_status parse_one_model(dn_pipeline_plan *plan, const dn_yaml *node) {
    const char *kind = node->kind == DN_YAML_TEXT ? node->text : "model";
    if (plan->n_scorers == DN_MAX_SCORERS) {
        return dn_yaml_fail(node, "more than %d models", DN_MAX_SCORERS);
    }
    if (dn_plan_add_scorer(plan, kind) != DN_OK) {
        return place(DN_FATAL, node, "model");
    }
    int i = plan->n_scorers - 1;
    return node->kind == DN_YAML_TEXT
               ? DN_OK
               : dn_bind_props(plan->scorer[i]->props, plan->scorer_conf[i], node, "model", NULL);
}

/* One model, or a list of them. */
static dn_status parse_model(dn_pipeline_plan *plan, const dn_yaml *node) {
    if (node->kind != DN_YAML_LIST) {
        return parse_one_model(plan, node);
    }
    for (const dn_yaml *item = node->first; item; item = item->next) {
        DN_TRY(parse_one_model(plan, item));
    }
    return DN_OK;
}

typedef struct pipeline_key {
    const char *name;
    dn_status (*parse)(dn_pipeline_plan *plan, const dn_yaml *node);
} pipeline_key;

static const pipeline_key pipeline_keys[] = {{"source", parse_source},
                                             {"stages", parse_stages},
                                             {"model", parse_model},
                                             {"sinks", parse_sinks}};
static const char *const pipeline_sections[] = {"source", "stages",       "model",
                                                "sinks",  "dead_letters", NULL};

static dn_status parse_pipeline(dn_job *job, const dn_yaml *node) {
    if (node->kind != DN_YAML_MAP) {
        return dn_yaml_fail(node, "a pipeline must be a mapping with source and sinks");
    }
    if (job->n_pipelines == DN_MAX_PIPELINES) {
        return dn_yaml_fail(node, "more than %d pipelines", DN_MAX_PIPELINES);
    }
    int number = job->n_pipelines++;
    dn_pipeline_plan *plan = &job->pipeline[number];
    plan->name = dn_strdup(node->key);
    plan->letters = dn_sink_get("dead_letters");
    DN_TRY(dn_conf_new(plan->letters->props, plan->letters->conf_size, &plan->letters_conf));
    char what[96];
    snprintf(what, sizeof what, "pipeline '%.60s'", node->key);
    DN_TRY(dn_bind_props(dn_pipeline_props, dn_job_pipeline_conf(job, number), node, what,
                         pipeline_sections));
    for (size_t i = 0; i < sizeof pipeline_keys / sizeof *pipeline_keys; i++) {
        const dn_yaml *child = dn_yaml_get(node, pipeline_keys[i].name);
        if (child) {
            DN_TRY(pipeline_keys[i].parse(plan, child));
        }
    }
    const dn_yaml *letters = dn_yaml_get(node, "dead_letters");
    if (letters) {
        DN_TRY(
            dn_bind_props(plan->letters->props, plan->letters_conf, letters, "dead_letters", NULL));
    }
    if (!plan->source || !plan->n_sinks) {
        return dn_yaml_fail(node, "%s has no %s", what, plan->source ? "sinks" : "source");
    }
    return DN_OK;
}

static dn_status parse_topics(dn_job *job, const dn_yaml *map) {
    if (map->kind != DN_YAML_MAP) {
        return dn_yaml_fail(map, "topics must be a mapping of topic names");
    }
    for (const dn_yaml *child = map->first; child; child = child->next) {
        if (job->n_topics == DN_MAX_TOPICS) {
            return dn_yaml_fail(child, "more than %d topics", DN_MAX_TOPICS);
        }
        dn_topic_spec *topic = &job->topic[job->n_topics++];
        DN_TRY(dn_props_init(dn_topic_spec_props, topic));
        topic->name = dn_strdup(child->key);
        DN_TRY(dn_bind_props(dn_topic_spec_props, topic, child, "a topic", NULL));
    }
    return DN_OK;
}

static const char *const job_sections[] = {"topics", "pipelines", NULL};

dn_status dn_job_parse(dn_job *job, const dn_yaml *root) {
    if (root->kind != DN_YAML_MAP) {
        return dn_yaml_fail(root, "a job file is a mapping with job and pipelines");
    }
    DN_TRY(dn_bind_props(dn_job_props, &job->conf, root, "the job", job_sections));
    const dn_yaml *topics = dn_yaml_get(root, "topics");
    if (topics) {
        DN_TRY(parse_topics(job, topics));
    }
    const dn_yaml *pipelines = dn_yaml_get(root, "pipelines");
    if (!pipelines || pipelines->kind != DN_YAML_MAP || !pipelines->first) {
        return dn_yaml_fail(pipelines ? pipelines : root, "the job has no pipelines");
    }
    for (const dn_yaml *child = pipelines->first; child; child = child->next) {
        DN_TRY(parse_pipeline(job, child));
    }
    return DN_OK;
}
