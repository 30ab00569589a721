#ifndef DN_TESTS_JOB_FILE_H
#define DN_TESTS_JOB_FILE_H
/** Job files of a test, written below TMPDIR and removed again. */
#include "job/job.h"
#include "test.h"

#include <unistd.h>

/** Opens `size` bytes as a job file; job is NULL when that fails. `path` gets its name. */
static inline dn_status job_open_bytes(const char *bytes, size_t size, const dn_list *set,
                                       char path[512], dn_job **job) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, 512, "%s/job-XXXXXX.yaml", folder ? folder : "/tmp");
    int fd = mkstemps(path, 5);
    *job = NULL;
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) {
        return DN_FAIL(SYSTEM, "%s: cannot be written by the test", path);
    }
    close(fd);
    dn_status status = dn_job_open(path, set, job);
    unlink(path);
    return status;
}

static inline dn_status job_open_text(const char *text, const dn_list *set, dn_job **job) {
    char path[512];
    return job_open_bytes(text, strlen(text), set, path, job);
}

/** The failure's text without the file's name in front. */
static inline const char *job_failure(const char *path) {
    const char *text = dn_failure_last()->text;
    size_t n = strlen(path);
    return strncmp(text, path, n) == 0 ? text + n : text;
}

#endif
