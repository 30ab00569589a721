#include "io/h5.h"

#include "base/memory.h"
#include "io/h5_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One lock for the process: Debian's serial build is thread-safe by such a lock anyway, other
 * builds are not. Recursive, because public functions use each other. */
static pthread_mutex_t lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    /* After a failed flush the library's exit handler tries the same file for ever ("infinite loop
     * closing library"). We close every file ourselves, so there is nothing for it to do. */
    H5dont_atexit();
    H5open();
}

typedef struct reason {
    char text[400];
    bool no_space;
} reason;

static _Thread_local reason why; /* of the last failed call that nobody has asked about yet */

/* Innermost first: the first entry is the cause, the others are who passed it on. */
static herr_t take_reason(unsigned n, const H5E_error2_t *entry, void *ctx) {
    reason *taken = ctx;
    const char *text = entry->desc ? entry->desc : "";
    if (n == 0 || strstr(text, "errno = ")) {
        snprintf(taken->text, sizeof taken->text, "%s", text);
    }
    taken->no_space |= strstr(text, "errno = 28,") || strstr(text, "errno = 122,");
    return 0;
}

/* The library calls this instead of printing, at the moment of failure: the next call would clear
 * its error stack. */
static herr_t note_failure(hid_t stack, void *ctx) {
    (void)ctx;
    why = (reason){0};
    return H5Ewalk2(stack, H5E_WALK_UPWARD, take_reason, &why);
}

void dn_h5_enter(void) {
    static _Thread_local bool listening;
    pthread_once(&once, set_up);
    pthread_mutex_lock(&lock);
    if (!listening) {
        H5Eset_auto2(H5E_DEFAULT, note_failure, NULL);
        listening = true;
    }
}

void dn_h5_leave(void) {
    pthread_mutex_unlock(&lock);
}

void dn_h5_forget(void) {
    why = (reason){0};
}

/* The text of a failed write names addresses and more; its errno part is what a person needs. */
static const char *for_a_person(char *text) {
    char *message = strstr(text, "error message = '");
    if (message) {
        message += strlen("error message = '");
        message[strcspn(message, "'")] = '\0';
        return message;
    }
    return text[0] ? text : "the library gives no reason";
}

dn_status dn_h5_error_path(const char *path, bool writing, const char *what) {
    reason taken = why;
    dn_h5_forget();
    const char *text = for_a_person(taken.text);
    if (taken.no_space) {
        return DN_FAIL(NO_SPACE, "%s: %s: %s; free space and start the same command again", path,
                       what, text);
    }
    if (writing) {
        return DN_FAIL(IO, "%s: %s: %s", path, what, text);
    }
    return DN_FAIL(DATA, "%s: %s: %s", path, what, text);
}

dn_status dn_h5_error(const dn_h5_file *file, const char *what) {
    return dn_h5_error_path(file->path, file->writable, what);
}

static hid_t access_list(void) {
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    /* Lustre without flock refuses locks; HDF5_USE_FILE_LOCKING still overrides. */
    H5Pset_file_locking(list, 1, 1);
    H5Pset_fclose_degree(list, H5F_CLOSE_STRONG);
    return list;
}

static dn_h5_file *file_new(const char *path, hid_t id, bool writable) {
    dn_h5_file *file = dn_alloc(sizeof *file);
    file->id = id;
    file->path = dn_strdup(path);
    file->tail = &file->columns;
    file->writable = writable;
    return file;
}

dn_status dn_h5_create(const char *path, dn_h5_file **file) {
    dn_h5_enter();
    hid_t access = access_list();
    hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    dn_status status = DN_OK;
    if (id < 0) {
        status = dn_h5_error_path(path, true, "cannot be made");
    } else {
        *file = file_new(path, id, true);
    }
    dn_h5_leave();
    return status;
}

dn_status dn_h5_open(const char *path, dn_h5_file **file) {
    dn_h5_enter();
    hid_t access = access_list();
    hid_t id = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    dn_status status = DN_OK;
    if (id < 0) {
        status = dn_h5_error_path(path, false, "cannot be opened as HDF5");
    } else {
        *file = file_new(path, id, false);
    }
    dn_h5_leave();
    return status;
}

static void file_free(dn_h5_file *file) {
    dn_h5_column *column = file->columns;
    while (column) {
        dn_h5_column *next = column->next;
        dn_h5_column_free(column);
        column = next;
    }
    free(file->path);
    free(file);
}

/* What is left of a poisoned file is worthless, and the library cannot let go of a file that it
 * cannot flush: on a full disk it would keep memory, descriptor and blocks until the process ends.
 * Cut to nothing, the flush finds room. */
static void make_room(const dn_h5_file *file) {
    if (file->writable && truncate(file->path, 0) != 0) {
        dn_h5_forget();
    }
}

/* Returns false when a close failed: data that the library still held may be lost. */
static bool close_ids(dn_h5_file *file) {
    bool ok = true;
    for (dn_h5_column *column = file->columns; column; column = column->next) {
        if (column->dataset >= 0) {
            ok &= H5Dclose(column->dataset) >= 0;
        }
        if (column->file_type >= 0) {
            H5Tclose(column->file_type);
        }
    }
    if (!ok) {
        make_room(file);
    }
    ok &= H5Fclose(file->id) >= 0;
    return ok;
}

dn_status dn_h5_close(dn_h5_file *file) {
    dn_h5_enter();
    dn_status status = DN_OK;
    if (file->writable) {
        status = dn_h5_finish(file);
    }
    if (status != DN_OK) {
        make_room(file);
    }
    bool closed = close_ids(file);
    if (status == DN_OK && !closed) {
        status = dn_h5_error(file, "closing failed");
    }
    dn_h5_forget();
    file_free(file);
    dn_h5_leave();
    return status;
}

void dn_h5_abandon(dn_h5_file *file) {
    if (!file) {
        return;
    }
    dn_h5_enter();
    make_room(file);
    close_ids(file);
    dn_h5_forget();
    file_free(file);
    dn_h5_leave();
}

uint64_t dn_h5_hash_of_hashes(const char *const *paths, const uint64_t *hashes, int n) {
    dn_hasher *hasher = dn_hasher_new();
    for (int i = 0; i < n; i++) {
        dn_hasher_add(hasher, paths[i], strlen(paths[i]) + 1);
        dn_hasher_add(hasher, &hashes[i], sizeof hashes[i]);
    }
    uint64_t value = dn_hasher_value(hasher);
    dn_hasher_free(hasher);
    return value;
}

const char *dn_h5_version(void) {
    static char text[32];
    unsigned major, minor, release;
    dn_h5_enter();
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    dn_h5_leave();
    return text;
}
