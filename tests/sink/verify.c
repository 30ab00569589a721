/* verify finds what is wrong, and the index shows the rows. */
#include "fixture.h"

#include "sink/index.h"
#include "sink/verify.h"

#include <fcntl.h>

typedef struct found {
    int n;
    char path[256], problem[512]; /* the first one */
} found;

static void take_problem(void *ctx, const char *path, const char *problem) {
    found *f = ctx;
    if (f->n++ == 0) {
        snprintf(f->path, sizeof f->path, "%s", path);
        snprintf(f->problem, sizeof f->problem, "%s", problem);
    }
}

static found verify(dn_verify_sums *sums) {
    found f = {0};
    dn_status status = dn_verify(fixture_folder, take_problem, &f, sums);
    EXPECT(status == (f.n ? DN_FATAL : DN_OK));
    EXPECT(!f.n || dn_failure_last()->error == DN_E_VERIFY);
    return f;
}

static void expect_problem(const char *path_part, const char *problem_part) {
    dn_verify_sums sums;
    found f = verify(&sums);
    bool ok = f.n > 0 && strstr(f.path, path_part) && strstr(f.problem, problem_part);
    if (!ok) {
        fprintf(stderr, "%d problems, first: %s: %s\n", f.n, f.path, f.problem);
    }
    EXPECT(ok);
}

/* Two partitions, a commit every `segment` records, dead letters before rows. */
static void write_job(int64_t n, int64_t segment, int64_t step) {
    for (int p = 0; p < 2; p++) {
        dn_sink *rows, *dead;
        REQUIRE(fixture_open(&dn_sink_dead_letters, 2, &dead) == DN_OK);
        REQUIRE(fixture_open(&dn_sink_rows_h5, 2, &rows) == DN_OK);
        for (int64_t first = 0; first < n; first += segment) {
            int64_t next = first + segment < n ? first + segment : n;
            EXPECT(fixture_write(&dn_sink_dead_letters, dead, p, first, next, step, true) == DN_OK);
            EXPECT(fixture_write(&dn_sink_rows_h5, rows, p, first, next, step, true) == DN_OK);
            EXPECT(dn_sink_dead_letters.commit(dead, p) == DN_OK);
            EXPECT(dn_sink_rows_h5.commit(rows, p) == DN_OK);
        }
        dn_sink_dead_letters.close(dead);
        dn_sink_rows_h5.close(rows);
    }
}

CASE(a_whole_folder_adds_up) {
    fixture_begin();
    write_job(3000, 1000, 250);
    dn_verify_sums sums;
    found f = verify(&sums);
    EXPECT_INT(f.n, 0);
    EXPECT_TEXT(f.problem, "");
    EXPECT_INT(sums.partitions, 2);
    EXPECT_INT(sums.files, 12);
    EXPECT_INT(sums.counts.records_in, 6000);
    EXPECT_INT(sums.counts.dead_letters, sums.letters);
    EXPECT_INT(sums.letters, 2 * 231);
    fixture_clean();
}

CASE(content_does_not_depend_on_how_it_is_cut) {
    dn_verify_sums a, b, c;
    fixture_begin();
    write_job(3000, 1000, 250);
    EXPECT_INT(verify(&a).n, 0);
    fixture_clean();
    fixture_begin();
    write_job(3000, 700, 100);
    EXPECT_INT(verify(&b).n, 0);
    fixture_clean();
    fixture_begin();
    write_job(2998, 1000, 250); /* 2999 would be a repeat */
    EXPECT_INT(verify(&c).n, 0);
    fixture_clean();
    EXPECT(a.content == b.content);
    EXPECT(a.content != c.content);
}

CASE(an_empty_folder_is_no_success) {
    fixture_begin();
    dn_verify_sums sums;
    found f = {0};
    EXPECT(dn_verify(fixture_folder, take_problem, &f, &sums) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_NO_INPUT);
    fixture_clean();
}

CASE(missing_files_are_found) {
    static const struct {
        const char *kind;
        int64_t first;
        const char *path, *problem;
    } cases[] = {
        {"rows", 1000, "00000000000000002000.h5", "is missing"},
        {"rows", 0, "00000000000000001000.h5", "is missing"},
        {"rows", 2000, "rows/tweets/1/00000000000000002000.h5", "in index.h5 and missing"},
        {"dead/enrich", 1000, "00000000000000002000.h5", "is missing"},
        {"dead/enrich", 2000, "rows/tweets/1/00000000000000002000.h5", "dead letters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture_begin();
        write_job(3000, 1000, 250);
        EXPECT(dn_index_build(fixture_folder) == DN_OK);
        char *path = fixture_path(cases[i].kind, 1, cases[i].first);
        EXPECT(unlink(path) == 0);
        expect_problem(cases[i].path, cases[i].problem);
        free(path);
        fixture_clean();
    }
}

CASE(a_cut_file_is_found) {
    fixture_begin();
    write_job(2000, 1000, 250);
    char *path = fixture_path("rows", 0, 1000);
    struct stat info;
    REQUIRE(stat(path, &info) == 0);
    REQUIRE(truncate(path, info.st_size - 100) == 0);
    expect_problem("rows/tweets/0/00000000000000001000.h5", "truncated");
    REQUIRE(truncate(path, 0) == 0);
    expect_problem("rows/tweets/0/00000000000000001000.h5", "cannot be opened");
    free(path);
    fixture_clean();
}

static void flip_byte(const char *path, off_t at) {
    int fd = open(path, O_RDWR);
    unsigned char byte;
    EXPECT(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 0x10;
    EXPECT(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

/* Where a value of the dataset lies in the file: found by its bytes, which io/h5 gives back as they
 * are stored. */
static off_t place_of(const char *path, const dn_h5_info *info) {
    dn_h5_file *file;
    size_t n = info->n_rows * info->row_bytes;
    char *values = dn_alloc(n), *all;
    EXPECT(dn_h5_open(path, &file) == DN_OK);
    EXPECT(dn_h5_read(file, info->path, 0, info->n_rows, values) == DN_OK);
    dn_h5_abandon(file);
    struct stat status;
    EXPECT(stat(path, &status) == 0);
    all = dn_alloc((size_t)status.st_size);
    int fd = open(path, O_RDONLY);
    EXPECT(read(fd, all, (size_t)status.st_size) == status.st_size);
    close(fd);
    const char *hit = memmem(all, (size_t)status.st_size, values, n);
    off_t place = hit ? hit - all + (off_t)(n / 2) : -1;
    free(all);
    free(values);
    return place;
}

CASE(one_flipped_byte_is_found_in_every_dataset) {
    fixture_begin();
    write_job(1000, 1000, 250);
    for (int kind = 0; kind < 2; kind++) {
        char *path = fixture_path(kind ? "dead/enrich" : "rows", 0, kind ? 5 : 0);
        dn_h5_file *file;
        dn_h5_info *infos;
        int n;
        REQUIRE(dn_h5_open(path, &file) == DN_OK);
        REQUIRE(dn_h5_list(file, &infos, &n) == DN_OK);
        dn_h5_abandon(file);
        EXPECT_INT(n, 10);
        for (int i = 0; i < n; i++) {
            off_t at = place_of(path, &infos[i]);
            REQUIRE(at > 0);
            flip_byte(path, at);
            expect_problem(path, infos[i].path);
            flip_byte(path, at);
        }
        dn_h5_infos_free(infos, n);
        free(path);
    }
    dn_verify_sums sums;
    EXPECT_INT(verify(&sums).n, 0);
    fixture_clean();
}

/* A byte of the stored numbers of the ledger: the seal does not fit. */
CASE(wrong_counts_are_found) {
    fixture_begin();
    dn_sink *sink;
    REQUIRE(fixture_open(&dn_sink_rows_h5, 1, &sink) == DN_OK);
    EXPECT(fixture_write(&dn_sink_rows_h5, sink, 0, 0, 777, 777, false) == DN_OK);
    EXPECT(dn_sink_rows_h5.commit(sink, 0) == DN_OK);
    dn_sink_rows_h5.close(sink);
    char *path = fixture_path("rows", 0, 0);
    struct stat info;
    REQUIRE(stat(path, &info) == 0);
    char *all = dn_alloc((size_t)info.st_size);
    int fd = open(path, O_RDONLY);
    REQUIRE(read(fd, all, (size_t)info.st_size) == info.st_size);
    close(fd);
    char *name = memmem(all, (size_t)info.st_size, "records_in", 10);
    REQUIRE(name);
    int64_t count = 777;
    char *value = memmem(name, 200, &count, sizeof count);
    REQUIRE(value);
    flip_byte(path, value - all);
    expect_problem("rows/tweets/0", "ledger_xxh3");
    free(all);
    free(path);
    fixture_clean();
}

CASE(a_file_in_the_wrong_place_is_found) {
    fixture_begin();
    write_job(2000, 1000, 250);
    char *from = fixture_path("rows", 0, 1000), *to = fixture_path("rows", 0, 1500);
    REQUIRE(rename(from, to) == 0);
    expect_problem("00000000000000001500.h5", "its name says 1500");
    REQUIRE(rename(to, from) == 0);
    char *other = fixture_path("rows", 1, 1000);
    REQUIRE(rename(from, other) == 0);
    expect_problem("rows/tweets/1/00000000000000001000.h5", "does not belong");
    free(from);
    free(to);
    free(other);
    fixture_clean();
}

static void *read_all(const char *path, const char *dataset, size_t row_bytes, uint64_t *n) {
    dn_h5_file *file;
    dn_h5_info *infos;
    int n_infos;
    EXPECT(dn_h5_open(path, &file) == DN_OK);
    EXPECT(dn_h5_list(file, &infos, &n_infos) == DN_OK);
    const dn_h5_info *info = dn_h5_find(infos, n_infos, dataset);
    *n = info ? info->n_rows : 0;
    EXPECT(info && info->row_bytes == row_bytes);
    void *values = dn_alloc(*n * row_bytes);
    EXPECT(dn_h5_read(file, dataset, 0, *n, values) == DN_OK);
    dn_h5_infos_free(infos, n_infos);
    dn_h5_abandon(file);
    return values;
}

static bool dataset_equals(const char *index, const char *dataset, size_t row_bytes, int partition,
                           int64_t first, uint64_t row, uint64_t *n) {
    char *path = fixture_path("rows", partition, first);
    char *name = dn_format("/rows/tweets%s", dataset);
    uint64_t total;
    char *all = read_all(index, name, row_bytes, &total);
    char *part = read_all(path, dataset, row_bytes, n);
    bool same = row + *n <= total && memcmp(all + row * row_bytes, part, *n * row_bytes) == 0;
    free(all);
    free(part);
    free(name);
    free(path);
    return same;
}

CASE(the_index_shows_the_rows_of_all_files) {
    fixture_begin();
    write_job(3000, 1000, 250);
    REQUIRE(dn_index_build(fixture_folder) == DN_OK);
    char *index = dn_format("%s/index.h5", fixture_folder);
    static const struct {
        const char *dataset;
        size_t row_bytes;
    } datasets[] = {{"/records/offset", 8},
                    {"/records/text/bytes", 1},
                    {"/scores/mood", 12},
                    {"/labels/mood", 1},
                    {"/records/language", 1}};
    for (size_t d = 0; d < sizeof datasets / sizeof *datasets; d++) {
        uint64_t row = 0, n;
        for (int file = 0; file < 6; file++) {
            EXPECT(dataset_equals(index, datasets[d].dataset, datasets[d].row_bytes, file / 3,
                                  file % 3 * 1000, row, &n));
            row += n;
        }
    }
    uint64_t n_ends, n_bytes;
    uint64_t *ends = read_all(index, "/rows/tweets/records/text/offsets", 8, &n_ends);
    free(read_all(index, "/rows/tweets/records/text/bytes", 1, &n_bytes));
    EXPECT_INT(ends[0], 0);
    EXPECT_INT(ends[n_ends - 1], n_bytes);
    free(ends);
    free(index);
    fixture_clean();
}

CASE(a_missing_file_shows_the_sentinel_in_the_index) {
    fixture_begin();
    write_job(2000, 1000, 250);
    REQUIRE(dn_index_build(fixture_folder) == DN_OK);
    char *path = fixture_path("rows", 0, 0);
    REQUIRE(unlink(path) == 0);
    char *index = dn_format("%s/index.h5", fixture_folder);
    uint64_t n;
    int64_t *offset = read_all(index, "/rows/tweets/records/offset", 8, &n);
    EXPECT(offset[0] == INT64_MIN);
    EXPECT(offset[n - 1] >= 0);
    free(offset);
    free(index);
    free(path);
    fixture_clean();
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
