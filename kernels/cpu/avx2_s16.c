/* int8 by the 16-bit multiplier of plain AVX2; what stays fp32 is that of avx2.c. */
#include "kernels/cpu/simd_avx2.h"

#define DN_LAYOUT "cpu:avx2"
#include "kernels/cpu/cpu.h"

#define DN_NARROW_LAYOUT "cpu:avx2-s16"
#include "kernels/cpu/dot_madd.h"

#include "kernels/cpu/dot_tile.h"

#include "kernels/cpu/int8.h"

#include "kernels/cpu/narrow_linear.h"

const dn_kernels dn_kernels_avx2_s16 = DN_CPU_NARROW("avx2-s16", "int8", dn_kernels_ref_int12);
