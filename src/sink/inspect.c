#include "sink/inspect.h"

#include "base/memory.h"
#include "sink/ledger.h"
#include "sink/tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { TEXT_COLUMNS = 100 };

static const char *const type_names[DN_H5_TYPES + 1] = {
    [DN_H5_U8] = "uint8",   [DN_H5_I32] = "int32",   [DN_H5_I64] = "int64",
    [DN_H5_U64] = "uint64", [DN_H5_F32] = "float32", [DN_H5_F64] = "float64",
    [DN_H5_ENUM] = "enum",  [DN_H5_TEXT] = "text",   [DN_H5_TYPES] = "other",
};

static const char *const text_attributes[] = {
    "schema_name", "topic",      "pipeline",     "job",          "run_id",      "creator",
    "created_utc", "git_commit", "model_sha256", "content_xxh3", "ledger_xxh3",
};
static const char *const number_attributes[] = {
    "partition",       "first_offset", "next_offset",  "records_in", "rows_out",
    "repeats_dropped", "filtered",     "dead_letters", "n_rows",     "complete",
};

static void print_attributes(dn_h5_file *file, FILE *out) {
    for (size_t i = 0; i < sizeof text_attributes / sizeof *text_attributes; i++) {
        char *value = NULL;
        if (dn_h5_get_text(file, "/", text_attributes[i], &value) == DN_OK) {
            fprintf(out, "%-16s %s\n", text_attributes[i], value);
            free(value);
        }
    }
    for (size_t i = 0; i < sizeof number_attributes / sizeof *number_attributes; i++) {
        int64_t value;
        if (dn_h5_get_i64(file, "/", number_attributes[i], &value) == DN_OK) {
            fprintf(out, "%-16s %" PRId64 "\n", number_attributes[i], value);
        }
    }
}

static void print_dataset(const dn_h5_info *info, FILE *out) {
    char shape[48];
    if (info->width > 1) {
        snprintf(shape, sizeof shape, "%" PRIu64 " x %d", info->n_rows, info->width);
    } else {
        snprintf(shape, sizeof shape, "%" PRIu64, info->n_rows);
    }
    fprintf(out, "%-32s %-8s %-14s %s", info->path, type_names[info->type], shape, info->long_name);
    if (info->units[0]) {
        fprintf(out, " [%s]", info->units);
    }
    for (int i = 0; i < info->n_labels; i++) {
        fprintf(out, "%s%s", i ? " " : " {", info->labels[i] ? info->labels[i] : "?");
    }
    fprintf(out, "%s\n", info->n_labels ? "}" : "");
}

typedef union value {
    uint8_t u8;
    int32_t i32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
} value;

static void print_label(const dn_h5_info *info, uint8_t label, FILE *out) {
    bool known = label < info->n_labels && info->labels[label];
    fprintf(out, "%s", known ? info->labels[label] : "(none)");
}

static void print_value(const dn_h5_info *info, const void *at, FILE *out) {
    value v = {0};
    memcpy(&v, at, info->row_bytes / (size_t)info->width);
    switch (info->type) {
    case DN_H5_ENUM:
        print_label(info, v.u8, out);
        break;
    case DN_H5_U8:
        fprintf(out, "%u", v.u8);
        break;
    case DN_H5_I32:
        fprintf(out, "%" PRId32, v.i32);
        break;
    case DN_H5_U64:
        fprintf(out, "%" PRIu64, v.u64);
        break;
    case DN_H5_F32:
        fprintf(out, "%.4f", (double)v.f32);
        break;
    case DN_H5_F64:
        fprintf(out, "%g", v.f64);
        break;
    case DN_H5_I64:
        if (v.i64 == INT64_MIN) {
            fprintf(out, "(none)");
        } else {
            fprintf(out, "%" PRId64, v.i64);
        }
        break;
    default:
        fprintf(out, "?");
        break;
    }
}

static dn_status print_row_values(dn_h5_file *file, const dn_h5_info *info, uint64_t row,
                                  FILE *out) {
    char *bytes = dn_alloc(info->row_bytes);
    dn_status status = dn_h5_read(file, info->path, row, 1, bytes);
    fprintf(out, "  %-30s ", info->path);
    for (int i = 0; i < info->width && status == DN_OK; i++) {
        fputs(i ? " " : "", out);
        print_value(info, bytes + (size_t)i * (info->row_bytes / (size_t)info->width), out);
    }
    fprintf(out, "\n");
    free(bytes);
    return status;
}

/* Control characters could drive the terminal: shown as dots. */
static void print_text(const char *bytes, size_t n, FILE *out) {
    for (size_t i = 0; i < n && i < TEXT_COLUMNS; i++) {
        fputc((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f ? '.' : bytes[i], out);
    }
    fprintf(out, "%s\n", n > TEXT_COLUMNS ? "..." : "");
}

static dn_status print_row_text(dn_h5_file *file, const dn_h5_info *offsets, uint64_t row,
                                FILE *out) {
    uint64_t ends[2];
    DN_TRY(dn_h5_read(file, offsets->path, row, 2, ends));
    int stem = (int)(strlen(offsets->path) - strlen("/offsets"));
    char path[sizeof offsets->path];
    snprintf(path, sizeof path, "%.*s/bytes", stem, offsets->path);
    if (ends[1] < ends[0] || ends[1] - ends[0] > INT32_MAX) {
        return DN_FAIL(DATA, "%s: the offsets of row %" PRIu64 " are damaged", offsets->path, row);
    }
    size_t n = ends[1] - ends[0];
    size_t shown = n < TEXT_COLUMNS + 1 ? n : TEXT_COLUMNS + 1;
    char bytes[TEXT_COLUMNS + 1];
    DN_TRY(dn_h5_read(file, path, ends[0], shown, bytes));
    fprintf(out, "  %-30.*s ", stem, offsets->path);
    print_text(bytes, shown, out);
    return DN_OK;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static dn_status print_row(dn_h5_file *file, const dn_h5_info *infos, int n, uint64_t row,
                           FILE *out) {
    fprintf(out, "row %" PRIu64 "\n", row);
    for (int i = 0; i < n; i++) {
        const dn_h5_info *info = &infos[i];
        if (ends_with(info->path, "/offsets") && row + 1 < info->n_rows) {
            DN_TRY(print_row_text(file, info, row, out));
        } else if (!ends_with(info->path, "/bytes") && row < info->n_rows &&
                   info->type != DN_H5_TYPES) {
            DN_TRY(print_row_values(file, info, row, out));
        }
    }
    return DN_OK;
}

static uint64_t longest(const dn_h5_info *infos, int n) {
    uint64_t rows = 0;
    for (int i = 0; i < n; i++) {
        uint64_t own = ends_with(infos[i].path, "/bytes") ? 0
                       : ends_with(infos[i].path, "/offsets") && infos[i].n_rows
                           ? infos[i].n_rows - 1
                           : infos[i].n_rows;
        rows = own > rows ? own : rows;
    }
    return rows;
}

static dn_status inspect_file(const char *path, int64_t n_rows, FILE *out) {
    dn_h5_file *file;
    dn_h5_info *infos;
    int n;
    DN_TRY(dn_h5_open(path, &file));
    dn_status status = dn_h5_list(file, &infos, &n);
    if (status != DN_OK) {
        dn_h5_abandon(file);
        return status;
    }
    print_attributes(file, out);
    fprintf(out, "\n%-32s %-8s %-14s meaning\n", "dataset", "type", "rows");
    for (int i = 0; i < n; i++) {
        print_dataset(&infos[i], out);
    }
    uint64_t rows = longest(infos, n);
    for (uint64_t row = 0; row < (uint64_t)n_rows && row < rows && status == DN_OK; row++) {
        fprintf(out, "\n");
        status = print_row(file, infos, n, row, out);
    }
    dn_h5_infos_free(infos, n);
    dn_h5_abandon(file);
    return status;
}

typedef struct listing {
    FILE *out;
    int64_t files;
} listing;

static dn_status list_place(void *ctx, const dn_place *place) {
    listing *list = ctx;
    for (int i = 0; i < place->n_files; i++) {
        char *path = dn_ledger_path(place->folder, place->first[i]);
        char *shown = dn_ledger_path(place->relative, place->first[i]);
        struct stat info = {0};
        stat(path, &info);
        dn_entry entry = {0};
        dn_status status = dn_ledger_check(path, false, NULL, &entry);
        if (status == DN_OK) {
            fprintf(list->out,
                    "%-56s %12" PRId64 " %12" PRId64 " %10" PRId64 " %10" PRId64 " %10.1f\n", shown,
                    entry.first, entry.next, entry.n_rows, entry.counts.dead_letters,
                    (double)info.st_size / (1 << 20));
            list->files++;
        }
        dn_entry_free(&entry);
        free(path);
        free(shown);
        DN_TRY(status);
    }
    return DN_OK;
}

static dn_status inspect_folder(const char *path, FILE *out) {
    listing list = {.out = out};
    fprintf(out, "%-56s %12s %12s %10s %10s %10s\n", "file", "first", "next", "rows", "dead",
            "MiB");
    DN_TRY(dn_tree_walk(path, list_place, &list));
    if (!list.files) {
        return DN_FAIL(NO_INPUT, "%s: holds no result files; is it the output folder of a run?",
                       path);
    }
    return DN_OK;
}

dn_status dn_inspect(const char *path, int64_t n_rows, FILE *out) {
    struct stat info;
    if (stat(path, &info) != 0) {
        return DN_FAIL(NO_INPUT, "%s: there is no such file or folder", path);
    }
    return S_ISDIR(info.st_mode) ? inspect_folder(path, out) : inspect_file(path, n_rows, out);
}
