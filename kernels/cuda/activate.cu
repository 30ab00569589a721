/* bias + activation, and rounding to and from the elements' type: one piece of 16 bytes a thread.
 */
#include "kernels/cuda/elements.cuh"
#include "kernels/cuda/variants.h"

namespace dn {

enum { THREADS = 256 };

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

template <class T, class Activation, int N>
__global__ void __launch_bounds__(THREADS)
    activate(size_t n, int width, const T *in, const float *bias, void *out, dn_cuda_fp8 fp8) {
    size_t at = ((size_t)blockIdx.x * THREADS + threadIdx.x) * N;
    writer<T> result(out, fp8);
    if (at < n) {
        float x[N], b[N] = {};
        load<N>(in + at, x);
        if (bias) {
            load<N>(bias + at % (size_t)width, b);
        }
        for (int i = 0; i < N; i++) {
            x[i] = Activation::apply(x[i] + b[i]);
        }
        result.template put<N>(at, x);
    }
    result.finish();
}

template <class T, class Activation>
static int launch_activate(const dn_cuda_activate_args *a, cudaStream_t stream) {
    constexpr int N = per_16_bytes<T>;
    size_t n = (size_t)a->n_tokens * (size_t)a->width;
    int per_thread = a->width % N == 0 ? N : 1;
    auto kernel = per_thread == N ? activate<T, Activation, N> : activate<T, Activation, 1>;
    return start(kernel, dim3(n_blocks(n, THREADS * per_thread)), THREADS, 0, stream, n, a->width,
                 static_cast<const T *>(a->in), a->bias, a->out, a->fp8);
}

template <class T> static int activate_as(const dn_cuda_activate_args *a, cudaStream_t stream) {
    switch (a->activation) {
    case DN_CUDA_ACT_NONE:
        return launch_activate<T, identity>(a, stream);
    case DN_CUDA_ACT_GELU:
        return dn_cuda_is_forced("gelu", "erff") ? launch_activate<T, gelu_erff>(a, stream)
                                                 : launch_activate<T, gelu_rational>(a, stream);
    case DN_CUDA_ACT_TANH:
        return launch_activate<T, hyperbolic_tangent>(a, stream);
    case DN_CUDA_ACT_RELU:
        return launch_activate<T, rectifier>(a, stream);
    }
    return cudaErrorInvalidValue;
}

template <class T>
__global__ void __launch_bounds__(THREADS)
    round_to(size_t n, const float *x, float factor, T *out) {
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n) {
        float scaled = x[i] * factor;
        store<1>(out + i, &scaled);
    }
}

template <class T>
__global__ void __launch_bounds__(THREADS) widen_from(size_t n, const T *x, float *out) {
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n) {
        load<1>(x + i, out + i);
    }
}

template <class T> static int round_as(const dn_cuda_round_args *a, cudaStream_t stream) {
    return start(round_to<T>, dim3(n_blocks(a->n, THREADS)), THREADS, 0, stream, a->n, a->x,
                 a->factor, static_cast<T *>(a->out));
}

template <class T> static int widen_as(const dn_cuda_widen_args *a, cudaStream_t stream) {
    return start(widen_from<T>, dim3(n_blocks(a->n, THREADS)), THREADS, 0, stream, a->n,
                 static_cast<const T *>(a->x), a->out);
}

} // namespace dn

int dn_cuda_activate(const dn_cuda_activate_args *args, cudaStream_t stream) {
    return DN_BY_TYPE(args->type, dn::activate_as, args, stream);
}

int dn_cuda_round(const dn_cuda_round_args *args, cudaStream_t stream) {
    return args->type == DN_CUDA_E4M3 ? dn::round_as<dn::e4m3>(args, stream)
                                      : DN_BY_TYPE(args->type, dn::round_as, args, stream);
}

int dn_cuda_widen(const dn_cuda_widen_args *args, cudaStream_t stream) {
    return DN_BY_TYPE(args->type, dn::widen_as, args, stream);
}
