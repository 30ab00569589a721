#ifndef DN_CPU_H
#define DN_CPU_H
/** The fp32 kernels of one instruction set, as static functions of the file that includes this
 * after its simd_*.h. */
#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "kernels/cpu/vmath.h"

#include "kernels/cpu/tile.h"

#include "kernels/cpu/rows.h"

#include "kernels/cpu/attention.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/peak.h"

extern const dn_kernels dn_kernels_avx2, dn_kernels_avx512;

#define DN_CPU_KERNELS(isa_name)                                                                   \
    {                                                                                              \
        .name = "cpu", .isa = isa_name, .precision = "fp32", .pack = pack,                         \
        .attention_scratch = attention_scratch, .embed = embed, .linear = linear,                  \
        .attention = attention, .pool = pool, .softmax = softmax, .measure_peak = measure_peak,    \
    }

#endif
