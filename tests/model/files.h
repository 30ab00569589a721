#ifndef DN_TEST_MODEL_FILES_H
#define DN_TEST_MODEL_FILES_H
/** Files of a model directory as bytes, to damage them one at a time. */
#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/** "dir/name"; ownership: the caller */
static inline char *path_of(const char *dir, const char *name) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        abort();
    }
    return path;
}

typedef struct bytes {
    char *at;
    size_t n;
} bytes;

static inline bytes read_bytes(const char *dir, const char *name) {
    char *path = path_of(dir, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s is missing\n", path);
        abort();
    }
    free(path);
    fseek(file, 0, SEEK_END);
    bytes b = {.n = (size_t)ftell(file)};
    rewind(file);
    b.at = malloc(b.n + 1);
    if (fread(b.at, 1, b.n, file) != b.n) {
        abort();
    }
    b.at[b.n] = 0;
    fclose(file);
    return b;
}

static inline void write_bytes(const char *dir, const char *name, const void *at, size_t n) {
    char *path = path_of(dir, name);
    FILE *file = fopen(path, "wb");
    free(path);
    if (!file || fwrite(at, 1, n, file) != n || fclose(file) != 0) {
        abort();
    }
}

/** A fresh folder; `out` holds 64 bytes. */
static inline void make_dir(char *out) {
    strcpy(out, "/tmp/dunlin-test-XXXXXX");
    if (!mkdtemp(out)) {
        abort();
    }
}

static inline int remove_entry(const char *path, const struct stat *info, int kind,
                               struct FTW *place) {
    (void)info, (void)kind, (void)place;
    return remove(path);
}

/** A folder with all that is in it. */
static inline void remove_dir(const char *dir) {
    nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/** Copies the files of `from`, and of the one folder that a model may have in it. */
static inline void copy_dir(const char *from, const char *to) {
    DIR *folder = opendir(from);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char *path = path_of(from, entry->d_name), *copy = path_of(to, entry->d_name);
        struct stat info;
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            mkdir(copy, 0700);
            copy_dir(path, copy);
        } else {
            bytes b = read_bytes(from, entry->d_name);
            write_bytes(to, entry->d_name, b.at, b.n);
            free(b.at);
        }
        free(path);
        free(copy);
    }
    closedir(folder);
}

/** The first `from` in a file becomes `to`. */
static inline void edit_file(const char *dir, const char *file, const char *from, const char *to) {
    bytes in = read_bytes(dir, file);
    char *at = memmem(in.at, in.n, from, strlen(from));
    if (!at) {
        fprintf(stderr, "\"%s\" is not in %s\n", from, file);
        abort();
    }
    size_t head = (size_t)(at - in.at), tail = in.n - head - strlen(from);
    char *out = malloc(in.n + strlen(to) + 1);
    memcpy(out, in.at, head);
    memcpy(out + head, to, strlen(to));
    memcpy(out + head + strlen(to), at + strlen(from), tail);
    write_bytes(dir, file, out, head + strlen(to) + tail);
    free(out);
    free(in.at);
}

/** Writes a .safetensors file: its length, `header` of `n_header` bytes and `n_data` zero bytes
 * behind it. */
static inline void write_tensors(const char *dir, uint64_t length, const char *header,
                                 size_t n_header, size_t n_data) {
    size_t n = 8 + n_header + n_data;
    char *all = calloc(1, n + 1);
    for (int i = 0; i < 8; i++) {
        all[i] = (char)(length >> (8 * i));
    }
    memcpy(all + 8, header, n_header);
    write_bytes(dir, "x.safetensors", all, n);
    free(all);
}

#endif
