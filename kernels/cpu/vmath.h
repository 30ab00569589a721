#ifndef DN_CPU_VMATH_H
#define DN_CPU_VMATH_H
/** Elementary functions over a vector, and access to rows whose length is no multiple of one.
 *
 * Each lane's result depends on that lane alone. Included after one simd_*.h; the bounds are held
 * against double by tests/kernels/conformance.c. */

/** Lanes [0, left) of p, where left may exceed the vector. */
static inline vec load_row(const float *p, int left) {
    return left >= VW ? v_load(p) : v_load_part(p, left);
}
static inline void store_row(float *p, int left, vec x) {
    if (left >= VW) {
        v_store(p, x);
    } else {
        v_store_part(p, left, x);
    }
}

/** c[0] + c[1] u + ... by Horner. */
static inline vec v_polynomial(vec u, const float *c, int n) {
    vec y = v_set(c[n - 1]);
#pragma GCC unroll 16
    for (int i = n - 2; i >= 0; i--) {
        y = v_fma(y, u, v_set(c[i]));
    }
    return y;
}

/** e^x for x of -87 to 88, held there outside; relative error below 2e-7.
 *  x = n ln 2 + r with |r| <= ln 2 / 2; the polynomial is that of Cephes' expf. */
static inline vec v_exp(vec x) {
    static const float c[] = {5.0000001201e-1f, 1.6666665459e-1f, 4.1665795894e-2f,
                              8.3334519073e-3f, 1.3981999507e-3f, 1.9875691500e-4f};
    x = v_min(v_set(88.0f), v_max(v_set(-87.0f), x));
    vec n = v_round(v_mul(x, v_set(1.44269504f)));
    vec r = v_fma(n, v_set(-0.693359375f), x);
    r = v_fma(n, v_set(2.12194440e-4f), r);
    vec y = v_fma(v_mul(r, r), v_polynomial(r, c, 6), v_add(r, v_set(1.0f)));
    return v_scale(y, n);
}

/** 2^x for x of -126 to 0; less counts as -126. Relative error below 2e-7, and 2^0 is 1. Minimax of
 * degree 5 about the nearest whole number. */
static inline vec v_exp2(vec x) {
    static const float c[] = {
        1.0f, 6.931469776e-1f, 2.402224208e-1f, 5.550733744e-2f, 9.671512674e-3f, 1.326472715e-3f};
    x = v_max(v_set(-126.0f), x);
    vec n = v_round(x);
    return v_scale(v_polynomial(v_sub(x, n), c, 6), n);
}

/** tanh(x) = 1 - 2 / (e^2x + 1), absolute error below 2e-7. */
static inline vec v_tanh(vec x) {
    vec e = v_exp(v_mul(v_set(2.0f), v_min(v_set(20.0f), v_max(v_set(-20.0f), x))));
    return v_sub(v_set(1.0f), v_div(v_set(2.0f), v_add(e, v_set(1.0f))));
}

#endif
