/* The cpu backend in AVX2 with FMA. */
#include "kernels/cpu/simd_avx2.h"

#define DN_LAYOUT "cpu:avx2"
#include "kernels/cpu/cpu.h"

const dn_kernels dn_kernels_avx2 = DN_CPU_FP32("avx2");
