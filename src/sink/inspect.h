#ifndef DN_SINK_INSPECT_H
#define DN_SINK_INSPECT_H
/** What a result file or an output folder holds, for a person: `dunlin inspect`. */
#include "base/status.h"

#include <stdint.h>
#include <stdio.h>

/** Prints to `out`: of an HDF5 file its attributes, its datasets and the first `n_rows` rows; of a
 * folder a line per result file. NO_INPUT when there is neither, DATA or VERIFY when a file is
 * damaged.      blocks  on the disk */
dn_status dn_inspect(const char *path, int64_t n_rows, FILE *out);

#endif
