#include "sink/ledger.h"

#include "base/hash.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 1 << 20, NAME_DIGITS = 20 };

/* One table for writing, reading, sealing and recounting. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"partition", offsetof(dn_entry, partition)},
    {"first_offset", offsetof(dn_entry, first)},
    {"next_offset", offsetof(dn_entry, next)},
    {"previous_first_offset", offsetof(dn_entry, previous)},
    {"records_in", offsetof(dn_entry, counts.records_in)},
    {"rows_out", offsetof(dn_entry, counts.rows_out)},
    {"repeats_dropped", offsetof(dn_entry, counts.repeats_dropped)},
    {"filtered", offsetof(dn_entry, counts.filtered)},
    {"dead_letters", offsetof(dn_entry, counts.dead_letters)},
    {"n_rows", offsetof(dn_entry, n_rows)},
};

static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"schema_name", offsetof(dn_entry, kind)},
    {"topic", offsetof(dn_entry, topic)},
    {"pipeline", offsetof(dn_entry, pipeline)},
    {"run_id", offsetof(dn_entry, run_id)},
};

enum { N_NUMBERS = sizeof numbers / sizeof *numbers, N_TEXTS = sizeof texts / sizeof *texts };

static int64_t *number_of(const dn_entry *entry, int i) {
    return (int64_t *)((char *)entry + numbers[i].offset);
}

static char **text_of(const dn_entry *entry, int i) {
    return (char **)((char *)entry + texts[i].offset);
}

void dn_entry_free(dn_entry *entry) {
    for (int i = 0; i < N_TEXTS; i++) {
        free(*text_of(entry, i));
        *text_of(entry, i) = NULL;
    }
}

/* run_id stays out: equal results of two runs have equal seals. */
uint64_t dn_entry_seal(const dn_entry *entry) {
    dn_hasher *hasher = dn_hasher_new();
    for (int i = 0; i < N_NUMBERS; i++) {
        dn_hasher_add(hasher, number_of(entry, i), sizeof(int64_t));
    }
    dn_hasher_add(hasher, entry->kind, strlen(entry->kind) + 1);
    dn_hasher_add(hasher, entry->topic, strlen(entry->topic) + 1);
    dn_hasher_add(hasher, entry->pipeline, strlen(entry->pipeline) + 1);
    dn_hasher_add(hasher, &entry->content, sizeof entry->content);
    uint64_t seal = dn_hasher_value(hasher);
    dn_hasher_free(hasher);
    return seal;
}

static dn_status write_hash(dn_h5_file *file, const char *name, uint64_t hash) {
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    return dn_h5_set_text(file, "/", name, text);
}

dn_status dn_entry_write(dn_h5_file *file, const dn_entry *entry) {
    for (int i = 0; i < N_TEXTS; i++) {
        DN_TRY(dn_h5_set_text(file, "/", texts[i].name, *text_of(entry, i)));
    }
    for (int i = 0; i < N_NUMBERS; i++) {
        DN_TRY(dn_h5_set_i64(file, "/", numbers[i].name, *number_of(entry, i)));
    }
    DN_TRY(dn_h5_set_i64(file, "/", "schema_version", DN_LEDGER_VERSION));
    DN_TRY(write_hash(file, "content_xxh3", entry->content));
    return write_hash(file, "ledger_xxh3", dn_entry_seal(entry));
}

static dn_status read_hash(dn_h5_file *file, const char *name, uint64_t *hash) {
    char *text = NULL;
    DN_TRY(dn_h5_get_text(file, "/", name, &text));
    *hash = strtoull(text, NULL, 16);
    free(text);
    return DN_OK;
}

static dn_status read_entry(dn_h5_file *file, dn_entry *entry, uint64_t *seal) {
    for (int i = 0; i < N_TEXTS; i++) {
        DN_TRY(dn_h5_get_text(file, "/", texts[i].name, text_of(entry, i)));
    }
    for (int i = 0; i < N_NUMBERS; i++) {
        DN_TRY(dn_h5_get_i64(file, "/", numbers[i].name, number_of(entry, i)));
    }
    DN_TRY(read_hash(file, "content_xxh3", &entry->content));
    return read_hash(file, "ledger_xxh3", seal);
}

static dn_status check_entry(dn_h5_file *file, const char *path, dn_entry *entry) {
    int64_t complete = 0;
    DN_TRY(dn_h5_get_i64(file, "/", "complete", &complete));
    if (complete != 1) {
        return DN_FAIL(VERIFY, "%s: is not complete", path);
    }
    uint64_t seal;
    DN_TRY(read_entry(file, entry, &seal));
    if (seal != dn_entry_seal(entry)) {
        return DN_FAIL(VERIFY, "%s: the attributes of its ledger do not fit their ledger_xxh3",
                       path);
    }
    const dn_counts *c = &entry->counts;
    int64_t out = c->rows_out + c->repeats_dropped + c->filtered + c->dead_letters;
    if (c->records_in != out) {
        return DN_FAIL(VERIFY,
                       "%s: records_in is %" PRId64
                       ", but rows_out + repeats_dropped + filtered + dead_letters is %" PRId64,
                       path, c->records_in, out);
    }
    return DN_OK;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Rows a dataset must have; -1 when only the offsets beside it know (bytes of texts). */
static int64_t expected_rows(const dn_entry *entry, const dn_h5_info *info) {
    if (ends_with(info->path, "/offsets")) {
        return entry->n_rows + 1;
    }
    return ends_with(info->path, "/bytes") ? -1 : entry->n_rows;
}

static dn_status check_text_end(dn_h5_file *file, const char *path, const dn_entry *entry,
                                const dn_h5_info *bytes) {
    char offsets[sizeof bytes->path + 8];
    snprintf(offsets, sizeof offsets, "%.*s/offsets", (int)(strlen(bytes->path) - strlen("/bytes")),
             bytes->path);
    uint64_t end;
    DN_TRY(dn_h5_read(file, offsets, (uint64_t)entry->n_rows, 1, &end));
    if (end != bytes->n_rows) {
        return DN_FAIL(VERIFY, "%s: %s holds %" PRIu64 " bytes, its offsets end at %" PRIu64, path,
                       bytes->path, bytes->n_rows, end);
    }
    return DN_OK;
}

static dn_status check_length(dn_h5_file *file, const char *path, const dn_entry *entry,
                              const dn_h5_info *info) {
    int64_t want = expected_rows(entry, info);
    if (info->type == DN_H5_TYPES || !info->has_hash) {
        return DN_FAIL(
            VERIFY, "%s: %s is of a type or shape that no result file has, or its xxh3 is missing",
            path, info->path);
    }
    if (want < 0) {
        return check_text_end(file, path, entry, info);
    }
    if ((int64_t)info->n_rows != want) {
        return DN_FAIL(VERIFY, "%s: %s has %" PRIu64 " rows instead of %" PRId64, path, info->path,
                       info->n_rows, want);
    }
    return DN_OK;
}

static dn_status hash_dataset(dn_h5_file *file, const dn_h5_info *info, void *block,
                              const dn_ledger_reader *reader, uint64_t *hash) {
    dn_hasher *hasher = dn_hasher_new();
    uint64_t step = BLOCK_BYTES / info->row_bytes;
    dn_status status = DN_OK;
    for (uint64_t row = 0; row < info->n_rows && status == DN_OK; row += step) {
        uint64_t n = info->n_rows - row < step ? info->n_rows - row : step;
        status = dn_h5_read(file, info->path, row, n, block);
        if (status == DN_OK) {
            dn_hasher_add(hasher, block, n * info->row_bytes);
            if (reader) {
                reader->block(reader->ctx, info, block, n);
            }
        }
    }
    *hash = dn_hasher_value(hasher);
    dn_hasher_free(hasher);
    return status;
}

static dn_status check_values(dn_h5_file *file, const char *path, const dn_h5_info *infos, int n,
                              const dn_ledger_reader *reader) {
    char *block = dn_alloc(BLOCK_BYTES);
    dn_status status = DN_OK;
    for (int i = 0; i < n && status == DN_OK; i++) {
        uint64_t hash;
        status = hash_dataset(file, &infos[i], block, reader, &hash);
        if (status == DN_OK && hash != infos[i].hash) {
            status = DN_FAIL(VERIFY,
                             "%s: the values of %s are damaged (xxh3 %016" PRIx64
                             ", should be %016" PRIx64 ")",
                             path, infos[i].path, hash, infos[i].hash);
        }
    }
    free(block);
    return status;
}

static dn_status check_content(const char *path, const dn_entry *entry, const dn_h5_info *infos,
                               int n) {
    const char **paths = dn_alloc_array((size_t)n + 1, sizeof *paths);
    uint64_t *hashes = dn_alloc_array((size_t)n + 1, sizeof *hashes);
    for (int i = 0; i < n; i++) {
        paths[i] = infos[i].path;
        hashes[i] = infos[i].hash;
    }
    uint64_t content = dn_h5_hash_of_hashes(paths, hashes, n);
    free(paths);
    free(hashes);
    if (content != entry->content) {
        return DN_FAIL(VERIFY, "%s: its datasets are not those that content_xxh3 was made of",
                       path);
    }
    return DN_OK;
}

static dn_status check_columns(dn_h5_file *file, const char *path, bool deep,
                               const dn_ledger_reader *reader, const dn_entry *entry) {
    dn_h5_info *infos;
    int n;
    DN_TRY(dn_h5_list(file, &infos, &n));
    dn_status status = check_content(path, entry, infos, n);
    for (int i = 0; i < n && status == DN_OK; i++) {
        status = check_length(file, path, entry, &infos[i]);
    }
    if (status == DN_OK && deep) {
        status = check_values(file, path, infos, n, reader);
    }
    dn_h5_infos_free(infos, n);
    return status;
}

dn_status dn_ledger_check(const char *path, bool deep, const dn_ledger_reader *reader,
                          dn_entry *entry) {
    dn_entry read = {0};
    dn_h5_file *file;
    dn_status status = dn_h5_open(path, &file);
    if (status == DN_OK) {
        status = check_entry(file, path, &read);
        if (status == DN_OK) {
            status = check_columns(file, path, deep, reader, &read);
        }
        dn_h5_abandon(file);
    }
    if (status != DN_OK) {
        dn_entry_free(&read);
        if (dn_failure_last()->error == DN_E_DATA) { /* what the library found is damage, too */
            dn_failure failure = *dn_failure_last();
            return DN_FAIL(VERIFY, "%s", failure.text);
        }
        return status;
    }
    *entry = read;
    return DN_OK;
}

static bool parse_name(const char *name, int64_t *first) {
    if (strspn(name, "0123456789") != NAME_DIGITS || strcmp(name + NAME_DIGITS, ".h5") != 0) {
        return false;
    }
    *first = strtoll(name, NULL, 10);
    return true;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

dn_status dn_ledger_list(const char *folder, int64_t **first, int *n) {
    *first = NULL;
    *n = 0;
    DIR *stream = opendir(folder);
    if (!stream) {
        return errno == ENOENT ? DN_OK
                               : DN_FAIL(IO, "%s: cannot be listed: %s", folder, strerror(errno));
    }
    int64_t offset;
    for (struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        if (parse_name(entry->d_name, &offset)) {
            *first = dn_grow(*first, (size_t)*n + 1, sizeof **first);
            (*first)[(*n)++] = offset;
        }
    }
    closedir(stream);
    if (*n) {
        qsort(*first, (size_t)*n, sizeof **first, by_value);
    }
    return DN_OK;
}

char *dn_ledger_path(const char *folder, int64_t first) {
    return dn_format("%s/%020" PRId64 ".h5", folder, first);
}
