#ifndef DN_IO_KAFKA_CLIENT_H
#define DN_IO_KAFKA_CLIENT_H
/** Talks about topics with a Kafka cluster: what is there, and making what is declared.
 *
 * The `kafka:` section of a job is passed to librdkafka as it is, with three exceptions: properties
 * on which Dunlin's promises rest are refused (io/kafka_conf.c lists them with the reason), and two
 * keys are Dunlin's own:
 *
 *   deadline   10s    how long a broker may take to answer at the start
 *   outage     2min   how long all brokers may be away later on
 *
 * errors  CONFIG (a property), BROKER (not reachable, refuses), TOPIC, DENIED
 * thread  one at a time per client     blocks  every call that asks the broker, up to the deadline
 */
#include "base/props.h"

typedef struct dn_kafka_client dn_kafka_client;

/** "2.0.2" of the library at run time. */
const char *dn_kafka_version(void);

/** Checks a `kafka:` section without connecting: unknown or refused properties, wrong values. */
dn_status dn_kafka_check(const dn_map *kafka);

/** Connects. ownership: the caller, dn_kafka_client_close */
dn_status dn_kafka_client_open(const dn_map *kafka, dn_kafka_client **client);
void dn_kafka_client_close(dn_kafka_client *client);

/** Number of partitions of a topic, 0 when it does not exist. */
dn_status dn_kafka_topic_partitions(dn_kafka_client *client, const char *topic, int *n_partitions);

/** First offset of a partition and the one behind its last; open transactions, aborted records and
 * markers count. */
dn_status dn_kafka_topic_range(dn_kafka_client *client, const char *topic, int partition,
                               int64_t *first, int64_t *end);

/** A row of a job's `topics:` section. NULL and 0: whatever the broker has, or its default when it
 * is made. */
typedef struct dn_topic_spec {
    char *name;
    int64_t partitions;
    int64_t replication;
    char *retention;   /**< a duration, or "forever" */
    char *compression; /**< none gzip snappy lz4 zstd, or "producer" */
} dn_topic_spec;

/** The properties of a `topics:` row, stored in a dn_topic_spec. */
extern const dn_prop dn_topic_spec_props[];

typedef enum dn_topic_state { DN_TOPIC_PRESENT, DN_TOPIC_MADE, DN_TOPIC_MISSING } dn_topic_state;

typedef struct dn_topic_report {
    dn_topic_state state;
    int n_partitions; /**< that the topic has now, 0 when missing */
    bool differs;
    char difference[256]; /**< "partitions: declared 12, broker has 4; ..." */
} dn_topic_report;

/** Compares the declaration with the broker; makes the topic where it is missing and
 * `allow_create`. A difference is reported, not repaired. Two ranks that make the same topic at
 * once both succeed. */
dn_status dn_kafka_topic_ensure(dn_kafka_client *client, const dn_topic_spec *spec,
                                bool allow_create, dn_topic_report *report);

/** Reads the offsets that `group` has committed for the partitions of `topic`; waits for
 * transactions that are still ending. Uses a connection of its own. offset        [n_partitions],
 * -1: none largest_size  most ranks of the runs that wrote them (io/kafka_txn.h), 0: none blocks up
 * to the outage time */
dn_status dn_kafka_cursors_read(const dn_map *kafka, const char *group, const char *topic,
                                int n_partitions, int64_t *offset, int *largest_size);

#endif
