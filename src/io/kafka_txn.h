#ifndef DN_IO_KAFKA_TXN_H
#define DN_IO_KAFKA_TXN_H
/** Writes records to one topic in transactions that also move the cursors they were made from.
 *
 *    put put put ... commit(cursors)
 *         │             └ flush, offsets to the transaction, commit
 *         └ kept until the commit, so that whatever goes wrong in between can be made again
 *
 *    abortable error             abort, the same records again, commit
 *    fatal, or no answer         a new producer with the same id (which ends the old one's
 * transaction), then the committed cursors tell whether the commit had happened; if not, the
 * records again another instance took over  FENCED
 *
 * After commit returns OK the records and the cursors are both there, exactly once; nothing is
 * there before. Reasons: research in jepsen.io's Bufstream report, KIP-588, KIP-890.
 *
 * thread  one at a time */
#include "base/props.h"
#include "base/span.h"

typedef struct dn_kafka_txn dn_kafka_txn;

typedef struct dn_kafka_txn_conf {
    const dn_map *kafka;
    const char *corpus; /**< NULL or "", else part of the group: cursors that count records of this
                           input alone */
    const char *job, *pipeline; /**< the transactional id is <job>.<pipeline>.<rank>, the group
                                   <job>.<pipeline> */
    int rank, size;
    const char *topic;        /**< records go here */
    const char *cursor_topic; /**< offsets of this topic are committed; it must exist */
    int n_cursors;            /**< partitions of the cursors; 1 .. partitions of cursor_topic */
    const char
        *compression; /**< librdkafka's words; the job's `kafka:` section wins over these three */
    int64_t linger_ns, batch_bytes;
} dn_kafka_txn_conf;

/** Takes over: ends what an earlier instance of this rank, or of ranks that are no more, left open;
 * then reads all cursors. cursor     [n_cursors], -1: none errors     CONFIG, BROKER, TOPIC, DENIED
 * blocks  up to the deadline, and while old transactions end */
dn_status dn_kafka_txn_open(const dn_kafka_txn_conf *conf, int64_t *cursor, dn_kafka_txn **txn);

/** How many partitions the topic has. */
int dn_kafka_txn_partitions(const dn_kafka_txn *txn);

/** Adds a record to the open transaction (and opens one). Key and value are copied; key.ptr NULL:
 * none. errors  DATA when the record is larger than message.max.bytes; others show at commit blocks
 * hardly ever */
dn_status dn_kafka_txn_put(dn_kafka_txn *txn, int32_t partition, dn_span key, dn_span value,
                           int64_t sent_ns);

/** Bytes and records put since the last commit: memory, bounded by the caller's commits. */
int64_t dn_kafka_txn_pending_bytes(const dn_kafka_txn *txn);
int64_t dn_kafka_txn_pending_records(const dn_kafka_txn *txn);

/** Commits the records together with cursors.
 *  cursor     [n_cursors], -1: leave this one
 *  errors     FENCED, BROKER (away for longer than the outage time), DENIED, DATA, TOPIC     blocks
 * yes */
dn_status dn_kafka_txn_commit(dn_kafka_txn *txn, const int64_t *cursor);

/** Last offset of a partition that was acknowledged to this producer, -1: none yet. thread  any */
int64_t dn_kafka_txn_last_acked(const dn_kafka_txn *txn, int32_t partition);

/** How often the records of a transaction had to be made again. */
int64_t dn_kafka_txn_repeats(const dn_kafka_txn *txn);

/** Aborts what is open, frees. */
void dn_kafka_txn_close(dn_kafka_txn *txn);

#endif
