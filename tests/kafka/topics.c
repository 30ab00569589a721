/* Topic source and sink against a real broker: what is written is read, once, from where it
 * stopped. */
#include "io/kafka_txn.h"
#include "kafka/rig.h"
#include "sink/sinks.h"
#include "sink/topic.h"
#include "source/sources.h"
#include "test.h"

#include "base/clock.h"
#include "base/memory.h"

#include <pthread.h>

enum { PARTITIONS = 4, ROWS = 5000 };

static dn_sink_env sink_env(const char *pipeline) {
    return (dn_sink_env){.job = "test",
                         .pipeline = pipeline,
                         .output = "out",
                         .schema = rig_schema(),
                         .topic = "corpus",
                         .size = 1,
                         .n_partitions = PARTITIONS,
                         .kafka = rig_kafka()};
}

static dn_source_env source_env(int n_partitions) {
    return (dn_source_env){.job = "test",
                           .pipeline = "read",
                           .size = 1,
                           .n_partitions = n_partitions,
                           .bounded = true,
                           .kafka = rig_kafka()};
}

/* Row i belongs to partition i % PARTITIONS in blocks of 100. */
static dn_status write_rows(rig_sink *sink, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i += 100) {
        DN_TRY(rig_sink_rows(sink, (int32_t)(i / 100 % PARTITIONS), i, i + 100));
    }
    return DN_OK;
}

static int64_t read_all(const char *topic, int n_partitions, int n_ids, uint8_t *seen) {
    rig_source source;
    dn_source_env env = source_env(n_partitions);
    int64_t n = -3;
    if (rig_source_open(&source, &dn_source_kafka_topic, &env, "name", topic, NULL) == DN_OK) {
        n = rig_source_count(&source, n_ids, seen);
    } else {
        fprintf(stderr, "open: %s\n", dn_failure_last()->text);
    }
    rig_source_close(&source);
    return n;
}

CASE(written_is_read_once) {
    const char *topic = rig_topic("round", PARTITIONS);
    rig_sink sink;
    dn_sink_env env = sink_env("ingest1");
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT_INT(sink.ops->cursor(sink.sink, 0), DN_CURSOR_NONE);
    EXPECT(write_rows(&sink, 0, ROWS) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT_INT(sink.ops->cursor(sink.sink, 0), ROWS - 100);
    EXPECT_INT(dn_topic_sink_last_acked(sink.sink, 0), 1299);
    rig_sink_close(&sink);

    uint8_t seen[ROWS] = {0};
    EXPECT_INT(read_all(topic, PARTITIONS, ROWS, seen), ROWS);
    EXPECT_INT(rig_not_once(seen, ROWS), 0);
}

CASE(uncommitted_is_not_read_and_made_again) {
    const char *topic = rig_topic("again", PARTITIONS);
    rig_sink sink;
    dn_sink_env env = sink_env("ingest2");
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT(write_rows(&sink, 0, 2000) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT(write_rows(&sink, 2000, 4000) == DN_OK);
    rig_sink_close(&sink);
    uint8_t seen[ROWS] = {0};
    EXPECT_INT(read_all(topic, PARTITIONS, ROWS, seen), 2000);

    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT_INT(sink.ops->cursor(sink.sink, 3), 2000);
    /* From the very start: what lies below the cursors is dropped by the sink itself. */
    EXPECT(write_rows(&sink, 0, ROWS) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    rig_sink_close(&sink);
    memset(seen, 0, sizeof seen);
    EXPECT_INT(read_all(topic, PARTITIONS, ROWS, seen), ROWS);
    EXPECT_INT(rig_not_once(seen, ROWS), 0);
}

CASE(two_ranks_share_the_partitions) {
    const char *topic = rig_topic("ranks", PARTITIONS);
    for (int rank = 0; rank < 2; rank++) {
        rig_sink sink;
        dn_sink_env env = sink_env("ingest3");
        env.rank = rank;
        env.size = 2;
        REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
        for (int64_t i = 0; i < 2000; i += 100) {
            if (i / 100 % PARTITIONS % 2 == rank) {
                EXPECT(rig_sink_rows(&sink, (int32_t)(i / 100 % PARTITIONS), i, i + 100) == DN_OK);
            }
        }
        EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
        rig_sink_close(&sink);
    }
    uint8_t seen[2000] = {0};
    int64_t n[2];
    for (int rank = 0; rank < 2; rank++) {
        rig_source source;
        dn_source_env env = source_env(PARTITIONS);
        env.rank = rank;
        env.size = 2;
        REQUIRE(rig_source_open(&source, &dn_source_kafka_topic, &env, "name", topic, NULL) ==
                DN_OK);
        n[rank] = rig_source_count(&source, 2000, seen);
        rig_source_close(&source);
    }
    EXPECT_INT(n[0], 1000);
    EXPECT_INT(n[1], 1000);
    EXPECT_INT(rig_not_once(seen, 2000), 0);
}

CASE(fewer_ranks_take_over_from_more) {
    const char *topic = rig_topic("shrink", PARTITIONS);
    rig_sink sink[3];
    for (int rank = 0; rank < 3; rank++) {
        dn_sink_env env = sink_env("ingest4");
        env.rank = rank;
        env.size = 3;
        REQUIRE(rig_sink_open(&sink[rank], &dn_sink_kafka_topic, &env, "name", topic, NULL) ==
                DN_OK);
        EXPECT(rig_sink_rows(&sink[rank], rank, 0, 100) == DN_OK);
        EXPECT(sink[rank].ops->commit(sink[rank].sink, DN_ALL_PARTITIONS) == DN_OK);
        EXPECT(rig_sink_rows(&sink[rank], rank, 100, 200) == DN_OK);
    }
    rig_sink one;
    dn_sink_env env = sink_env("ingest4");
    REQUIRE(rig_sink_open(&one, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT_INT(one.ops->cursor(one.sink, 2), 100);
    /* Rank 2 is no more: what it still tries is refused, because rank 0 has taken over its
     * transactions. */
    EXPECT(sink[2].ops->commit(sink[2].sink, DN_ALL_PARTITIONS) == DN_FATAL);
    EXPECT_TEXT(dn_error_get(dn_failure_last()->error)->name, "FENCED");
    for (int rank = 0; rank < 3; rank++) {
        rig_sink_close(&sink[rank]);
    }
    rig_sink_close(&one);
}

CASE(partitions_may_differ) {
    const char *topic = rig_topic("fewer", 8);
    rig_sink sink;
    dn_sink_env env = sink_env("ingest5");
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, "key", "text", NULL) ==
            DN_OK);
    EXPECT(write_rows(&sink, 0, ROWS) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    rig_sink_close(&sink);
    uint8_t seen[ROWS] = {0};
    EXPECT_INT(read_all(topic, 8, ROWS, seen), ROWS);
    EXPECT_INT(rig_not_once(seen, ROWS), 0);
    /* Keys spread over all partitions. */
    dn_kafka_client *client;
    REQUIRE(dn_kafka_client_open(rig_kafka(), &client) == DN_OK);
    for (int p = 0; p < 8; p++) {
        int64_t first, end;
        EXPECT(dn_kafka_topic_range(client, topic, p, &first, &end) == DN_OK);
        EXPECT(end - first > ROWS / 16);
    }
    dn_kafka_client_close(client);
}

CASE(cursors_need_partitions) {
    const char *topic = rig_topic("narrow", 2);
    rig_sink sink;
    dn_sink_env env = sink_env("ingest6");
    EXPECT(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_FATAL);
    EXPECT_TEXT(dn_error_get(dn_failure_last()->error)->name, "TOPIC");
    EXPECT(strstr(dn_failure_last()->text, "has 2 partitions, but the source has 4"));
    rig_sink_close(&sink);
}

CASE(cursors_of_a_topic_are_offsets_of_that_topic) {
    const char *in = rig_topic("in", PARTITIONS), *out = rig_topic("out", PARTITIONS);
    rig_sink sink;
    dn_sink_env env = sink_env("enrich7");
    env.topic = in;
    env.topic_in_kafka = true;
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", out, NULL) == DN_OK);
    EXPECT(rig_sink_rows(&sink, 2, 0, 700) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    rig_sink_close(&sink);
    int64_t offset[PARTITIONS];
    int size;
    EXPECT(dn_kafka_cursors_read(rig_kafka(), "test.enrich7", in, PARTITIONS, offset, &size) ==
           DN_OK);
    EXPECT_INT(offset[2], 700);
    EXPECT_INT(offset[0], -1);
    EXPECT_INT(size, 1);
}

CASE(source_goes_on_where_told) {
    const char *topic = rig_topic("start", 1);
    rig_sink sink;
    dn_sink_env env = sink_env("ingest8");
    env.n_partitions = 1;
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT(rig_sink_rows(&sink, 0, 0, 1000) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    rig_sink_close(&sink);

    int64_t start = 990;
    rig_source source;
    dn_source_env from = source_env(1);
    from.start = &start;
    REQUIRE(rig_source_open(&source, &dn_source_kafka_topic, &from, "name", topic, NULL) == DN_OK);
    dn_poll what = DN_POLL_IDLE;
    for (int i = 0; i < 50 && what == DN_POLL_IDLE; i++) {
        REQUIRE(source.ops->poll(source.source, 100000000, source.chunk, &what) == DN_OK);
    }
    EXPECT_INT(what, DN_POLL_CHUNK);
    EXPECT_INT(source.chunk->n_rows, 10);
    EXPECT_INT(source.chunk->offset[0], 990);
    /* Behind the transaction's marker when the end was seen in time, else behind the last record.
     */
    EXPECT(source.chunk->next == 1000 || source.chunk->next == 1001);
    /* The header dn-sent, not Kafka's timestamp of now. */
    EXPECT_INT(source.chunk->sent_ns[0], 1000000990);
    dn_span key = dn_chunk_bytes(source.chunk, dn_schema_find(&source.schema, "key"))[0];
    EXPECT(dn_span_is(key, "ann"));
    dn_span value = dn_chunk_bytes(source.chunk, dn_schema_find(&source.schema, "value"))[0];
    EXPECT(dn_span_is(value, "{\"id\":990,\"user\":\"ann\",\"text\":\"text of record 990\"}"));
    rig_source_close(&source);
}

CASE(gap_is_an_error_or_the_earliest) {
    const char *topic = rig_topic("gap", 1);
    rig_sink sink;
    dn_sink_env env = sink_env("ingest9");
    env.n_partitions = 1;
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT(rig_sink_rows(&sink, 0, 0, 300) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    rig_sink_close(&sink);

    int64_t start = 5000;
    rig_source source;
    dn_source_env from = source_env(1);
    from.start = &start;
    EXPECT(rig_source_open(&source, &dn_source_kafka_topic, &from, "name", topic, NULL) ==
           DN_FATAL);
    EXPECT_TEXT(dn_error_get(dn_failure_last()->error)->name, "TOPIC");
    EXPECT(strstr(dn_failure_last()->text, "partition 0: offset 5000 is needed"));
    rig_source_close(&source);

    uint8_t seen[300] = {0};
    REQUIRE(rig_source_open(&source, &dn_source_kafka_topic, &from, "name", topic, "on_gap",
                            "earliest", NULL) == DN_OK);
    EXPECT_INT(rig_source_count(&source, 300, seen), 300);
    EXPECT_INT(rig_not_once(seen, 300), 0);
    rig_source_close(&source);
}

/* A feeding pipeline, as run/ tells of it. */
typedef struct feeder {
    bool ended;
    int64_t last;
} feeder;

static bool fed(void *ctx, int32_t partition, int64_t *last) {
    const feeder *f = ctx;
    *last = partition == 0 ? f->last : -1;
    return f->ended;
}

CASE(fed_source_ends_behind_the_last_acknowledged) {
    const char *topic = rig_topic("fed", 2);
    rig_sink sink;
    feeder f = {false, -1};
    dn_sink_env env = sink_env("ingest10");
    env.n_partitions = 2;
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    rig_source source;
    dn_source_env from = source_env(2);
    from.fed = fed;
    from.fed_ctx = &f;
    REQUIRE(rig_source_open(&source, &dn_source_kafka_topic, &from, "name", topic, NULL) == DN_OK);
    dn_poll what = DN_POLL_END;
    /* Both partitions are at their ends, but more is to come. */
    for (int i = 0; i < 5; i++) {
        EXPECT(source.ops->poll(source.source, 100000000, source.chunk, &what) == DN_OK);
        EXPECT_INT(what, DN_POLL_IDLE);
    }
    EXPECT(rig_sink_rows(&sink, 0, 0, 400) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    f = (feeder){true, dn_topic_sink_last_acked(sink.sink, 0)};
    EXPECT_INT(f.last, 399);
    rig_sink_close(&sink);
    uint8_t seen[400] = {0};
    EXPECT_INT(rig_source_count(&source, 400, seen), 400);
    EXPECT_INT(rig_not_once(seen, 400), 0);
    rig_source_close(&source);
}

/* Commits while a reader waits at the end that it can see. */
static void *commit_later(void *arg) {
    rig_sink *sink = arg;
    dn_sleep_until_ns(dn_mono_ns() + 700000000);
    EXPECT(sink->ops->commit(sink->sink, DN_ALL_PARTITIONS) == DN_OK);
    return NULL;
}

CASE(bounded_source_waits_for_undecided_records) {
    const char *topic = rig_topic("undecided", 1);
    rig_sink one, two;
    dn_sink_env env = sink_env("ingest13");
    env.n_partitions = 1;
    REQUIRE(rig_sink_open(&one, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT(rig_sink_rows(&one, 0, 0, 100) == DN_OK);
    EXPECT(one.ops->commit(one.sink, DN_ALL_PARTITIONS) == DN_OK);
    env.pipeline = "ingest14";
    REQUIRE(rig_sink_open(&two, &dn_sink_kafka_topic, &env, "name", topic, "linger", "0ms", NULL) ==
            DN_OK);
    EXPECT(rig_sink_rows(&two, 0, 100, 300) == DN_OK);
    dn_sleep_until_ns(dn_mono_ns() + 300000000);
    pthread_t thread;
    pthread_create(&thread, NULL, commit_later, &two);
    uint8_t seen[300] = {0};
    EXPECT_INT(read_all(topic, 1, 300, seen), 300);
    EXPECT_INT(rig_not_once(seen, 300), 0);
    pthread_join(thread, NULL);
    rig_sink_close(&one);
    rig_sink_close(&two);
}

CASE(oversize_record_is_told) {
    const char *topic = rig_topic("large", 1);
    dn_kafka_txn_conf conf = {.kafka = rig_kafka(),
                              .job = "test",
                              .pipeline = "large",
                              .size = 1,
                              .topic = topic,
                              .cursor_topic = topic,
                              .n_cursors = 1,
                              .compression = "none",
                              .batch_bytes = 1000};
    int64_t cursor = 1;
    dn_kafka_txn *txn;
    char *large = dn_alloc(2000000);
    REQUIRE(dn_kafka_txn_open(&conf, &cursor, &txn) == DN_OK);
    EXPECT(dn_kafka_txn_put(txn, 0, (dn_span){0}, (dn_span){large, 2000000}, 0) == DN_FATAL);
    EXPECT_TEXT(dn_error_get(dn_failure_last()->error)->name, "DATA");
    EXPECT(strstr(dn_failure_last()->text, "2000000 bytes"));
    dn_kafka_txn_close(txn);

    /* The producer may, the broker may not: told at the commit, and not tried for ever. */
    conf.kafka = rig_kafka_with(rig_kafka(), "message.max.bytes", "5000000", NULL);
    REQUIRE(dn_kafka_txn_open(&conf, &cursor, &txn) == DN_OK);
    EXPECT(dn_kafka_txn_put(txn, 0, (dn_span){0}, (dn_span){large, 2000000}, 0) == DN_OK);
    cursor = 1;
    EXPECT(dn_kafka_txn_commit(txn, &cursor) == DN_FATAL);
    EXPECT_TEXT(dn_error_get(dn_failure_last()->error)->name, "DATA");
    dn_kafka_txn_close(txn);
    free(large);
}

CASE(topics_are_made_and_compared) {
    dn_kafka_client *client;
    dn_topic_report report;
    REQUIRE(dn_kafka_client_open(rig_kafka(), &client) == DN_OK);
    dn_topic_spec spec = {.name = "declared",
                          .partitions = 3,
                          .replication = 1,
                          .retention = "forever",
                          .compression = "lz4"};
    EXPECT(dn_kafka_topic_ensure(client, &spec, false, &report) == DN_OK);
    EXPECT_INT(report.state, DN_TOPIC_MISSING);
    EXPECT(dn_kafka_topic_ensure(client, &spec, true, &report) == DN_OK);
    EXPECT_INT(report.state, DN_TOPIC_MADE);
    EXPECT_INT(report.n_partitions, 3);
    EXPECT(!report.differs);
    spec = (dn_topic_spec){.name = "declared",
                           .partitions = 5,
                           .replication = 2,
                           .retention = "1h",
                           .compression = "none"};
    EXPECT(dn_kafka_topic_ensure(client, &spec, true, &report) == DN_OK);
    EXPECT_INT(report.state, DN_TOPIC_PRESENT);
    EXPECT_TEXT(
        report.difference,
        "partitions: declared 5, broker has 3; replication: declared 2, broker has 1; "
        "compression.type: "
        "declared uncompressed, broker has lz4; retention.ms: declared 3600000, broker has -1");
    spec = (dn_topic_spec){.name = "too many copies", .replication = 3};
    EXPECT(dn_kafka_topic_ensure(client, &spec, true, &report) == DN_FATAL);
    dn_kafka_client_close(client);
}

CASE(missing_topic_is_told) {
    rig_source source;
    dn_source_env env = source_env(1);
    EXPECT(rig_source_open(&source, &dn_source_kafka_topic, &env, "name", "nowhere", NULL) ==
           DN_FATAL);
    EXPECT_TEXT(dn_error_get(dn_failure_last()->error)->name, "TOPIC");
    EXPECT(strstr(dn_failure_last()->text, "topic nowhere does not exist"));
    const char *name;
    int n;
    EXPECT(dn_source_kafka_topic.describe(source.conf, rig_kafka(), &name, &n) == DN_FATAL);
    rig_source_close(&source);
    rig_sink sink;
    dn_sink_env to = sink_env("ingest11");
    EXPECT(rig_sink_open(&sink, &dn_sink_kafka_topic, &to, "name", "nowhere", NULL) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "topic nowhere does not exist"));
    rig_sink_close(&sink);
}

CASE(other_number_of_partitions_is_told) {
    const char *topic = rig_topic("three", 3);
    rig_source source;
    dn_source_env env = source_env(2);
    EXPECT(rig_source_open(&source, &dn_source_kafka_topic, &env, "name", topic, NULL) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "had 2 partitions and has 3 now"));
    rig_source_close(&source);
}

CASE(kcat_reads_the_same) {
    const char *topic = rig_topic("kcat", 1);
    if (!*rig_shell("command -v kcat")) {
        SKIP("kcat is not installed");
    }
    rig_sink sink;
    dn_sink_env env = sink_env("ingest12");
    env.n_partitions = 1;
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, "compression", "zstd",
                          NULL) == DN_OK);
    EXPECT(rig_sink_rows(&sink, 0, 0, 1234) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT(rig_sink_rows(&sink, 0, 1234, 2000) == DN_OK);
    rig_sink_close(&sink);
    const char *broker = dn_map_get(rig_kafka(), "bootstrap.servers");
    EXPECT_TEXT(rig_shell("kcat -C -e -q -b %s -t %s -X isolation.level=read_committed -f '%%s\\n' "
                          "| sort -u | wc -l",
                          broker, topic),
                "1234");
    EXPECT_TEXT(rig_shell("kcat -C -e -q -b %s -t %s -c 1 -f '%%k %%h %%s\\n' | cut -c 1-12",
                          broker, topic),
                "ann dn-sent=");
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
