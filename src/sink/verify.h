#ifndef DN_SINK_VERIFY_H
#define DN_SINK_VERIFY_H
/** Proof that an output folder is whole: every value against its hash, every range of offsets next
 * to the one before it, every record accounted for. A virtual dataset shows a missing file silently
 * as fill value; this does not. */
#include "sink/ledger.h"

typedef struct dn_verify_sums {
    int64_t files, bytes; /**< checked */
    int64_t problems;
    int64_t partitions; /**< with rows */
    dn_counts counts;   /**< over all rows files */
    int64_t letters;    /**< in the dead letter files */
    /** Hash over all rows in order of topic, partition and offset, however they are cut into files:
     * equal results of a replay, a live run and a run that was killed have equal hashes. */
    uint64_t content;
} dn_verify_sums;

/** Gets one line per problem: the file or folder, and what is wrong with it. */
typedef void dn_verify_listener(void *ctx, const char *path, const char *problem);

/** Checks everything below `output` and goes on after a problem. VERIFY when there was one,
 * NO_INPUT when there is nothing to check; `sums` is filled in any case. blocks  on the disk cost
 * one pass over all files */
dn_status dn_verify(const char *output, dn_verify_listener *listener, void *ctx,
                    dn_verify_sums *sums);

#endif
