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

/* ref/: the oracle of each way of rounding (narrow.h). */
extern const dn_kernels dn_kernels_ref, dn_kernels_ref_int8, dn_kernels_ref_int12,
    dn_kernels_ref_bf16;
/* cpu/<name>.c in builds for x86. */
extern const dn_kernels dn_kernels_avx2, dn_kernels_avx512;
extern const dn_kernels dn_kernels_avx2_s16, dn_kernels_avxvnni, dn_kernels_vnni, dn_kernels_amx;
extern const dn_kernels dn_kernels_bf16, dn_kernels_amx_bf16;

/** Whether a narrow backend can hold w[n][k]: MODEL when k is beyond it or a weight is not finite.
 */
dn_status dn_narrow_check(const float *w, int n, int k);

/** The cpu backends of this build, best first; cpu/x86.c or cpu/none.c. */
extern const dn_backend dn_cpu_backends[];
extern const int dn_n_cpu_backends;

#endif
