/* What goes wrong with a broker and with writers, and that every record is there once afterwards.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "io/kafka_txn.h"
#include "kafka/rig.h"
#include "sink/sinks.h"
#include "sink/topic.h"
#include "source/sources.h"
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARTITIONS = 2 };

static const int64_t ms = 1000000;

static dn_sink_env sink_env(const char *pipeline, const dn_map *kafka) {
    return (dn_sink_env){.job = "fault",
                         .pipeline = pipeline,
                         .output = "out",
                         .schema = rig_schema(),
                         .topic = "corpus",
                         .size = 1,
                         .n_partitions = PARTITIONS,
                         .kafka = kafka};
}

static int64_t read_all(const char *topic, int n_ids, uint8_t *seen) {
    dn_source_env env = {.job = "fault",
                         .pipeline = "read",
                         .size = 1,
                         .n_partitions = PARTITIONS,
                         .bounded = true,
                         .kafka = rig_kafka()};
    rig_source source;
    int64_t n = -3;
    if (rig_source_open(&source, &dn_source_kafka_topic, &env, "name", topic, NULL) == DN_OK) {
        n = rig_source_count(&source, n_ids, seen);
    } else {
        fprintf(stderr, "open: %s\n", dn_failure_last()->text);
    }
    rig_source_close(&source);
    return n;
}

static const char *last_error(void) {
    return dn_error_get(dn_failure_last()->error)->name;
}

/* Even ids to partition 0, odd ones to 1, from wherever the sink stopped, with a commit after every
 * `step` rows. */
static dn_status write_from_cursors(rig_sink *sink, int n_rows, int step) {
    dn_chunk *chunk = dn_chunk_new(&sink->schema);
    dn_status status = DN_OK;
    for (int i = 0; i < n_rows && status == DN_OK; i += step) {
        for (int p = 0; p < PARTITIONS && status == DN_OK; p++) {
            dn_chunk_reset(chunk);
            chunk->partition = p;
            for (int k = i + p; k < i + step && k < n_rows; k += PARTITIONS) {
                uint32_t row = dn_chunk_append(chunk, k, DN_NULL_I64, k);
                dn_chunk_i64(chunk, RIG_ID)[row] = k;
                dn_chunk_bytes(chunk, RIG_USER)[row] = DN_SPAN("u");
                dn_chunk_bytes(chunk, RIG_TEXT)[row] = DN_SPAN("t");
            }
            chunk->next = i + step;
            status = rig_sink_write(sink, chunk);
        }
        if (status == DN_OK) {
            status = sink->ops->commit(sink->sink, DN_ALL_PARTITIONS);
        }
    }
    dn_chunk_free(chunk);
    return status;
}

CASE(transaction_that_was_open_too_long_is_made_again) {
    const char *topic = rig_topic("late", PARTITIONS);
    const dn_map *kafka = rig_kafka_with(rig_kafka(), "transaction.timeout.ms", "1000", NULL);
    dn_sink_env env = sink_env("late", kafka);
    rig_sink sink;
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, "linger", "0ms",
                          NULL) == DN_OK);
    EXPECT(rig_sink_rows(&sink, 0, 0, 300) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT(rig_sink_rows(&sink, 0, 300, 600) == DN_OK);
    dn_sleep_until_ns(dn_mono_ns() + 3500 * ms);
    EXPECT(rig_sink_rows(&sink, 1, 600, 900) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT(rig_sink_rows(&sink, 1, 900, 1000) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    rig_sink_close(&sink);
    uint8_t seen[1000] = {0};
    EXPECT_INT(read_all(topic, 1000, seen), 1000);
    EXPECT_INT(rig_not_once(seen, 1000), 0);
}

CASE(newer_instance_fences_the_older) {
    const char *topic = rig_topic("fence", PARTITIONS);
    dn_sink_env env = sink_env("fence", rig_kafka());
    rig_sink older, newer;
    REQUIRE(rig_sink_open(&older, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT(rig_sink_rows(&older, 0, 0, 100) == DN_OK);
    REQUIRE(rig_sink_open(&newer, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT_INT(newer.ops->cursor(newer.sink, 0), DN_CURSOR_NONE);
    EXPECT(rig_sink_rows(&newer, 0, 0, 200) == DN_OK);
    EXPECT(older.ops->commit(older.sink, DN_ALL_PARTITIONS) == DN_FATAL);
    EXPECT_TEXT(last_error(), "FENCED");
    EXPECT(newer.ops->commit(newer.sink, DN_ALL_PARTITIONS) == DN_OK);
    rig_sink_close(&older);
    rig_sink_close(&newer);
    uint8_t seen[200] = {0};
    EXPECT_INT(read_all(topic, 200, seen), 200);
    EXPECT_INT(rig_not_once(seen, 200), 0);
}

/* The older one slept so long that its transaction had ended anyway: the moved cursor tells it. */
CASE(sleeper_sees_that_it_was_replaced) {
    const char *topic = rig_topic("sleep", PARTITIONS);
    const dn_map *kafka = rig_kafka_with(rig_kafka(), "transaction.timeout.ms", "1000", NULL);
    dn_sink_env env = sink_env("sleep", kafka);
    rig_sink older, newer;
    REQUIRE(rig_sink_open(&older, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT(rig_sink_rows(&older, 0, 0, 100) == DN_OK);
    dn_sleep_until_ns(dn_mono_ns() + 1200 * ms);
    REQUIRE(rig_sink_open(&newer, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT(rig_sink_rows(&newer, 0, 0, 250) == DN_OK);
    EXPECT(newer.ops->commit(newer.sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT(older.ops->commit(older.sink, DN_ALL_PARTITIONS) == DN_FATAL);
    EXPECT_TEXT(last_error(), "FENCED");
    rig_sink_close(&older);
    rig_sink_close(&newer);
    uint8_t seen[250] = {0};
    EXPECT_INT(read_all(topic, 250, seen), 250);
    EXPECT_INT(rig_not_once(seen, 250), 0);
}

/* ---- kill -9 of the writer */

enum { WRITER_STEP = 400 };

static pid_t start_writer(const char *topic, int n_rows, bool stays) {
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    dn_sink_env env = sink_env("kill", rig_kafka());
    rig_sink sink;
    if (rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, "linger", "1ms", NULL) !=
            DN_OK ||
        write_from_cursors(&sink, n_rows, WRITER_STEP) != DN_OK) {
        fprintf(stderr, "child: %s\n", dn_failure_last()->text);
        _exit(1);
    }
    if (stays) {
        pause();
    }
    _exit(0);
}

/* Before, while or after it writes; it is there to be killed however fast the machine is. */
static void kill_writer(const char *topic, int n_rows, int64_t life_ns) {
    int rc = 0;
    pid_t child = start_writer(topic, n_rows, true);
    dn_sleep_until_ns(dn_mono_ns() + life_ns);
    kill(child, SIGKILL);
    waitpid(child, &rc, 0);
    EXPECT(WIFSIGNALED(rc));
}

CASE(killed_writers_lose_and_repeat_nothing) {
    enum { KILLS = 12, SHARE = 4 * WRITER_STEP, ROWS = (KILLS + 1) * SHARE };
    const char *topic = rig_topic("kill", PARTITIONS);
    for (int i = 1; i <= KILLS; i++) {
        kill_writer(topic, i * SHARE, (int64_t)(50 + dn_random() % 700) * ms);
    }
    int rc = 0;
    waitpid(start_writer(topic, ROWS, false), &rc, 0);
    EXPECT_INT(rc, 0);
    uint8_t *seen = dn_alloc(ROWS);
    EXPECT_INT(read_all(topic, ROWS, seen), ROWS);
    EXPECT_INT(rig_not_once(seen, ROWS), 0);
    free(seen);
}

/* ---- kill -9 of the broker */

static void *bounce_broker(void *unused) {
    (void)unused;
    dn_sleep_until_ns(dn_mono_ns() + 400 * ms);
    rig_broker_kill();
    dn_sleep_until_ns(dn_mono_ns() + 300 * ms);
    rig_broker_start();
    return NULL;
}

CASE(killed_broker_loses_and_repeats_nothing) {
    enum { ROWS = 30000 };
    const char *topic = rig_topic("bounce", PARTITIONS);
    dn_sink_env env = sink_env("bounce", rig_kafka());
    rig_sink sink;
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, "linger", "1ms",
                          NULL) == DN_OK);
    dn_source_env from = {.job = "fault",
                          .pipeline = "bounce-read",
                          .size = 1,
                          .n_partitions = PARTITIONS,
                          .bounded = true,
                          .kafka = rig_kafka()};
    pthread_t thread;
    pthread_create(&thread, NULL, bounce_broker, NULL);
    EXPECT(write_from_cursors(&sink, ROWS, 300) == DN_OK);
    pthread_join(thread, NULL);
    /* The transactions after the restart of the broker are new ones of the same writer. */
    rig_sink_close(&sink);
    uint8_t *seen = dn_alloc(ROWS);
    rig_source source;
    REQUIRE(rig_source_open(&source, &dn_source_kafka_topic, &from, "name", topic, NULL) == DN_OK);
    pthread_create(&thread, NULL, bounce_broker, NULL);
    dn_sleep_until_ns(dn_mono_ns() + 500 * ms);
    EXPECT_INT(rig_source_count(&source, ROWS, seen), ROWS);
    pthread_join(thread, NULL);
    EXPECT_INT(rig_not_once(seen, ROWS), 0);
    rig_source_close(&source);
    free(seen);
}

/* Longer than `outage` without a broker: the run ends with the cause, and a restart goes on. */
CASE(broker_that_stays_away_ends_the_run) {
    const char *topic = rig_topic("away", PARTITIONS);
    const dn_map *kafka = rig_kafka_with(rig_kafka(), "outage", "2s", NULL);
    dn_sink_env env = sink_env("away", kafka);
    dn_source_env from = {.job = "fault",
                          .pipeline = "away-read",
                          .size = 1,
                          .n_partitions = PARTITIONS,
                          .kafka = kafka};
    rig_sink sink;
    rig_source source;
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    REQUIRE(rig_source_open(&source, &dn_source_kafka_topic, &from, "name", topic, NULL) == DN_OK);
    EXPECT(write_from_cursors(&sink, 100, 100) == DN_OK);
    rig_broker_kill();
    EXPECT(rig_sink_rows(&sink, 0, 100, 200) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_FATAL);
    EXPECT_TEXT(last_error(), "BROKER");
    EXPECT(strstr(dn_failure_last()->text, "Connection refused"));
    dn_status status = DN_OK;
    dn_poll what;
    for (int i = 0; i < 200 && status == DN_OK; i++) {
        dn_chunk_reset(source.chunk);
        status = source.ops->poll(source.source, 100 * ms, source.chunk, &what);
    }
    EXPECT(status == DN_FATAL);
    EXPECT_TEXT(last_error(), "BROKER");
    rig_sink_close(&sink);
    rig_source_close(&source);
    rig_broker_start();

    env.kafka = rig_kafka();
    REQUIRE(rig_sink_open(&sink, &dn_sink_kafka_topic, &env, "name", topic, NULL) == DN_OK);
    EXPECT_INT(sink.ops->cursor(sink.sink, 0), 100);
    EXPECT(write_from_cursors(&sink, 200, 100) == DN_OK);
    rig_sink_close(&sink);
    uint8_t seen[200] = {0};
    EXPECT_INT(read_all(topic, 200, seen), 200);
    EXPECT_INT(rig_not_once(seen, 200), 0);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
