/* The rows sink: what is written can be read, rotation, recovery, and a kill at every step of
 * publishing. */
#include "fixture.h"

#include "base/clock.h"

#include <sys/wait.h>

enum { ROWS = 40000 };

static int64_t kept_rows(int64_t first, int64_t next) {
    int64_t n = 0;
    for (int64_t offset = first; offset < next; offset++) {
        n += fixture_fate(offset, true) == DN_KEPT;
    }
    return n;
}

static void write_all(int64_t next, int64_t step) {
    dn_sink *sink;
    REQUIRE(fixture_open(&dn_sink_rows_h5, 1, &sink) == DN_OK);
    int64_t cursor = dn_sink_rows_h5.cursor(sink, 0);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 0, cursor < 0 ? 0 : cursor, next, step, true) ==
           DN_OK);
    EXPECT(dn_sink_rows_h5.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.cursor(sink, 0), next);
    dn_sink_rows_h5.close(sink);
}

static void expect_texts(dn_h5_file *file, const int64_t *offset, uint64_t n) {
    uint64_t *ends = dn_alloc_array(n + 1, sizeof *ends);
    EXPECT(dn_h5_read(file, "/records/text/offsets", 0, n + 1, ends) == DN_OK);
    char *bytes = dn_alloc(ends[n] + 1);
    EXPECT(dn_h5_read(file, "/records/text/bytes", 0, ends[n], bytes) == DN_OK);
    dn_chunk *chunk = fixture_chunk(0, 0, 1, false);
    int wrong = 0;
    for (uint64_t i = 0; i < n; i++) {
        dn_arena_reset(&chunk->arena);
        fixture_fill_row(chunk, 0, offset[i]);
        dn_span want = dn_chunk_bytes(chunk, F_TEXT)[0];
        wrong += !dn_span_equal(want, (dn_span){bytes + ends[i], ends[i + 1] - ends[i]});
    }
    EXPECT_INT(wrong, 0);
    dn_chunk_free(chunk);
    free(bytes);
    free(ends);
}

static void expect_scores(dn_h5_file *file, const int64_t *offset, uint64_t n) {
    float *scores = dn_alloc_array(n, 3 * sizeof *scores);
    uint8_t *language = dn_alloc(n);
    EXPECT(dn_h5_read(file, "/scores/mood", 0, n, scores) == DN_OK);
    EXPECT(dn_h5_read(file, "/records/language", 0, n, language) == DN_OK);
    int wrong = 0;
    for (uint64_t i = 0; i < n; i++) {
        wrong += scores[3 * i + 2] != (float)(offset[i] % 100) / 100 + 2;
        wrong += language[i] != (offset[i] % 9 ? offset[i] % 4 : DN_NO_LABEL);
    }
    EXPECT_INT(wrong, 0);
    free(scores);
    free(language);
}

CASE(rows_are_what_was_written) {
    fixture_begin();
    write_all(ROWS, 1000);
    char *path = fixture_path("rows", 0, 0);
    dn_entry entry;
    REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
    EXPECT_INT(entry.first, 0);
    EXPECT_INT(entry.next, ROWS);
    EXPECT_INT(entry.previous, -1);
    EXPECT_INT(entry.counts.records_in, ROWS);
    EXPECT_INT(entry.counts.rows_out, kept_rows(0, ROWS));
    EXPECT_INT(entry.n_rows, entry.counts.rows_out);
    EXPECT_TEXT(entry.topic, "tweets");
    dn_h5_file *file;
    REQUIRE(dn_h5_open(path, &file) == DN_OK);
    uint64_t n = (uint64_t)entry.n_rows;
    int64_t *offset = dn_alloc_array(n, sizeof *offset);
    EXPECT(dn_h5_read(file, "/records/offset", 0, n, offset) == DN_OK);
    EXPECT_INT(offset[0], 0);
    expect_texts(file, offset, n);
    expect_scores(file, offset, n);
    EXPECT(!dn_h5_has(file, "/records/ids"));
    free(offset);
    dn_h5_close(file);
    dn_entry_free(&entry);
    free(path);
    fixture_clean();
}

CASE(datasets_say_what_they_are) {
    fixture_begin();
    write_all(100, 100);
    char *path = fixture_path("rows", 0, 0);
    dn_h5_file *file;
    REQUIRE(dn_h5_open(path, &file) == DN_OK);
    dn_h5_info *infos;
    int n;
    REQUIRE(dn_h5_list(file, &infos, &n) == DN_OK);
    EXPECT_INT(n, 10); /* offset timestamp id text(2) user(2) language, scores/mood, labels/mood */
    const dn_h5_info *label = dn_h5_find(infos, n, "/labels/mood");
    const dn_h5_info *score = dn_h5_find(infos, n, "/scores/mood");
    REQUIRE(label && score);
    EXPECT_INT(label->type, DN_H5_ENUM);
    EXPECT_INT(label->n_labels, 3);
    EXPECT_TEXT(label->labels[2], "glad");
    EXPECT_INT(score->width, 3);
    EXPECT_INT(score->n_labels, 3);
    EXPECT_TEXT(score->labels[0], "sad");
    EXPECT_TEXT(score->units, "1");
    EXPECT_TEXT(label->long_name, "Class");
    char *job = NULL;
    EXPECT(dn_h5_get_text(file, "/", "resolved_job", &job) == DN_OK);
    EXPECT_TEXT(job, "pipelines: {}\n");
    free(job);
    dn_h5_infos_free(infos, n);
    dn_h5_close(file);
    free(path);
    fixture_clean();
}

CASE(full_segments_are_due_and_follow_each_other) {
    fixture_begin();
    dn_sink *sink;
    const char *settings[] = {"rows=2000", NULL};
    dn_sink_env env = fixture_env(3);
    REQUIRE(fixture_open_with(&dn_sink_rows_h5, &env, settings, &sink) == DN_OK);
    int64_t now = dn_mono_ns();
    EXPECT_INT(dn_sink_rows_h5.due(sink, now), DN_NOTHING_DUE);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 1, 50, 1050, 500, false) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.due(sink, now), DN_NOTHING_DUE);
    EXPECT_INT(dn_sink_rows_h5.due(sink, now + INT64_C(61000000000)), 1);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 1, 1050, 4050, 500, false) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.due(sink, now), 1);
    EXPECT(dn_sink_rows_h5.commit(sink, 1) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.cursor(sink, 1), 4050);
    EXPECT_INT(dn_sink_rows_h5.cursor(sink, 0), DN_CURSOR_NONE);
    EXPECT_INT(dn_sink_rows_h5.due(sink, now), DN_NOTHING_DUE);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 1, 4060, 4100, 500, false) == DN_OK);
    EXPECT(dn_sink_rows_h5.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
    dn_sink_stats stats;
    dn_sink_rows_h5.stats(sink, &stats);
    EXPECT_INT(stats.commits, 2);
    dn_sink_rows_h5.close(sink);
    EXPECT(fixture_exists(fixture_path("rows", 1, 50)));
    char *path = fixture_path("rows", 1, 4050); /* named by the cursor, though 4060 came first */
    dn_entry entry;
    REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
    EXPECT_INT(entry.previous, 50);
    EXPECT_INT(entry.counts.records_in, 40);
    dn_entry_free(&entry);
    free(path);
    fixture_clean();
}

CASE(a_range_without_rows_moves_the_cursor) {
    fixture_begin();
    dn_sink *sink;
    REQUIRE(fixture_open(&dn_sink_rows_h5, 1, &sink) == DN_OK);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 0, 3, 4, 1, false) == DN_OK); /* a repeat */
    EXPECT(dn_sink_rows_h5.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT(dn_sink_rows_h5.commit(sink, DN_ALL_PARTITIONS) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.cursor(sink, 0), 4);
    dn_sink_rows_h5.close(sink);
    char *path = fixture_path("rows", 0, 3);
    dn_entry entry;
    REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
    EXPECT_INT(entry.n_rows, 0);
    EXPECT_INT(entry.counts.repeats_dropped, 1);
    dn_entry_free(&entry);
    free(path);
    fixture_clean();
}

CASE(rows_below_the_cursor_are_dropped) {
    fixture_begin();
    write_all(500, 100);
    dn_sink *sink;
    REQUIRE(fixture_open(&dn_sink_rows_h5, 1, &sink) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.cursor(sink, 0), 500);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 0, 0, 700, 300, true) == DN_OK);
    EXPECT(dn_sink_rows_h5.commit(sink, 0) == DN_OK);
    dn_sink_rows_h5.close(sink);
    char *path = fixture_path("rows", 0, 500);
    dn_entry entry;
    REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
    EXPECT_INT(entry.counts.records_in, 200);
    EXPECT_INT(entry.n_rows, kept_rows(500, 700));
    dn_entry_free(&entry);
    free(path);
    fixture_clean();
}

CASE(two_runs_have_equal_content) {
    uint64_t content[2], seal[2];
    for (int run = 0; run < 2; run++) {
        fixture_begin();
        write_all(ROWS, run ? 1024 : 333); /* cut into other chunks */
        char *path = fixture_path("rows", 0, 0);
        dn_entry entry;
        REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
        content[run] = entry.content;
        seal[run] = dn_entry_seal(&entry);
        dn_entry_free(&entry);
        free(path);
        fixture_clean();
    }
    EXPECT(content[0] == content[1]);
    EXPECT(seal[0] == seal[1]);
}

CASE(deflate_changes_the_file_and_not_the_content) {
    off_t size[2];
    uint64_t content[2];
    for (int run = 0; run < 2; run++) {
        fixture_begin();
        dn_sink *sink;
        const char *settings[] = {run ? "deflate=4" : "deflate=0", NULL};
        dn_sink_env env = fixture_env(1);
        REQUIRE(fixture_open_with(&dn_sink_rows_h5, &env, settings, &sink) == DN_OK);
        EXPECT(fixture_write(&dn_sink_rows_h5, sink, 0, 0, ROWS, 1024, true) == DN_OK);
        EXPECT(dn_sink_rows_h5.commit(sink, 0) == DN_OK);
        dn_sink_rows_h5.close(sink);
        char *path = fixture_path("rows", 0, 0);
        struct stat info;
        dn_entry entry;
        REQUIRE(stat(path, &info) == 0);
        REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
        size[run] = info.st_size;
        content[run] = entry.content;
        dn_entry_free(&entry);
        free(path);
        fixture_clean();
    }
    EXPECT(size[1] < size[0] / 2);
    EXPECT(content[0] == content[1]);
}

CASE(columns_can_be_chosen_and_misspelt) {
    fixture_begin();
    dn_sink *sink;
    const char *settings[] = {"columns=id,score.mood", NULL};
    dn_sink_env env = fixture_env(1);
    REQUIRE(fixture_open_with(&dn_sink_rows_h5, &env, settings, &sink) == DN_OK);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 0, 0, 10, 10, false) == DN_OK);
    EXPECT(dn_sink_rows_h5.commit(sink, 0) == DN_OK);
    dn_sink_rows_h5.close(sink);
    char *path = fixture_path("rows", 0, 0);
    dn_h5_file *file;
    REQUIRE(dn_h5_open(path, &file) == DN_OK);
    EXPECT(dn_h5_has(file, "/records/id"));
    EXPECT(dn_h5_has(file, "/scores/mood"));
    EXPECT(!dn_h5_has(file, "/records/text"));
    dn_h5_close(file);
    free(path);
    const char *wrong[] = {"columns=scoer.mood", NULL};
    EXPECT(fixture_open_with(&dn_sink_rows_h5, &env, wrong, &sink) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_CONFIG);
    EXPECT(strstr(dn_failure_last()->text, "did you mean 'score.mood'") != NULL);
    fixture_clean();
}

CASE(what_is_not_committed_leaves_nothing) {
    fixture_begin();
    dn_sink *sink;
    REQUIRE(fixture_open(&dn_sink_rows_h5, 1, &sink) == DN_OK);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 0, 0, 5000, 1000, false) == DN_OK);
    dn_sink_rows_h5.close(sink);
    char *folder = dn_format("%s/rows/tweets/0", fixture_folder);
    EXPECT(rmdir(folder) == 0); /* it is empty */
    free(folder);
    fixture_clean();
}

CASE(a_damaged_last_file_is_named_with_what_to_do) {
    fixture_begin();
    write_all(500, 100);
    char *path = fixture_path("rows", 0, 0);
    REQUIRE(truncate(path, 3000) == 0);
    dn_sink *sink;
    EXPECT(fixture_open(&dn_sink_rows_h5, 1, &sink) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_VERIFY);
    EXPECT(strstr(dn_failure_last()->text, path) != NULL);
    EXPECT(strstr(dn_failure_last()->text, "dunlin verify") != NULL);
    free(path);
    fixture_clean();
}

CASE(only_own_partitions_are_touched) {
    fixture_begin();
    write_all(10, 10);
    char *part = dn_format("%s/rows/tweets/0/x.part", fixture_folder);
    FILE *file = fopen(part, "w");
    REQUIRE(file);
    fclose(file);
    dn_sink *sink;
    dn_sink_env env = fixture_env(2);
    env.size = 2;
    env.rank = 1;
    REQUIRE(fixture_open_with(&dn_sink_rows_h5, &env, NULL, &sink) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.cursor(sink, 0), DN_CURSOR_NONE);
    dn_sink_rows_h5.close(sink);
    EXPECT(access(part, F_OK) == 0);
    REQUIRE(fixture_open(&dn_sink_rows_h5, 1, &sink) == DN_OK);
    dn_sink_rows_h5.close(sink);
    EXPECT(access(part, F_OK) != 0);
    free(part);
    fixture_clean();
}

/* Somebody else has published from the same offset: their file stays, and its next offset is our
 * cursor. */
CASE(an_existing_name_counts) {
    fixture_begin();
    dn_sink *late;
    REQUIRE(fixture_open(&dn_sink_rows_h5, 1, &late) == DN_OK);
    EXPECT(fixture_write(&dn_sink_rows_h5, late, 0, 0, 300, 100, true) == DN_OK);
    char *part =
        dn_format("%s/rows/tweets/0/%020d.r0000.p%d.part", fixture_folder, 0, (int)getpid());
    char *aside = dn_format("%s/aside", fixture_folder);
    REQUIRE(rename(part, aside) == 0); /* the other owner's recovery must not take it */
    dn_sink *early;
    dn_sink_env env = fixture_env(1);
    env.run_id = "other";
    void *conf = dn_alloc(dn_sink_rows_h5.conf_size);
    REQUIRE(dn_props_init(dn_sink_rows_h5.props, conf) == DN_OK);
    REQUIRE(dn_sink_rows_h5.open(conf, &env, &early) == DN_OK);
    EXPECT(fixture_write(&dn_sink_rows_h5, early, 0, 0, 500, 100, true) == DN_OK);
    EXPECT(dn_sink_rows_h5.commit(early, 0) == DN_OK);
    dn_sink_rows_h5.close(early);
    REQUIRE(rename(aside, part) == 0);
    EXPECT(dn_sink_rows_h5.commit(late, 0) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.cursor(late, 0), 500);
    EXPECT(access(part, F_OK) != 0);
    EXPECT(fixture_write(&dn_sink_rows_h5, late, 0, 300, 600, 100, true) == DN_OK);
    EXPECT(dn_sink_rows_h5.commit(late, 0) == DN_OK);
    EXPECT_INT(dn_sink_rows_h5.cursor(late, 0), 600);
    dn_sink_rows_h5.close(late);
    free(conf);
    free(part);
    free(aside);
    fixture_clean();
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
