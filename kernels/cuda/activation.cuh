#ifndef DN_CUDA_ACTIVATION_CUH
#define DN_CUDA_ACTIVATION_CUH
/** The activations, as types with one function. */
#include "kernels/cuda/ptx.cuh"

namespace dn {

/** erf as the compiler's library has it. */
struct gelu_erff {
    static __device__ __forceinline__ float apply(float x) {
        return 0.5f * x * (1 + erff(x * 0.70710678f));
    }
};

/** erfc(|z|) = (a1 u + ... + a5 u^5) exp(-z^2), u = 1 / (1 + p |z|), within 1.5e-7 (Abramowitz and
 * Stegun 7.1.26): two instructions of the special units instead of erff's branches and polynomials.
 * For negative x the result is x/2 erfc itself, so that nothing cancels. */
struct gelu_rational {
    static __device__ __forceinline__ float apply(float x) {
        float z = fabsf(x) * 0.70710678f;
        float u = reciprocal_fast(1 + 0.3275911f * z);
        float sum = 1.061405429f;
        sum = sum * u - 1.453152027f;
        sum = sum * u + 1.421413741f;
        sum = sum * u - 0.284496736f;
        sum = sum * u + 0.254829592f;
        float half_erfc = 0.5f * sum * u * exp2_fast(z * z * -1.44269504f);
        return x * (x < 0 ? half_erfc : 1 - half_erfc);
    }
};

struct hyperbolic_tangent {
    static __device__ __forceinline__ float apply(float x) {
        return tanhf(x);
    }
};
struct rectifier {
    static __device__ __forceinline__ float apply(float x) {
        return x > 0 ? x : 0;
    }
};
struct identity {
    static __device__ __forceinline__ float apply(float x) {
        return x;
    }
};

} // namespace dn

#endif
