/* The commit of a transaction, and what follows when it fails. */
#include "io/kafka_txn_parts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t pause_ns = 100 * INT64_C(1000000);

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

static kafka_verdict send_offsets(dn_kafka_txn *txn, const int64_t *cursor, int64_t end_ns,
                                  rd_kafka_resp_err_t *err) {
    rd_kafka_topic_partition_list_t *list = offsets(txn, cursor);
    /* Without a member the broker takes the offsets from anybody: the transactional id is the
     * fence. */
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(txn->group);
    kafka_verdict what;
    do {
        what = dn_kafka_judge(rd_kafka_send_offsets_to_transaction(txn->handle->rk, list, group,
                                                                   kafka_ms(KAFKA_CALL_NS)),
                              err);
        dn_kafka_serve(txn->handle);
    } while (what == AGAIN && dn_mono_ns() < end_ns);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return what == AGAIN ? RENEW : what;
}

static kafka_verdict end_transaction(dn_kafka_txn *txn, int64_t end_ns, rd_kafka_resp_err_t *err) {
    kafka_verdict what;
    do {
        what = dn_kafka_judge(rd_kafka_commit_transaction(txn->handle->rk, kafka_ms(KAFKA_CALL_NS)),
                              err);
        dn_kafka_serve(txn->handle);
    } while (what == AGAIN && dn_mono_ns() < end_ns);
    /* No answer: it may have been committed. */
    return what == AGAIN ? RENEW : what;
}

static kafka_verdict try_commit(dn_kafka_txn *txn, const int64_t *cursor, int64_t end_ns,
                                rd_kafka_resp_err_t *err) {
    if (!dn_kafka_txn_begin(txn)) {
        *err = RD_KAFKA_RESP_ERR__STATE;
        return rd_kafka_fatal_error(txn->handle->rk, NULL, 0) ? RENEW : REDO;
    }
    kafka_verdict what = send_offsets(txn, cursor, end_ns, err);
    return what == DONE ? end_transaction(txn, end_ns, err) : what;
}

static kafka_verdict abort_transaction(dn_kafka_txn *txn, rd_kafka_resp_err_t *err) {
    int64_t end = dn_mono_ns() + txn->timeout_ns;
    kafka_verdict what;
    do {
        what = dn_kafka_judge(rd_kafka_abort_transaction(txn->handle->rk, kafka_ms(KAFKA_CALL_NS)),
                              err);
        dn_kafka_serve(txn->handle);
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

/* Whether the transaction whose end nobody told us about was committed: cursors move together, so
 * all of them have, or none has. A cursor that is neither here nor there was moved by somebody
 * else. */
static dn_status learn_outcome(dn_kafka_txn *txn, const int64_t *cursor, bool *committed) {
    int64_t *now = dn_alloc_array((size_t)txn->n_cursors, sizeof *now);
    int size;
    dn_status status = dn_kafka_txn_read_cursors(txn, now, &size);
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
    if (!dn_kafka_txn_stop(txn)) {
        return DN_FAIL(BROKER,
                       "a producer of %s does not end after an error (%s); start the job again",
                       txn->id, rd_kafka_err2name(err));
    }
    return dn_kafka_txn_start(txn);
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
    dn_kafka_txn_forget(txn);
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
        kafka_verdict what = try_commit(txn, cursor, end_ns, &err);
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
        dn_kafka_txn_produce_again(txn);
    }
}
