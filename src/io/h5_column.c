/* Columns being written: rows gather in a buffer of one chunk and leave as whole chunks.
 *
 *   append ──copy──▶ buffer ──full──▶ hash, extend, H5Dwrite_chunk (unfiltered)
 *                           ──full──▶ hash, extend, H5Dwrite (deflate: by the library's filters)
 *   finish ──────────────────rest──▶ hash, extend, H5Dwrite of part of a chunk, attributes
 *
 * H5Dwrite_chunk needs no selection and no conversion: it moves 1.7 to 2.4 times the bytes of
 * H5Dwrite. */
#include "base/memory.h"
#include "io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES_PER_ROW = 16 };

static char **copy_labels(const char *const *labels, int n) {
    char **copy = n ? dn_alloc_array((size_t)n, sizeof *copy) : NULL;
    for (int i = 0; i < n; i++) {
        copy[i] = dn_strdup(labels[i]);
    }
    return copy;
}

static size_t chunk_rows_of(const dn_h5_spec *spec) {
    return spec->chunk_rows ? spec->chunk_rows : DN_H5_CHUNK_ROWS;
}

dn_h5_column *dn_h5_column_new(dn_h5_file *file, const dn_h5_spec *spec, const char *path,
                               dn_h5_type type) {
    dn_h5_column *column = dn_alloc(sizeof *column);
    column->file = file;
    column->path = dn_strdup(path);
    column->units = dn_strdup(spec->units ? spec->units : "");
    column->long_name = dn_strdup(spec->long_name ? spec->long_name : "");
    column->type = type;
    column->width = spec->width > 1 ? spec->width : 1;
    column->row_bytes = dn_h5_type_bytes(type) * (size_t)column->width;
    column->deflate = spec->deflate;
    column->dataset = H5I_INVALID_HID;
    column->fixed_rows = spec->fixed_rows;
    column->chunk_rows = chunk_rows_of(spec) * (type == DN_H5_TEXT ? TEXT_BYTES_PER_ROW : 1);
    column->hasher = dn_hasher_new();
    column->n_labels = spec->n_labels;
    column->labels = copy_labels(spec->labels, spec->n_labels);
    column->nullable = spec->nullable && type == DN_H5_I64;
    column->file_type = dn_h5_make_type(type, column->labels, column->n_labels);
    *file->tail = column;
    file->tail = &column->next;
    return column;
}

void dn_h5_column_free(dn_h5_column *column) {
    for (int i = 0; i < column->n_labels; i++) {
        free(column->labels[i]);
    }
    free(column->labels);
    free(column->path);
    free(column->units);
    free(column->long_name);
    free(column->buffer);
    dn_hasher_free(column->hasher);
    free(column);
}

static dn_h5_column *add_text(dn_h5_file *file, const dn_h5_spec *spec) {
    char path[256];
    snprintf(path, sizeof path, "%s/bytes", spec->path);
    dn_h5_column *bytes = dn_h5_column_new(file, spec, path, DN_H5_TEXT);
    dn_h5_spec ends = *spec;
    ends.units = "byte";
    ends.n_labels = 0;
    snprintf(path, sizeof path, "%s/offsets", spec->path);
    bytes->offsets = dn_h5_column_new(file, &ends, path, DN_H5_U64);
    return bytes;
}

dn_status dn_h5_add(dn_h5_file *file, const dn_h5_spec *spec, dn_h5_column **column) {
    dn_h5_enter();
    dn_h5_column *made = spec->type == DN_H5_TEXT
                             ? add_text(file, spec)
                             : dn_h5_column_new(file, spec, spec->path, spec->type);
    dn_status status = DN_OK;
    if (made->file_type < 0) {
        status = dn_h5_error(file, spec->path);
    } else if (made->offsets) {
        const uint64_t zero = 0;
        status = dn_h5_append(made->offsets, &zero, 1);
    }
    if (status == DN_OK) {
        *column = made;
    }
    dn_h5_leave();
    return status;
}

size_t dn_h5_column_bytes(const dn_h5_spec *spec) {
    size_t width = spec->width > 1 ? (size_t)spec->width : 1;
    size_t row_bytes = spec->type == DN_H5_TEXT ? TEXT_BYTES_PER_ROW + sizeof(uint64_t)
                                                : dn_h5_type_bytes(spec->type) * width;
    return row_bytes * chunk_rows_of(spec);
}

static void layout_chunked(hid_t list, const dn_h5_column *column, size_t chunk_rows) {
    hsize_t chunk[2] = {chunk_rows, (hsize_t)column->width};
    H5Pset_chunk(list, column->width > 1 ? 2 : 1, chunk);
    if (column->deflate) {
        H5Pset_shuffle(list);
        H5Pset_deflate(list, (unsigned)column->deflate);
    }
}

/* A dataset is made late, when it is known whether it fills a chunk. */
static dn_status make_dataset(dn_h5_column *column, size_t chunk_rows) {
    hsize_t size[2] = {column->fixed_rows, (hsize_t)column->width};
    hsize_t limit[2] = {column->fixed_rows ? column->fixed_rows : H5S_UNLIMITED, size[1]};
    hid_t space = H5Screate_simple(column->width > 1 ? 2 : 1, size, limit);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t link = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(link, 1);
    H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
    if (!column->fixed_rows) {
        layout_chunked(create, column, chunk_rows);
        H5Pset_chunk_cache(access, 0, 0,
                           1.0); /* whole chunks only: a cache would be a second copy */
    }
    column->dataset =
        H5Dcreate2(column->file->id, column->path, column->file_type, space, link, create, access);
    H5Pclose(link);
    H5Pclose(access);
    H5Pclose(create);
    H5Sclose(space);
    return column->dataset < 0 ? dn_h5_error(column->file, column->path) : DN_OK;
}

static herr_t write_part(dn_h5_column *column, const void *rows, size_t n) {
    hsize_t start[2] = {column->n_written, 0}, count[2] = {n, (hsize_t)column->width};
    int dimensions = column->width > 1 ? 2 : 1;
    hid_t memory = H5Screate_simple(dimensions, count, NULL);
    hid_t file = H5Dget_space(column->dataset);
    H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, count, NULL);
    herr_t written = H5Dwrite(column->dataset, column->file_type, memory, file, H5P_DEFAULT, rows);
    H5Sclose(file);
    H5Sclose(memory);
    return written;
}

/* Hashed here, a chunk at a time: a hasher's call for every text costs as much as writing it. */
static dn_status write_rows(dn_h5_column *column, const void *rows, size_t n) {
    dn_hasher_add(column->hasher, rows, n * column->row_bytes);
    if (column->dataset < 0) {
        DN_TRY(make_dataset(column, column->chunk_rows));
    }
    hsize_t size[2] = {column->n_written + n, (hsize_t)column->width};
    hsize_t start[2] = {column->n_written, 0};
    herr_t done = column->fixed_rows ? 0 : H5Dset_extent(column->dataset, size);
    if (done >= 0 && n == column->chunk_rows && !column->deflate && !column->fixed_rows) {
        done = H5Dwrite_chunk(column->dataset, H5P_DEFAULT, 0, start, n * column->row_bytes, rows);
    } else if (done >= 0) {
        done = write_part(column, rows, n);
    }
    if (done < 0) {
        return dn_h5_error(column->file, "writing failed");
    }
    column->n_written += n;
    return DN_OK;
}

/* The whole chunk is asked for at once: pages that no row reaches are never touched, and growing by
 * doubling left holes of a third of the sum over 64 partitions. */
static void buffer_rows(dn_h5_column *column, const char *rows, size_t n) {
    if (!column->buffer) {
        column->buffer = dn_grow(NULL, column->chunk_rows, column->row_bytes);
    }
    memcpy(column->buffer + column->n_buffered * column->row_bytes, rows, n * column->row_bytes);
    column->n_buffered += n;
}

static dn_status append(dn_h5_column *column, const char *rows, size_t n) {
    while (n) {
        size_t room = column->chunk_rows - column->n_buffered;
        size_t take = n < room ? n : room;
        if (take == column->chunk_rows) {
            DN_TRY(write_rows(column, rows, take));
        } else {
            buffer_rows(column, rows, take);
        }
        if (column->n_buffered == column->chunk_rows) {
            DN_TRY(write_rows(column, column->buffer, column->n_buffered));
            column->n_buffered = 0;
        }
        rows += take * column->row_bytes;
        n -= take;
    }
    return DN_OK;
}

dn_status dn_h5_append(dn_h5_column *column, const void *rows, size_t n_rows) {
    dn_h5_enter();
    dn_status status = append(column, rows, n_rows);
    dn_h5_leave();
    return status;
}

static dn_status add_texts(dn_h5_column *column, const dn_span *texts, size_t n) {
    uint64_t ends[256];
    size_t n_ends = 0;
    for (size_t i = 0; i < n; i++) {
        if (texts[i].len) {
            DN_TRY(append(column, texts[i].ptr, texts[i].len));
        }
        column->text_end += texts[i].len;
        ends[n_ends++] = column->text_end;
        if (n_ends == sizeof ends / sizeof *ends || i + 1 == n) {
            DN_TRY(append(column->offsets, (const char *)ends, n_ends));
            n_ends = 0;
        }
    }
    return DN_OK;
}

dn_status dn_h5_append_texts(dn_h5_column *column, const dn_span *texts, size_t n_rows) {
    dn_h5_enter();
    dn_status status = add_texts(column, texts, n_rows);
    dn_h5_leave();
    return status;
}

uint64_t dn_h5_column_hash(const dn_h5_column *column) {
    return dn_hasher_value(column->hasher);
}

static dn_status finish_column(dn_h5_column *column) {
    if (column->fixed_rows && column->n_written + column->n_buffered != column->fixed_rows) {
        return DN_FAIL(INTERNAL, "%s: %s was announced with %llu rows and got %llu",
                       column->file->path, column->path, (unsigned long long)column->fixed_rows,
                       (unsigned long long)(column->n_written + column->n_buffered));
    }
    if (column->dataset < 0) {
        DN_TRY(make_dataset(column, column->n_buffered ? column->n_buffered : 1));
    }
    if (column->n_buffered) {
        DN_TRY(write_rows(column, column->buffer, column->n_buffered));
        column->n_buffered = 0;
    }
    return dn_h5_describe(column->file, column);
}

dn_status dn_h5_finish(dn_h5_file *file) {
    dn_h5_enter();
    dn_status status = DN_OK;
    for (dn_h5_column *column = file->columns; column && status == DN_OK && !file->finished;
         column = column->next) {
        status = finish_column(column);
    }
    file->finished |= status == DN_OK;
    dn_h5_leave();
    return status;
}

static int by_path(const void *a, const void *b) {
    return strcmp((*(dn_h5_column *const *)a)->path, (*(dn_h5_column *const *)b)->path);
}

uint64_t dn_h5_content_hash(const dn_h5_file *file) {
    int n = 0;
    for (dn_h5_column *column = file->columns; column; column = column->next) {
        n++;
    }
    dn_h5_column **columns = dn_alloc_array((size_t)n + 1, sizeof *columns);
    const char **paths = dn_alloc_array((size_t)n + 1, sizeof *paths);
    uint64_t *hashes = dn_alloc_array((size_t)n + 1, sizeof *hashes);
    n = 0;
    for (dn_h5_column *column = file->columns; column; column = column->next) {
        columns[n++] = column;
    }
    qsort(columns, (size_t)n, sizeof(dn_h5_column *), by_path);
    for (int i = 0; i < n; i++) {
        paths[i] = columns[i]->path;
        hashes[i] = dn_h5_column_hash(columns[i]);
    }
    uint64_t value = dn_h5_hash_of_hashes(paths, hashes, n);
    free(columns);
    free(paths);
    free(hashes);
    return value;
}
