#include "kernels/cuda/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dn_cuda_state dn_cuda;

static void tell_version(int version, char *out, size_t bytes) {
    snprintf(out, bytes, "%d.%d", version / 1000, version % 1000 / 10);
}

/** The driver is there, and something is wrong with it or the device. */
static dn_status refuse(const dn_cuda_api *api, int error, const char *what) {
    return DN_FAIL(DEVICE, "CUDA cannot %s: %s (%s)", what, api->error_text(error),
                   api->error_name(error));
}

static dn_status refuse_driver(const dn_cuda_api *api, int version) {
    char has[16], needs[16];
    tell_version(version, has, sizeof has);
    tell_version(api->toolkit_version, needs, sizeof needs);
    return DN_FAIL(DEVICE,
                   "the NVIDIA driver is too old: it runs CUDA up to %s, this build needs %s; "
                   "install a newer driver, or build with an older toolkit",
                   has, needs);
}

static void copy_gpu(const dn_cuda_properties *from, dn_gpu *to) {
    *to =
        (dn_gpu){.memory_bytes = from->memory_bytes, .n_multiprocessors = from->n_multiprocessors};
    memcpy(to->name, from->name, sizeof to->name);
    memcpy(to->uuid, from->uuid, sizeof to->uuid);
    memcpy(to->pci, from->pci, sizeof to->pci);
}

dn_status dn_cuda_find(const dn_cuda_api *api, dn_gpu *list, int max, int *n) {
    int version = 0, found = 0;
    *n = 0;
    int error = api->driver_version(&version);
    if (error || version == 0) {
        return DN_OK; /* no driver, so nothing is lost */
    }
    error = api->count(&found);
    if (error == DN_CUDA_NO_DEVICE) {
        return DN_OK;
    }
    if (error == DN_CUDA_OLD_DRIVER) {
        return refuse_driver(api, version);
    }
    if (error) {
        return refuse(api, error, "list its devices");
    }
    for (int i = 0; i < found && i < max; i++) {
        dn_cuda_properties properties;
        error = api->properties(i, &properties);
        if (error) {
            return refuse(api, error, "read a device's properties");
        }
        copy_gpu(&properties, &list[i]);
        *n = i + 1;
    }
    return DN_OK;
}

static dn_status check_code(const dn_cuda_api *api, const dn_cuda_properties *p) {
    int error = api->prepare();
    if (error == DN_CUDA_NO_CODE) {
        return DN_FAIL(
            DEVICE,
            "%s has compute capability %d.%d, and this build holds no code for it: build "
            "with -DDUNLIN_CUDA_ARCHITECTURES=%d",
            p->name, p->capability / 10, p->capability % 10, p->capability);
    }
    return error ? refuse(api, error, "load the kernels") : DN_OK;
}

static void write_note(const dn_cuda_api *api, int driver) {
    char runs[16], built[16];
    int blas = api->blas->version();
    tell_version(driver, runs, sizeof runs);
    tell_version(api->toolkit_version, built, sizeof built);
    snprintf(dn_cuda.note, sizeof dn_cuda.note,
             "GPU %d: %s at %s, %lld MiB, %d multiprocessors; driver for CUDA %s, built with %s, "
             "cuBLASLt %d.%d.%d",
             dn_cuda.device, dn_cuda.properties.name, dn_cuda.properties.pci,
             (long long)(dn_cuda.properties.memory_bytes >> 20),
             dn_cuda.properties.n_multiprocessors, runs, built, blas / 10000, blas / 100 % 100,
             blas % 100);
}

/** cuDNN has not been run on a device by us yet, so it is asked for. */
static void open_fused(const dn_cuda_api *api) {
    const char *wanted = getenv("DN_CUDA_CUDNN");
    size_t used = strlen(dn_cuda.note);
    if (!wanted || strcmp(wanted, "1") != 0) {
        return;
    }
    const char *why = api->fused->open();
    dn_cuda.fused = !why;
    if (why) {
        snprintf(dn_cuda.note + used, sizeof dn_cuda.note - used,
                 "; long rows by our own kernel, not by cuDNN: %s", why);
    } else {
        int version = api->fused->version();
        snprintf(dn_cuda.note + used, sizeof dn_cuda.note - used,
                 "; rows over %d tokens by cuDNN %d.%d.%d", DN_FUSED_FROM, version / 10000,
                 version / 100 % 100, version % 100);
    }
}

dn_status dn_cuda_open(const dn_cuda_api *api, int device) {
    dn_cuda_properties properties;
    int driver = 0, error = api->driver_version(&driver);
    error = error ? error : api->properties(device, &properties);
    error = error ? error : api->use(device);
    if (error) {
        return refuse(api, error, "use the device");
    }
    DN_TRY(check_code(api, &properties));
    const char *why = api->blas->open();
    if (why) {
        return DN_FAIL(DEVICE, "%s is there, but %s", properties.name, why);
    }
    const char *checks = getenv("DN_CUDA_CHECK");
    dn_cuda = (dn_cuda_state){.api = api,
                              .device = device,
                              .driver_version = driver,
                              .checks = checks && strcmp(checks, "1") == 0,
                              .properties = properties};
    write_note(api, driver);
    open_fused(api);
    return DN_OK;
}

dn_status dn_cuda_fault(int error, const char *what) {
    const dn_cuda_api *api = dn_cuda.api;
    return DN_FAIL(DEVICE_FAULT, "%s: %s (%s) on GPU %d, %s at %s%s", what, api->error_text(error),
                   api->error_name(error), dn_cuda.device, dn_cuda.properties.name,
                   dn_cuda.properties.pci,
                   dn_cuda.checks ? "" : "; DN_CUDA_CHECK=1 names the operation");
}

dn_status dn_cuda_enter(void) {
    static _Thread_local bool entered;
    if (!entered) {
        int error = dn_cuda.api->use(dn_cuda.device);
        if (error) {
            return dn_cuda_fault(error, "entering the device");
        }
        entered = true;
    }
    return DN_OK;
}
