#ifndef DN_OPS_H
#define DN_OPS_H
/** ops.def as a table: what each operation costs at a shape, and how close to `ref` it must be. */
#include <stddef.h>

/** The numbers that the formulas of ops.def name; those an operation does not use stay 0. */
typedef struct dn_shape {
    double T;  /**< tokens of the batch */
    double R;  /**< rows */
    double S2; /**< sum over the rows of length squared */
    double H;  /**< hidden size */
    double A;  /**< attention heads */
    double K;  /**< inputs of a linear operation */
    double N;  /**< its outputs */
    double C;  /**< classes */
} dn_shape;

typedef enum dn_op_id {
#define DN_OP(name, flops, bytes, absolute, relative) DN_OP_##name,
#include "kernels/ops.def"
#undef DN_OP
    DN_OP_COUNT
} dn_op_id;

typedef struct dn_op {
    const char *name;
    double (*flops)(const dn_shape *shape);
    double (*bytes)(const dn_shape *shape);
    double absolute, relative; /**< tolerance of float32 results against `ref` */
} dn_op;

extern const dn_op dn_ops[DN_OP_COUNT];

#endif
