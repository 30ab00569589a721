#ifndef DN_BASE_CLOCK_H
#define DN_BASE_CLOCK_H
/** Time. `mono` counts nanoseconds from an arbitrary start and never jumps (durations); `wall` is
 * nanoseconds since 1970-01-01 UTC and may (send times that cross machines). */
#include <stddef.h>
#include <stdint.h>

int64_t dn_mono_ns(void);
int64_t dn_wall_ns(void);

/** CPU time of the calling thread, nanoseconds. */
int64_t dn_thread_cpu_ns(void);

/** Sleeps until the monotonic instant; returns early on a signal. */
void dn_sleep_until_ns(int64_t mono_ns);

/** "2026-11-22T19:43:00Z" of a wall time; `out` holds 21 bytes. */
void dn_wall_format(int64_t wall_ns, char out[21]);

#endif
