#ifndef DN_TEST_LINEAR_H
#define DN_TEST_LINEAR_H
/** One call of linear() with everything it needs, for the tests that compare backends. */
#include "buffers.h"

static inline const dn_kernels *ref(void) {
    const dn_kernels *kernels = NULL;
    EXPECT(dn_kernels_select("ref", &kernels) == DN_OK);
    return kernels;
}

typedef struct linear_shape {
    int tokens, k, n;
    dn_activation activation;
    bool no_bias, norm, in_place; /**< in_place: the residual is the output */
    int n_kept;                   /**< inputs that are kept apart, first and last among them */
} linear_shape;

static inline int kept_input(const linear_shape *s, int i) {
    return s->n_kept > 1 ? i * (s->k - 1) / (s->n_kept - 1) : s->k - 1;
}

/** Moves the columns of the inputs that are kept apart out of w[n][k], into floats that the caller
 * frees. */
static inline float *keep_apart(const linear_shape *s, float *w, dn_kept *kept) {
    size_t n = (size_t)s->n, k = (size_t)s->k;
    float *column = floats_of((size_t)s->n_kept * n + k), *others = column + (size_t)s->n_kept * n;
    *kept = (dn_kept){.n = s->n_kept, .column = column, .others = others};
    for (size_t c = 0; c < k; c++) {
        others[c] = 1;
    }
    for (int i = 0; i < s->n_kept; i++) {
        size_t input = (size_t)(kept->input[i] = kept_input(s, i));
        others[input] = 0;
        for (size_t j = 0; j < n; j++) {
            column[(size_t)i * n + j] = w[j * k + input];
            w[j * k + input] = 0;
        }
    }
    return column;
}

static inline void run_linear(const dn_kernels *kernels, const linear_shape *s, const float *x,
                              const float *w, const float *vectors, const float *residual,
                              output *out) {
    dn_weight weight;
    dn_kept kept;
    float *others = NULL, *columns = NULL;
    if (s->n_kept) {
        size_t n_weights = (size_t)s->n * (size_t)s->k;
        others = floats_of(n_weights);
        memcpy(others, w, n_weights * sizeof *w);
        columns = keep_apart(s, others, &kept);
    }
    EXPECT(kernels->pack(others ? others : w, s->n, s->k, &weight) == DN_OK);
    dn_linear_args args = {.n_tokens = s->tokens,
                           .x = x,
                           .weight = &weight,
                           .bias = s->no_bias ? NULL : vectors,
                           .kept = s->n_kept ? &kept : NULL,
                           .activation = s->activation,
                           .epsilon = 1e-12f,
                           .out = out->at};
    if (s->norm) {
        args.residual = residual, args.gamma = vectors + s->n, args.beta = vectors + 2 * s->n;
        if (s->in_place) {
            memcpy(out->at, residual, out->n * sizeof(float));
            args.residual = out->at;
        }
    }
    kernels->linear(&args);
    dn_weight_free(&weight);
    free(columns);
    free(others);
}

#endif
