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
} linear_shape;

static inline void run_linear(const dn_kernels *kernels, const linear_shape *s, const float *x,
                              const float *w, const float *vectors, const float *residual,
                              output *out) {
    dn_weight weight;
    EXPECT(kernels->pack(w, s->n, s->k, &weight) == DN_OK);
    dn_linear_args args = {.n_tokens = s->tokens,
                           .x = x,
                           .weight = &weight,
                           .bias = s->no_bias ? NULL : vectors,
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
}

#endif
