#ifndef DN_SINK_INDEX_H
#define DN_SINK_INDEX_H
/** OUT/index.h5: all result files as if they were one, and the list of them.
 *
 *    /rows/<topic>/records/offset ...      virtual datasets over the files
 *    /rows/<topic>/records/text/bytes      virtual; /offsets is stored: each file counts from 0
 *    /dead/<pipeline>/<topic>/records/...  dead letters
 *    /files/{path, partition, first_offset, next_offset, n_rows, row_start}
 *
 * Rows stand in the order of partition and offset.
 *
 * Explicit mappings, since HDF5's printf-style ones end at the first missing name. Names are
 * relative, so the folder can be moved. Rows of a file that is missing, or lacks a column, show a
 * sentinel (io/h5.h); dn_verify finds missing files. */
#include "base/status.h"

/** Builds the index anew and puts it in the place of an older one, whole or not at all. blocks  on
 * the disk */
dn_status dn_index_build(const char *output);

/** Calls `visit` for every file that an index lists, with its path below the output folder. */
typedef void dn_index_visitor(void *ctx, const char *path);
dn_status dn_index_files(const char *index_path, dn_index_visitor *visit, void *ctx);

#endif
