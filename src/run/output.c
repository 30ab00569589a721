#include "run/output.h"

#include "base/clock.h"
#include "base/memory.h"
#include "run/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOST_MAX = 128, TRIES = 3, END_LOOK_NS = 20 * 1000 * 1000 };

static const int64_t END_WAIT_NS = INT64_C(3000000000);

struct dn_output {
    char *path, *lock;
};

typedef struct owner {
    char host[HOST_MAX], since[32];
    long pid;
    dn_slurm slurm;
} owner;

static dn_status fail_path(const char *path, const char *what) {
    int error = errno;
    const char *why = strerror(error);
    if (error == EACCES || error == EPERM || error == EROFS) {
        return DN_FAIL(DENIED, "%s: %s: %s; choose another folder with --set output=DIR", path,
                       what, why);
    }
    if (error == ENOSPC || error == EDQUOT) {
        return DN_FAIL(NO_SPACE, "%s: %s: %s", path, what, why);
    }
    return DN_FAIL(CANT_CREATE, "%s: %s: %s", path, what, why);
}

dn_status dn_make_folders(const char *path) {
    char *copy = dn_strdup(path);
    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) {
            *slash = '\0';
        }
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            dn_status status = fail_path(copy, "the folder cannot be made");
            free(copy);
            return status;
        }
        if (!slash) {
            break;
        }
        *slash = '/';
    }
    free(copy);
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return DN_FAIL(CANT_CREATE, "%s: is not a folder", path);
    }
    return DN_OK;
}

static void this_owner(owner *out) {
    *out = (owner){.pid = (long)getpid(), .slurm = dn_slurm_look()};
    gethostname(out->host, sizeof out->host - 1);
    dn_wall_format(dn_wall_ns(), out->since);
}

static bool read_owner(const char *lock, owner *out) {
    *out = (owner){0};
    FILE *file = fopen(lock, "r");
    if (!file) {
        return false;
    }
    int n = fscanf(file, "host %127s\npid %ld\nslurm %31s\nsince %31s\nrestarts %d", out->host,
                   &out->pid, out->slurm.id, out->since, &out->slurm.restarts);
    fclose(file);
    return n >= 4;
}

/* An owner that cannot be running any more, or that is this same job started again: Slurm ends a
 * job on all its nodes before it starts it anew. A second step beside a living one is refused where
 * it can be seen, on the same host. */
static bool may_take_over(const owner *old, const owner *me) {
    bool same_host = strcmp(me->host, old->host) == 0;
    bool same_job = me->slurm.id[0] && strcmp(me->slurm.id, old->slurm.id) == 0;
    bool requeued = same_job && me->slurm.restarts > old->slurm.restarts;
    bool dead_here = same_host && kill((pid_t)old->pid, 0) != 0 && errno == ESRCH;
    return requeued || dead_here || (same_job && !same_host);
}

/* Written whole beside its place, then linked there: a lock is never seen half-written. */
static dn_status write_owner(const char *path, const owner *me) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return fail_path(path, "the lock cannot be made");
    }
    int n = dprintf(fd, "host %s\npid %ld\nslurm %s\nsince %s\nrestarts %d\n",
                    me->host[0] ? me->host : "?", me->pid, me->slurm.id[0] ? me->slurm.id : "-",
                    me->since, me->slurm.restarts);
    dn_status status =
        n < 0 || fsync(fd) != 0 ? fail_path(path, "the lock cannot be written") : DN_OK;
    close(fd);
    return status;
}

static dn_status write_lock(const char *lock, const owner *me) {
    char *beside = dn_format("%s.%s.%ld", lock, me->host, me->pid);
    dn_status status = write_owner(beside, me);
    if (status == DN_OK && link(beside, lock) != 0) {
        status = errno == EEXIST ? DN_AGAIN : fail_path(lock, "the lock cannot be made");
    }
    unlink(beside);
    free(beside);
    return status;
}

/* A launcher may return while ranks that it has just ended are still going. */
static void await_end(const owner *old, const owner *me) {
    const int64_t until_ns = dn_mono_ns() + END_WAIT_NS;
    while (strcmp(me->host, old->host) == 0 && kill((pid_t)old->pid, 0) == 0 &&
           dn_mono_ns() < until_ns) {
        dn_sleep_until_ns(dn_mono_ns() + END_LOOK_NS);
    }
}

static bool same_owner(const owner *a, const owner *b) {
    return a->pid == b->pid && strcmp(a->host, b->host) == 0 && strcmp(a->since, b->since) == 0;
}

/* Takes away the lock of `old` and no other: of two that try at once rename lets one have it, and a
 * lock that somebody has put there meanwhile goes back. */
static void remove_lock(const char *lock, const owner *old, const owner *me, bool force) {
    char *aside = dn_format("%s.old.%s.%ld", lock, me->host, me->pid);
    owner found;
    if (rename(lock, aside) == 0) {
        bool expected = read_owner(aside, &found) && same_owner(&found, old);
        if (!expected && !force) {
            (void)!link(aside, lock);
        }
        unlink(aside);
    }
    free(aside);
}

static dn_status take_lock(const char *path, const char *lock, bool force) {
    owner me, old;
    this_owner(&me);
    for (int i = 0; i < TRIES; i++) {
        dn_status status = write_lock(lock, &me);
        if (status != DN_AGAIN) {
            return status;
        }
        bool readable = read_owner(lock, &old);
        if (!force && readable) {
            await_end(&old, &me);
        }
        if (!force && !(readable && may_take_over(&old, &me))) {
            return DN_FAIL(
                OUTPUT_BUSY,
                "%s belongs to another run (process %ld on %s since %s); wait for it, choose "
                "another folder "
                "with --set output=DIR, or take it over with --force if that run is gone",
                path, old.pid, readable ? old.host : "?", readable ? old.since : "?");
        }
        remove_lock(lock, &old, &me, force);
    }
    return DN_FAIL(OUTPUT_BUSY, "%s: another run takes this folder at the same time", path);
}

dn_status dn_output_claim(const char *path, bool force, dn_output **out) {
    DN_TRY(dn_make_folders(path));
    char *lock = dn_format("%s/run.lock", path);
    dn_status status = take_lock(path, lock, force);
    if (status != DN_OK) {
        free(lock);
        return status;
    }
    *out = dn_alloc(sizeof **out);
    (*out)->path = dn_strdup(path);
    (*out)->lock = lock;
    return DN_OK;
}

static dn_status write_text(const dn_output *output, const char *name, const char *text) {
    char *path = dn_format("%s/%s", output->path, name);
    FILE *file = fopen(path, "w");
    dn_status status = DN_OK;
    if (!file || fputs(text, file) < 0 || fflush(file) != 0) {
        status = fail_path(path, "cannot be written");
    }
    if (file) {
        fclose(file);
    }
    free(path);
    return status;
}

dn_status dn_output_write_job(const dn_output *output, const char *resolved_job) {
    return write_text(output, "job.yaml", resolved_job);
}

dn_status dn_output_write_labels(const dn_output *output, const char *json) {
    return write_text(output, "labels.json", json);
}

/* Writes the file anew, or compares what an earlier run wrote: AGAIN when there is none yet. */
static dn_status compare_source(const char *path, const char *identity, char *old,
                                size_t old_size) {
    FILE *file = fopen(path, "r");
    if (!file) {
        return DN_AGAIN;
    }
    old[0] = '\0';
    bool got = fgets(old, (int)old_size, file) != NULL;
    fclose(file);
    old[strcspn(old, "\n")] = '\0';
    return got && strcmp(old, identity) == 0 ? DN_OK : DN_FATAL;
}

static dn_status write_source(const char *path, const char *identity) {
    FILE *file = fopen(path, "w");
    bool written = file && fprintf(file, "%s\n", identity) > 0 && fflush(file) == 0;
    dn_status status = written ? DN_OK : fail_path(path, "cannot be written");
    if (file) {
        fclose(file);
    }
    return status;
}

dn_status dn_output_check_source(const dn_output *output, const char *pipeline,
                                 const char *identity) {
    if (!identity[0]) {
        return DN_OK;
    }
    char *folder = dn_format("%s/sources", output->path);
    char *path = dn_format("%s/%s", folder, pipeline);
    char old[64];
    dn_status status = dn_make_folders(folder);
    if (status == DN_OK) {
        status = compare_source(path, identity, old, sizeof old);
    }
    if (status == DN_AGAIN) {
        status = write_source(path, identity);
    } else if (status != DN_OK) {
        DN_FAIL(OUTPUT_OTHER,
                "%s holds results of another input of pipeline '%s' (another corpus, or dealt to "
                "partitions otherwise); "
                "choose another folder with --set output=DIR, or remove it",
                output->path, pipeline);
    }
    free(path);
    free(folder);
    return status;
}

void dn_output_release(dn_output *output) {
    if (output) {
        unlink(output->lock);
        free(output->lock);
        free(output->path);
        free(output);
    }
}
