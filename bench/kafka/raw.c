#include "raw.h"

#include <endian.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

struct raw_producer {
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    int64_t failed;
};

static void fail(const char *what, const char *why) {
    fprintf(stderr, "bench kafka: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) {
        fail(name, why);
    }
}

static rd_kafka_t *open_handle(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char why[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk) {
        fail("rd_kafka_new", why);
    }
    return rk;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    ((raw_producer *)opaque)->failed += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

raw_producer *raw_producer_open(const char *broker, const char *topic, const char *compression) {
    raw_producer *producer = calloc(1, sizeof *producer);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", broker);
    set(conf, "enable.idempotence", "true");
    set(conf, "compression.type", compression);
    set(conf, "linger.ms", "50");
    set(conf, "batch.size", "1000000");
    set(conf, "socket.nagle.disable", "true");
    set(conf, "queue.buffering.max.messages", "10000000");
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    producer->rk = open_handle(RD_KAFKA_PRODUCER, conf);
    producer->rkt = rd_kafka_topic_new(producer->rk, topic, NULL);
    return producer;
}

void raw_produce(raw_producer *producer, const raw_message *m) {
    static int64_t n;
    uint64_t big = htobe64((uint64_t)m->sent_ns);
    rd_kafka_resp_err_t err;
    while ((err = rd_kafka_producev(
                producer->rk, RD_KAFKA_V_RKT(producer->rkt), RD_KAFKA_V_PARTITION(m->partition),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY("key", 3),
                RD_KAFKA_V_VALUE((void *)m->value, m->value_bytes),
                RD_KAFKA_V_HEADER("dn-sent", &big, sizeof big), RD_KAFKA_V_END)) ==
           RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(producer->rk, 10);
    }
    if (err) {
        fail("producev", rd_kafka_err2str(err));
    }
    if (n++ % 256 == 0) {
        rd_kafka_poll(producer->rk, 0);
    }
}

void raw_producer_close(raw_producer *producer) {
    while (rd_kafka_outq_len(producer->rk) > 0) {
        rd_kafka_poll(producer->rk, 100);
    }
    if (producer->failed) {
        fail("deliveries", "some failed");
    }
    rd_kafka_topic_destroy(producer->rkt);
    rd_kafka_destroy(producer->rk);
    free(producer);
}

static rd_kafka_t *open_consumer(const char *broker, const char *topic, int n_partitions) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", broker);
    set(conf, "group.id", "bench-raw");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.auto.offset.store", "false");
    set(conf, "enable.partition.eof", "true");
    set(conf, "check.crcs", "true");
    set(conf, "fetch.wait.max.ms", "100");
    rd_kafka_t *rk = open_handle(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n_partitions);
    for (int p = 0; p < n_partitions; p++) {
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return rk;
}

/* What a user of messages does at the least: looks at the header and at the value. */
static int64_t look(rd_kafka_message_t *message, int *n_ends) {
    static volatile uint64_t sink;
    int64_t n = 0;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ++*n_ends;
    } else if (message->err) {
        fail("consume", rd_kafka_message_errstr(message));
    } else {
        rd_kafka_headers_t *headers;
        const void *value = NULL;
        size_t size;
        if (!rd_kafka_message_headers(message, &headers)) {
            rd_kafka_header_get_last(headers, "dn-sent", &value, &size);
        }
        sink += (value ? *(const uint8_t *)value : 0) + ((const uint8_t *)message->payload)[0];
        n = 1;
    }
    rd_kafka_message_destroy(message);
    return n;
}

int64_t raw_consume(const char *broker, const char *topic, int n_partitions, raw_mode mode) {
    rd_kafka_t *rk = open_consumer(broker, topic, n_partitions);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    rd_kafka_message_t *messages[1000];
    int64_t n = 0;
    for (int ends = 0; ends < n_partitions;) {
        ssize_t got = 1;
        if (mode == RAW_BATCH) {
            got = rd_kafka_consume_batch_queue(queue, 100, messages, 1000);
        } else if (!(messages[0] = rd_kafka_consumer_poll(rk, 100))) {
            got = 0;
        }
        for (ssize_t i = 0; i < got; i++) {
            n += look(messages[i], &ends);
        }
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return n;
}
