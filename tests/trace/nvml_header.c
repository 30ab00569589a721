/* The words of NVML that src/trace/nvml.c spells itself, against nvml.h: it only has to compile. */
#include <nvml.h>

#include <stddef.h>

_Static_assert(NVML_SUCCESS == 0 && NVML_CLOCK_SM == 1, "enumerations");
_Static_assert(offsetof(nvmlMemory_t, used) == 2 * sizeof(unsigned long long), "nvmlMemory_t");
_Static_assert(offsetof(nvmlUtilization_t, gpu) == 0, "nvmlUtilization_t");
_Static_assert(sizeof(nvmlDevice_t) == sizeof(void *), "nvmlDevice_t");

nvmlReturn_t (*const dn_nvml_energy)(nvmlDevice_t, unsigned long long *) =
    nvmlDeviceGetTotalEnergyConsumption;
nvmlReturn_t (*const dn_nvml_power)(nvmlDevice_t, unsigned *) = nvmlDeviceGetPowerUsage;
nvmlReturn_t (*const dn_nvml_memory)(nvmlDevice_t, nvmlMemory_t *) = nvmlDeviceGetMemoryInfo;
