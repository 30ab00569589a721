#ifndef DN_SOURCE_PACKED_H
#define DN_SOURCE_PACKED_H
/** A corpus as one HDF5 file whose datasets are contiguous, so that reading is mapping.
 *
 *    /records/created_at           int64 [n]       ms since 1970; INT64_MIN unknown
 *    /records/{user,text,language} /bytes uint8, /offsets uint64 [n + 1]: value i is
 * bytes[offsets[i] .. offsets[i+1]); no /bytes where all values are empty /bad/number uint64 [bad]
 * rising; records whose fields are empty above; no group where none is bad /bad/{reason,detail,raw}
 * /bytes, /offsets [bad + 1] /index/partition/starts       uint64 [p + 1]  records of partition i
 * stand at [starts[i], starts[i+1]) in /index/partition/number       uint64 [n]      numbers,
 * rising within a partition
 *
 * Attributes of the root: kind "dunlin corpus", version 1, records, bad, partitions, partition_by,
 * source (file name), source_sha256, source_format. A rank touches only the pages of its own
 * partitions; with another key or number of partitions than the index has, every record is looked
 * at instead. */
#include <stdint.h>

#define DN_PACKED_KIND "dunlin corpus"
enum { DN_PACKED_VERSION = 1 };

/** Columns of bytes, in the order of both ends. */
typedef enum dn_packed_column {
    DN_PACKED_USER,
    DN_PACKED_TEXT,
    DN_PACKED_LANGUAGE,
    DN_PACKED_REASON,
    DN_PACKED_DETAIL,
    DN_PACKED_RAW,
    DN_PACKED_COLUMNS
} dn_packed_column;

enum { DN_PACKED_OF_RECORDS = DN_PACKED_REASON };

extern const char *const dn_packed_paths[DN_PACKED_COLUMNS];

#endif
