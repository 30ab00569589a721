/* The cpu backend for AVX512: one vocabulary of vectors, then the kernels that speak it. */
#include "kernels/cpu/simd_avx512.h"

#define DN_LAYOUT "cpu:avx512"
#include "kernels/cpu/cpu.h"

const dn_kernels dn_kernels_avx512 = DN_CPU_KERNELS("avx512");
