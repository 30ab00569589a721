#ifndef DN_SOURCE_BINS_H
#define DN_SOURCE_BINS_H
/** A corpus mixes partitions, a chunk holds one: records wait in the bin of their partition until a
 * chunk is full.
 *
 *    corpus  3 7 3 3 5 7 ...      bin 3  [3 3 3 . . . .]  arena of texts
 *                                 bin 5  [5 . . . . . .]  arena of texts  <-- swapped with the
 * chunk's when it leaves bin 7  [7 7 . . . . .]  arena of texts
 *
 * Memory: at most 1 MiB of texts and 150 KiB of rows for each partition of this rank. */
#include "flow/chunk.h"
#include "source/reader.h"

typedef struct dn_bins dn_bins;

/** Columns that the records go to, -1: none. */
typedef struct dn_bins_columns {
    int id, created_at, user, text, language, source_id;
} dn_bins_columns;

/** Bins for the partitions p of n with p mod size == rank. ownership: the caller */
dn_bins *dn_bins_new(dn_bins_columns columns, int32_t n_partitions, int rank, int size);
void dn_bins_free(dn_bins *bins);

/** Whether the partition's bin has room for the record; a large one has room in an empty bin. */
bool dn_bins_fit(const dn_bins *bins, int32_t partition, const dn_record *record);

/** Copies the record in (a stable one is not copied). Requires that it fits.   units  sent_ns wall,
 * mono_ns monotonic */
void dn_bins_add(dn_bins *bins, int32_t partition, const dn_record *record, int64_t sent_ns,
                 int64_t mono_ns);

/** A partition whose first record was added before `mono_ns`, the oldest of them, or -1. */
int32_t dn_bins_oldest(const dn_bins *bins, int64_t mono_ns);

/** Moves a bin's records into the empty chunk: rows, columns, offsets, next, letters; the bin is
 * empty afterwards. */
void dn_bins_empty(dn_bins *bins, int32_t partition, dn_chunk *chunk);

#endif
