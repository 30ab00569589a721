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

/** erf(x), absolute error below 4e-7: x P(u) with u = x^2 moved to [-1, 1], P minimax of degree 15
 *  (Lawson, weight x) on |x| <= 3.92, beyond which erf rounds to one. Its coefficients stand as
 * four polynomials in u^4 (row i: those of u^i, u^(i+4), ...), since one chain of fifteen
 * multiply-adds would wait for itself. */
static inline vec v_erf(vec x) {
    static const float c[4][4] = {
        {3.607368171e-01f, 9.060088545e-02f, 2.978598513e-02f, 2.036797116e-03f},
        {-1.801086366e-01f, -7.402792573e-02f, -2.013576217e-02f, -1.559578232e-03f},
        {1.340843439e-01f, 5.836877972e-02f, 1.406470407e-02f, 2.062238054e-03f},
        {-1.091786474e-01f, -4.338893667e-02f, -7.444781717e-03f, -7.942573284e-04f},
    };
    const vec edge = v_set(3.92f), one = v_set(1.0f);
    x = v_min(edge, v_max(v_sub(v_set(0), edge), x));
    vec u = v_fma(v_mul(x, x), v_set(2.0f / (3.92f * 3.92f)), v_set(-1.0f));
    vec u2 = v_mul(u, u), u4 = v_mul(u2, u2);
    vec low = v_fma(u, v_polynomial(u4, c[1], 4), v_polynomial(u4, c[0], 4));
    vec high = v_fma(u, v_polynomial(u4, c[3], 4), v_polynomial(u4, c[2], 4));
    vec y = v_mul(x, v_fma(u2, high, low));
    return v_min(one, v_max(v_set(-1.0f), y));
}

static inline vec v_gelu(vec x) {
    vec half = v_mul(v_set(0.5f), x);
    return v_fma(half, v_erf(v_mul(x, v_set(0.707106781f))), half);
}

/** tanh(x) = 1 - 2 / (e^2x + 1), absolute error below 2e-7. */
static inline vec v_tanh(vec x) {
    vec e = v_exp(v_mul(v_set(2.0f), v_min(v_set(20.0f), v_max(v_set(-20.0f), x))));
    return v_sub(v_set(1.0f), v_div(v_set(2.0f), v_add(e, v_set(1.0f))));
}

#endif
