/* Dead letters, the null sink and what inspect shows. */
#include "fixture.h"

#include "sink/inspect.h"

static void open_dead(const char *raw, dn_sink **sink) {
    char setting[32];
    snprintf(setting, sizeof setting, "raw=%s", raw);
    const char *settings[] = {setting, NULL};
    dn_sink_env env = fixture_env(1);
    EXPECT(fixture_open_with(&dn_sink_dead_letters, &env, settings, sink) == DN_OK);
}

static char *first_text(const char *path, const char *dataset) {
    dn_h5_file *file;
    uint64_t ends[2] = {0, 0};
    char name[64];
    EXPECT(dn_h5_open(path, &file) == DN_OK);
    snprintf(name, sizeof name, "%s/offsets", dataset);
    EXPECT(dn_h5_read(file, name, 0, 2, ends) == DN_OK);
    char *text = dn_alloc(ends[1] + 1);
    snprintf(name, sizeof name, "%s/bytes", dataset);
    EXPECT(dn_h5_read(file, name, 0, ends[1], text) == DN_OK);
    dn_h5_abandon(file);
    return text;
}

static void expect_text(const char *path, const char *dataset, const char *want) {
    char *text = first_text(path, dataset);
    EXPECT_TEXT(text, want);
    free(text);
}

CASE(letters_say_what_where_and_why) {
    static const char *const forms[][2] = {
        {"raw", "{\"text\": }"}, {"masked", "{\"xxxx\": }"}, {"hash", NULL}};
    for (int i = 0; i < 3; i++) {
        fixture_begin();
        dn_sink *sink;
        open_dead(forms[i][0], &sink);
        EXPECT(fixture_write(&dn_sink_dead_letters, sink, 0, 0, 100, 30, true) == DN_OK);
        EXPECT(dn_sink_dead_letters.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
        EXPECT_INT(dn_sink_dead_letters.cursor(sink, 0), 100);
        dn_sink_dead_letters.close(sink);
        char *path = fixture_path("dead/enrich", 0, 5);
        dn_entry entry;
        REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
        EXPECT_INT(entry.n_rows, 8);
        EXPECT_INT(entry.counts.dead_letters, 8);
        EXPECT_TEXT(entry.kind, DN_KIND_DEAD);
        dn_entry_free(&entry);
        expect_text(path, "/records/stage", "decode");
        expect_text(path, "/records/reason", "bad JSON");
        expect_text(path, "/records/detail", "at byte 12: no value");
        char *raw = first_text(path, "/records/raw");
        EXPECT(forms[i][1] ? strcmp(raw, forms[i][1]) == 0
                           : strncmp(raw, "xxh3:", 5) == 0 && strlen(raw) == 21);
        free(raw);
        free(path);
        fixture_clean();
    }
}

CASE(nothing_is_published_without_letters) {
    fixture_begin();
    dn_sink *sink;
    open_dead("raw", &sink);
    EXPECT(fixture_write(&dn_sink_dead_letters, sink, 0, 0, 100, 50, false) == DN_OK);
    EXPECT(dn_sink_dead_letters.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT_INT(dn_sink_dead_letters.cursor(sink, 0), DN_CURSOR_NONE);
    dn_sink_dead_letters.close(sink);
    char *folder = dn_format("%s/dead", fixture_folder);
    EXPECT(access(folder, F_OK) != 0);
    free(folder);
    fixture_clean();
}

CASE(letters_that_are_kept_already_are_dropped) {
    fixture_begin();
    for (int run = 0; run < 2; run++) { /* the second run begins below the first one's cursor */
        dn_sink *sink;
        open_dead("raw", &sink);
        EXPECT(fixture_write(&dn_sink_dead_letters, sink, 0, 0, 100 * (run + 1), 30, true) ==
               DN_OK);
        EXPECT(dn_sink_dead_letters.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
        dn_sink_dead_letters.close(sink);
    }
    char *path = fixture_path("dead/enrich", 0, 100);
    dn_entry entry;
    REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
    EXPECT_INT(entry.n_rows, 7); /* 109 122 ... 187 */
    EXPECT_INT(entry.previous, 5);
    dn_entry_free(&entry);
    free(path);
    fixture_clean();
}

CASE(null_counts_and_keeps_nothing) {
    fixture_begin();
    dn_sink *sink;
    REQUIRE(fixture_open(&dn_sink_null, 1, &sink) == DN_OK);
    EXPECT(fixture_write(&dn_sink_null, sink, 0, 0, 14, 7, false) == DN_OK);
    EXPECT(dn_sink_null.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT_INT(dn_sink_null.cursor(sink, 0), DN_CURSOR_NONE);
    EXPECT_INT(dn_sink_null.due(sink, INT64_MAX), DN_NOTHING_DUE);
    dn_sink_stats stats;
    dn_sink_null.stats(sink, &stats);
    EXPECT_INT(stats.rows, 11); /* two repeats and one filtered */
    dn_sink_null.close(sink);
    fixture_clean();
}

static void expect_shown(const char *path, int64_t n_rows, const char *const *parts) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    EXPECT(dn_inspect(path, n_rows, out) == DN_OK);
    fclose(out);
    for (int i = 0; parts[i]; i++) {
        bool shown = strstr(text, parts[i]) != NULL;
        if (!shown) {
            fprintf(stderr, "not shown: %s in\n%s\n", parts[i], text);
        }
        EXPECT(shown);
    }
    free(text);
}

CASE(inspect_shows_files_and_folders) {
    fixture_begin();
    dn_sink *sink;
    REQUIRE(fixture_open(&dn_sink_rows_h5, 1, &sink) == DN_OK);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 0, 0, 100, 50, true) == DN_OK);
    EXPECT(dn_sink_rows_h5.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
    dn_sink_rows_h5.close(sink);
    char *path = fixture_path("rows", 0, 0);
    const char *const file_parts[] = {
        "dunlin.rows", "records_in       100", "/scores/mood",  "{sad neutral",
        "row 1",       "tweet 1 \xf0\x9f",     "0.0100 1.0100", "(none)",
        NULL};
    expect_shown(path, 3, file_parts);
    const char *const folder_parts[] = {"rows/tweets/0/00000000000000000000.h5", NULL};
    expect_shown(fixture_folder, 0, folder_parts);
    free(path);
    fixture_clean();
    EXPECT(dn_inspect("/nonexistent/file", 0, stdout) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_NO_INPUT);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
