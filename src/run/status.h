#ifndef DN_RUN_STATUS_H
#define DN_RUN_STATUS_H
/** How a rank is doing, for `dunlin top` and for scripts: OUT/status/r0003.json, and for
 * Prometheus, whose node exporter reads such files (--collector.textfile.directory):
 * OUT/status/r0003.prom. Both are replaced about once a second while the run goes on and removed at
 * its end.
 *
 * Best effort, through the file system, so that it works from a login node and costs the ranks
 * nothing. */
#include "run/control.h"

typedef struct dn_status_writer dn_status_writer;

/** Makes OUT/status; NULL when that cannot be. ownership: the caller, dn_status_writer_free */
dn_status_writer *dn_status_writer_new(const char *output, const char *run_id, int rank, int size,
                                       int tp);

/** Writes when a second has passed. thread: control */
void dn_status_writer_tick(dn_status_writer *writer, const dn_control *control);

/** Removes the file. NULL is allowed. */
void dn_status_writer_free(dn_status_writer *writer);

#endif
