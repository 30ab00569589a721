#ifndef DN_IO_KAFKA_CONSUMER_H
#define DN_IO_KAFKA_CONSUMER_H
/** Reads given partitions of one topic, each through a queue of its own.
 *
 *    broker ──▶ librdkafka ──▶ queue of partition 3  ─┐
 *                          ──▶ queue of partition 7  ─┴▶ next(slot): one record, or the EOF event
 *
 * Queues per partition give runs of records of one partition, which is what a chunk is. Records
 * come one by one: the batch calls of librdkafka before 2.1 skip offsets (#4208). Only committed
 * records are seen; the offsets of aborted ones and of transaction markers are gaps.
 *
 * Back-pressure is not calling next: librdkafka then stops fetching at `prefetch_bytes`.
 *
 * thread  one at a time */
#include "base/props.h"
#include "base/span.h"

typedef struct dn_kafka_consumer dn_kafka_consumer;

typedef struct dn_kafka_consumer_conf {
    const dn_map *kafka;
    const char *topic;
    const char *group;        /**< librdkafka wants one; nothing is committed to it here */
    const char *client_id;    /**< at most 32 characters are used */
    int n_slots;              /**< partitions to read; 0 is legal: nothing ever comes */
    const int32_t *partition; /**< [n_slots] */
    int64_t prefetch_bytes;   /**< of all partitions together */
} dn_kafka_consumer_conf;

typedef enum dn_kafka_event {
    DN_KAFKA_NOTHING, /**< not within the time */
    DN_KAFKA_RECORD,
    DN_KAFKA_EOF, /**< nothing more is there now; record.offset is the next offset there will be */
    DN_KAFKA_GAP, /**< the wanted offset is not in the topic (any more); call seek, or fail */
} dn_kafka_event;

typedef struct dn_kafka_record {
    int64_t offset;
    int64_t sent_ns; /**< header dn-sent, else the record's timestamp; INT64_MIN: neither */
    dn_span key;     /**< ptr NULL: none. lends until the next call */
    dn_span value;   /**< ptr NULL: none (a tombstone). lends until the next call */
} dn_kafka_record;

/** Connects and looks at the topic.
 *  errors  CONFIG, BROKER, TOPIC     blocks  up to the deadline of the `kafka:` section */
dn_status dn_kafka_consumer_open(const dn_kafka_consumer_conf *conf, dn_kafka_consumer **consumer);

/** Begins to fetch; called once.
 *  start      [n_slots] first offset wanted, -1: the first there is */
dn_status dn_kafka_consumer_start(dn_kafka_consumer *consumer, const int64_t *start);

/** The next event of a partition.     blocks  up to timeout_ns, 0: not at all */
dn_status dn_kafka_consumer_next(dn_kafka_consumer *consumer, int slot, int64_t timeout_ns,
                                 dn_kafka_record *record, dn_kafka_event *event);

/** Whether next(slot) will find something at once. */
bool dn_kafka_consumer_ready(const dn_kafka_consumer *consumer, int slot);

/** Waits until some slot is ready, or the time is over. FATAL (BROKER) when all brokers have been
 * away for longer than the outage time. */
dn_status dn_kafka_consumer_wait(dn_kafka_consumer *consumer, int64_t timeout_ns);

/** Goes on at another offset (after GAP). blocks  up to the deadline */
dn_status dn_kafka_consumer_seek(dn_kafka_consumer *consumer, int slot, int64_t offset);

/** The next offset that the partition will have, as the last fetch told; -1 unknown. thread: any
 * blocks: never */
int64_t dn_kafka_consumer_known_end(const dn_kafka_consumer *consumer, int slot);

/** No more of this partition is wanted: wait() no longer minds it. */
void dn_kafka_consumer_stop(dn_kafka_consumer *consumer, int slot);

/** How many partitions the topic has now. blocks  up to the deadline */
dn_status dn_kafka_consumer_partitions(dn_kafka_consumer *consumer, int *n_partitions);

void dn_kafka_consumer_close(dn_kafka_consumer *consumer);

#endif
