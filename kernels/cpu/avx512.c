/* The cpu backend in AVX-512 (F, BW, VL, DQ). */
#include "kernels/cpu/simd_avx512.h"

#define DN_LAYOUT "cpu:avx512"
#include "kernels/cpu/cpu.h"

const dn_kernels dn_kernels_avx512 = DN_CPU_FP32("avx512");
