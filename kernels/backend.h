#ifndef DN_KERNELS_BACKEND_H
#define DN_KERNELS_BACKEND_H
/** What select.c knows of a backend; internal to kernels/. */
#include "kernels/kernels.h"

#include <stdbool.h>

typedef struct dn_backend {
    const char *name;     /**< as `force` and DN_BACKEND spell it */
    bool (*usable)(void); /**< does this machine (processor and operating system) run it */
    const dn_kernels *kernels;
} dn_backend;

/* ref/ref.c; cpu/avx2.c and cpu/avx512.c in builds for x86. */
extern const dn_kernels dn_kernels_ref, dn_kernels_avx2, dn_kernels_avx512;

/** The cpu backends of this build, best first; cpu/x86.c or cpu/none.c. */
extern const dn_backend dn_cpu_backends[];
extern const int dn_n_cpu_backends;

#endif
