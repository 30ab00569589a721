#ifndef DN_CPU_H
#define DN_CPU_H
/** The fp32 kernels of one instruction set, as static functions of the file that includes this.
 *  Before it stand that set's vocabulary (simd_*.h) and the name of its weights (DN_LAYOUT). */
#include "kernels/backend.h"

/* In the order in which they build on each other. */
#include "kernels/cpu/vmath.h"

#include "kernels/cpu/tile.h"

#include "kernels/cpu/rows.h"

#include "kernels/cpu/attention.h"

#include "kernels/cpu/linear.h"

#include "kernels/cpu/peak.h"

#define DN_CPU_KERNELS(isa_name)                                                                   \
    {                                                                                              \
        .name = "cpu", .isa = isa_name, .precision = "fp32", .pack = pack,                         \
        .attention_scratch = attention_scratch, .embed = embed, .linear = linear,                  \
        .attention = attention, .pool = pool, .softmax = softmax, .measure_peak = measure_peak     \
    }

#endif
