#include "io/kafka_txn.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "io/kafka_client.h"
#include "io/kafka_handle.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A record of the open transaction: in the arena, so that librdkafka need not copy it and it can be
 * sent again. */
typedef struct kept {
    int32_t partition;
    dn_span key, value;
    uint64_t sent_big; /* header dn-sent as it travels */
    bool has_sent;
} kept;

struct dn_kafka_txn {
    kafka_handle *handle;
    rd_kafka_topic_t *rkt;
    dn_map settings_of_job; /* lends from the conf */
    char *id, *group, *topic, *cursor_topic, *compression;
    char linger_ms[24], batch_bytes[24], client_id[33];
    int size, n_cursors, n_partitions;
    int64_t timeout_ns; /* transaction.timeout.ms */
    int64_t begun_ns;   /* of the open transaction, 0: none open */
    bool broken;        /* it cannot be committed any more */
    dn_arena arena;
    kept *kept;
    size_t n_kept, room;
    int64_t kept_bytes, repeats;
    rd_kafka_resp_err_t refused; /* first delivery that failed for good */
    int64_t *base;          /* [n_cursors] cursors that are committed, as we know them; -1: none */
    _Atomic int64_t *acked; /* [n_partitions] */
};

enum { BLOCK_BYTES = 1 << 20, SERVE_EVERY = 256 };
static const int64_t pause_ns = 100 * INT64_C(1000000);
static const int64_t call_ns = 5000 * INT64_C(1000000);

/* What the next step is after a call of librdkafka. */
typedef enum verdict {
    DONE,
    AGAIN, /* the same call with the same arguments */
    REDO,  /* abort, produce again */
    RENEW, /* a new producer */
} verdict;

static verdict judge(rd_kafka_error_t *error, rd_kafka_resp_err_t *err) {
    if (!error) {
        return DONE;
    }
    *err = rd_kafka_error_code(error);
    verdict what = rd_kafka_error_is_fatal(error)             ? RENEW
                   : rd_kafka_error_txn_requires_abort(error) ? REDO
                   : rd_kafka_error_is_retriable(error)       ? AGAIN
                                                              : RENEW;
    rd_kafka_error_destroy(error);
    return what;
}

/* ---- one producer */

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

static dn_status open_handle(dn_kafka_txn *txn, const char *id, kafka_handle **handle) {
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
    return kafka_open(&plan, handle);
}

/* Ends what an earlier producer of that id left open, and fences it. */
static dn_status take_over(kafka_handle *handle, const char *id) {
    int64_t end = dn_mono_ns() + handle->outage_ns;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    verdict what;
    do {
        what = judge(rd_kafka_init_transactions(handle->rk, kafka_ms(call_ns)), &err);
        kafka_serve(handle);
    } while (what == AGAIN && dn_mono_ns() < end);
    return what == DONE ? DN_OK
                        : KAFKA_FAIL(handle, err, "transactions of %s could not be taken over", id);
}

/* The first record of a topic that librdkafka has not asked about yet waits a second (#5032): ask
 * now. */
static dn_status warm_topic(dn_kafka_txn *txn) {
    int n;
    txn->rkt = rd_kafka_topic_new(txn->handle->rk, txn->topic, NULL);
    DN_TRY(kafka_count_partitions(txn->handle, txn->topic, txn->handle->deadline_ns, &n));
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

static dn_status start_producer(dn_kafka_txn *txn) {
    DN_TRY(open_handle(txn, txn->id, &txn->handle));
    DN_TRY(warm_topic(txn));
    DN_TRY(take_over(txn->handle, txn->id));
    txn->timeout_ns = conf_ms(txn->handle, "transaction.timeout.ms") * 1000000;
    txn->begun_ns = 0;
    txn->broken = false;
    return DN_OK;
}

/* False when librdkafka hangs on to the kept records, which then have to stay. */
static bool stop_producer(dn_kafka_txn *txn) {
    if (txn->rkt) {
        rd_kafka_topic_destroy(txn->rkt);
        txn->rkt = NULL;
    }
    bool clean = kafka_close(txn->handle);
    txn->handle = NULL;
    return clean;
}

/* ---- records */

static bool begin(dn_kafka_txn *txn) {
    rd_kafka_resp_err_t err;
    if (txn->begun_ns == 0 && !txn->broken) {
        txn->broken = judge(rd_kafka_begin_transaction(txn->handle->rk), &err) != DONE;
        txn->begun_ns = dn_mono_ns();
    }
    return !txn->broken;
}

static rd_kafka_resp_err_t produce_once(dn_kafka_txn *txn, const kept *record) {
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
static rd_kafka_resp_err_t produce(dn_kafka_txn *txn, const kept *record) {
    rd_kafka_resp_err_t err;
    while ((err = produce_once(txn, record)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(txn->handle->rk, 10);
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        txn->broken = true;
    }
    return err;
}

static kept *keep(dn_kafka_txn *txn, int32_t partition, dn_span key, dn_span value,
                  int64_t sent_ns) {
    if (txn->n_kept == txn->room) {
        txn->room = txn->room ? 2 * txn->room : 4096;
        txn->kept = dn_grow(txn->kept, txn->room, sizeof *txn->kept);
    }
    kept *record = &txn->kept[txn->n_kept++];
    *record = (kept){
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
    kept *record = keep(txn, partition, key, value, sent_ns);
    if (txn->n_kept % SERVE_EVERY == 0) {
        kafka_serve(txn->handle);
    }
    if (!begin(txn)) {
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

static void forget_kept(dn_kafka_txn *txn) {
    txn->n_kept = 0;
    txn->kept_bytes = 0;
    dn_arena_reset(&txn->arena);
}

static void produce_again(dn_kafka_txn *txn) {
    txn->repeats++;
    for (size_t i = 0; i < txn->n_kept && begin(txn); i++) {
        produce(txn, &txn->kept[i]);
        if (i % SERVE_EVERY == 0) {
            kafka_serve(txn->handle);
        }
    }
}

/* ---- commit */

static rd_kafka_topic_partition_list_t *offsets(const dn_kafka_txn *txn, const int64_t *cursor) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(txn->n_cursors);
    char text[32];
    int size = snprintf(text, sizeof text, "dunlin ranks=%d", txn->size);
    for (int p = 0; p < txn->n_cursors; p++) {
        if (cursor[p] >= 0) {
            rd_kafka_topic_partition_t *elem =
                rd_kafka_topic_partition_list_add(list, txn->cursor_topic, p);
            elem->offset = cursor[p];
            elem->metadata = strdup(text);
            elem->metadata_size = (size_t)size;
        }
    }
    return list;
}

static verdict send_offsets(dn_kafka_txn *txn, const int64_t *cursor, int64_t end_ns,
                            rd_kafka_resp_err_t *err) {
    rd_kafka_topic_partition_list_t *list = offsets(txn, cursor);
    /* Without a member the broker takes the offsets from anybody: the transactional id is the
     * fence. */
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(txn->group);
    verdict what;
    do {
        what = judge(
            rd_kafka_send_offsets_to_transaction(txn->handle->rk, list, group, kafka_ms(call_ns)),
            err);
        kafka_serve(txn->handle);
    } while (what == AGAIN && dn_mono_ns() < end_ns);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return what == AGAIN ? RENEW : what;
}

static verdict end_transaction(dn_kafka_txn *txn, int64_t end_ns, rd_kafka_resp_err_t *err) {
    verdict what;
    do {
        what = judge(rd_kafka_commit_transaction(txn->handle->rk, kafka_ms(call_ns)), err);
        kafka_serve(txn->handle);
    } while (what == AGAIN && dn_mono_ns() < end_ns);
    /* No answer: it may have been committed. */
    return what == AGAIN ? RENEW : what;
}

static verdict try_commit(dn_kafka_txn *txn, const int64_t *cursor, int64_t end_ns,
                          rd_kafka_resp_err_t *err) {
    if (!begin(txn)) {
        *err = RD_KAFKA_RESP_ERR__STATE;
        return rd_kafka_fatal_error(txn->handle->rk, NULL, 0) ? RENEW : REDO;
    }
    verdict what = send_offsets(txn, cursor, end_ns, err);
    return what == DONE ? end_transaction(txn, end_ns, err) : what;
}

static verdict abort_transaction(dn_kafka_txn *txn, rd_kafka_resp_err_t *err) {
    int64_t end = dn_mono_ns() + txn->timeout_ns;
    verdict what;
    do {
        what = judge(rd_kafka_abort_transaction(txn->handle->rk, kafka_ms(call_ns)), err);
        kafka_serve(txn->handle);
    } while (what == AGAIN && dn_mono_ns() < end);
    txn->begun_ns = 0;
    txn->broken = what != DONE;
    return what == DONE ? DONE : RENEW;
}

static bool is_fencing(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR__FENCED || err == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* A broker that ended our transaction because it was open too long says the same as one that saw a
 * newer producer with our id (KIP-588). The first cannot happen to a transaction younger than the
 * timeout. */
static dn_status check_fencing(dn_kafka_txn *txn, rd_kafka_resp_err_t err) {
    if (is_fencing(err) && dn_mono_ns() - txn->begun_ns < txn->timeout_ns) {
        return KAFKA_FAIL(txn->handle, err,
                          "another instance of %s has taken over the transactions of topic %s",
                          txn->id, txn->topic);
    }
    return DN_OK;
}

static dn_status read_cursors(dn_kafka_txn *txn, int64_t *offset, int *largest_size) {
    return dn_kafka_cursors_read(&txn->settings_of_job, txn->group, txn->cursor_topic,
                                 txn->n_cursors, offset, largest_size);
}

/* Whether the transaction whose end nobody told us about was committed: cursors move together, so
 * all of them have, or none has. A cursor that is neither here nor there was moved by somebody
 * else. */
static dn_status learn_outcome(dn_kafka_txn *txn, const int64_t *cursor, bool *committed) {
    int64_t *now = dn_alloc_array((size_t)txn->n_cursors, sizeof *now);
    int size;
    dn_status status = read_cursors(txn, now, &size);
    *committed = true;
    for (int p = 0; p < txn->n_cursors && status == DN_OK; p++) {
        if (cursor[p] >= 0 && now[p] != cursor[p]) {
            *committed = false;
            if (now[p] != txn->base[p]) {
                status = DN_FAIL(
                    FENCED, "another instance of %s has moved the cursor of partition %d of %s",
                    txn->id, p, txn->cursor_topic);
            }
        }
    }
    free(now);
    return status;
}

static dn_status renew(dn_kafka_txn *txn, rd_kafka_resp_err_t err) {
    DN_TRY(check_fencing(txn, err));
    if (!stop_producer(txn)) {
        return DN_FAIL(BROKER,
                       "a producer of %s does not end after an error (%s); start the job again",
                       txn->id, rd_kafka_err2name(err));
    }
    return start_producer(txn);
}

/* Errors that the same records would meet again. */
static dn_status check_refusal(dn_kafka_txn *txn) {
    rd_kafka_resp_err_t err = txn->refused;
    txn->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    switch (err) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return KAFKA_FAIL(txn->handle, err, "topic %s refuses a record", txn->topic);
    default:
        return DN_OK;
    }
}

static void settle(dn_kafka_txn *txn, const int64_t *cursor) {
    for (int p = 0; p < txn->n_cursors; p++) {
        txn->base[p] = cursor[p] >= 0 ? cursor[p] : txn->base[p];
    }
    txn->begun_ns = 0;
    txn->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    forget_kept(txn);
}

/* Takes a new producer when an answer on a transactional request was lost on the way to this
 * commit: a late copy of that request could end a later transaction of the same producer. */
static dn_status settle_suspicion(dn_kafka_txn *txn, const int64_t *cursor) {
    pthread_mutex_lock(&txn->handle->lock);
    bool suspicious = txn->handle->saw_error;
    pthread_mutex_unlock(&txn->handle->lock);
    settle(txn, cursor);
    return suspicious ? renew(txn, RD_KAFKA_RESP_ERR__TRANSPORT) : DN_OK;
}

dn_status dn_kafka_txn_commit(dn_kafka_txn *txn, const int64_t *cursor) {
    int64_t end_ns = dn_mono_ns() + txn->handle->outage_ns;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (;;) {
        verdict what = try_commit(txn, cursor, end_ns, &err);
        if (what == DONE) {
            return settle_suspicion(txn, cursor);
        }
        DN_TRY(check_refusal(txn));
        if (dn_mono_ns() >= end_ns) {
            return KAFKA_FAIL(txn->handle, err,
                              "topic %s: a transaction could not be committed (kafka: outage)",
                              txn->topic);
        }
        if (what == REDO) {
            what = abort_transaction(txn, &err);
        }
        if (what == RENEW) {
            bool committed;
            DN_TRY(renew(txn, err));
            DN_TRY(learn_outcome(txn, cursor, &committed));
            if (committed) {
                settle(txn, cursor);
                return DN_OK;
            }
        }
        dn_sleep_until_ns(dn_mono_ns() + pause_ns);
        produce_again(txn);
    }
}

/* ---- open and close */

static dn_kafka_txn *txn_new(const dn_kafka_txn_conf *conf) {
    dn_kafka_txn *txn = dn_alloc(sizeof *txn);
    txn->settings_of_job = *conf->kafka;
    txn->id = dn_format("%s.%s.%d", conf->job, conf->pipeline, conf->rank);
    bool corpus = conf->corpus && conf->corpus[0];
    txn->group = dn_format("%s.%s%s%s", conf->job, conf->pipeline, corpus ? "." : "",
                           corpus ? conf->corpus : "");
    txn->topic = dn_strdup(conf->topic);
    txn->cursor_topic = dn_strdup(conf->cursor_topic);
    txn->compression = dn_strdup(conf->compression);
    txn->size = conf->size;
    txn->n_cursors = conf->n_cursors;
    txn->base = dn_alloc_array((size_t)conf->n_cursors, sizeof *txn->base);
    snprintf(txn->linger_ms, sizeof txn->linger_ms, "%.3f", (double)conf->linger_ns / 1e6);
    snprintf(txn->batch_bytes, sizeof txn->batch_bytes, "%lld", (long long)conf->batch_bytes);
    snprintf(txn->client_id, sizeof txn->client_id, "%.24s.%d", txn->group, conf->rank);
    dn_arena_init(&txn->arena, BLOCK_BYTES);
    return txn;
}

static dn_status check_cursor_topic(dn_kafka_txn *txn) {
    int n;
    DN_TRY(kafka_count_partitions(txn->handle, txn->cursor_topic, txn->handle->deadline_ns, &n));
    if (n < txn->n_cursors) {
        return DN_FAIL(TOPIC,
                       "topic %s has %d partitions, but the source has %d: their cursors cannot be "
                       "kept there; "
                       "give the topic at least as many",
                       txn->cursor_topic, n, txn->n_cursors);
    }
    return DN_OK;
}

/* Ranks of an earlier, larger run are nobody's own: rank r ends those that are equal to r modulo
 * the size now. */
static dn_status end_former_ranks(dn_kafka_txn *txn, const dn_kafka_txn_conf *conf, int largest) {
    for (int rank = conf->rank + conf->size; rank < largest; rank += conf->size) {
        char *id = dn_format("%s.%s.%d", conf->job, conf->pipeline, rank);
        kafka_handle *handle;
        dn_status status = open_handle(txn, id, &handle);
        if (status == DN_OK) {
            status = take_over(handle, id);
            kafka_close(handle);
        }
        free(id);
        DN_TRY(status);
    }
    return DN_OK;
}

static dn_status recover(dn_kafka_txn *txn, const dn_kafka_txn_conf *conf, int64_t *cursor) {
    int largest;
    DN_TRY(check_cursor_topic(txn));
    DN_TRY(read_cursors(txn, cursor, &largest));
    if (largest > conf->size) {
        txn->size = largest;
        DN_TRY(end_former_ranks(txn, conf, largest));
        DN_TRY(read_cursors(txn, cursor, &largest));
    }
    memcpy(txn->base, cursor, (size_t)txn->n_cursors * sizeof *cursor);
    return DN_OK;
}

dn_status dn_kafka_txn_open(const dn_kafka_txn_conf *conf, int64_t *cursor, dn_kafka_txn **out) {
    dn_kafka_txn *txn = txn_new(conf);
    dn_status status;
    DN_TRY_GO(start_producer(txn), err_open);
    DN_TRY_GO(recover(txn, conf, cursor), err_open);
    txn->acked = dn_alloc_array((size_t)txn->n_partitions, sizeof *txn->acked);
    for (int p = 0; p < txn->n_partitions; p++) {
        atomic_init(&txn->acked[p], -1);
    }
    *out = txn;
    return DN_OK;
err_open:
    dn_kafka_txn_close(txn);
    return status;
}

int dn_kafka_txn_partitions(const dn_kafka_txn *txn) {
    return txn->n_partitions;
}

int64_t dn_kafka_txn_pending_bytes(const dn_kafka_txn *txn) {
    return txn->kept_bytes;
}

int64_t dn_kafka_txn_pending_records(const dn_kafka_txn *txn) {
    return (int64_t)txn->n_kept;
}

int64_t dn_kafka_txn_last_acked(const dn_kafka_txn *txn, int32_t partition) {
    return atomic_load_explicit(&txn->acked[partition], memory_order_relaxed);
}

int64_t dn_kafka_txn_repeats(const dn_kafka_txn *txn) {
    return txn->repeats;
}

void dn_kafka_txn_close(dn_kafka_txn *txn) {
    if (!txn) {
        return;
    }
    rd_kafka_resp_err_t err;
    if (txn->handle && txn->begun_ns) {
        judge(rd_kafka_abort_transaction(txn->handle->rk, kafka_ms(call_ns)), &err);
    }
    if (stop_producer(txn)) {
        dn_arena_free(&txn->arena);
    }
    free(txn->kept);
    free(txn->acked);
    free(txn->base);
    free(txn->id);
    free(txn->group);
    free(txn->topic);
    free(txn->cursor_topic);
    free(txn->compression);
    free(txn);
}
