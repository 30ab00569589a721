/* int8 by AVX-VNNI, for machines without AVX-512; what stays fp32 is that of avx2.c. */
#include "kernels/cpu/simd_avx2.h"

#define DN_LAYOUT "cpu:avx2"
#include "kernels/cpu/cpu.h"

#define DN_NARROW_LAYOUT "cpu:avxvnni"
#include "kernels/cpu/dot_avxvnni.h"

#include "kernels/cpu/u8.h"

#include "kernels/cpu/dot_tile.h"

#include "kernels/cpu/narrow_linear.h"

const dn_kernels dn_kernels_avxvnni = DN_CPU_NARROW("avxvnni", "int8", dn_kernels_ref_int8);
