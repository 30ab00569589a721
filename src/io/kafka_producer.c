/* One transactional producer, and the records of its open transaction. */
#include "io/kafka_txn_parts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <endian.h>
#include <stdlib.h>

enum { SERVE_EVERY = 256 };

kafka_verdict dn_kafka_judge(rd_kafka_error_t *error, rd_kafka_resp_err_t *err) {
    if (!error) {
        return DONE;
    }
    *err = rd_kafka_error_code(error);
    kafka_verdict what = rd_kafka_error_is_fatal(error)             ? RENEW
                         : rd_kafka_error_txn_requires_abort(error) ? REDO
                         : rd_kafka_error_is_retriable(error)       ? AGAIN
                                                                    : RENEW;
    rd_kafka_error_destroy(error);
    return what;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    dn_kafka_txn *txn = ((kafka_handle *)opaque)->owner;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        /* Offsets of a partition are acknowledged in order. */
        atomic_store_explicit(&txn->acked[message->partition], message->offset,
                              memory_order_relaxed);
    } else if (message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
               message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT && !txn->refused) {
        txn->refused = message->err;
    }
}

static int64_t conf_ms(const kafka_handle *handle, const char *name) {
    char text[32];
    size_t size = sizeof text;
    const rd_kafka_conf_t *conf = rd_kafka_conf(handle->rk);
    return rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK ? strtoll(text, NULL, 10)
                                                                          : 0;
}

dn_status dn_kafka_txn_open_handle(dn_kafka_txn *txn, const char *id, kafka_handle **handle) {
    const kafka_setting settings[] = {
        {"transactional.id", id},
        {"compression.type", txn->compression},
        {"linger.ms", txn->linger_ms},
        {"batch.size", txn->batch_bytes},
        {NULL, NULL},
    };
    kafka_plan plan = {.role = KAFKA_PRODUCER,
                       .kafka = &txn->settings_of_job,
                       .client_id = txn->client_id,
                       .settings = settings,
                       .owner = txn,
                       .delivered = on_delivery};
    return dn_kafka_open(&plan, handle);
}

dn_status dn_kafka_txn_take_over(kafka_handle *handle, const char *id) {
    int64_t end = dn_mono_ns() + handle->outage_ns;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    kafka_verdict what;
    do {
        what =
            dn_kafka_judge(rd_kafka_init_transactions(handle->rk, kafka_ms(KAFKA_CALL_NS)), &err);
        dn_kafka_serve(handle);
    } while (what == AGAIN && dn_mono_ns() < end);
    return what == DONE ? DN_OK
                        : KAFKA_FAIL(handle, err, "transactions of %s could not be taken over", id);
}

/* The first record of a topic that librdkafka has not asked about yet waits a second (#5032): ask
 * now. */
static dn_status warm_topic(dn_kafka_txn *txn) {
    int n;
    txn->rkt = rd_kafka_topic_new(txn->handle->rk, txn->topic, NULL);
    DN_TRY(dn_kafka_count_partitions(txn->handle, txn->topic, txn->handle->deadline_ns, &n));
    if (n == 0) {
        return DN_FAIL(
            TOPIC,
            "topic %s does not exist on %s; make it, or declare it under topics: in the job file",
            txn->topic, txn->handle->brokers);
    }
    if (txn->n_partitions && n != txn->n_partitions) {
        return DN_FAIL(TOPIC, "topic %s had %d partitions and has %d now; start the job again",
                       txn->topic, txn->n_partitions, n);
    }
    txn->n_partitions = n;
    return DN_OK;
}

dn_status dn_kafka_txn_start(dn_kafka_txn *txn) {
    DN_TRY(dn_kafka_txn_open_handle(txn, txn->id, &txn->handle));
    DN_TRY(warm_topic(txn));
    DN_TRY(dn_kafka_txn_take_over(txn->handle, txn->id));
    txn->timeout_ns = conf_ms(txn->handle, "transaction.timeout.ms") * 1000000;
    txn->begun_ns = 0;
    txn->broken = false;
    return DN_OK;
}

bool dn_kafka_txn_stop(dn_kafka_txn *txn) {
    if (txn->rkt) {
        rd_kafka_topic_destroy(txn->rkt);
        txn->rkt = NULL;
    }
    bool clean = dn_kafka_close(txn->handle);
    txn->handle = NULL;
    return clean;
}

/* ---- records */

bool dn_kafka_txn_begin(dn_kafka_txn *txn) {
    rd_kafka_resp_err_t err;
    if (txn->begun_ns == 0 && !txn->broken) {
        txn->broken = dn_kafka_judge(rd_kafka_begin_transaction(txn->handle->rk), &err) != DONE;
        txn->begun_ns = dn_mono_ns();
    }
    return !txn->broken;
}

static rd_kafka_resp_err_t produce_once(dn_kafka_txn *txn, const kafka_kept *record) {
    return rd_kafka_producev(
        txn->handle->rk, RD_KAFKA_V_RKT(txn->rkt), RD_KAFKA_V_PARTITION(record->partition),
        RD_KAFKA_V_KEY(record->key.ptr, record->key.len),
        RD_KAFKA_V_VALUE((void *)record->value.ptr, record->value.len),
        RD_KAFKA_V_HEADER("dn-sent", record->has_sent ? &record->sent_big : NULL,
                          record->has_sent ? sizeof record->sent_big : 0),
        RD_KAFKA_V_END);
}

/* A full queue empties by itself. Any other error has made the transaction worthless, which commit
 * will see. */
static rd_kafka_resp_err_t produce(dn_kafka_txn *txn, const kafka_kept *record) {
    rd_kafka_resp_err_t err;
    while ((err = produce_once(txn, record)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(txn->handle->rk, 10);
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        txn->broken = true;
    }
    return err;
}

static kafka_kept *keep(dn_kafka_txn *txn, int32_t partition, dn_span key, dn_span value,
                        int64_t sent_ns) {
    if (txn->n_kept == txn->room) {
        txn->room = txn->room ? 2 * txn->room : 4096;
        txn->kept = dn_grow(txn->kept, txn->room, sizeof *txn->kept);
    }
    kafka_kept *record = &txn->kept[txn->n_kept++];
    *record = (kafka_kept){
        .partition = partition,
        .key = key.ptr ? dn_arena_copy(&txn->arena, key) : (dn_span){0},
        .value = value.ptr ? dn_arena_copy(&txn->arena, value) : (dn_span){0},
        .sent_big = htobe64((uint64_t)sent_ns),
        .has_sent = sent_ns != INT64_MIN,
    };
    txn->kept_bytes += (int64_t)(sizeof *record + key.len + value.len);
    return record;
}

dn_status dn_kafka_txn_put(dn_kafka_txn *txn, int32_t partition, dn_span key, dn_span value,
                           int64_t sent_ns) {
    if (partition < 0 || partition >= txn->n_partitions) {
        return DN_FAIL(INTERNAL, "topic %s has no partition %d", txn->topic, partition);
    }
    kafka_kept *record = keep(txn, partition, key, value, sent_ns);
    if (txn->n_kept % SERVE_EVERY == 0) {
        dn_kafka_serve(txn->handle);
    }
    if (!dn_kafka_txn_begin(txn)) {
        return DN_OK;
    }
    if (produce(txn, record) == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return DN_FAIL(
            DATA,
            "topic %s: a record of %zu bytes is larger than the producer may send; raise "
            "kafka: message.max.bytes (and the topic's max.message.bytes), or limit records "
            "earlier",
            txn->topic, value.len);
    }
    return DN_OK;
}

void dn_kafka_txn_forget(dn_kafka_txn *txn) {
    txn->n_kept = 0;
    txn->kept_bytes = 0;
    dn_arena_reset(&txn->arena);
}

void dn_kafka_txn_produce_again(dn_kafka_txn *txn) {
    txn->repeats++;
    for (size_t i = 0; i < txn->n_kept && dn_kafka_txn_begin(txn); i++) {
        produce(txn, &txn->kept[i]);
        if (i % SERVE_EVERY == 0) {
            dn_kafka_serve(txn->handle);
        }
    }
}
