/* bf16 by AMX; what stays fp32 is that of avx512.c. */
#include "kernels/cpu/simd_avx512.h"

#define DN_LAYOUT "cpu:avx512"
#include "kernels/cpu/cpu.h"

#include "kernels/cpu/halves_avx512.h"

enum { NARROW_BLOCK = 64 };

typedef uint16_t activation_t;
typedef uint16_t weight_t;
typedef float sum_t;

#define DN_AMX_DOT(sum, x, w) _tile_dpbf16ps(sum, x, w)

static inline vec d_load(const sum_t *p) {
    return _mm512_loadu_ps(p);
}
static inline vec d_float(vec x) {
    return x;
}

#define DN_NARROW_LAYOUT "cpu:amx-bf16"
#include "kernels/cpu/dot_amx.h"

#include "kernels/cpu/narrow_linear.h"

const dn_kernels dn_kernels_amx_bf16 = DN_CPU_NARROW("amx-bf16", "bf16", dn_kernels_ref_bf16);
