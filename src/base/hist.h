#ifndef DN_BASE_HIST_H
#define DN_BASE_HIST_H
/** Log-linear histograms of non-negative integers (usually nanoseconds), mergeable by adding
 * buckets.
 *
 * Each power of two is cut into 32 equal buckets, so a percentile is within 3.2 % of the true
 * value. One bucket table for traces, MPI reduction and reports: percentiles are read from the
 * merged counts, never averaged. */
#include <stdint.h>

enum { DN_HIST_SUB_BITS = 5, DN_HIST_BUCKETS = (64 - DN_HIST_SUB_BITS + 1) << DN_HIST_SUB_BITS };

typedef struct dn_hist {
    uint64_t count[DN_HIST_BUCKETS];
} dn_hist;

/** thread  one writer at a time     cost  O(1), no branch on the value's size */
void dn_hist_add(dn_hist *hist, uint64_t value, uint64_t times);

/** The same where several threads add, and one reads meanwhile with dn_hist_read_shared. */
void dn_hist_add_shared(dn_hist *hist, uint64_t value);
void dn_hist_read_shared(const dn_hist *hist, dn_hist *out);

void dn_hist_merge(dn_hist *into, const dn_hist *from);
uint64_t dn_hist_total(const dn_hist *hist);

/** The value at quantile q in [0, 1]: midpoint of its bucket; 0 when empty. */
double dn_hist_quantile(const dn_hist *hist, double q);

/** Lower bound of a bucket, the table that traces store. */
uint64_t dn_hist_lower(uint32_t bucket);

#endif
