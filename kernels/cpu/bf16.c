/* bf16 by avx512_bf16; what stays fp32 is that of avx512.c. */
#include "kernels/cpu/simd_avx512.h"

#define DN_LAYOUT "cpu:avx512"
#include "kernels/cpu/cpu.h"

#define DN_NARROW_LAYOUT "cpu:bf16"
#include "kernels/cpu/dot_bf16.h"

#include "kernels/cpu/dot_tile.h"

#include "kernels/cpu/narrow_linear.h"

const dn_kernels dn_kernels_bf16 = DN_CPU_NARROW("bf16", "bf16", dn_kernels_ref_bf16);
