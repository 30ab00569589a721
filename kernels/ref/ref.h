#ifndef DN_REF_H
#define DN_REF_H
/** What the oracles of all precisions share; internal to ref/. */
#include "kernels/backend.h"

/** Row t of linear(): x[k] and w[n][k] are this row's input and the matrix as the precision sees
 * them, each product then times `scale` and column_scale[n] (NULL: ones). */
void dn_ref_linear_row(const dn_linear_args *a, int t, const float *x, const float *w, double scale,
                       const float *column_scale);

size_t dn_ref_attention_scratch(int max_row_tokens, int hidden, int heads);
void dn_ref_embed(const dn_embed_args *);
void dn_ref_add_norm(const dn_add_norm_args *);
void dn_ref_attention(const dn_attention_args *);
void dn_ref_pool(const dn_pool_args *);
void dn_ref_softmax(const dn_softmax_args *);
double dn_ref_measure_peak(int ms);

#endif
