/* The corpus source as the pipeline sees it. */
#include "harness.h"
#include "source/sources.h"
#include "test.h"

CASE(replay_reads_json_lines) {
    static const char text[] =
        "{\"id\":7,\"created_at\":1502755440000,\"user\":\"ann\",\"text\":\"a "
        "\\u00e9\",\"lang\":\"fr\"}\n"
        "{\"created_at\":\"2017-08-15T00:04:00Z\",\"user\":5,\"text\":\"b\"}\r\n"
        "\n"
        "{\"text\":\"c\",\"x\":{\"text\":1}}";
    plan setup = {.ops = &dn_source_corpus};
    char path[300];
    snprintf(path, sizeof path, "path=%s", temp_file("three.jsonl", text, sizeof text - 1));
    setup.props[0] = path;
    outcome run = run_source(&setup);
    run_sort(&run);
    EXPECT_INT(run.status, DN_OK);
    EXPECT_TEXT(run.topic, "three");
    EXPECT_INT(run.n_partitions, 12);
    REQUIRE(run.n == 3);
    EXPECT_TEXT(run.rows[0].text, "a \xc3\xa9");
    EXPECT_TEXT(run.rows[0].user, "ann");
    EXPECT_TEXT(run.rows[0].language, "fr");
    EXPECT_INT(run.rows[0].event_ms, 1502755440000);
    EXPECT_INT(run.rows[1].event_ms, 1502755440000);
    EXPECT_TEXT(run.rows[1].user, "5");
    EXPECT(run.rows[1].language == NULL);
    EXPECT_INT(run.rows[2].offset, 2);
    EXPECT_INT(run.rows[2].event_ms, DN_NULL_I64);
    run_free(&run);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
