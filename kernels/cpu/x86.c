/* Which x86 instruction sets there are. The builtins ask the processor and also whether the
 * operating system saves the wide registers (XCR0), without which their first use would trap; what
 * they do not know by name in all compilers stands in the processor's leaf 7. */
#include "kernels/backend.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct leaf {
    unsigned eax, ebx, ecx, edx;
} leaf;

/** Zeros where the processor has no such leaf. */
static leaf features(unsigned sub_leaf) {
    leaf x = {0};
    if (!__get_cpuid_count(7, sub_leaf, &x.eax, &x.ebx, &x.ecx, &x.edx)) {
        return (leaf){0};
    }
    return x;
}

static bool has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_vnni(void) {
    return has_avx512() && (features(0).ecx >> 11 & 1);
}

static bool has_avxvnni(void) {
    return has_avx2() && (features(1).eax >> 4 & 1);
}

static bool has_bf16(void) {
    return has_avx512() && (features(1).eax >> 5 & 1);
}

/** Linux lends the tiles to a process that asks (Documentation/arch/x86/xstate.rst); asking again
 * is free. A refusal (an old kernel, a signal stack too small for them) means: no tiles. */
static bool may_use_tiles(void) {
#ifdef SYS_arch_prctl
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}

static bool has_amx(unsigned bit) {
    unsigned edx = features(0).edx;
    return has_avx512() && (edx >> 24 & 1) && (edx >> bit & 1) && may_use_tiles();
}

static bool has_amx_int8(void) {
    return has_amx(25);
}

static bool has_amx_bf16(void) {
    return has_bf16() && has_amx(22);
}

/* By speed, except that bf16 is never chosen unasked: where it is there, so is a faster int8. */
const dn_backend dn_cpu_backends[] = {
    {"cpu:amx", has_amx_int8, &dn_kernels_amx},
    {"cpu:vnni", has_vnni, &dn_kernels_vnni},
    {"cpu:avxvnni", has_avxvnni, &dn_kernels_avxvnni},
    {"cpu:avx512", has_avx512, &dn_kernels_avx512},
    {"cpu:avx2-s16", has_avx2, &dn_kernels_avx2_s16},
    {"cpu:avx2", has_avx2, &dn_kernels_avx2},
    {"cpu:amx-bf16", has_amx_bf16, &dn_kernels_amx_bf16},
    {"cpu:bf16", has_bf16, &dn_kernels_bf16},
};
const int dn_n_cpu_backends = sizeof dn_cpu_backends / sizeof *dn_cpu_backends;
