/* Topic source and sink against a real broker: what is written is read, once, from where it stopped. */
#include "kafka/rig.h"
#include "sink/sinks.h"
#include "sink/topic.h"
#include "source/sources.h"
#include "test.h"

#include "base/clock.h"
#include "base/memory.h"

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
    EXPECT_INT(sink.ops->cursor(sink.sink, 1), ROWS - 200);
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

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
