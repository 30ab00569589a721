/* int8 by AMX; what stays fp32 is that of avx512.c. */
#include "kernels/cpu/simd_avx512.h"

#define DN_LAYOUT "cpu:avx512"
#include "kernels/cpu/cpu.h"

#include "kernels/cpu/bytes_avx512.h"

enum { NARROW_BLOCK = 64 };

typedef uint8_t activation_t;
typedef int8_t weight_t;
typedef int32_t sum_t;

#define DN_AMX_DOT(sum, x, w) _tile_dpbusd(sum, x, w)

static inline __m512i d_load(const sum_t *p) {
    return _mm512_loadu_si512(p);
}
static inline vec d_float(__m512i x) {
    return _mm512_cvtepi32_ps(x);
}

#define DN_NARROW_LAYOUT "cpu:amx"
#include "kernels/cpu/u8.h"

#include "kernels/cpu/dot_amx.h"

#include "kernels/cpu/narrow_linear.h"

const dn_kernels dn_kernels_amx = DN_CPU_NARROW("amx", "int8", dn_kernels_ref_int8);
