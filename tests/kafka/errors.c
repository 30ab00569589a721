/* Error paths without a broker of our own: nobody listens, settings are wrong, or librdkafka's mock
 * cluster answers with the errors that a test asks for. Nothing here proves exactly-once: the mock
 * knows no aborts. */
#include "base/clock.h"
#include "io/kafka_client.h"
#include "io/kafka_consumer.h"
#include "io/kafka_txn.h"
#include "kafka/rig.h"
#include "test.h"

#include <arpa/inet.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static const int64_t ms = 1000000;

static const dn_map *map_of(const char *servers) {
    return rig_kafka_with(NULL, "bootstrap.servers", servers, "deadline", "1s", "outage", "3s",
                          NULL);
}

static const char *last_error(void) {
    return dn_error_get(dn_failure_last()->error)->name;
}

static bool told(const char *part) {
    bool found = strstr(dn_failure_last()->text, part) != NULL;
    if (!found) {
        fprintf(stderr, "message: %s\n", dn_failure_last()->text);
    }
    return found;
}

/* ---- settings */

static dn_status check_one(const char *name, const char *value) {
    return dn_kafka_check(
        rig_kafka_with(NULL, "bootstrap.servers", "127.0.0.1:9", name, value, NULL));
}

CASE(settings_of_librdkafka_pass_through) {
    EXPECT(check_one("statistics.interval.ms", "1000") == DN_OK);
    EXPECT(check_one("compression.type", "zstd") == DN_OK);
    EXPECT(check_one("security.protocol", "sasl_ssl") == DN_OK);
    EXPECT(check_one("isolation.level", "read_committed") == DN_OK);
    EXPECT(check_one("deadline", "30s") == DN_OK);
}

CASE(settings_that_promises_rest_on_are_refused) {
    static const char *const rows[][2] = {
        {"enable.auto.commit", "true"},
        {"isolation.level", "read_uncommitted"},
        {"auto.offset.reset", "latest"},
        {"enable.partition.eof", "false"},
        {"check.crcs", "false"},
        {"socket.nagle.disable", "false"},
        {"transactional.id", "mine"},
        {"group.id", "mine"},
        {"acks", "1"},
        {"enable.idempotence", "false"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EXPECT(check_one(rows[i][0], rows[i][1]) == DN_FATAL);
        EXPECT_TEXT(last_error(), "CONFIG");
        EXPECT(told(rows[i][0]));
        EXPECT(told("is set by Dunlin"));
    }
}

CASE(settings_that_are_wrong_are_told) {
    EXPECT(check_one("compresion.type", "zstd") == DN_FATAL);
    EXPECT(told("compresion.type is not a property of librdkafka"));
    EXPECT(told("did you mean compression.type?"));
    EXPECT(check_one("linger.ms", "soon") == DN_FATAL);
    EXPECT(told("linger.ms"));
    EXPECT(check_one("client.id", "a name that is longer than thirty-two characters") == DN_FATAL);
    EXPECT(told("client.id"));
    EXPECT(check_one("deadline", "soon") == DN_FATAL);
    dn_map none = {0};
    EXPECT(dn_kafka_check(&none) == DN_FATAL);
    EXPECT(told("--broker none"));
}

/* ---- nobody there */

CASE(nobody_listens) {
    dn_kafka_client *client;
    int64_t begin = dn_mono_ns();
    EXPECT(dn_kafka_client_open(map_of("127.0.0.1:9"), &client) == DN_FATAL);
    EXPECT(dn_mono_ns() - begin >= 900 * ms);
    EXPECT_TEXT(last_error(), "BROKER");
    EXPECT(told("127.0.0.1:9 does not answer"));
    EXPECT(told("Connection refused"));
}

CASE(name_does_not_resolve) {
    dn_kafka_client *client;
    EXPECT(dn_kafka_client_open(map_of("no-such-host.invalid:9092"), &client) == DN_FATAL);
    EXPECT_TEXT(last_error(), "BROKER");
    EXPECT(told("no-such-host.invalid"));
    EXPECT(told("Failed to resolve"));
}

/* A server that accepts and says nothing: another program on that port. */
CASE(somebody_else_listens) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    REQUIRE(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 4) == 0 &&
            getsockname(fd, (struct sockaddr *)&at, &size) == 0);
    char servers[32];
    snprintf(servers, sizeof servers, "127.0.0.1:%d", ntohs(at.sin_port));
    dn_kafka_client *client;
    EXPECT(dn_kafka_client_open(map_of(servers), &client) == DN_FATAL);
    EXPECT_TEXT(last_error(), "BROKER");
    EXPECT(told("does not answer"));
    close(fd);
}

CASE(nobody_listens_for_consumers_and_producers) {
    dn_kafka_consumer *consumer;
    int32_t partition = 0;
    dn_kafka_consumer_conf in = {.kafka = map_of("127.0.0.1:9"),
                                 .topic = "t",
                                 .group = "g",
                                 .n_slots = 1,
                                 .partition = &partition,
                                 .prefetch_bytes = 1 << 20};
    EXPECT(dn_kafka_consumer_open(&in, &consumer) == DN_FATAL);
    EXPECT_TEXT(last_error(), "BROKER");
    dn_kafka_txn *txn;
    int64_t cursor;
    dn_kafka_txn_conf out = {.kafka = in.kafka,
                             .job = "j",
                             .pipeline = "p",
                             .size = 1,
                             .topic = "t",
                             .cursor_topic = "t",
                             .n_cursors = 1,
                             .compression = "lz4",
                             .batch_bytes = 1000};
    EXPECT(dn_kafka_txn_open(&out, &cursor, &txn) == DN_FATAL);
    EXPECT_TEXT(last_error(), "BROKER");
}

/* ---- the mock cluster */

typedef struct mock {
    rd_kafka_t *rk; /* hosts the cluster */
    rd_kafka_mock_cluster_t *cluster;
    const dn_map *kafka;
} mock;

static mock mock_new(int n_partitions) {
    char why[256];
    mock m;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
    m.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    m.cluster = rd_kafka_mock_cluster_new(m.rk, 1);
    rd_kafka_mock_topic_create(m.cluster, "t", n_partitions, 1);
    m.kafka = map_of(rd_kafka_mock_cluster_bootstraps(m.cluster));
    return m;
}

static void mock_free(mock *m) {
    rd_kafka_mock_cluster_destroy(m->cluster);
    rd_kafka_destroy(m->rk);
}

enum { PRODUCE = 0, FETCH = 1, INIT_PRODUCER_ID = 22, ADD_OFFSETS = 25, END_TXN = 26 };

static dn_status open_txn(mock *m, dn_kafka_txn **txn) {
    int64_t cursor;
    dn_kafka_txn_conf conf = {.kafka = m->kafka,
                              .job = "j",
                              .pipeline = "p",
                              .size = 1,
                              .topic = "t",
                              .cursor_topic = "t",
                              .n_cursors = 1,
                              .compression = "lz4",
                              .batch_bytes = 100000};
    return dn_kafka_txn_open(&conf, &cursor, txn);
}

static dn_status write_some(dn_kafka_txn *txn) {
    for (int i = 0; i < 100; i++) {
        DN_TRY(dn_kafka_txn_put(txn, 0, (dn_span){0}, DN_SPAN("value"), i));
    }
    int64_t cursor = 100;
    return dn_kafka_txn_commit(txn, &cursor);
}

CASE(mock_takes_a_transaction) {
    mock m = mock_new(1);
    dn_kafka_txn *txn;
    REQUIRE(open_txn(&m, &txn) == DN_OK);
    EXPECT_INT(dn_kafka_txn_last_acked(txn, 0), -1);
    EXPECT(write_some(txn) == DN_OK);
    EXPECT_INT(dn_kafka_txn_last_acked(txn, 0), 99);
    EXPECT_INT(dn_kafka_txn_repeats(txn), 0);
    EXPECT_INT(dn_kafka_txn_pending_records(txn), 0);
    dn_kafka_txn_close(txn);
    mock_free(&m);
}

CASE(abortable_error_makes_the_records_again) {
    mock m = mock_new(1);
    dn_kafka_txn *txn;
    REQUIRE(open_txn(&m, &txn) == DN_OK);
    rd_kafka_mock_push_request_errors(m.cluster, ADD_OFFSETS, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    rd_kafka_mock_push_request_errors(m.cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_MSG);
    EXPECT(write_some(txn) == DN_OK);
    EXPECT(dn_kafka_txn_repeats(txn) >= 1);
    dn_kafka_txn_close(txn);
    mock_free(&m);
}

CASE(missing_right_to_write_is_told) {
    mock m = mock_new(1);
    dn_kafka_txn *txn;
    REQUIRE(open_txn(&m, &txn) == DN_OK);
    rd_kafka_mock_push_request_errors(m.cluster, PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    EXPECT(write_some(txn) == DN_FATAL);
    EXPECT_TEXT(last_error(), "DENIED");
    EXPECT(told("topic t refuses a record"));
    dn_kafka_txn_close(txn);
    mock_free(&m);
}

CASE(missing_right_to_a_transactional_id_is_told) {
    mock m = mock_new(1);
    dn_kafka_txn *txn;
    rd_kafka_mock_push_request_errors(m.cluster, INIT_PRODUCER_ID, 1,
                                      RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    EXPECT(open_txn(&m, &txn) == DN_FATAL);
    EXPECT_TEXT(last_error(), "DENIED");
    EXPECT(told("transactions of j.p.0"));
    mock_free(&m);
}

CASE(fenced_commit_is_told) {
    mock m = mock_new(1);
    dn_kafka_txn *txn;
    REQUIRE(open_txn(&m, &txn) == DN_OK);
    rd_kafka_mock_push_request_errors(m.cluster, END_TXN, 1, RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
    EXPECT(write_some(txn) == DN_FATAL);
    EXPECT_TEXT(last_error(), "FENCED");
    EXPECT(told("another instance of j.p.0"));
    dn_kafka_txn_close(txn);
    mock_free(&m);
}

CASE(passing_errors_are_waited_out) {
    mock m = mock_new(1);
    dn_kafka_txn *txn;
    rd_kafka_mock_push_request_errors(m.cluster, INIT_PRODUCER_ID, 2,
                                      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                      RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    REQUIRE(open_txn(&m, &txn) == DN_OK);
    rd_kafka_mock_push_request_errors(m.cluster, END_TXN, 2,
                                      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                                      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    EXPECT(write_some(txn) == DN_OK);
    dn_kafka_txn_close(txn);
    mock_free(&m);
}

/* ---- consumers */

static dn_status open_consumer(mock *m, dn_kafka_consumer **consumer) {
    static const int32_t partition = 0;
    dn_kafka_consumer_conf conf = {.kafka = m->kafka,
                                   .topic = "t",
                                   .group = "g",
                                   .client_id = "c",
                                   .n_slots = 1,
                                   .partition = &partition,
                                   .prefetch_bytes = 1 << 20};
    return dn_kafka_consumer_open(&conf, consumer);
}

/* Waits for the next event that is one. */
static dn_kafka_event next_event(dn_kafka_consumer *consumer, dn_kafka_record *record) {
    dn_kafka_event event = DN_KAFKA_NOTHING;
    for (int i = 0; i < 100 && event == DN_KAFKA_NOTHING; i++) {
        if (dn_kafka_consumer_next(consumer, 0, 100 * ms, record, &event) != DN_OK) {
            return DN_KAFKA_NOTHING;
        }
    }
    return event;
}

CASE(refused_offset_is_a_gap_that_can_be_passed) {
    mock m = mock_new(1);
    dn_kafka_txn *txn;
    REQUIRE(open_txn(&m, &txn) == DN_OK);
    EXPECT(write_some(txn) == DN_OK);
    dn_kafka_txn_close(txn);
    dn_kafka_consumer *consumer;
    dn_kafka_record record;
    int64_t start = 10;
    REQUIRE(open_consumer(&m, &consumer) == DN_OK);
    rd_kafka_mock_push_request_errors(m.cluster, FETCH, 1, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
    REQUIRE(dn_kafka_consumer_start(consumer, &start) == DN_OK);
    EXPECT_INT(next_event(consumer, &record), DN_KAFKA_GAP);
    EXPECT(dn_kafka_consumer_seek(consumer, 0, 20) == DN_OK);
    EXPECT_INT(next_event(consumer, &record), DN_KAFKA_RECORD);
    EXPECT_INT(record.offset, 20);
    EXPECT_INT(record.sent_ns, 20);
    EXPECT(dn_span_is(record.value, "value"));
    EXPECT(record.key.ptr == NULL);
    dn_kafka_consumer_close(consumer);
    mock_free(&m);
}

CASE(missing_right_to_read_is_told) {
    mock m = mock_new(1);
    dn_kafka_consumer *consumer;
    dn_kafka_record record;
    int64_t start = 10;
    dn_kafka_txn *txn;
    REQUIRE(open_txn(&m, &txn) == DN_OK);
    EXPECT(write_some(txn) == DN_OK);
    dn_kafka_txn_close(txn);
    REQUIRE(open_consumer(&m, &consumer) == DN_OK);
    rd_kafka_mock_push_request_errors(m.cluster, FETCH, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    REQUIRE(dn_kafka_consumer_start(consumer, &start) == DN_OK);
    EXPECT_INT(next_event(consumer, &record), DN_KAFKA_NOTHING);
    EXPECT_TEXT(last_error(), "DENIED");
    EXPECT(told("topic t, partition 0"));
    dn_kafka_consumer_close(consumer);
    mock_free(&m);
}

CASE(missing_partition_is_told) {
    mock m = mock_new(1);
    dn_kafka_consumer *consumer;
    int32_t partition = 7;
    dn_kafka_consumer_conf conf = {.kafka = m.kafka,
                                   .topic = "t",
                                   .group = "g",
                                   .n_slots = 1,
                                   .partition = &partition,
                                   .prefetch_bytes = 1 << 20};
    EXPECT(dn_kafka_consumer_open(&conf, &consumer) == DN_FATAL);
    EXPECT_TEXT(last_error(), "TOPIC");
    EXPECT(told("partition 7 was expected"));
    mock_free(&m);
}

CASE(idle_consumer_sleeps) {
    mock m = mock_new(1);
    dn_kafka_consumer *consumer;
    dn_kafka_record record;
    int64_t start = -1;
    REQUIRE(open_consumer(&m, &consumer) == DN_OK);
    REQUIRE(dn_kafka_consumer_start(consumer, &start) == DN_OK);
    EXPECT_INT(next_event(consumer, &record), DN_KAFKA_EOF);
    EXPECT_INT(record.offset, 0);
    int64_t begin = dn_mono_ns(), cpu = dn_thread_cpu_ns();
    EXPECT(dn_kafka_consumer_wait(consumer, 300 * ms) == DN_OK);
    EXPECT(dn_mono_ns() - begin >= 290 * ms);
    EXPECT(dn_thread_cpu_ns() - cpu < 100 * ms);
    dn_kafka_consumer_close(consumer);
    mock_free(&m);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
