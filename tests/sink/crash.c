/* Kills and full disks: whatever happens, the next run ends with the same rows, each once.
 *
 * link(2), fsync(2) and unlink(2) are wrapped by the linker here, so that a child process can die
 * right before or after any of them: the moments between which publishing could be torn. */
#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { ROWS = 6000, SEGMENT = 2000 };

static int calls_left = -1; /* the process ends at this call; -1 never */

static void count_down(void) {
    if (calls_left > 0 && --calls_left == 0) {
        _exit(9);
    }
}

int __real_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to) {
    count_down();
    int done = __real_link(from, to);
    count_down();
    return done;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) {
    count_down();
    return __real_fsync(fd);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path) {
    count_down();
    return __real_unlink(path);
}

/* HDF5 writes with pwrite(2): this one stands before the C library's and fails from the n-th call
 * on. */
static int writes_left = -1; /* the call that fails; -1 none */
static bool writes_fail_for_ever;

ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t at) {
    if (writes_left > 0 && --writes_left == 0) {
        writes_left = writes_fail_for_ever ? 1 : -1;
        errno = ENOSPC;
        return -1;
    }
    return (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
    return pwrite64(fd, bytes, n, at);
}

/* One run of the job: from the cursor to the end, a commit where one is due. */
static dn_status run(void) {
    dn_sink *sink;
    char rows[32];
    snprintf(rows, sizeof rows, "rows=%d", SEGMENT / 2);
    const char *settings[] = {rows, NULL};
    dn_sink_env env = fixture_env(1);
    DN_TRY(fixture_open_with(&dn_sink_rows_h5, &env, settings, &sink));
    int64_t cursor = dn_sink_rows_h5.cursor(sink, 0);
    dn_status status = DN_OK;
    for (int64_t first = cursor < 0 ? 0 : cursor; first < ROWS && status == DN_OK; first += 250) {
        status = fixture_write(&dn_sink_rows_h5, sink, 0, first, first + 250, 250, true);
        if (status == DN_OK && dn_sink_rows_h5.due(sink, 0) == 0) {
            status = dn_sink_rows_h5.commit(sink, 0);
        }
    }
    if (status == DN_OK) {
        status = dn_sink_rows_h5.commit(sink, DN_ALL_PARTITIONS);
    }
    dn_sink_rows_h5.close(sink);
    return status;
}

static void expect_every_row_once(void) {
    char *folder = dn_format("%s/rows/tweets/0", fixture_folder);
    int64_t *first, at = 0, records = 0;
    int n;
    EXPECT(dn_ledger_list(folder, &first, &n) == DN_OK);
    for (int i = 0; i < n; i++) {
        char *path = dn_ledger_path(folder, first[i]);
        dn_entry entry;
        REQUIRE(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
        EXPECT_INT(entry.first, at);
        at = entry.next;
        records += entry.counts.records_in;
        dn_entry_free(&entry);
        free(path);
    }
    EXPECT_INT(at, ROWS);
    EXPECT_INT(records, ROWS);
    free(first);
    free(folder);
}

static int run_and_die_at(int call) {
    pid_t child = fork();
    if (child == 0) {
        calls_left = call;
        _exit(run() == DN_OK ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

CASE(a_kill_at_every_step_of_publishing) {
    int deaths = 0;
    for (int call = 1;; call++) {
        fixture_begin();
        int ended = run_and_die_at(call);
        EXPECT(ended == 9 || ended == 0);
        deaths += ended == 9;
        EXPECT(run() == DN_OK);
        expect_every_row_once();
        fixture_clean();
        if (ended != 9 || dn_failures_in_case) {
            break;
        }
    }
    EXPECT(deaths > 12);
}

CASE(a_kill_again_and_again) {
    fixture_begin();
    int ended = 9, runs = 0;
    while (ended == 9 && runs < 100) {
        ended = run_and_die_at(2 + (int)(dn_random() % 9));
        runs++;
    }
    EXPECT_INT(ended, 0);
    EXPECT(runs > 1);
    expect_every_row_once();
    fixture_clean();
}

static void expect_no_parts(void) {
    char *folder = dn_format("%s/rows/tweets/0", fixture_folder);
    int64_t *first;
    int n;
    EXPECT(dn_ledger_list(folder, &first, &n) == DN_OK);
    for (int i = 0; i < n; i++) {
        char *path = dn_ledger_path(folder, first[i]);
        dn_entry entry = {0};
        EXPECT(dn_ledger_check(path, true, NULL, &entry) == DN_OK);
        dn_entry_free(&entry);
        free(path);
    }
    char *find = dn_format("test -z \"$(find %s -name '*.part')\"", fixture_folder);
    EXPECT_INT(system(find), 0);
    free(find);
    free(first);
    free(folder);
}

/* 0: done, 1: told that the disk is full, else a fault. */
static int run_with_failing_write(int call, bool for_ever) {
    pid_t child = fork();
    if (child == 0) {
        writes_left = call;
        writes_fail_for_ever = for_ever;
        dn_status status = run();
        bool told = status == DN_FATAL && dn_failure_last()->error == DN_E_NO_SPACE;
        _exit(status == DN_OK ? 0 : told ? 1 : 2); /* without LeakSanitizer: HDF5 keeps the file */
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

CASE(a_write_that_fails_at_every_step) {
    int failures = 0;
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        int ended = 1;
        for (int call = 1; ended == 1 && !dn_failures_in_case; call += 1 + call / 8) {
            fixture_begin();
            ended = run_with_failing_write(call, for_ever);
            EXPECT(ended == 1 || ended == 0);
            failures += ended == 1;
            expect_no_parts();
            EXPECT(run() == DN_OK);
            expect_every_row_once();
            fixture_clean();
        }
    }
    EXPECT(failures > 20);
}

/* A file that may not grow is a disk that is full, without being root: EFBIG instead of ENOSPC. */
CASE(a_file_that_cannot_grow_is_an_error_and_leaves_nothing) {
    fixture_begin();
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {64 << 10, 64 << 10};
        setrlimit(RLIMIT_FSIZE, &limit);
        dn_status status = run();
        bool told = status == DN_FATAL && dn_failure_last()->error == DN_E_IO &&
                    strstr(dn_failure_last()->text, "File too large");
        if (!told) {
            fprintf(stderr, "got: %s\n", dn_failure_last()->text);
        }
        _exit(told ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    expect_no_parts();
    EXPECT(run() == DN_OK);
    expect_every_row_once();
    fixture_clean();
}

/* The real thing where we may mount: the error says so, nothing torn is visible, and the run ends
 * in time. */
CASE(a_full_disk_stops_the_run_and_a_restart_completes_it) {
    fixture_begin();
    if (mount("none", fixture_folder, "tmpfs", 0, "size=256k") != 0) {
        fixture_clean();
        SKIP("mounting a tmpfs is not permitted");
    }
    EXPECT(run() == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_NO_SPACE);
    EXPECT(strstr(dn_failure_last()->text, "No space left") != NULL);
    expect_no_parts();
    char *options = dn_strdup("size=64m");
    EXPECT(mount("none", fixture_folder, "tmpfs", MS_REMOUNT, options) == 0);
    EXPECT(run() == DN_OK);
    expect_every_row_once();
    free(options);
    umount(fixture_folder);
    fixture_clean();
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
