#ifndef DN_IO_KAFKA_TXN_PARTS_H
#define DN_IO_KAFKA_TXN_PARTS_H
/** The transactional producer, in three files; included by them only.
 *
 *    kafka_txn.c        open and close: whose transactions, from which cursors
 *    kafka_producer.c   one producer, and the records of its open transaction
 *    kafka_commit.c     the commit, and what follows when it fails */
#include "io/kafka_txn.h"

#include "base/arena.h"
#include "io/kafka_handle.h"

#include <stdatomic.h>

/* A record of the open transaction: in the arena, so that librdkafka need not copy it and it can be
 * sent again. */
typedef struct kafka_kept {
    int32_t partition;
    dn_span key, value;
    uint64_t sent_big; /* header dn-sent as it travels */
    bool has_sent;
} kafka_kept;

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
    kafka_kept *kept;
    size_t n_kept, room;
    int64_t kept_bytes, repeats;
    rd_kafka_resp_err_t refused; /* first delivery that failed for good */
    int64_t *base;          /* [n_cursors] cursors that are committed, as we know them; -1: none */
    _Atomic int64_t *acked; /* [n_partitions] */
};

/** How long one call of librdkafka may take before callbacks are served again. */
#define KAFKA_CALL_NS (5000 * INT64_C(1000000))

/* What the next step is after a call of librdkafka. */
typedef enum kafka_verdict {
    DONE,
    AGAIN, /* the same call with the same arguments */
    REDO,  /* abort, produce again */
    RENEW, /* a new producer */
} kafka_verdict;

/** Judges and destroys an error; *err is its code. */
kafka_verdict dn_kafka_judge(rd_kafka_error_t *error, rd_kafka_resp_err_t *err);

/** Makes a producer with that transactional id. */
dn_status dn_kafka_txn_open_handle(dn_kafka_txn *txn, const char *id, kafka_handle **handle);

/** Ends what an earlier producer of that id left open, and fences it. */
dn_status dn_kafka_txn_take_over(kafka_handle *handle, const char *id);

/** Starts the transaction's own producer. */
dn_status dn_kafka_txn_start(dn_kafka_txn *txn);

/** Ends it. False when librdkafka hangs on to the kept records, which then have to stay. */
bool dn_kafka_txn_stop(dn_kafka_txn *txn);

/** Begins a transaction if none is open; false when the open one cannot be committed any more. */
bool dn_kafka_txn_begin(dn_kafka_txn *txn);

/** Produces all kept records in a new transaction. */
void dn_kafka_txn_produce_again(dn_kafka_txn *txn);

/** Forgets them. */
void dn_kafka_txn_forget(dn_kafka_txn *txn);

/** Committed cursors of the group: [n_cursors]. */
dn_status dn_kafka_txn_read_cursors(dn_kafka_txn *txn, int64_t *offset, int *largest_size);

#endif
