/* A libnvidia-ml.so.1 with one GPU at 0000:18:00.0, which takes 250 W: 5 J between two looks. */
#include <string.h>

int nvmlInit_v2(void);
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **device);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj);
int nvmlDeviceGetPowerUsage(void *device, unsigned *mw);
int nvmlDeviceGetClockInfo(void *device, int which, unsigned *mhz);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits);
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *memory);
int nvmlDeviceGetUtilizationRates(void *device, unsigned *utilization);

enum { NOT_FOUND = 6, NOT_SUPPORTED = 3, SM_CLOCK = 1, POWER_CAP = 4 };

int nvmlInit_v2(void) {
    return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **device) {
    static int gpu;
    *device = &gpu;
    return strcmp(pci, "0000:18:00.0") == 0 ? 0 : NOT_FOUND;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj) {
    int *looks = device;
    *mj = 1000000 + 5000ull * (unsigned)(*looks)++;
    return 0;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *mw) {
    (void)device;
    *mw = 250000;
    return 0;
}

int nvmlDeviceGetClockInfo(void *device, int which, unsigned *mhz) {
    (void)device;
    *mhz = which == SM_CLOCK ? 1755 : 1;
    return 0;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits) {
    (void)device;
    *bits = POWER_CAP;
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *memory) {
    (void)device;
    memory[0] = 3000;
    memory[1] = 1000;
    memory[2] = 2000;
    return 0;
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned *utilization) {
    (void)device, (void)utilization;
    return NOT_SUPPORTED;
}
