/* int8 by AVX-512 VNNI; what stays fp32 is that of avx512.c. */
#include "kernels/cpu/simd_avx512.h"

#define DN_LAYOUT "cpu:avx512"
#include "kernels/cpu/cpu.h"

#define DN_NARROW_LAYOUT "cpu:vnni"
#include "kernels/cpu/dot_vnni.h"

#include "kernels/cpu/u8.h"

#include "kernels/cpu/dot_tile.h"

#include "kernels/cpu/narrow_linear.h"

const dn_kernels dn_kernels_vnni = DN_CPU_NARROW("vnni", "int8", dn_kernels_ref_int8);
