#ifndef DN_TRACE_PROC_H
#define DN_TRACE_PROC_H
/** What the system says about this process and its machine. */
#include <stdint.h>

typedef struct dn_proc_sample {
    int64_t cpu_user_ns, cpu_system_ns;
    int64_t rss_bytes;
    int64_t energy_uj; /**< sum of the packages' RAPL counters, which wrap; INT64_MIN where they may
                          not be read */
} dn_proc_sample;

/** blocks never */
void dn_proc_read(dn_proc_sample *sample);

#endif
