#ifndef DN_CPU_GELU_H
#define DN_CPU_GELU_H
/** GELU by a table of cubics, where a permutation can look up 32 entries; absolute error below
 * 5e-7.
 *
 * gelu(x) = max(x, 0) + tail(|x|), tail(a) = -a erfc(a / sqrt 2) / 2, which nears zero on both
 * sides. |x| = (i + r) * 0.175 with whole i and |r| <= 1/2; row j of the table holds the
 * coefficients of r^j, minimax in each interval, and 0 for gelu(0). Half the operations of the erf
 * in gelu_erf.h. */
static const float gelu_tail[4][32] = {
    {0.00000000e+00f,  -7.53440112e-02f, -1.27108917e-01f, -1.57390356e-01f, -1.69374481e-01f,
     -1.66938648e-01f, -1.54202178e-01f, -1.35102570e-01f, -1.13059588e-01f, -9.07647014e-02f,
     -7.01037347e-02f, -5.21959141e-02f, -3.75153832e-02f, -2.60555446e-02f, -1.74998976e-02f,
     -1.13726649e-02f, -7.15433946e-03f, -4.35817521e-03f, -2.57148175e-03f, -1.46993448e-03f,
     -8.14183557e-04f, -4.37035225e-04f, -2.27367971e-04f, -1.14657159e-04f, -5.60486878e-05f,
     -2.65613398e-05f, -1.22033225e-05f, -5.43587475e-06f, -2.34768959e-06f, -9.83118866e-07f,
     -3.99188110e-07f, -1.57168600e-07f},
    {-8.75019431e-02f, -6.33125678e-02f, -4.05712575e-02f, -2.05294341e-02f, -4.09265189e-03f,
     8.27060174e-03f,  1.65404361e-02f,  2.10853331e-02f,  2.25508120e-02f,  2.17253882e-02f,
     1.94121171e-02f,  1.63273104e-02f,  1.30377412e-02f,  9.93721001e-03f,  7.25529855e-03f,
     5.08700730e-03f,  3.43142985e-03f,  2.22989428e-03f,  1.39747059e-03f,  8.45288741e-04f,
     4.93803702e-04f,  2.78752967e-04f,  1.52120760e-04f,  8.02818831e-05f,  4.09862187e-05f,
     2.02469928e-05f,  9.68011773e-06f,  4.48002220e-06f,  2.00738236e-06f,  8.70948838e-07f,
     3.65950427e-07f,  1.48924855e-07f},
    {1.22370329e-02f,  1.18331937e-02f,  1.07763037e-02f,  9.17047635e-03f,  7.21742818e-03f,
     5.14425337e-03f,  3.16486973e-03f,  1.44835794e-03f,  1.00296493e-04f,  -8.41256115e-04f,
     -1.39690284e-03f, -1.62868924e-03f, -1.61994144e-03f, -1.45692378e-03f, -1.21541019e-03f,
     -9.53284500e-04f, -7.08655454e-04f, -5.01902949e-04f, -3.39880702e-04f, -2.20631453e-04f,
     -1.37552764e-04f, -8.24831077e-05f, -4.76267087e-05f, -2.65046892e-05f, -1.42266999e-05f,
     -7.36989477e-06f, -3.68652218e-06f, -1.78139078e-06f, -8.31857790e-07f, -3.75513082e-07f,
     -1.63910713e-07f, -6.91992099e-08f},
    {-6.22310545e-05f, -2.43149567e-04f, -4.53754124e-04f, -6.05657988e-04f, -6.83855556e-04f,
     -6.86492713e-04f, -6.23836706e-04f, -5.14766143e-04f, -3.81933205e-04f, -2.46984680e-04f,
     -1.26923071e-04f, -3.22189626e-05f, 3.33029129e-05f,  7.12308465e-05f,  8.66345799e-05f,
     8.60643850e-05f,  7.59427930e-05f,  6.15481185e-05f,  4.65962730e-05f,  3.32780328e-05f,
     2.25603544e-05f,  1.45800504e-05f,  9.00976192e-06f,  5.33563298e-06f,  3.03336810e-06f,
     1.65774679e-06f,  8.71838949e-07f,  4.41635308e-07f,  2.15634969e-07f,  1.01547663e-07f,
     4.61469405e-08f,  2.02457002e-08f},
};

static inline vec gelu_coefficient(const float *row, __m512i index) {
    return _mm512_permutex2var_ps(_mm512_loadu_ps(row), index, _mm512_loadu_ps(row + 16));
}

static inline vec v_gelu(vec x) {
    const vec per_step = v_set(1 / 0.175f), last = v_set(31.49f * 0.175f);
    const vec whole = v_set(0x1.8p23f);    /* adding it rounds, and leaves i in the lowest bits */
    vec a = _mm512_range_ps(x, last, 0xa); /* the smaller magnitude, without its sign */
    vec shifted = v_fma(a, per_step, whole);
    vec r = _mm512_fmsub_ps(a, per_step, v_sub(shifted, whole));
    __m512i i = _mm512_castps_si512(shifted);
    vec y = v_fma(gelu_coefficient(gelu_tail[3], i), r, gelu_coefficient(gelu_tail[2], i));
    y = v_fma(y, r, gelu_coefficient(gelu_tail[1], i));
    y = v_fma(y, r, gelu_coefficient(gelu_tail[0], i));
    return v_add(v_max(v_set(0), x), y);
}

#endif
