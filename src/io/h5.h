#ifndef DN_IO_H5_H
#define DN_IO_H5_H
/** HDF5, and the only folder that sees it: columns of rows, attributes, and errors that say which
 * file and why.
 *
 *    column        dataset(s) in the file                         layout
 *    I64 F32 ...   <path>                [rows] or [rows, width]  chunks of 16 Ki rows, extensible
 *    ENUM          <path>                [rows]                   uint8 with named values
 *    TEXT          <path>/bytes          [total bytes]            UTF-8, no terminators
 *                  <path>/offsets        [rows + 1]               uint64, the first 0
 *
 * Text i is bytes[offsets[i] .. offsets[i + 1]).
 *
 * Whole chunks only go to the file: a column keeps up to one chunk in memory, so no chunk cache is
 * needed, a filter runs once per chunk, and a dataset is made when its first chunk is full, or at
 * the end with exactly its rows as chunk: a small file stays small. Default format bounds, no SWMR
 * (research: what a kill leaves behind); one mutex around the library.
 *
 * Every dataset carries the attributes `units`, `long_name` and `xxh3`, the XXH3-64 (16 hex digits)
 * of its values in row order, little endian, taken from memory before they were written. */
#include "base/span.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dn_h5_file dn_h5_file;
typedef struct dn_h5_column dn_h5_column;

typedef enum dn_h5_type {
    DN_H5_U8,
    DN_H5_I32,
    DN_H5_I64,
    DN_H5_U64,
    DN_H5_F32,
    DN_H5_F64,
    DN_H5_ENUM, /**< uint8; the i-th of `labels` has the value i, and "(none)" 255 */
    DN_H5_TEXT,
    DN_H5_TYPES
} dn_h5_type;

enum { DN_H5_CHUNK_ROWS = 16384 };

/** A column to be made. lends until dn_h5_add returns */
typedef struct dn_h5_spec {
    const char *path; /**< "/records/text"; groups are made on the way */
    dn_h5_type type;
    int width;                 /**< values per row; above 1 the dataset has two dimensions */
    const char *const *labels; /**< ENUM: names of the values; others: the attribute `labels` */
    int n_labels;
    const char *units, *long_name;
    bool nullable;       /**< I64: says in the attribute `missing_value` that INT64_MIN is none */
    uint32_t chunk_rows; /**< 0: DN_H5_CHUNK_ROWS */
    int deflate;         /**< 0 no filter, 1 to 9 shuffle + deflate */
    uint64_t
        fixed_rows; /**< above 0: contiguous, exactly so many rows, can be mapped (not for TEXT) */
} dn_h5_spec;

/** Makes a file for writing (truncates). ownership: the caller, close or abandon */
dn_status dn_h5_create(const char *path, dn_h5_file **file);

/** Opens a file for reading. DATA error when it is no HDF5 file or is damaged. ownership: the
 * caller, close */
dn_status dn_h5_open(const char *path, dn_h5_file **file);

/** Adds a column; lends it until the file is closed. */
dn_status dn_h5_add(dn_h5_file *file, const dn_h5_spec *spec, dn_h5_column **column);

/** Memory that a column of this spec holds at most while it is written, bytes. */
size_t dn_h5_column_bytes(const dn_h5_spec *spec);

/** Appends rows (`width` values each) of the column's type; copies. IO or NO_SPACE: the file is
 * poisoned, abandon it. */
dn_status dn_h5_append(dn_h5_column *column, const void *rows, size_t n_rows);

/** Appends texts to a TEXT column; a null span is stored as the empty text. */
dn_status dn_h5_append_texts(dn_h5_column *column, const dn_span *texts, size_t n_rows);

/** Writes what the columns hold and their attributes: after it, dn_h5_column_hash and attributes
 * for the end of the file. */
dn_status dn_h5_finish(dn_h5_file *file);

/** XXH3-64 of a column's values, of a TEXT column that of its bytes. Call after finish. */
uint64_t dn_h5_column_hash(const dn_h5_column *column);

/** Hash over all datasets: XXH3-64 of (path, NUL, 8 bytes of its hash) in the order of their paths.
 * Call after finish. */
uint64_t dn_h5_content_hash(const dn_h5_file *file);

/** Closes: every H5Dclose and H5Fclose is checked, since a full disk may show only there. Frees in
 * any case. */
dn_status dn_h5_close(dn_h5_file *file);

/** Closes without writing what is pending, without checks; a file that was being written is cut to
 *  nothing. NULL allowed */
void dn_h5_abandon(dn_h5_file *file);

/** Attributes of the root ("/") or of another object. Texts are UTF-8. */
dn_status dn_h5_set_text(dn_h5_file *file, const char *object, const char *name, const char *value);
dn_status dn_h5_set_texts(dn_h5_file *file, const char *object, const char *name,
                          const char *const *values, int n);
dn_status dn_h5_set_i64(dn_h5_file *file, const char *object, const char *name, int64_t value);

/** Reads an attribute; DATA error when it is missing or of another type. The text is the caller's,
 * free(). */
dn_status dn_h5_get_text(dn_h5_file *file, const char *object, const char *name, char **value);
dn_status dn_h5_get_i64(dn_h5_file *file, const char *object, const char *name, int64_t *value);
bool dn_h5_has(dn_h5_file *file, const char *path);

/** A dataset of a file. */
typedef struct dn_h5_info {
    char path[192];
    dn_h5_type type; /**< DN_H5_TYPES: none of ours */
    uint64_t n_rows;
    int width;
    size_t row_bytes;
    bool stored;   /**< false: virtual */
    uint64_t hash; /**< as its attribute says */
    bool has_hash;
    char *units, *long_name; /**< "" when absent */
    char **labels; /**< ENUM: names by value; others: the attribute `labels`; NULL when none */
    int n_labels;
} dn_h5_info;

/** All datasets, by path. ownership: the caller, dn_h5_infos_free */
dn_status dn_h5_list(dn_h5_file *file, dn_h5_info **infos, int *n);
void dn_h5_infos_free(dn_h5_info *infos, int n);

/** Row of the list, or NULL. */
const dn_h5_info *dn_h5_find(const dn_h5_info *infos, int n, const char *path);

/** Reads rows [first, first + n) of a dataset into `out` (n * row_bytes). */
dn_status dn_h5_read(dn_h5_file *file, const char *path, uint64_t first, uint64_t n, void *out);

/** Where a contiguous dataset lies in the file, so that it can be mapped. DATA error when it is not
 * contiguous. */
dn_status dn_h5_extent(dn_h5_file *file, const char *path, uint64_t *offset, uint64_t *size_bytes);

/** Content hash of a list, as dn_h5_content_hash; `hash_of` gives the hash of the i-th dataset. */
uint64_t dn_h5_hash_of_hashes(const char *const *paths, const uint64_t *hashes, int n);

/** A piece of a virtual dataset: rows of a source file at the next free place. */
typedef struct dn_h5_piece {
    const char *file; /**< NULL: a hole of n_rows; else relative to the folder of the file that
                         holds the virtual dataset */
    const char *path;
    uint64_t n_rows;
} dn_h5_piece;

/** Adds a virtual dataset made of pieces, one behind the other; rows that cannot be read show a
 * sentinel: the smallest integer, NaN, 254 for ENUM, 0 for U8. */
dn_status dn_h5_add_virtual(dn_h5_file *file, const dn_h5_spec *spec, const dn_h5_piece *pieces,
                            int n);

/** "1.10.8" */
const char *dn_h5_version(void);

#endif
