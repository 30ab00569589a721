#ifndef DN_CPU_H
#define DN_CPU_H
/** The fp32 kernels of one instruction set, as static functions of the file that includes this.
 *  Before it stand that set's vocabulary (simd_*.h, which also names the fitting GELU) and the name
 * of its weights (DN_LAYOUT). */
#include "kernels/backend.h"

/* In the order in which they build on each other. */
#include "kernels/cpu/vmath.h"

#include DN_GELU

#include "kernels/cpu/tile.h"

#include "kernels/cpu/rows.h"

#include "kernels/cpu/attention.h"

#include "kernels/cpu/linear.h"

#include "kernels/cpu/peak.h"

#define DN_CPU_KERNELS(isa_name, precision_name, oracle_, pack_, linear_, measure_peak_)           \
    {.name = "cpu",                                                                                \
     .isa = isa_name,                                                                              \
     .precision = precision_name,                                                                  \
     .pack = pack_,                                                                                \
     .attention_scratch = attention_scratch,                                                       \
     .embed = embed,                                                                               \
     .linear = linear_,                                                                            \
     .add_norm = add_norm,                                                                         \
     .attention = attention,                                                                       \
     .pool = pool,                                                                                 \
     .softmax = softmax,                                                                           \
     .measure_peak = measure_peak_,                                                                \
     .oracle = &(oracle_)}

/* For fp32 and, after narrow_linear.h, for the narrow precisions. */
#define DN_CPU_FP32(isa_name)                                                                      \
    DN_CPU_KERNELS(isa_name, "fp32", dn_kernels_ref, pack, linear, measure_peak)
#define DN_CPU_NARROW(isa_name, precision_name, oracle_)                                           \
    DN_CPU_KERNELS(isa_name, precision_name, oracle_, narrow_pack, narrow_linear,                  \
                   measure_narrow_peak)

#endif
