#ifndef DN_CPU_GELU_H
#define DN_CPU_GELU_H
/** GELU by the polynomial of its erf. */

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

#endif
