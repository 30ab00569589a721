/* bias + activation, and rounding to and from the elements' type: one piece of 16 bytes a thread.
 */
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/elements.cuh"
#include "kernels/cuda/variants.h"

namespace dn {

enum { THREADS = 256 };

template <class T, class Activation, int N>
__global__ void __launch_bounds__(THREADS)
    activate(unsigned n_pieces, unsigned per_row, const T *in, const float *bias, void *out,
             dn_cuda_fp8 fp8) {
    await_previous();
    unsigned piece = blockIdx.x * THREADS + threadIdx.x;
    size_t at = (size_t)piece * N;
    writer<T> result(out, fp8);
    if (piece < n_pieces) {
        float x[N], b[N] = {};
        load<N>(in + at, x);
        if (bias) {
            /* divided in 32 bits: in 64 it would cost as much as the GELU */
            load<N>(bias + piece % per_row * N, b);
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
    int per_piece = a->width % N == 0 ? N : 1;
    size_t per_row = (size_t)(a->width / per_piece), n_pieces = (size_t)a->n_tokens * per_row;
    if (n_pieces > UINT32_MAX - THREADS) {
        return cudaErrorInvalidValue;
    }
    auto kernel = per_piece == N ? activate<T, Activation, N> : activate<T, Activation, 1>;
    return start(kernel, dim3(n_blocks(n_pieces, THREADS)), THREADS, 0, stream, (unsigned)n_pieces,
                 (unsigned)per_row, static_cast<const T *>(a->in), a->bias, a->out, a->fp8);
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
    await_previous();
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n) {
        float scaled = x[i] * factor;
        store<1>(out + i, &scaled);
    }
}

template <class T>
__global__ void __launch_bounds__(THREADS) widen_from(size_t n, const T *x, float *out) {
    await_previous();
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
    return args->type == DN_CUDA_E4M3 ? dn::widen_as<dn::e4m3>(args, stream)
                                      : DN_BY_TYPE(args->type, dn::widen_as, args, stream);
}
