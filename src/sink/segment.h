#ifndef DN_SINK_SEGMENT_H
#define DN_SINK_SEGMENT_H
/** Result files of a sink: one growing segment per partition, published whole. Shared by rows_h5
 * and dead_letters; the layout and the reasons stand at the head of segment.c. */
#include "flow/sink.h"
#include "sink/ledger.h"

#include <stdbool.h>

/** What all segments of a sink share. lends until dn_segments_free; `columns` may be gone after
 * dn_segments_open */
typedef struct dn_segment_conf {
    const char *kind;   /**< DN_KIND_ROWS, DN_KIND_DEAD */
    const char *folder; /**< below it: <topic>/<partition>/<first offset>.h5 */
    const dn_sink_env *env;
    const dn_h5_spec *columns;
    int n_columns;
    int64_t max_rows, max_bytes, max_age_ns; /**< a segment that reaches one of them is due */
    int deflate;
    bool only_with_rows; /**< nothing is published for offsets that left no row */
} dn_segment_conf;

/** The open segment of a partition. */
typedef struct dn_segment {
    dn_h5_file *file; /**< NULL: no segment is open */
    dn_h5_column **column;
    char *part; /**< path while it is written */
    int64_t first, next;
    dn_counts counts;
    int64_t n_rows, n_bytes; /**< rows and bytes appended */
    int64_t opened_mono_ns;
    int64_t cursor;   /**< durable: first offset that no published file holds; DN_CURSOR_NONE */
    int64_t previous; /**< first offset of the last published file, -1 none */
} dn_segment;

typedef struct dn_segments dn_segments;

/** Recovers what an earlier run left in this rank's partitions (p mod size == rank): its `.part`
 * files are deleted and the cursors read from the last files. VERIFY when a last file is damaged.
 * blocks  on the disk */
dn_status dn_segments_open(const dn_segment_conf *conf, dn_segments **segments);

/** Gives up open segments (their files are deleted), frees. NULL allowed */
void dn_segments_free(dn_segments *segments);

int64_t dn_segments_cursor(const dn_segments *segments, int32_t partition);

/** The partition's open segment, made when there is none; `first` is the first offset seen, for a
 * partition without a cursor. lends until commit or free */
dn_status dn_segments_begin(dn_segments *segments, int32_t partition, int64_t first,
                            dn_segment **segment);

/** The partition's open segment, NULL when there is none. */
dn_segment *dn_segments_current(dn_segments *segments, int32_t partition);

/** Deletes a segment after an error: nothing of it was ever visible. Forwards `status`. */
dn_status dn_segments_poison(dn_segments *segments, dn_segment *segment, dn_status status);

/** As dn_sink_ops.due and commit. */
int32_t dn_segments_due(const dn_segments *segments, int64_t mono_ns);
dn_status dn_segments_commit(dn_segments *segments, int32_t partition);

/** Published so far. */
void dn_segments_stats(const dn_segments *segments, dn_sink_stats *stats);

#endif
