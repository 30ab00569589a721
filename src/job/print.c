/** The job as YAML again, and the reference manual: both straight from the property tables. */
#include "base/memory.h"
#include "job/job_parts.h"
#include "job/registry.h"
#include "sink/sinks.h"
#include "source/sources.h"

#include <stdlib.h>

enum { VALUE_MAX = 2048 };

/* Whether YAML reads the text back as it is. */
static bool is_plain(const char *value) {
    size_t len = strlen(value);
    bool plain = len > 0 && !strpbrk(value, ":#{}[],&*!|>'\"%@`\\") && !strchr("-? ", value[0]) &&
                 value[len - 1] != ' ';
    for (const char *c = value; *c; c++) {
        plain = plain && (unsigned char)*c >= ' ' && *c != '\x7f';
    }
    return plain;
}

static void print_value(FILE *out, const char *value) {
    if (is_plain(value)) {
        fputs(value, out);
        return;
    }
    fputc('"', out);
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == '\x7f') {
            fprintf(out, "\\x%02x", (unsigned)*c);
        } else {
            fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        }
    }
    fputc('"', out);
}

static void print_list(FILE *out, const dn_list *list) {
    fputc('[', out);
    for (int i = 0; i < list->n; i++) {
        fputs(i ? ", " : "", out);
        print_value(out, list->item[i]);
    }
    fputc(']', out);
}

static void print_map(FILE *out, const dn_map *map, int indent) {
    for (int i = 0; i < map->n; i++) {
        bool secret = strstr(map->key[i], "password") || strstr(map->key[i], "secret");
        fprintf(out, "\n%*s", indent + 2, "");
        print_value(out, map->key[i]);
        fputs(": ", out);
        print_value(out, secret ? "***" : map->value[i]);
    }
    if (!map->n) {
        fputs("{}", out);
    }
}

static void print_props(FILE *out, const dn_prop *props, const void *conf, int indent) {
    for (const dn_prop *prop = props; prop && prop->name; prop++) {
        const void *slot = (const char *)conf + prop->offset;
        fprintf(out, "%*s%s: ", indent, "", prop->name);
        if (prop->type == DN_P_LIST) {
            print_list(out, slot);
        } else if (prop->type == DN_P_MAP) {
            print_map(out, slot, indent);
        } else {
            char value[VALUE_MAX];
            dn_prop_print(prop, conf, value, sizeof value);
            print_value(out, value);
        }
        fputc('\n', out);
    }
}

static void print_part(FILE *out, const char *lead, const char *name, const dn_prop *props,
                       const void *conf, int indent) {
    bool any = props && props->name;
    fprintf(out, "%s%s%s\n", lead, name, any ? ":" : "");
    print_props(out, props, conf, indent);
}

/* Of whatever carries it here, the job file says topic. */
static const dn_source_ops *written_source(const dn_pipeline_plan *plan) {
    return dn_source_topic(plan->source, plan->source_conf) ? &dn_source_kafka_topic : plan->source;
}

static const dn_sink_ops *written_sink(const dn_pipeline_plan *plan, int i) {
    return dn_sink_topic(plan->sink[i], plan->sink_conf[i]) ? &dn_sink_kafka_topic : plan->sink[i];
}

/* A word is a scorer without settings, a mapping those of the scorer `model`. */
static void print_models(FILE *out, const dn_pipeline_plan *plan) {
    bool list = plan->n_scorers > 1;
    fprintf(out, "    model:%s", list ? "\n" : "");
    for (int i = 0; i < plan->n_scorers; i++) {
        bool model = strcmp(plan->scorer[i]->name, "model") == 0;
        fprintf(out, "%s%s%s\n", list ? "      -" : "", model ? "" : " ",
                model ? "" : plan->scorer[i]->name);
        if (model) {
            print_props(out, plan->scorer[i]->props, plan->scorer_conf[i], list ? 8 : 6);
        }
    }
}

static void print_pipeline(FILE *out, dn_job *job, int i) {
    const dn_pipeline_plan *plan = &job->pipeline[i];
    fprintf(out, "  %s:\n", plan->name);
    print_props(out, dn_pipeline_props, dn_job_pipeline_conf(job, i), 4);
    fprintf(out, "    source:\n");
    print_part(out, "      ", written_source(plan)->name, written_source(plan)->props,
               plan->source_conf, 8);
    if (plan->n_stages) {
        fprintf(out, "    stages:\n");
    }
    for (int s = 0; s < plan->n_stages; s++) {
        print_part(out, "      - ", plan->stage[s]->name, plan->stage[s]->props,
                   plan->stage_conf[s], 10);
    }
    if (plan->n_scorers) {
        print_models(out, plan);
    }
    fprintf(out, "    sinks:\n");
    for (int s = 0; s < plan->n_sinks; s++) {
        const dn_sink_ops *sink = written_sink(plan, s);
        print_part(out, "      - ", sink->name, sink->props, plan->sink_conf[s], 10);
    }
    fprintf(out, "    dead_letters:\n");
    print_props(out, plan->letters->props, plan->letters_conf, 6);
}

char *dn_job_print(const dn_job *job) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print_props(out, dn_job_props, &job->conf, 0);
    if (job->n_topics) {
        fprintf(out, "topics:\n");
    }
    for (int i = 0; i < job->n_topics; i++) {
        fprintf(out, "  %s:\n", job->topic[i].name);
        print_props(out, dn_topic_spec_props, &job->topic[i], 4);
    }
    fprintf(out, "pipelines:\n");
    for (int i = 0; i < job->n_pipelines; i++) {
        print_pipeline(out, (dn_job *)job, i);
    }
    fclose(out);
    return text;
}

static const char *const type_words[] = {
    [DN_P_TEXT] = "text",         [DN_P_PATH] = "path",   [DN_P_SECRET] = "secret",
    [DN_P_BOOL] = "yes/no",       [DN_P_COUNT] = "count", [DN_P_BYTES] = "size",
    [DN_P_DURATION] = "duration", [DN_P_GOAL] = "goal",   [DN_P_REAL] = "number",
    [DN_P_CHOICE] = "word",       [DN_P_MAP] = "mapping", [DN_P_LIST] = "list"};

static void reference_row(FILE *out, const dn_prop *prop) {
    fprintf(out, "| `%s` | %s", prop->name, type_words[prop->type]);
    for (int i = 0; prop->choices && prop->choices[i]; i++) {
        fprintf(out, "%s`%s`", i ? ", " : ": ", prop->choices[i]);
    }
    bool empty = prop->initial && !prop->initial[0];
    bool optional = prop->type == DN_P_MAP || prop->type == DN_P_LIST;
    if (prop->initial && !empty) {
        fprintf(out, " | `%s`", prop->initial);
    } else {
        fprintf(out, " | %s", empty || optional ? "empty" : "required");
    }
    fprintf(out, " | %s |\n", prop->text);
}

static void reference_part(FILE *out, const char *level, const char *name, const char *summary,
                           const dn_prop *props) {
    fprintf(out, "\n%s `%s`\n\n%s\n", level, name, summary);
    if (!props || !props->name) {
        return;
    }
    fprintf(out, "\n| property | type | default | meaning |\n|---|---|---|---|\n");
    for (const dn_prop *prop = props; prop->name; prop++) {
        reference_row(out, prop);
    }
}

void dn_reference_print(FILE *out) {
    fprintf(out, "# Reference of the job file\n\nWritten by `dunlin describe --reference` from the "
                 "property tables; do not edit. "
                 "How a job file is put together stands in [README.md](README.md).\n");
    fprintf(out, "\n## Job\n");
    reference_part(out, "###", "job", "The top level.", dn_job_props);
    reference_part(out, "###", "topics.<name>", "How a Kafka topic should be.",
                   dn_topic_spec_props);
    reference_part(out, "###", "pipelines.<name>",
                   "A pipeline, beside its source, stages, model, sinks and dead_letters.",
                   dn_pipeline_props);
    fprintf(out, "\n## Sources\n");
    for (int i = 0; dn_sources[i]; i++) {
        reference_part(out, "###", dn_sources[i]->name, dn_sources[i]->summary,
                       dn_sources[i]->props);
    }
    fprintf(out, "\n## Stages\n");
    for (int i = 0; dn_stages[i]; i++) {
        reference_part(out, "###", dn_stages[i]->name, dn_stages[i]->summary, dn_stages[i]->props);
    }
    fprintf(out, "\n## Models\n");
    for (int i = 0; dn_scorers[i]; i++) {
        reference_part(out, "###", dn_scorers[i]->name, dn_scorers[i]->summary,
                       dn_scorers[i]->props);
    }
    fprintf(out, "\n## Sinks\n");
    for (int i = 0; dn_sinks[i]; i++) {
        reference_part(out, "###", dn_sinks[i]->name, dn_sinks[i]->summary, dn_sinks[i]->props);
    }
}
