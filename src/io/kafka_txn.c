#include "io/kafka_txn_parts.h"

#include "base/memory.h"
#include "io/kafka_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 1 << 20 };

dn_status dn_kafka_txn_read_cursors(dn_kafka_txn *txn, int64_t *offset, int *largest_size) {
    return dn_kafka_cursors_read(&txn->settings_of_job, txn->group, txn->cursor_topic,
                                 txn->n_cursors, offset, largest_size);
}

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
    DN_TRY(dn_kafka_count_partitions(txn->handle, txn->cursor_topic, txn->handle->deadline_ns, &n));
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
        dn_status status = dn_kafka_txn_open_handle(txn, id, &handle);
        if (status == DN_OK) {
            status = dn_kafka_txn_take_over(handle, id);
            dn_kafka_close(handle);
        }
        free(id);
        DN_TRY(status);
    }
    return DN_OK;
}

static dn_status recover(dn_kafka_txn *txn, const dn_kafka_txn_conf *conf, int64_t *cursor) {
    int largest;
    DN_TRY(check_cursor_topic(txn));
    DN_TRY(dn_kafka_txn_read_cursors(txn, cursor, &largest));
    if (largest > conf->size) {
        txn->size = largest;
        DN_TRY(end_former_ranks(txn, conf, largest));
        DN_TRY(dn_kafka_txn_read_cursors(txn, cursor, &largest));
    }
    memcpy(txn->base, cursor, (size_t)txn->n_cursors * sizeof *cursor);
    return DN_OK;
}

dn_status dn_kafka_txn_open(const dn_kafka_txn_conf *conf, int64_t *cursor, dn_kafka_txn **out) {
    dn_kafka_txn *txn = txn_new(conf);
    dn_status status;
    DN_TRY_GO(dn_kafka_txn_start(txn), err_open);
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
        dn_kafka_judge(rd_kafka_abort_transaction(txn->handle->rk, kafka_ms(KAFKA_CALL_NS)), &err);
    }
    if (dn_kafka_txn_stop(txn)) {
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
