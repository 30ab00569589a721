#ifndef DN_TEST_SOURCE_HARNESS_H
#define DN_TEST_SOURCE_HARNESS_H
/** Runs a source by itself and keeps what it delivers. */
#include "flow/source.h"

/** One delivered record, as text that can be compared. */
typedef struct got {
    int64_t offset, event_ms, sent_ns;
    int32_t partition;
    char *user, *text, *language, *source_id, *reason, *detail, *raw; /**< NULL: null */
    size_t text_size;
} got;

typedef struct outcome {
    got *rows;
    size_t n;
    int n_chunks;
    dn_status status;   /**< of the call that ended it */
    dn_failure failure; /**< when it failed */
    dn_source_stats stats;
    char topic[128];
    int n_partitions;
} outcome;

/** What to run: props as "name=value" (a map's entries as "fields.text=column"), NULL-terminated.
 */
typedef struct plan {
    const dn_source_ops *ops;
    const char *props[12];
    int rank, size;
    const int64_t *start;
    int64_t stop_after; /**< records; 0: all */
} plan;

outcome run_source(const plan *setup);
void run_free(outcome *run);

/** Appends a run's rows to another. */
void run_add(outcome *to, outcome *from);

/** By offset. */
void run_sort(outcome *run);

/** A path in the test's temporary folder (static, four at a time). */
const char *temp_path(const char *name);

/** Writes a file; a temporary path of that name. */
const char *temp_file(const char *name, const void *bytes, size_t size);

/** Compresses with "plain", "gzip", "zstd" or "xz". ownership: the caller */
unsigned char *squeeze(const char *codec, const void *bytes, size_t size, size_t *out_size);

#endif
