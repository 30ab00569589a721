#include "io/publish.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static dn_status failed(const char *path, const char *what) {
    if (errno == ENOSPC || errno == EDQUOT) {
        return DN_FAIL(NO_SPACE, "%s: %s: %s; free space and start the same command again", path,
                       what, strerror(errno));
    }
    return DN_FAIL(IO, "%s: %s: %s", path, what, strerror(errno));
}

static dn_status sync_path(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) {
        return failed(path, "cannot be opened for fsync");
    }
    /* Some file systems (FUSE, NFS) refuse fsync on folders with EINVAL: they have nothing to make
     * durable there. */
    bool ok = fsync(fd) == 0 || ((flags & O_DIRECTORY) && errno == EINVAL);
    dn_status status = ok ? DN_OK : failed(path, "fsync failed");
    close(fd);
    return status;
}

static dn_status sync_parent(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash == path ? dn_strdup("/")
                   : slash       ? dn_format("%.*s", (int)(slash - path), path)
                                 : dn_strdup(".");
    dn_status status = sync_path(folder, O_RDONLY | O_DIRECTORY);
    free(folder);
    return status;
}

static dn_status make_one(const char *path) {
    if (mkdir(path, 0777) == 0) {
        return sync_parent(path);
    }
    struct stat info;
    if (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return DN_OK;
    }
    if (errno == ENOSPC || errno == EDQUOT) {
        return failed(path, "the folder cannot be made");
    }
    return DN_FAIL(CANT_CREATE, "%s: the folder cannot be made: %s", path, strerror(errno));
}

dn_status dn_folder_make(const char *path) {
    char *copy = dn_strdup(path);
    dn_status status = DN_OK;
    for (char *slash = copy + 1; *copy && status == DN_OK; slash++) {
        slash += strcspn(slash, "/");
        char kept = *slash;
        *slash = '\0';
        status = make_one(copy);
        *slash = kept;
        if (!kept) {
            break;
        }
    }
    free(copy);
    return status;
}

/* Where there are no hard links (some FUSE and object stores): the kernel's own rename that
 * refuses. */
static int link_or_rename(const char *part, const char *name) {
    if (link(part, name) == 0) {
        return unlink(part);
    }
    if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK) {
        return renameat2(AT_FDCWD, part, AT_FDCWD, name, RENAME_NOREPLACE);
    }
    return -1;
}

dn_status dn_publish(const char *part, const char *name, bool *existed) {
    DN_TRY(sync_path(part, O_RDONLY));
    *existed = false;
    if (link_or_rename(part, name) != 0) {
        if (errno != EEXIST) {
            return failed(name, "cannot be published");
        }
        *existed = true;
        return DN_OK;
    }
    return sync_parent(name);
}

dn_status dn_publish_replace(const char *part, const char *name) {
    DN_TRY(sync_path(part, O_RDONLY));
    if (rename(part, name) != 0) {
        return failed(name, "cannot be published");
    }
    return sync_parent(name);
}

dn_status dn_folder_sweep(const char *path, bool (*wants)(const char *name, void *ctx), void *ctx) {
    DIR *folder = opendir(path);
    if (!folder) {
        return errno == ENOENT ? DN_OK : failed(path, "cannot be listed");
    }
    dn_status status = DN_OK;
    for (struct dirent *entry = readdir(folder); entry && status == DN_OK;
         entry = readdir(folder)) {
        if (wants(entry->d_name, ctx) && unlinkat(dirfd(folder), entry->d_name, 0) != 0) {
            status = failed(path, entry->d_name);
        }
    }
    closedir(folder);
    return status;
}
