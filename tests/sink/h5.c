/* io/h5 and io/publish by themselves: types, chunks, attributes, errors, threads. */
#include "fixture.h"

#include "io/publish.h"

#include <fcntl.h>
#include <pthread.h>

static char *file_in_folder(const char *name) {
    return dn_format("%s/%s", fixture_folder, name);
}

/* More than two chunks and a rest, in pieces that never fit. */
CASE(numbers_come_back_whatever_the_pieces) {
    static const struct {
        uint32_t chunk_rows;
        int deflate;
        uint64_t fixed_rows;
    } kinds[] = {{0, 0, 0}, {1000, 0, 0}, {1000, 3, 0}, {64, 0, 40000}};
    enum { N = 40000 };
    int64_t *values = dn_alloc_array(N, sizeof *values), *read = dn_alloc_array(N, sizeof *read);
    for (int i = 0; i < N; i++) {
        values[i] = (int64_t)dn_random();
    }
    uint64_t hash = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        fixture_begin();
        char *path = file_in_folder("x.h5");
        dn_h5_file *file;
        dn_h5_column *column;
        const dn_h5_spec spec = {.path = "/a/b/c",
                                 .type = DN_H5_I64,
                                 .chunk_rows = kinds[k].chunk_rows,
                                 .deflate = kinds[k].deflate,
                                 .fixed_rows = kinds[k].fixed_rows};
        REQUIRE(dn_h5_create(path, &file) == DN_OK);
        REQUIRE(dn_h5_add(file, &spec, &column) == DN_OK);
        for (size_t at = 0, n; at < N; at += n) {
            n = 1 + dn_random() % 3000;
            n = n < N - at ? n : N - at;
            EXPECT(dn_h5_append(column, values + at, n) == DN_OK);
        }
        EXPECT(dn_h5_finish(file) == DN_OK);
        EXPECT(k == 0 || dn_h5_column_hash(column) == hash);
        hash = dn_h5_column_hash(column);
        EXPECT(dn_h5_close(file) == DN_OK);
        REQUIRE(dn_h5_open(path, &file) == DN_OK);
        EXPECT(dn_h5_read(file, "/a/b/c", 0, N, read) == DN_OK);
        EXPECT(memcmp(values, read, N * sizeof *values) == 0);
        EXPECT(dn_h5_has(file, "/a/b/c"));
        EXPECT(!dn_h5_has(file, "/a/x/c"));
        dn_h5_close(file);
        free(path);
        fixture_clean();
    }
    free(values);
    free(read);
}

CASE(a_contiguous_dataset_can_be_mapped) {
    fixture_begin();
    char *path = file_in_folder("x.h5");
    dn_h5_file *file;
    dn_h5_column *column;
    const dn_h5_spec spec = {.path = "/bytes", .type = DN_H5_U8, .fixed_rows = 11};
    REQUIRE(dn_h5_create(path, &file) == DN_OK);
    REQUIRE(dn_h5_add(file, &spec, &column) == DN_OK);
    EXPECT(dn_h5_append(column, "hello world", 11) == DN_OK);
    EXPECT(dn_h5_close(file) == DN_OK);
    uint64_t offset, size;
    REQUIRE(dn_h5_open(path, &file) == DN_OK);
    REQUIRE(dn_h5_extent(file, "/bytes", &offset, &size) == DN_OK);
    dn_h5_close(file);
    char text[12] = "";
    int fd = open(path, O_RDONLY);
    EXPECT_INT(size, 11);
    EXPECT_INT(pread(fd, text, 11, (off_t)offset), 11);
    close(fd);
    EXPECT_TEXT(text, "hello world");
    free(path);
    fixture_clean();
}

CASE(an_announced_length_is_kept) {
    fixture_begin();
    char *path = file_in_folder("x.h5");
    dn_h5_file *file;
    dn_h5_column *column;
    const dn_h5_spec spec = {.path = "/n", .type = DN_H5_I64, .fixed_rows = 3};
    int64_t two[2] = {1, 2};
    REQUIRE(dn_h5_create(path, &file) == DN_OK);
    REQUIRE(dn_h5_add(file, &spec, &column) == DN_OK);
    EXPECT(dn_h5_append(column, two, 2) == DN_OK);
    EXPECT(dn_h5_close(file) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "announced with 3 rows and got 2") != NULL);
    free(path);
    fixture_clean();
}

CASE(errors_say_which_file_and_why) {
    dn_h5_file *file;
    EXPECT(dn_h5_open("/nonexistent/x.h5", &file) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "/nonexistent/x.h5") != NULL);
    EXPECT(strstr(dn_failure_last()->text, "No such file or directory") != NULL);
    EXPECT(dn_h5_create("/nonexistent/x.h5", &file) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_IO);
    fixture_begin();
    char *path = file_in_folder("text.h5");
    FILE *text = fopen(path, "w");
    REQUIRE(text);
    fputs("this is no HDF5 file, however long it may be, and it is long enough to be read", text);
    fclose(text);
    EXPECT(dn_h5_open(path, &file) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DATA);
    EXPECT(strstr(dn_failure_last()->text, "signature") != NULL);
    free(path);
    path = file_in_folder("empty.h5");
    REQUIRE(dn_h5_create(path, &file) == DN_OK);
    EXPECT(dn_h5_close(file) == DN_OK);
    REQUIRE(dn_h5_open(path, &file) == DN_OK);
    int64_t number;
    char *value;
    EXPECT(dn_h5_get_i64(file, "/", "nothing", &number) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "nothing") != NULL);
    EXPECT(dn_h5_get_text(file, "/", "nothing", &value) == DN_FATAL);
    EXPECT(dn_h5_read(file, "/nothing", 0, 1, &number) == DN_FATAL);
    dn_h5_close(file);
    free(path);
    fixture_clean();
}

CASE(an_attribute_may_be_long) {
    fixture_begin();
    char *path = file_in_folder("x.h5"), *job = dn_alloc(300001), *read = NULL;
    memset(job, 'j', 300000);
    dn_h5_file *file;
    REQUIRE(dn_h5_create(path, &file) == DN_OK);
    EXPECT(dn_h5_set_text(file, "/", "resolved_job", job) == DN_OK);
    EXPECT(dn_h5_set_text(file, "/", "empty", "") == DN_OK);
    EXPECT(dn_h5_close(file) == DN_OK);
    REQUIRE(dn_h5_open(path, &file) == DN_OK);
    EXPECT(dn_h5_get_text(file, "/", "resolved_job", &read) == DN_OK);
    EXPECT_TEXT(read, job);
    free(read);
    EXPECT(dn_h5_get_text(file, "/", "empty", &read) == DN_OK);
    EXPECT_TEXT(read, "");
    free(read);
    dn_h5_close(file);
    free(job);
    free(path);
    fixture_clean();
}

CASE(publishing_refuses_a_taken_name) {
    fixture_begin();
    char *name = file_in_folder("a/b/name"), *part = file_in_folder("a/b/part");
    char *folder = file_in_folder("a/b");
    REQUIRE(dn_folder_make(folder) == DN_OK);
    REQUIRE(dn_folder_make(folder) == DN_OK);
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(part, "w");
        REQUIRE(file);
        fprintf(file, "%d", i);
        fclose(file);
        bool existed;
        EXPECT(dn_publish(part, name, &existed) == DN_OK);
        EXPECT_INT(existed, i);
        EXPECT((access(part, F_OK) == 0) == (i == 1));
    }
    FILE *file = fopen(name, "r");
    REQUIRE(file);
    EXPECT_INT(fgetc(file), '0');
    fclose(file);
    EXPECT(dn_publish_replace(part, name) == DN_OK);
    EXPECT(access(part, F_OK) != 0);
    EXPECT(dn_folder_make(name) == DN_FATAL); /* there is a file of that name */
    EXPECT_INT(dn_failure_last()->error, DN_E_CANT_CREATE);
    bool existed;
    EXPECT(dn_publish("/nonexistent/part", name, &existed) == DN_FATAL);
    free(name);
    free(part);
    free(folder);
    fixture_clean();
}

static void *write_one_file(void *ctx) {
    dn_h5_file *file;
    dn_h5_column *column;
    const dn_h5_spec spec = {.path = "/n", .type = DN_H5_I64, .chunk_rows = 128};
    bool ok = dn_h5_create(ctx, &file) == DN_OK && dn_h5_add(file, &spec, &column) == DN_OK;
    for (int64_t i = 0; ok && i < 20000; i++) {
        ok = dn_h5_append(column, &i, 1) == DN_OK;
    }
    dn_h5_file *other;
    ok = ok && dn_h5_open("/nonexistent", &other) == DN_FATAL && /* errors stay with their thread */
         dn_h5_close(file) == DN_OK;
    return ok ? ctx : NULL;
}

CASE(threads_may_write_different_files_at_once) {
    fixture_begin();
    pthread_t thread[4];
    char *path[4];
    for (int i = 0; i < 4; i++) {
        path[i] = dn_format("%s/%d.h5", fixture_folder, i);
        REQUIRE(pthread_create(&thread[i], NULL, write_one_file, path[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        void *done;
        pthread_join(thread[i], &done);
        EXPECT(done == path[i]);
        dn_h5_file *file;
        int64_t last = 0;
        REQUIRE(dn_h5_open(path[i], &file) == DN_OK);
        EXPECT(dn_h5_read(file, "/n", 19999, 1, &last) == DN_OK);
        EXPECT_INT(last, 19999);
        dn_h5_close(file);
        free(path[i]);
    }
    fixture_clean();
}

#ifndef __SANITIZE_ADDRESS__
static int64_t resident_bytes(void) {
    long total = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%ld %ld", &total, &resident) != 2) {
        abort();
    }
    fclose(statm);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}
#endif

/* 64 open partitions, each with a full chunk buffered in every column: the sum at the head of
 * segment.c. */
CASE(sixty_four_partitions_stay_under_200_mb) {
#ifdef __SANITIZE_ADDRESS__
    SKIP("AddressSanitizer's shadow would be measured");
#else
    fixture_begin();
    static const char *const more[] = {"score.b", "score.c", "score.d", "score.e"};
    for (int i = 0; i < 4; i++) {
        int index;
        dn_field field = fixture_schema.field[F_SCORE];
        field.name = more[i];
        EXPECT(dn_schema_add(&fixture_schema, field, &index) == DN_OK);
    }
    dn_sink *sink;
    REQUIRE(fixture_open(&dn_sink_rows_h5, 64, &sink) == DN_OK);
    int64_t before = resident_bytes();
    for (int p = 0; p < 64; p++) {
        EXPECT(fixture_write(&dn_sink_rows_h5, sink, p, 0, 21 * 1024, 1024, false) == DN_OK);
    }
    int64_t held = resident_bytes() - before;
    printf("    64 partitions hold %lld MB\n", (long long)held / 1000000);
    EXPECT(held < 200000000);
    dn_sink_rows_h5.close(sink);
    fixture_clean();
#endif
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
