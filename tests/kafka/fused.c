/* Topics without a broker: in memory between two pipelines, and as files. */
#include "base/clock.h"
#include "base/memory.h"
#include "flow/bus.h"
#include "kafka/rig.h"
#include "sink/sinks.h"
#include "source/sources.h"
#include "test.h"

#include <pthread.h>

enum { PARTITIONS = 3, ROWS = 60000 };

static dn_sink_env sink_env(void) {
    return (dn_sink_env){.job = "test",
                         .pipeline = "write",
                         .output = rig_folder(),
                         .schema = rig_schema(),
                         .topic = "corpus",
                         .size = 1,
                         .n_partitions = PARTITIONS};
}

/* ---- memory */

typedef struct writer {
    dn_bus *bus;
    int64_t first, last;
    dn_status status;
} writer;

/* Rows of partition p: all ids that are equal to p modulo the partitions; offsets are ids. */
static dn_status write_rows(rig_sink *sink, int64_t first, int64_t last) {
    dn_chunk *chunk = dn_chunk_new(&sink->schema);
    dn_status status = DN_OK;
    for (int64_t i = first; i < last && status == DN_OK; i += 900) {
        int64_t end = i + 900 < last ? i + 900 : last;
        for (int p = 0; p < PARTITIONS && status == DN_OK; p++) {
            dn_chunk_reset(chunk);
            chunk->partition = p;
            for (int64_t k = i + (p - i % PARTITIONS + PARTITIONS) % PARTITIONS; k < end;
                 k += PARTITIONS) {
                uint32_t row = dn_chunk_append(chunk, k, DN_NULL_I64, 5 * k);
                dn_chunk_i64(chunk, RIG_ID)[row] = k;
                dn_chunk_bytes(chunk, RIG_USER)[row] = DN_SPAN("u");
                dn_chunk_bytes(chunk, RIG_TEXT)[row] = DN_SPAN("some text");
            }
            chunk->next = end;
            status = rig_sink_write(sink, chunk);
        }
    }
    dn_chunk_free(chunk);
    return status;
}

static void *write_bus(void *arg) {
    writer *w = arg;
    dn_sink_env env = sink_env();
    env.bus = w->bus;
    rig_sink sink;
    w->status = rig_sink_open(&sink, &dn_sink_memory_topic, &env, "name", "t", NULL);
    if (w->status == DN_OK) {
        w->status = write_rows(&sink, w->first, w->last);
    }
    rig_sink_close(&sink);
    return NULL;
}

static dn_status open_reader(rig_source *source, dn_bus *bus, const int64_t *start) {
    dn_source_env env = {.job = "test",
                         .pipeline = "read",
                         .size = 1,
                         .n_partitions = PARTITIONS,
                         .bounded = true,
                         .start = start,
                         .bus = bus};
    return rig_source_open(source, &dn_source_memory_topic, &env, "name", "t", "partitions", "3",
                           NULL);
}

CASE(bus_carries_every_record_once) {
    dn_bus *bus = dn_bus_new("t", PARTITIONS);
    writer w = {bus, 0, ROWS, DN_OK};
    rig_source source;
    REQUIRE(open_reader(&source, bus, NULL) == DN_OK);
    pthread_t thread;
    pthread_create(&thread, NULL, write_bus, &w);
    uint8_t *seen = dn_alloc(ROWS);
    EXPECT_INT(rig_source_count(&source, ROWS, seen), ROWS);
    EXPECT_INT(rig_not_once(seen, ROWS), 0);
    pthread_join(thread, NULL);
    EXPECT(w.status == DN_OK);
    rig_source_close(&source);
    dn_bus_free(bus);
    free(seen);
}

CASE(bus_goes_on_where_the_reader_starts) {
    dn_bus *bus = dn_bus_new("t", PARTITIONS);
    int64_t start[PARTITIONS] = {3000, -1, 4001};
    for (int p = 0; p < PARTITIONS; p++) {
        dn_bus_set_start(bus, p, start[p]);
    }
    writer w = {bus, 0, 6000, DN_OK};
    rig_source source;
    REQUIRE(open_reader(&source, bus, start) == DN_OK);
    pthread_t thread;
    pthread_create(&thread, NULL, write_bus, &w);
    uint8_t seen[6000] = {0};
    /* 1,000 of partition 0, all 2,000 of partition 1, those from 4,001 on of partition 2. */
    EXPECT_INT(rig_source_count(&source, 6000, seen), 1000 + 2000 + 667);
    EXPECT_INT(seen[2997] + seen[3000] + seen[1] + seen[3998] + seen[4001], 3);
    pthread_join(thread, NULL);
    rig_source_close(&source);
    dn_bus_free(bus);
}

CASE(bus_keeps_columns_offsets_and_times) {
    dn_bus *bus = dn_bus_new("t", PARTITIONS);
    writer w = {bus, 0, 9, DN_OK};
    write_bus(&w);
    rig_source source;
    REQUIRE(open_reader(&source, bus, NULL) == DN_OK);
    dn_poll what;
    EXPECT(source.ops->poll(source.source, 0, source.chunk, &what) == DN_OK);
    EXPECT_INT(what, DN_POLL_CHUNK);
    EXPECT_INT(source.chunk->n_rows, 3);
    EXPECT_INT(source.chunk->offset[1], 3);
    EXPECT_INT(source.chunk->sent_ns[1], 15);
    EXPECT_INT(source.chunk->next, 9);
    EXPECT(dn_span_is(dn_chunk_bytes(source.chunk, dn_schema_find(&source.schema, "key"))[1], "u"));
    EXPECT(dn_span_is(dn_chunk_bytes(source.chunk, dn_schema_find(&source.schema, "value"))[1],
                      "{\"id\":3,\"user\":\"u\",\"text\":\"some text\"}"));
    rig_source_close(&source);
    dn_bus_free(bus);
}

CASE(reader_that_ends_frees_the_writer) {
    dn_bus *bus = dn_bus_new("t", PARTITIONS);
    writer w = {bus, 0, ROWS, DN_OK};
    pthread_t thread;
    pthread_create(&thread, NULL, write_bus, &w);
    rig_source source;
    REQUIRE(open_reader(&source, bus, NULL) == DN_OK);
    dn_poll what;
    EXPECT(source.ops->poll(source.source, 1000000000, source.chunk, &what) == DN_OK);
    rig_source_close(&source);
    pthread_join(thread, NULL);
    EXPECT(w.status == DN_FATAL);
    dn_bus_free(bus);
}

CASE(bus_needs_equal_partitions) {
    dn_bus *bus = dn_bus_new("t", PARTITIONS + 1);
    writer w = {bus, 0, 9, DN_OK};
    write_bus(&w);
    EXPECT(w.status == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "has 4 partitions and its source 3"));
    dn_bus_free(bus);
    rig_source source;
    EXPECT(open_reader(&source, NULL, NULL) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "written by no pipeline"));
    rig_source_close(&source);
}

/* ---- files */

static const char *lines_of(const char *topic) {
    return rig_shell("cat '%s'/topics/%s/*.jsonl | wc -l", rig_folder(), topic);
}

CASE(files_go_on_after_a_kill) {
    dn_sink_env env = sink_env();
    rig_sink sink;
    REQUIRE(rig_sink_open(&sink, &dn_sink_jsonl_topic, &env, "name", "alerts", NULL) == DN_OK);
    EXPECT_INT(sink.ops->cursor(sink.sink, 0), DN_CURSOR_NONE);
    EXPECT(write_rows(&sink, 0, 1800) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT(write_rows(&sink, 1800, 2700) == DN_OK);
    /* No commit: as after a kill; and a part file that nobody published. */
    rig_sink_close(&sink);
    rig_shell(
        "echo torn > '%s/topics/alerts/0000.00000000000000001800-00000000000000002700.jsonl.part'",
        rig_folder());
    EXPECT_TEXT(lines_of("alerts"), "1800");

    REQUIRE(rig_sink_open(&sink, &dn_sink_jsonl_topic, &env, "name", "alerts", NULL) == DN_OK);
    EXPECT_INT(sink.ops->cursor(sink.sink, 2), 1800);
    EXPECT(write_rows(&sink, 0, 5400) == DN_OK);
    EXPECT(sink.ops->commit(sink.sink, DN_ALL_PARTITIONS) == DN_OK);
    rig_sink_close(&sink);
    EXPECT_TEXT(lines_of("alerts"), "5400");
    EXPECT_TEXT(rig_shell("cat '%s'/topics/alerts/*.jsonl | sort -u | wc -l", rig_folder()),
                "5400");
    EXPECT_TEXT(rig_shell("ls '%s'/topics/alerts | head -1", rig_folder()),
                "0000.00000000000000000000-00000000000000001800.jsonl");
    EXPECT_TEXT(rig_shell("ls '%s'/topics/alerts | grep -c part", rig_folder()), "0");
}

CASE(files_of_another_run_are_not_replaced) {
    dn_sink_env env = sink_env();
    rig_sink one, two;
    REQUIRE(rig_sink_open(&one, &dn_sink_jsonl_topic, &env, "name", "shared", NULL) == DN_OK);
    REQUIRE(rig_sink_open(&two, &dn_sink_jsonl_topic, &env, "name", "shared", NULL) == DN_OK);
    EXPECT(write_rows(&one, 0, 900) == DN_OK);
    EXPECT(write_rows(&two, 0, 900) == DN_OK);
    EXPECT(one.ops->commit(one.sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT(two.ops->commit(two.sink, DN_ALL_PARTITIONS) == DN_FATAL);
    EXPECT_TEXT(dn_error_get(dn_failure_last()->error)->name, "OUTPUT_BUSY");
    rig_sink_close(&one);
    rig_sink_close(&two);
    EXPECT_TEXT(lines_of("shared"), "900");
}

CASE(files_need_a_folder_that_can_be_written) {
    dn_sink_env env = sink_env();
    env.output = "/proc/nowhere";
    rig_sink sink;
    EXPECT(rig_sink_open(&sink, &dn_sink_jsonl_topic, &env, "name", "t", NULL) == DN_FATAL);
    EXPECT_TEXT(dn_error_get(dn_failure_last()->error)->name, "CANT_CREATE");
    rig_sink_close(&sink);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
