#include "kernels/ops.h"

#include "kernels/device.h"

/* Every formula sees all the names; which of them it uses is its own matter. */
#define DN_NAMES                                                                                   \
    __attribute__((unused)) const double T = shape->T, R = shape->R, S2 = shape->S2, H = shape->H, \
                                         A = shape->A, K = shape->K, N = shape->N, C = shape->C

#define DN_OP(name, flops, bytes, absolute, relative)                                              \
    static double name##_flops(const dn_shape *shape) {                                            \
        DN_NAMES;                                                                                  \
        return flops;                                                                              \
    }                                                                                              \
    static double name##_bytes(const dn_shape *shape) {                                            \
        DN_NAMES;                                                                                  \
        return bytes;                                                                              \
    }
#include "kernels/ops.def"
#undef DN_OP

const dn_op dn_ops[DN_OP_COUNT] = {
#define DN_OP(name, flops, bytes, absolute, relative)                                              \
    {#name, name##_flops, name##_bytes, absolute, relative},
#include "kernels/ops.def"
#undef DN_OP
};

const char *const dn_pass_group_names[DN_GROUPS] = {
    [DN_GROUP_EMBED] = "embed", [DN_GROUP_LINEAR] = "linear", [DN_GROUP_ATTENTION] = "attention",
    [DN_GROUP_NORM] = "norm",   [DN_GROUP_HEADS] = "heads",   [DN_GROUP_SUMS] = "sums"};
