#include "trace/nvml.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* The few words of nvml.h that are needed, so that the trace is the same where there is no toolkit;
 * tests/trace/nvml_header.c compares them with nvml.h where there is one. */
enum { NVML_OK = 0, SM_CLOCK = 1 };
typedef struct nvml_device *nvml_device;
typedef struct nvml_memory {
    unsigned long long total, free, used;
} nvml_memory;
typedef struct nvml_utilization {
    unsigned gpu, memory;
} nvml_utilization;

static struct {
    nvml_device device; /**< NULL: nothing is known */
    int (*init)(void);
    int (*find)(const char *pci, nvml_device *device);
    int (*energy)(nvml_device device, unsigned long long *mj);
    int (*power)(nvml_device device, unsigned *mw);
    int (*clock)(nvml_device device, int which, unsigned *mhz);
    int (*throttle)(nvml_device device, unsigned long long *bits);
    int (*memory)(nvml_device device, nvml_memory *memory);
    int (*utilization)(nvml_device device, nvml_utilization *utilization);
} nvml;

static const struct {
    const char *name;
    size_t at;
} functions[] = {
    {"nvmlInit_v2", offsetof(__typeof__(nvml), init)},
    {"nvmlDeviceGetHandleByPciBusId_v2", offsetof(__typeof__(nvml), find)},
    {"nvmlDeviceGetTotalEnergyConsumption", offsetof(__typeof__(nvml), energy)},
    {"nvmlDeviceGetPowerUsage", offsetof(__typeof__(nvml), power)},
    {"nvmlDeviceGetClockInfo", offsetof(__typeof__(nvml), clock)},
    {"nvmlDeviceGetCurrentClocksThrottleReasons", offsetof(__typeof__(nvml), throttle)},
    {"nvmlDeviceGetMemoryInfo", offsetof(__typeof__(nvml), memory)},
    {"nvmlDeviceGetUtilizationRates", offsetof(__typeof__(nvml), utilization)},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

void dn_nvml_open(const char *pci) {
    nvml.device = NULL;
    void *library = pci && *pci ? dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL) : NULL;
    for (int i = 0; i < N_FUNCTIONS; i++) {
        void *symbol = library ? dlsym(library, functions[i].name) : NULL;
        if (!symbol) {
            return; /* no driver, or one older than ours: its columns stay empty */
        }
        memcpy((char *)&nvml + functions[i].at, &symbol, sizeof symbol);
    }
    if (nvml.init() != NVML_OK || nvml.find(pci, &nvml.device) != NVML_OK) {
        nvml.device = NULL;
    }
}

void dn_nvml_read(dn_gpu_sample *sample) {
    unsigned long long number = 0;
    unsigned word = 0;
    nvml_memory memory;
    nvml_utilization utilization;
    *sample = (dn_gpu_sample){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};
    if (!nvml.device) {
        return;
    }
    if (nvml.energy(nvml.device, &number) == NVML_OK) {
        sample->energy_mj = (int64_t)number;
    }
    if (nvml.power(nvml.device, &word) == NVML_OK) {
        sample->power_mw = word;
    }
    if (nvml.clock(nvml.device, SM_CLOCK, &word) == NVML_OK) {
        sample->clock_mhz = word;
    }
    if (nvml.throttle(nvml.device, &number) == NVML_OK) {
        sample->throttle_bits = (int64_t)number;
    }
    if (nvml.memory(nvml.device, &memory) == NVML_OK) {
        sample->used_bytes = (int64_t)memory.used;
    }
    if (nvml.utilization(nvml.device, &utilization) == NVML_OK) {
        sample->busy_percent = utilization.gpu;
    }
}
