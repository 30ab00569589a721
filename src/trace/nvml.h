#ifndef DN_TRACE_NVML_H
#define DN_TRACE_NVML_H
/** What the driver says of this rank's GPU, through libnvidia-ml.so.1, which comes with it and is
 * opened at run time. Without driver, library or counter a number is INT64_MIN. */
#include <stdint.h>

typedef struct dn_gpu_sample {
    int64_t energy_mj;     /**< used since the driver was loaded */
    int64_t power_mw;      /**< now */
    int64_t clock_mhz;     /**< of the multiprocessors */
    int64_t throttle_bits; /**< why it is not higher: nvmlClocksEventReason of nvml.h */
    int64_t used_bytes;    /**< memory, by all processes */
    int64_t busy_percent;  /**< time with a kernel, over the driver's last sample period */
} dn_gpu_sample;

/** Chooses the GPU, by its bus: "0000:18:00.0"; "" or NULL: none.    thread  main, before samples
 * blocks  some 10 ms */
void dn_nvml_open(const char *pci);

/** thread  one at a time      cost  some 100 us */
void dn_nvml_read(dn_gpu_sample *sample);

#endif
