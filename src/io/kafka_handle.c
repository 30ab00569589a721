#include "io/kafka_handle.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLOSE_LIMIT_S = 5 };
static const int64_t slice_ns = 200 * INT64_C(1000000);

/* Foreign codes are mapped here, once. What is not listed is the broker's refusal. */
static const struct {
    rd_kafka_resp_err_t err;
    dn_error error;
} mapping[] = {
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, DN_E_TOPIC},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, DN_E_TOPIC},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, DN_E_TOPIC},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, DN_E_TOPIC},
    {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, DN_E_TOPIC},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, DN_E_TOPIC},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, DN_E_TOPIC},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, DN_E_TOPIC},
    {RD_KAFKA_RESP_ERR__FENCED, DN_E_FENCED},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, DN_E_FENCED},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, DN_E_FENCED},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, DN_E_DENIED},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, DN_E_DENIED},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, DN_E_DENIED},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, DN_E_DENIED},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, DN_E_DATA},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, DN_E_CONFIG},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, DN_E_CONFIG},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, DN_E_CONFIG},
};

static dn_error map_error(rd_kafka_resp_err_t err) {
    for (size_t i = 0; i < sizeof mapping / sizeof *mapping; i++) {
        if (mapping[i].err == err) {
            return mapping[i].error;
        }
    }
    return DN_E_BROKER;
}

/* ---- callbacks */

static void copy_line(char out[KAFKA_LINE_BYTES], const char *text) {
    snprintf(out, KAFKA_LINE_BYTES, "%s", text ? text : "");
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    kafka_handle *handle = rd_kafka_opaque(rk);
    /* CONFWARN: a producer's property on a consumer, which is what one `kafka:` section for both
     * means. */
    if (level > 4 || !handle || strcmp(facility, "CONFWARN") == 0) {
        return;
    }
    pthread_mutex_lock(&handle->lock);
    copy_line(handle->line[handle->n_lines++ % KAFKA_LINES], text);
    pthread_mutex_unlock(&handle->lock);
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque) {
    (void)rk;
    kafka_handle *handle = opaque;
    pthread_mutex_lock(&handle->lock);
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        handle->down_since_ns = handle->down_since_ns ? handle->down_since_ns : dn_mono_ns();
    } else {
        handle->cause = (rd_kafka_resp_err_t)err;
        copy_line(handle->cause_text, reason);
    }
    pthread_mutex_unlock(&handle->lock);
}

/* A transactional request whose answer was lost may reach the broker later and end a later
 * transaction (jepsen.io, Bufstream 0.1.0); kafka_txn.c takes a new producer after one. */
static rd_kafka_resp_err_t on_response(rd_kafka_t *rk, int sockfd, const char *broker,
                                       int32_t broker_id, int16_t api_key, int16_t api_version,
                                       int32_t corr_id, size_t size, int64_t rtt,
                                       rd_kafka_resp_err_t err, void *opaque) {
    (void)rk, (void)sockfd, (void)broker, (void)broker_id, (void)api_version, (void)corr_id;
    (void)size, (void)rtt;
    bool transactional = api_key >= 22 && api_key <= 28;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && transactional) {
        kafka_handle *handle = opaque;
        pthread_mutex_lock(&handle->lock);
        handle->saw_error = true;
        pthread_mutex_unlock(&handle->lock);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
                                  char *why, size_t why_size) {
    (void)conf, (void)why, (void)why_size;
    return rd_kafka_interceptor_add_on_response_received(rk, "dunlin", on_response, opaque);
}

/* ---- open */

static kafka_handle *handle_new(void *owner) {
    kafka_handle *handle = dn_alloc(sizeof *handle);
    handle->owner = owner;
    pthread_mutex_init(&handle->lock, NULL);
    return handle;
}

static void handle_free(kafka_handle *handle) {
    pthread_mutex_destroy(&handle->lock);
    free(handle->brokers);
    free(handle);
}

static dn_status make(const kafka_plan *plan, kafka_handle *handle) {
    rd_kafka_conf_t *conf;
    DN_TRY(dn_kafka_conf_make(plan, handle, &conf));
    rd_kafka_conf_set_opaque(conf, handle);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (plan->role == KAFKA_PRODUCER) {
        rd_kafka_conf_set_dr_msg_cb(conf, plan->delivered);
        rd_kafka_conf_interceptor_add_on_new(conf, "dunlin", on_new, handle);
    }
    char why[256];
    rd_kafka_type_t type = plan->role == KAFKA_CONSUMER ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
    handle->rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!handle->rk) {
        rd_kafka_conf_destroy(conf);
        return DN_FAIL(CONFIG, "kafka: %s", why);
    }
    return DN_OK;
}

/* Credentials and certificates do not get better by waiting. */
static bool is_hopeless(kafka_handle *handle) {
    pthread_mutex_lock(&handle->lock);
    rd_kafka_resp_err_t cause = handle->cause;
    pthread_mutex_unlock(&handle->lock);
    return cause == RD_KAFKA_RESP_ERR__AUTHENTICATION || cause == RD_KAFKA_RESP_ERR__SSL ||
           cause == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED;
}

static dn_status connect_broker(kafka_handle *handle) {
    int64_t begin = dn_mono_ns(), end = begin + handle->deadline_ns;
    rd_kafka_resp_err_t err;
    do {
        const struct rd_kafka_metadata *meta;
        err = rd_kafka_metadata(handle->rk, 0, NULL, &meta, kafka_ms(slice_ns));
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(meta);
            return DN_OK;
        }
        dn_kafka_serve(handle);
    } while (dn_mono_ns() < end && !is_hopeless(handle));
    return KAFKA_FAIL(handle, err, "the Kafka broker %s %s (waited %.1f s; kafka: deadline)",
                      handle->brokers,
                      is_hopeless(handle) ? "refuses the connection" : "does not answer",
                      (double)(dn_mono_ns() - begin) / 1e9);
}

dn_status dn_kafka_open(const kafka_plan *plan, kafka_handle **out) {
    kafka_handle *handle = handle_new(plan->owner);
    dn_status status = make(plan, handle);
    if (status != DN_OK) {
        handle_free(handle);
        return status;
    }
    status = connect_broker(handle);
    if (status != DN_OK) {
        dn_kafka_close(handle);
        return status;
    }
    *out = handle;
    return DN_OK;
}

void dn_kafka_serve(kafka_handle *handle) {
    rd_kafka_poll(handle->rk, 0);
}

/* ---- close */

static void *destroy(void *arg) {
    kafka_handle *handle = arg;
    rd_kafka_destroy_flags(handle->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    handle_free(handle);
    return NULL;
}

bool dn_kafka_close(kafka_handle *handle) {
    if (!handle) {
        return true;
    }
    if (rd_kafka_type(handle->rk) == RD_KAFKA_PRODUCER) {
        rd_kafka_purge(handle->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, destroy, handle) != 0) {
        destroy(handle);
        return true;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_LIMIT_S;
    if (pthread_timedjoin_np(thread, NULL, &until) == 0) {
        return true;
    }
    pthread_detach(thread);
    return false;
}

/* ---- failures */

/* "; cause: Connect to ipv4#127.0.0.1:9 failed: Connection refused; librdkafka: ..." */
static void explain(kafka_handle *handle, char *out, size_t size) {
    int used = 0;
    pthread_mutex_lock(&handle->lock);
    if (handle->cause_text[0]) {
        used = snprintf(out, size, "; cause: %s", handle->cause_text);
    }
    unsigned n = handle->n_lines < KAFKA_LINES ? handle->n_lines : KAFKA_LINES;
    for (unsigned i = 0; i < n && (size_t)used < size; i++) {
        const char *line = handle->line[(handle->n_lines - n + i) % KAFKA_LINES];
        used +=
            snprintf(out + used, size - (size_t)used, "%s%s", i ? " | " : "; librdkafka: ", line);
    }
    pthread_mutex_unlock(&handle->lock);
}

dn_status dn_kafka_fail(kafka_handle *handle, rd_kafka_resp_err_t err, const char *file, int line,
                        const char *fmt, ...) {
    char what[DN_FAILURE_TEXT / 2], why[DN_FAILURE_TEXT] = "";
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    explain(handle, why, sizeof why);
    return dn_fail(DN_FATAL, map_error(err), file, line, "%s: %s%s", what, rd_kafka_err2str(err),
                   why);
}

dn_status dn_kafka_check_outage(kafka_handle *handle) {
    pthread_mutex_lock(&handle->lock);
    int64_t since = handle->down_since_ns;
    pthread_mutex_unlock(&handle->lock);
    int64_t now = dn_mono_ns();
    if (since == 0 || now - since < handle->outage_ns) {
        return DN_OK;
    }
    const struct rd_kafka_metadata *meta;
    rd_kafka_resp_err_t err = rd_kafka_metadata(handle->rk, 0, NULL, &meta, 1000);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_FAIL(handle, err,
                          "the Kafka broker %s has been away for %.0f s (kafka: outage)",
                          handle->brokers, (double)(now - since) / 1e9);
    }
    rd_kafka_metadata_destroy(meta);
    pthread_mutex_lock(&handle->lock);
    handle->down_since_ns = 0;
    pthread_mutex_unlock(&handle->lock);
    return DN_OK;
}

dn_status dn_kafka_count_partitions(kafka_handle *handle, const char *topic, int64_t timeout_ns,
                                    int *n_partitions) {
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(handle->rk, topic, NULL);
    if (!rkt) {
        return KAFKA_FAIL(handle, rd_kafka_last_error(), "topic %s", topic);
    }
    const struct rd_kafka_metadata *meta;
    rd_kafka_resp_err_t err = rd_kafka_metadata(handle->rk, 0, rkt, &meta, kafka_ms(timeout_ns));
    rd_kafka_topic_destroy(rkt);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_FAIL(handle, err, "the broker %s was asked for topic %s", handle->brokers,
                          topic);
    }
    err = meta->topic_cnt == 1 ? meta->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *n_partitions = err == RD_KAFKA_RESP_ERR_NO_ERROR ? meta->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(meta);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return KAFKA_FAIL(handle, err, "topic %s", topic);
    }
    return DN_OK;
}
