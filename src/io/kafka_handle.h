#ifndef DN_IO_KAFKA_HANDLE_H
#define DN_IO_KAFKA_HANDLE_H
/** What the parts of io/kafka_*.c share: one librdkafka instance with its settings, its last
 * complaints and its end.
 *
 * Included by io/kafka_*.c only; everybody else uses kafka_client.h, kafka_consumer.h and
 * kafka_txn.h.
 *
 * librdkafka hides trouble with the network (it retries for ever) and tells its causes only through
 * callbacks. The handle keeps the last cause and the last log lines, so that whoever decides that
 * it took too long can say why. */
#include "base/props.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>

typedef enum kafka_role { KAFKA_ADMIN = 1, KAFKA_CONSUMER = 2, KAFKA_PRODUCER = 4 } kafka_role;

enum { KAFKA_LINES = 3, KAFKA_LINE_BYTES = 200 };

typedef struct kafka_handle {
    rd_kafka_t *rk;
    void *owner;          /**< whose callbacks these are */
    char *brokers;        /**< bootstrap.servers, for messages */
    int64_t deadline_ns;  /**< how long a broker may take to answer at the start */
    int64_t outage_ns;    /**< how long brokers may be away later on */
    pthread_mutex_t lock; /**< of what follows: callbacks come from librdkafka's threads */
    rd_kafka_resp_err_t cause;
    char cause_text[KAFKA_LINE_BYTES];
    char line[KAFKA_LINES][KAFKA_LINE_BYTES];
    unsigned n_lines;
    int64_t down_since_ns; /**< all brokers down since then, 0: no */
    bool saw_error;        /**< a response was lost or refused on a transactional request */
} kafka_handle;

/** A setting that its user makes for itself. */
typedef struct kafka_setting {
    const char *name;
    const char *value;
} kafka_setting;

/** How an instance is made. `settings` ends with a row without a name and wins over the job's. */
typedef struct kafka_plan {
    kafka_role role;
    const dn_map *kafka; /**< the job's */
    const char *client_id;
    const kafka_setting *settings;
    void *owner;
    void (*delivered)(rd_kafka_t *rk, const rd_kafka_message_t *message, void *handle);
} kafka_plan;

/** Makes an instance and waits until a broker answers.
 *  errors  CONFIG (settings), BROKER (nobody answers within the deadline, or refuses)     blocks up
 * to the deadline */
dn_status dn_kafka_open(const kafka_plan *plan, kafka_handle **out);

/** Checks the job's settings for a role without connecting. errors  CONFIG */
dn_status dn_kafka_conf_make(const kafka_plan *plan, kafka_handle *handle, rd_kafka_conf_t **out);

/** Serves callbacks. */
void dn_kafka_serve(kafka_handle *handle);

/** Ends the instance. Waits up to five seconds; what then still hangs inside librdkafka is left to
 * a thread of its own (known faults of versions before 2.6.1), and false is returned: memory lent
 * to it must stay. */
bool dn_kafka_close(kafka_handle *handle);

/** Records what failed, which error it was, what librdkafka told about the cause, and returns
 * FATAL. */
dn_status dn_kafka_fail(kafka_handle *handle, rd_kafka_resp_err_t err, const char *file, int line,
                        const char *fmt, ...) __attribute__((format(printf, 5, 6)));
#define KAFKA_FAIL(handle, err, ...) dn_kafka_fail(handle, err, __FILE__, __LINE__, __VA_ARGS__)

/** FATAL when every broker has been away for longer than outage_ns, else OK.     blocks  up to 1 s
 * when one seems to be */
dn_status dn_kafka_check_outage(kafka_handle *handle);

/** The number of partitions of a topic, 0 when it is missing.     blocks  up to timeout_ns */
dn_status dn_kafka_count_partitions(kafka_handle *handle, const char *topic, int64_t timeout_ns,
                                    int *n_partitions);

struct dn_kafka_client {
    kafka_handle *handle;
};

static inline int kafka_ms(int64_t ns) {
    return (int)(ns <= 0 ? 0 : (ns + 999999) / 1000000);
}

#endif
