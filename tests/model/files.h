#ifndef DN_TEST_MODEL_FILES_H
#define DN_TEST_MODEL_FILES_H
/** Files of a model directory as bytes, to damage them one at a time. */
#include "test.h"

#include <unistd.h>

typedef struct bytes {
    char *at;
    size_t n;
} bytes;

static inline bytes read_bytes(const char *dir, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s is missing\n", path);
        abort();
    }
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
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
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

static inline void remove_dir(const char *dir) {
    static const char *const names[] = {"config.json", "vocab.txt", "model.safetensors",
                                        "x.safetensors"};
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
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
