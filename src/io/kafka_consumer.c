#include "io/kafka_consumer.h"

#include "base/clock.h"
#include "base/memory.h"
#include "io/kafka_handle.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dn_kafka_consumer {
    kafka_handle *handle;
    char *topic;
    int n_slots;
    int32_t *partition;       /* [n_slots] */
    rd_kafka_queue_t **queue; /* [n_slots] */
    bool *stopped;            /* [n_slots] */
    rd_kafka_message_t *held; /* the record that the last next() lent */
    pthread_mutex_t lock;     /* of what follows */
    pthread_cond_t arrived;
    unsigned arrivals;
};

/* librdkafka's threads: a queue that was empty has something. */
static void on_arrival(rd_kafka_t *rk, void *opaque) {
    (void)rk;
    dn_kafka_consumer *consumer = opaque;
    pthread_mutex_lock(&consumer->lock);
    consumer->arrivals++;
    pthread_cond_signal(&consumer->arrived);
    pthread_mutex_unlock(&consumer->lock);
}

static dn_kafka_consumer *consumer_new(const dn_kafka_consumer_conf *conf) {
    dn_kafka_consumer *consumer = dn_alloc(sizeof *consumer);
    consumer->topic = dn_strdup(conf->topic);
    consumer->n_slots = conf->n_slots;
    size_t n = conf->n_slots ? (size_t)conf->n_slots : 1;
    consumer->partition = dn_alloc_array(n, sizeof *consumer->partition);
    consumer->queue = dn_alloc_array(n, sizeof *consumer->queue);
    consumer->stopped = dn_alloc_array(n, sizeof *consumer->stopped);
    if (conf->n_slots) {
        memcpy(consumer->partition, conf->partition, (size_t)conf->n_slots * sizeof(int32_t));
    }
    pthread_mutex_init(&consumer->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&consumer->arrived, &attr);
    pthread_condattr_destroy(&attr);
    return consumer;
}

/* librdkafka bounds each of our queues by itself, so the prefetch is shared out. A full queue may
 * rest for a second before 2.2 (#2879), so it should hold more than a second's records. */
static dn_status open_handle(dn_kafka_consumer *consumer, const dn_kafka_consumer_conf *conf) {
    char kbytes[24];
    int64_t share = conf->prefetch_bytes / 1024 / (conf->n_slots ? conf->n_slots : 1);
    snprintf(kbytes, sizeof kbytes, "%lld", (long long)(share < 1024 ? 1024 : share));
    const kafka_setting settings[] = {
        {"group.id", conf->group},
        {"queued.max.messages.kbytes", kbytes},
        {"queued.min.messages", "1000000"},
        {NULL, NULL},
    };
    kafka_plan plan = {.role = KAFKA_CONSUMER,
                       .kafka = conf->kafka,
                       .client_id = conf->client_id,
                       .settings = settings,
                       .owner = consumer};
    return dn_kafka_open(&plan, &consumer->handle);
}

static dn_status check_topic(dn_kafka_consumer *consumer) {
    int n;
    DN_TRY(dn_kafka_consumer_partitions(consumer, &n));
    if (n == 0) {
        return DN_FAIL(
            TOPIC,
            "topic %s does not exist on %s; make it, or declare it under topics: in the job file",
            consumer->topic, consumer->handle->brokers);
    }
    for (int i = 0; i < consumer->n_slots; i++) {
        if (consumer->partition[i] >= n) {
            return DN_FAIL(TOPIC, "topic %s has %d partitions on %s; partition %d was expected",
                           consumer->topic, n, consumer->handle->brokers, consumer->partition[i]);
        }
    }
    return DN_OK;
}

dn_status dn_kafka_consumer_open(const dn_kafka_consumer_conf *conf, dn_kafka_consumer **out) {
    dn_kafka_consumer *consumer = consumer_new(conf);
    dn_status status;
    DN_TRY_GO(open_handle(consumer, conf), err_open);
    DN_TRY_GO(check_topic(consumer), err_open);
    *out = consumer;
    return DN_OK;
err_open:
    dn_kafka_consumer_close(consumer);
    return status;
}

dn_status dn_kafka_consumer_start(dn_kafka_consumer *consumer, const int64_t *start) {
    rd_kafka_t *rk = consumer->handle->rk;
    if (consumer->n_slots == 0) {
        return DN_OK;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(consumer->n_slots);
    for (int i = 0; i < consumer->n_slots; i++) {
        int32_t partition = consumer->partition[i];
        rd_kafka_topic_partition_list_add(list, consumer->topic, partition)->offset =
            start[i] < 0 ? RD_KAFKA_OFFSET_BEGINNING : start[i];
        /* Before the assignment, so that no record goes to the consumer's common queue. */
        consumer->queue[i] = rd_kafka_queue_get_partition(rk, consumer->topic, partition);
        rd_kafka_queue_forward(consumer->queue[i], NULL);
        rd_kafka_queue_cb_event_enable(consumer->queue[i], on_arrival, consumer);
    }
    rd_kafka_resp_err_t err = rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return err ? KAFKA_FAIL(consumer->handle, err, "assigning partitions of topic %s",
                            consumer->topic)
               : DN_OK;
}

/* dn-sent: int64 nanoseconds, big-endian. */
static int64_t sent_ns(const rd_kafka_message_t *message) {
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, "dn-sent", &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        size == sizeof(uint64_t)) {
        uint64_t big;
        memcpy(&big, value, sizeof big);
        return (int64_t)be64toh(big);
    }
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(message, &type);
    return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? INT64_MIN : ms * 1000000;
}

/* Errors that the network heals, or that the outage limit will end. */
static bool is_passing(rd_kafka_resp_err_t err) {
    static const rd_kafka_resp_err_t passing[] = {
        RD_KAFKA_RESP_ERR__TRANSPORT,
        RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
        RD_KAFKA_RESP_ERR__RESOLVE,
        RD_KAFKA_RESP_ERR__TIMED_OUT,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    };
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        if (passing[i] == err) {
            return true;
        }
    }
    return false;
}

static dn_status take_error(dn_kafka_consumer *consumer, int slot, rd_kafka_message_t *message,
                            dn_kafka_record *record, dn_kafka_event *event) {
    rd_kafka_resp_err_t err = message->err;
    char why[KAFKA_LINE_BYTES];
    snprintf(why, sizeof why, "%s", rd_kafka_message_errstr(message));
    record->offset = message->offset;
    rd_kafka_message_destroy(message);
    if (err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        *event = DN_KAFKA_EOF;
        return DN_OK;
    }
    if (err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        *event = DN_KAFKA_GAP;
        return DN_OK;
    }
    *event = DN_KAFKA_NOTHING;
    if (is_passing(err)) {
        return DN_OK;
    }
    return KAFKA_FAIL(consumer->handle, err, "topic %s, partition %d, offset %lld: %s",
                      consumer->topic, consumer->partition[slot], (long long)record->offset, why);
}

dn_status dn_kafka_consumer_next(dn_kafka_consumer *consumer, int slot, int64_t timeout_ns,
                                 dn_kafka_record *record, dn_kafka_event *event) {
    if (consumer->held) {
        rd_kafka_message_destroy(consumer->held);
        consumer->held = NULL;
    }
    rd_kafka_message_t *message =
        rd_kafka_consume_queue(consumer->queue[slot], kafka_ms(timeout_ns));
    if (!message) {
        *event = DN_KAFKA_NOTHING;
        return DN_OK;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return take_error(consumer, slot, message, record, event);
    }
    consumer->held = message;
    *record = (dn_kafka_record){
        .offset = message->offset,
        .sent_ns = sent_ns(message),
        .key = {message->key, message->key_len},
        .value = {message->payload, message->len},
    };
    *event = DN_KAFKA_RECORD;
    return DN_OK;
}

bool dn_kafka_consumer_ready(const dn_kafka_consumer *consumer, int slot) {
    return rd_kafka_queue_length(consumer->queue[slot]) > 0;
}

static bool any_ready(const dn_kafka_consumer *consumer) {
    for (int i = 0; i < consumer->n_slots; i++) {
        if (!consumer->stopped[i] && dn_kafka_consumer_ready(consumer, i)) {
            return true;
        }
    }
    return false;
}

static unsigned count_arrivals(dn_kafka_consumer *consumer) {
    pthread_mutex_lock(&consumer->lock);
    unsigned arrivals = consumer->arrivals;
    pthread_mutex_unlock(&consumer->lock);
    return arrivals;
}

/* Our lock is never held while librdkafka is asked: it calls on_arrival with its queue locked. */
dn_status dn_kafka_consumer_wait(dn_kafka_consumer *consumer, int64_t timeout_ns) {
    int64_t end = dn_mono_ns() + timeout_ns;
    struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
    dn_kafka_serve(consumer->handle);
    for (int rc = 0; rc == 0;) {
        unsigned before = count_arrivals(consumer);
        if (any_ready(consumer)) {
            return DN_OK;
        }
        pthread_mutex_lock(&consumer->lock);
        while (rc == 0 && consumer->arrivals == before) {
            rc = pthread_cond_timedwait(&consumer->arrived, &consumer->lock, &until);
        }
        pthread_mutex_unlock(&consumer->lock);
    }
    return dn_kafka_check_outage(consumer->handle);
}

/* Not by a seek: after a refused offset the partition is at rest, which a seek calls an erroneous
 * state. */
dn_status dn_kafka_consumer_seek(dn_kafka_consumer *consumer, int slot, int64_t offset) {
    rd_kafka_t *rk = consumer->handle->rk;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, consumer->topic, consumer->partition[slot])->offset =
        offset;
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(rk, list);
    if (!error) {
        error = rd_kafka_incremental_assign(rk, list);
    }
    rd_kafka_resp_err_t err = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error) {
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return err ? KAFKA_FAIL(consumer->handle, err, "going to offset %lld of topic %s, partition %d",
                            (long long)offset, consumer->topic, consumer->partition[slot])
               : DN_OK;
}

int64_t dn_kafka_consumer_known_end(const dn_kafka_consumer *consumer, int slot) {
    int64_t first, end = -1;
    rd_kafka_get_watermark_offsets(consumer->handle->rk, consumer->topic, consumer->partition[slot],
                                   &first, &end);
    return end < 0 ? -1 : end;
}

void dn_kafka_consumer_stop(dn_kafka_consumer *consumer, int slot) {
    consumer->stopped[slot] = true;
}

dn_status dn_kafka_consumer_partitions(dn_kafka_consumer *consumer, int *n_partitions) {
    return dn_kafka_count_partitions(consumer->handle, consumer->topic,
                                     consumer->handle->deadline_ns, n_partitions);
}

void dn_kafka_consumer_close(dn_kafka_consumer *consumer) {
    if (!consumer) {
        return;
    }
    if (consumer->held) {
        rd_kafka_message_destroy(consumer->held);
    }
    for (int i = 0; i < consumer->n_slots; i++) {
        if (consumer->queue[i]) {
            rd_kafka_queue_cb_event_enable(consumer->queue[i], NULL, NULL);
            rd_kafka_queue_destroy(consumer->queue[i]);
        }
    }
    dn_kafka_close(consumer->handle);
    pthread_mutex_destroy(&consumer->lock);
    pthread_cond_destroy(&consumer->arrived);
    free(consumer->topic);
    free(consumer->partition);
    free(consumer->queue);
    free(consumer->stopped);
    free(consumer);
}
