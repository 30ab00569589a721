#ifndef DN_RUN_PROGRESS_H
#define DN_RUN_PROGRESS_H
/** What a person sees while it runs: on a terminal one line that changes, elsewhere a line every
 * ten seconds; from rank 0 only, about its own share of the work. */
#include "run/control.h"

typedef struct dn_progress {
    int64_t start_mono_ns, shown_mono_ns;
    bool line_open; /**< a line without its end stands on the terminal */
} dn_progress;

void dn_progress_tick(dn_progress *progress, const dn_control *control);
void dn_progress_end(dn_progress *progress, const dn_control *control);

#endif
