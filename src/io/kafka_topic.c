/* Declared topics: made where they are missing, compared where they are there. */
#include "io/kafka_client.h"

#include "base/clock.h"
#include "io/kafka_handle.h"

#include <stdio.h>
#include <string.h>

/* A broker's own message may be long; the beginning tells. */
enum { BROKER_TEXT = 200 };
static const int64_t pause_ns = 50 * INT64_C(1000000);

#define ROW(name, type, member, initial, min, max, text)                                           \
    { name, type, offsetof(dn_topic_spec, member), initial, min, max, NULL, text }
const dn_prop dn_topic_spec_props[] = {
    ROW("name", DN_P_TEXT, name, NULL, 0, 0, "Name of the topic."),
    ROW("partitions", DN_P_COUNT, partitions, "0", 0, 100000,
        "Number of partitions; 0: what the broker has, or its default."),
    ROW("replication", DN_P_COUNT, replication, "0", 0, 1000,
        "Copies of each partition; 0: the broker's default."),
    ROW("retention", DN_P_TEXT, retention, "", 0, 0,
        "How long records are kept: a duration, or forever; empty: the broker's default."),
    ROW("compression", DN_P_TEXT, compression, "", 0, 0,
        "What the broker stores: producer, none, gzip, snappy, lz4 or zstd; empty: its default."),
    {0},
};

static bool given(const char *text) {
    return text && text[0];
}

/* "7d" is not a duration of props.h, "forever" is -1. */
static dn_status retention_ms(const dn_topic_spec *spec, char out[24]) {
    int64_t ns;
    if (strcmp(spec->retention, "forever") == 0) {
        strcpy(out, "-1");
        return DN_OK;
    }
    DN_TRY(dn_parse_duration(spec->retention, &ns));
    snprintf(out, 24, "%lld", (long long)(ns / 1000000));
    return DN_OK;
}

/* "none" of the job file is "uncompressed" in a topic's settings. */
static const char *compression_type(const dn_topic_spec *spec) {
    return strcmp(spec->compression, "none") == 0 ? "uncompressed" : spec->compression;
}

static dn_status describe_new(const dn_topic_spec *spec, rd_kafka_NewTopic_t **out) {
    char why[BROKER_TEXT], ms[24];
    if (given(spec->retention)) {
        DN_TRY(retention_ms(spec, ms));
    }
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(spec->name, spec->partitions ? (int)spec->partitions : -1,
                              spec->replication ? (int)spec->replication : -1, why, sizeof why);
    if (!topic) {
        return DN_FAIL(TOPIC, "topic %s: %s", spec->name, why);
    }
    if (given(spec->retention)) {
        rd_kafka_NewTopic_set_config(topic, "retention.ms", ms);
    }
    if (given(spec->compression)) {
        rd_kafka_NewTopic_set_config(topic, "compression.type", compression_type(spec));
    }
    *out = topic;
    return DN_OK;
}

static rd_kafka_AdminOptions_t *options_new(kafka_handle *handle, rd_kafka_admin_op_t op) {
    char why[BROKER_TEXT];
    int ms = kafka_ms(handle->deadline_ns);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle->rk, op);
    rd_kafka_AdminOptions_set_request_timeout(options, ms, why, sizeof why);
    if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS) {
        /* Wait until the controller has spread the news. */
        rd_kafka_AdminOptions_set_operation_timeout(options, ms, why, sizeof why);
    }
    return options;
}

/* The answer to one admin call; NULL when none came in time. */
static rd_kafka_event_t *answer(kafka_handle *handle, rd_kafka_queue_t *queue) {
    return rd_kafka_queue_poll(queue, kafka_ms(2 * handle->deadline_ns));
}

static dn_status judge_creation(kafka_handle *handle, const dn_topic_spec *spec,
                                rd_kafka_event_t *event) {
    if (!event || rd_kafka_event_error(event)) {
        rd_kafka_resp_err_t err =
            event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
        return KAFKA_FAIL(handle, err, "topic %s could not be made", spec->name);
    }
    size_t n;
    const rd_kafka_topic_result_t **result =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(result[0]);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        return KAFKA_FAIL(handle, err, "topic %s could not be made (%s)", spec->name,
                          rd_kafka_topic_result_error_string(result[0]));
    }
    return DN_OK;
}

static dn_status create(kafka_handle *handle, const dn_topic_spec *spec) {
    rd_kafka_NewTopic_t *topic;
    DN_TRY(describe_new(spec, &topic));
    rd_kafka_AdminOptions_t *options = options_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle->rk);
    rd_kafka_CreateTopics(handle->rk, &topic, 1, options, queue);
    rd_kafka_event_t *event = answer(handle, queue);
    dn_status status = judge_creation(handle, spec, event);
    if (event) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    return status;
}

static void differ(dn_topic_report *report, const char *what, const char *declared,
                   const char *has) {
    size_t used = strlen(report->difference);
    snprintf(report->difference + used, sizeof report->difference - used,
             "%s%s: declared %s, broker has %s", used ? "; " : "", what, declared, has);
    report->differs = true;
}

static void differ_count(dn_topic_report *report, const char *what, int64_t declared, int has) {
    char want[24], got[24];
    snprintf(want, sizeof want, "%lld", (long long)declared);
    snprintf(got, sizeof got, "%d", has);
    differ(report, what, want, got);
}

static dn_status compare_entry(const dn_topic_spec *spec, const char *name, const char *value,
                               dn_topic_report *report) {
    char ms[24];
    if (strcmp(name, "retention.ms") == 0 && given(spec->retention)) {
        DN_TRY(retention_ms(spec, ms));
        if (strcmp(ms, value) != 0) {
            differ(report, "retention.ms", ms, value);
        }
    }
    if (strcmp(name, "compression.type") == 0 && given(spec->compression) &&
        strcmp(compression_type(spec), value) != 0) {
        differ(report, "compression.type", compression_type(spec), value);
    }
    return DN_OK;
}

/* One look at a topic's settings: the error of the call, or of the topic. ownership of *event: the
 * caller */
static rd_kafka_resp_err_t describe(kafka_handle *handle, const char *topic,
                                    rd_kafka_event_t **event) {
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options = options_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle->rk);
    rd_kafka_DescribeConfigs(handle->rk, &resource, 1, options, queue);
    *event = answer(handle, queue);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    if (!*event || rd_kafka_event_error(*event)) {
        return *event ? rd_kafka_event_error(*event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    size_t n;
    const rd_kafka_ConfigResource_t **found = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(*event), &n);
    return n ? rd_kafka_ConfigResource_error(found[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
}

static dn_status compare_settings(const dn_topic_spec *spec, rd_kafka_event_t *event,
                                  dn_topic_report *report) {
    size_t n;
    const rd_kafka_ConfigResource_t **resource =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
    const rd_kafka_ConfigEntry_t **entry = rd_kafka_ConfigResource_configs(resource[0], &n);
    for (size_t i = 0; i < n; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entry[i]);
        DN_TRY(
            compare_entry(spec, rd_kafka_ConfigEntry_name(entry[i]), value ? value : "", report));
    }
    return DN_OK;
}

/* A broker may not have heard yet of a topic that the controller has just made. */
static dn_status check_settings(kafka_handle *handle, const dn_topic_spec *spec,
                                dn_topic_report *report) {
    int64_t end = dn_mono_ns() + handle->deadline_ns;
    for (;;) {
        rd_kafka_event_t *event;
        rd_kafka_resp_err_t err = describe(handle, spec->name, &event);
        dn_status status = err ? DN_RETRY : compare_settings(spec, event, report);
        if (event) {
            rd_kafka_event_destroy(event);
        }
        if (status != DN_RETRY) {
            return status;
        }
        if (err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || dn_mono_ns() > end) {
            return KAFKA_FAIL(handle, err, "settings of topic %s", spec->name);
        }
        dn_sleep_until_ns(dn_mono_ns() + pause_ns);
    }
}

static dn_status await_topic(dn_kafka_client *client, const char *topic, int *n_partitions) {
    int64_t end = dn_mono_ns() + client->handle->deadline_ns;
    DN_TRY(dn_kafka_topic_partitions(client, topic, n_partitions));
    while (*n_partitions == 0) {
        if (dn_mono_ns() > end) {
            return DN_FAIL(TOPIC, "topic %s was made, but %s does not show it", topic,
                           client->handle->brokers);
        }
        dn_sleep_until_ns(dn_mono_ns() + pause_ns);
        DN_TRY(dn_kafka_topic_partitions(client, topic, n_partitions));
    }
    return DN_OK;
}

static dn_status check_replication(kafka_handle *handle, const dn_topic_spec *spec,
                                   dn_topic_report *report) {
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(handle->rk, spec->name, NULL);
    const struct rd_kafka_metadata *meta;
    rd_kafka_resp_err_t err =
        rd_kafka_metadata(handle->rk, 0, rkt, &meta, kafka_ms(handle->deadline_ns));
    rd_kafka_topic_destroy(rkt);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_FAIL(handle, err, "replicas of topic %s", spec->name);
    }
    if (meta->topic_cnt == 1 && meta->topics[0].partition_cnt > 0 &&
        meta->topics[0].partitions[0].replica_cnt != spec->replication) {
        differ_count(report, "replication", spec->replication,
                     meta->topics[0].partitions[0].replica_cnt);
    }
    rd_kafka_metadata_destroy(meta);
    return DN_OK;
}

static dn_status compare(kafka_handle *handle, const dn_topic_spec *spec, dn_topic_report *report) {
    if (spec->partitions && spec->partitions != report->n_partitions) {
        differ_count(report, "partitions", spec->partitions, report->n_partitions);
    }
    if (spec->replication) {
        DN_TRY(check_replication(handle, spec, report));
    }
    if (given(spec->retention) || given(spec->compression)) {
        DN_TRY(check_settings(handle, spec, report));
    }
    return DN_OK;
}

dn_status dn_kafka_topic_ensure(dn_kafka_client *client, const dn_topic_spec *spec,
                                bool allow_create, dn_topic_report *report) {
    *report = (dn_topic_report){.state = DN_TOPIC_PRESENT};
    DN_TRY(dn_kafka_topic_partitions(client, spec->name, &report->n_partitions));
    if (report->n_partitions == 0) {
        report->state = DN_TOPIC_MISSING;
        if (!allow_create) {
            return DN_OK;
        }
        DN_TRY(create(client->handle, spec));
        report->state = DN_TOPIC_MADE;
        DN_TRY(await_topic(client, spec->name, &report->n_partitions));
    }
    return compare(client->handle, spec, report);
}
