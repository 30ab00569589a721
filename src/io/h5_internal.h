#ifndef DN_IO_H5_INTERNAL_H
#define DN_IO_H5_INTERNAL_H
/** Shared by the h5*.c files of this folder and by nobody else. */
#include "base/hash.h"
#include "io/h5.h"

#include <hdf5.h>

struct dn_h5_column {
    dn_h5_file *file;
    dn_h5_column *next;
    dn_h5_column *offsets; /**< TEXT: the column of the ends; this one holds the bytes */
    char *path;            /**< of the dataset */
    char *long_name, *units;
    dn_h5_type type;
    size_t row_bytes;
    int width;
    int deflate;
    hid_t file_type, dataset; /**< dataset: H5I_INVALID_HID until the first chunk is full */
    uint64_t fixed_rows, n_written;
    size_t chunk_rows, n_buffered;
    char *buffer;
    dn_hasher *hasher;
    char **labels;
    int n_labels;
    bool nullable, is_virtual; /**< virtual: its values have no hash here */
    uint64_t text_end;         /**< TEXT: total bytes so far */
};

struct dn_h5_file {
    hid_t id;
    char *path;
    dn_h5_column *columns;
    dn_h5_column **tail;
    bool writable, finished;
};

/** Takes the process-wide lock, with the library set up and silent for this thread; leave gives it
 * back. */
void dn_h5_enter(void);
void dn_h5_leave(void);

/** Drops the reason of a failed call that was only a question. Requires the lock. */
void dn_h5_forget(void);

/** Records the reason of the last failed call as one failure: "<file>: <what>: <innermost reason>";
 * IO or NO_SPACE while writing, DATA while reading. Requires the lock. */
dn_status dn_h5_error(const dn_h5_file *file, const char *what);
dn_status dn_h5_error_path(const char *path, bool writing, const char *what);

/** Type of a dn_h5_type in the file; memory has the same, since hosts are little endian. */
hid_t dn_h5_file_type(dn_h5_type type);
size_t dn_h5_type_bytes(dn_h5_type type);

/** A file type of its own for the spec (enum with its names). ownership: the caller, H5Tclose */
hid_t dn_h5_make_type(dn_h5_type type, char *const *labels, int n_labels);

/** The attributes every dataset has. */
dn_status dn_h5_describe(dn_h5_file *file, const dn_h5_column *column);
bool dn_h5_put_text(hid_t object, const char *name, const char *const *values, int n, bool scalar);

/** Reads the attribute `labels`; leaves 0 labels when there is none. */
void dn_h5_get_labels(dn_h5_file *file, const char *object, char ***labels, int *n);

/** A column without a dataset yet. */
dn_h5_column *dn_h5_column_new(dn_h5_file *file, const dn_h5_spec *spec, const char *path,
                               dn_h5_type type);
void dn_h5_column_free(dn_h5_column *column);

#endif
