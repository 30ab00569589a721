#include "sink/tree.h"

#include "base/memory.h"
#include "sink/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct walk {
    const char *output;
    dn_tree_visitor *visit;
    void *ctx;
    dn_place place;
} walk;

typedef dn_status step(walk *at, const char *path, const char *name);

static int no_dots(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Calls `next` for every subfolder; numbers in names count as numbers. */
static dn_status each_folder(walk *at, const char *path, step *next) {
    struct dirent **entries;
    int n = scandir(path, &entries, no_dots, versionsort);
    if (n < 0) {
        return errno == ENOENT
                   ? DN_OK
                   : DN_FAIL(NO_INPUT, "%s: cannot be listed: %s", path, strerror(errno));
    }
    dn_status status = DN_OK;
    for (int i = 0; i < n; i++) {
        char *below = dn_format("%s/%s", path, entries[i]->d_name);
        if (status == DN_OK && is_folder(below)) {
            status = next(at, below, entries[i]->d_name);
        }
        free(below);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static dn_status visit_partition(walk *at, const char *path, const char *name) {
    char *end;
    at->place.partition = strtoll(name, &end, 10);
    if (*end) {
        return DN_OK; /* not ours */
    }
    int64_t *first;
    DN_TRY(dn_ledger_list(path, &first, &at->place.n_files));
    at->place.folder = path;
    at->place.relative = path + strlen(at->output) + 1;
    at->place.first = first;
    dn_status status = at->visit(at->ctx, &at->place);
    free(first);
    return status;
}

static dn_status visit_topic(walk *at, const char *path, const char *name) {
    at->place.topic = name;
    return each_folder(at, path, visit_partition);
}

static dn_status visit_pipeline(walk *at, const char *path, const char *name) {
    at->place.pipeline = name;
    return each_folder(at, path, visit_topic);
}

dn_status dn_tree_walk(const char *output, dn_tree_visitor *visit, void *ctx) {
    walk at = {.output = output, .visit = visit, .ctx = ctx, .place = {.pipeline = ""}};
    char *rows = dn_format("%s/rows", output), *dead = dn_format("%s/dead", output);
    dn_status status = each_folder(&at, rows, visit_topic);
    if (status == DN_OK) {
        at.place.dead = true;
        status = each_folder(&at, dead, visit_pipeline);
    }
    free(rows);
    free(dead);
    return status;
}
