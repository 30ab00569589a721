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

/* Tokens of a part (dn_kernels.part_tokens), chosen for a hidden size of 384 and 2 MiB of second
 * level (Sapphire Rapids, 2026-11-29): narrow weights of half a layer and what lies between its
 * steps fit in there together. fp32 weights do not, and should come from the third level once per
 * CHUNK rows. */
enum { ATTENTION_PART = 128 };

#define DN_CPU_KERNELS(isa_name, precision_name, attention_part, inner_part, oracle_, pack_,       \
                       linear_, measure_peak_)                                                     \
    {.name = "cpu",                                                                                \
     .isa = isa_name,                                                                              \
     .precision = precision_name,                                                                  \
     .part_tokens = {.attention = attention_part, .feed_forward = inner_part},                     \
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
    DN_CPU_KERNELS(isa_name, "fp32", CHUNK, CHUNK, dn_kernels_ref, pack, linear, measure_peak)
#define DN_CPU_NARROW(isa_name, precision_name, oracle_)                                           \
    DN_CPU_KERNELS(isa_name, precision_name, ATTENTION_PART, NARROW_BLOCK, oracle_, narrow_pack,   \
                   narrow_linear, measure_narrow_peak)

#endif
