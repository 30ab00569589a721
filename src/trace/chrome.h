#ifndef DN_TRACE_CHROME_H
#define DN_TRACE_CHROME_H
/** The trace of a run for chrome://tracing and ui.perfetto.dev. */
#include "base/status.h"

#include <stdio.h>

/** Writes all segments of `folder` (OUT/trace/<run>, or one file) as Chrome's JSON: a process per
 * rank, a thread per model thread, a slice per micro-batch, counters for queues, lag and memory.
 * Times are microseconds since the first rank's start. NO_INPUT without segments, DATA when one is
 * damaged.      blocks  on the disk */
dn_status dn_trace_chrome(const char *folder, FILE *out);

#endif
