#include "sink/content.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>

typedef struct column {
    char *path;
    dn_hasher *hasher;
    bool lengths; /* text offsets */
    bool begun;   /* in this file */
    uint64_t end;
} column;

struct dn_content {
    column *column;
    int n;
};

dn_content *dn_content_new(void) {
    return dn_alloc(sizeof(dn_content));
}

void dn_content_free(dn_content *content) {
    for (int i = 0; i < content->n; i++) {
        free(content->column[i].path);
        dn_hasher_free(content->column[i].hasher);
    }
    free(content->column);
    free(content);
}

void dn_content_next_file(dn_content *content) {
    for (int i = 0; i < content->n; i++) {
        content->column[i].begun = false;
    }
}

static bool is_text_offsets(const char *path) {
    static const char end[] = "/offsets";
    size_t n = strlen(path);
    return n >= sizeof end - 1 && strcmp(path + n - (sizeof end - 1), end) == 0;
}

static column *column_of(dn_content *content, const char *path) {
    for (int i = 0; i < content->n; i++) {
        if (strcmp(content->column[i].path, path) == 0) {
            return &content->column[i];
        }
    }
    content->column = dn_grow(content->column, (size_t)content->n + 1, sizeof *content->column);
    column *made = &content->column[content->n++];
    *made = (column){
        .path = dn_strdup(path), .hasher = dn_hasher_new(), .lengths = is_text_offsets(path)};
    return made;
}

static void add_lengths(column *c, const uint64_t *ends, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t length = ends[i] - c->end;
        if (c->begun) {
            dn_hasher_add(c->hasher, &length, sizeof length);
        }
        c->begun = true;
        c->end = ends[i];
    }
}

void dn_content_add(dn_content *content, const dn_h5_info *info, const void *rows, size_t n_rows) {
    column *c = column_of(content, info->path);
    if (c->lengths) {
        add_lengths(c, rows, n_rows);
    } else {
        dn_hasher_add(c->hasher, rows, n_rows * info->row_bytes);
    }
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const column *)a)->path, ((const column *)b)->path);
}

uint64_t dn_content_value(const dn_content *content) {
    size_t n = (size_t)content->n;
    const char **paths = dn_alloc_array(n + 1, sizeof *paths);
    uint64_t *hashes = dn_alloc_array(n + 1, sizeof *hashes);
    if (n) {
        qsort(content->column, n, sizeof *content->column, by_path);
    }
    for (size_t i = 0; i < n; i++) {
        paths[i] = content->column[i].path;
        hashes[i] = dn_hasher_value(content->column[i].hasher);
    }
    uint64_t value = dn_h5_hash_of_hashes(paths, hashes, content->n);
    free(paths);
    free(hashes);
    return value;
}
