#ifndef DN_MODEL_DESIGN_H
#define DN_MODEL_DESIGN_H
/** Texts as rows of numbers that a linear classifier learns from: dense ones of an encoder, sparse
 * ones of n-grams. What a learner needs of them are two products:
 *
 *    logits     z[n_rows][n_labels] = X W
 *    gradient   g = X^T r,  r[n_rows][n_labels]
 *
 * W and g are laid out as the kind likes it: [n_labels][n_columns] dense, [n_columns][n_labels]
 * sparse.
 *
 * thread  one at a time per design     errors  none but those of making one     blocks  never */
#include "kernels/kernels.h"

typedef struct dn_design dn_design;

typedef struct dn_design_ops {
    void (*logits)(dn_design *design, int n_labels, const float *w, float *z);
    void (*gradient)(dn_design *design, int n_labels, const float *r, float *g);
    void (*free)(dn_design *design);
} dn_design_ops;

struct dn_design {
    const dn_design_ops *ops;
    int n_rows, n_columns;
};

/** Rows `row[0 .. n_rows)` of x[][n_columns], packed both ways for the products of `kernels`, which
 * compute in fp32 on the host.   ownership  the caller: dn_design_free; x is not kept */
dn_status dn_design_dense(const dn_kernels *kernels, const float *x, int n_columns, const int *row,
                          int n_rows, dn_design **out);

/** Numbers of rows one behind the other: of row i stand in column[begin[i] .. begin[i + 1]). */
typedef struct dn_sparse {
    int n_rows, n_columns;
    int64_t *begin; /**< [n_rows + 1] */
    int32_t *column;
    float *value;
} dn_sparse;
void dn_sparse_free(dn_sparse *sparse);

/** Rows `row[0 .. n_rows)` of it.   ownership  the caller: dn_design_free; lends `x` until then */
dn_design *dn_design_sparse(const dn_sparse *x, const int *row, int n_rows);

void dn_design_free(dn_design *design);

#endif
