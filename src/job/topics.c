/** Topics: a job says `topic`, and where it runs decides what carries it. */
#include "base/memory.h"
#include "job/job_parts.h"
#include "job/registry.h"
#include "sink/sinks.h"
#include "source/sources.h"

const char *dn_source_topic(const dn_source_ops *ops, const void *conf) {
    bool topic = ops == &dn_source_kafka_topic || ops == &dn_source_memory_topic;
    return topic ? dn_conf_text(ops->props, conf, "name") : NULL;
}

const char *dn_sink_topic(const dn_sink_ops *ops, const void *conf) {
    bool topic =
        ops == &dn_sink_kafka_topic || ops == &dn_sink_memory_topic || ops == &dn_sink_jsonl_topic;
    return topic ? dn_conf_text(ops->props, conf, "name") : NULL;
}

static bool is_read(const dn_job *job, const char *topic) {
    for (int i = 0; i < job->n_pipelines; i++) {
        const char *read = dn_source_topic(job->pipeline[i].source, job->pipeline[i].source_conf);
        if (read && strcmp(read, topic) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_written(const dn_job *job, const char *topic) {
    for (int i = 0; i < job->n_pipelines; i++) {
        for (int k = 0; k < job->pipeline[i].n_sinks; k++) {
            const char *written =
                dn_sink_topic(job->pipeline[i].sink[k], job->pipeline[i].sink_conf[k]);
            if (written && strcmp(written, topic) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Records keep their partition on the way from a source to a topic and on to its reader, so all
 * three have as many. */
static dn_status set_partitions(const dn_prop *props, void *conf, int64_t partitions) {
    const dn_prop *prop = dn_prop_find(props, "partitions");
    if (!prop || partitions == 0) {
        return DN_OK;
    }
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)partitions);
    return dn_prop_set(prop, conf, text);
}

static int64_t declared_partitions(const dn_job *job, const char *topic) {
    const dn_topic_spec *spec = dn_job_topic(job, topic);
    return spec ? spec->partitions : 0;
}

static dn_status resolve_source(dn_job *job, dn_pipeline_plan *plan, bool with_broker) {
    const char *topic = dn_source_topic(plan->source, plan->source_conf);
    if (!topic || with_broker) {
        return DN_OK;
    }
    if (!is_written(job, topic)) {
        return DN_FAIL(CONFIG,
                       "pipeline '%s' reads the topic '%s', which no pipeline of this run writes, "
                       "and there is no broker; "
                       "name one with -b HOST:PORT or --broker local",
                       plan->name, topic);
    }
    if (declared_partitions(job, topic) == 0) {
        return DN_FAIL(
            CONFIG, "the topic '%s' has no number of partitions; declare it under topics:", topic);
    }
    plan->source = &dn_source_memory_topic;
    return set_partitions(plan->source->props, plan->source_conf, declared_partitions(job, topic));
}

static dn_status resolve_sink(dn_job *job, dn_pipeline_plan *plan, int k, bool with_broker) {
    const char *topic = dn_sink_topic(plan->sink[k], plan->sink_conf[k]);
    if (!topic) {
        return DN_OK;
    }
    if (!with_broker) {
        plan->sink[k] = is_read(job, topic) ? &dn_sink_memory_topic : &dn_sink_jsonl_topic;
    }
    bool from_corpus = !dn_source_topic(plan->source, plan->source_conf);
    return from_corpus ? set_partitions(plan->source->props, plan->source_conf,
                                        declared_partitions(job, topic))
                       : DN_OK;
}

dn_status dn_job_resolve_topics(dn_job *job, bool with_broker) {
    for (int i = 0; i < job->n_pipelines; i++) {
        dn_pipeline_plan *plan = &job->pipeline[i];
        DN_TRY(resolve_source(job, plan, with_broker));
        for (int k = 0; k < plan->n_sinks; k++) {
            DN_TRY(resolve_sink(job, plan, k, with_broker));
        }
    }
    return DN_OK;
}
