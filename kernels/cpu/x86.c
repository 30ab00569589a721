/* Which x86 instruction sets there are. The builtins ask the processor and also whether the
 * operating system saves the wide registers (XCR0), without which their first use would trap. */
#include "kernels/backend.h"

static bool has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

const dn_backend dn_cpu_backends[] = {
    {"cpu:avx512", has_avx512, &dn_kernels_avx512},
    {"cpu:avx2", has_avx2, &dn_kernels_avx2},
};
const int dn_n_cpu_backends = sizeof dn_cpu_backends / sizeof *dn_cpu_backends;
