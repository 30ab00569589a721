/* What is made of a row at the end: its pooled features, the heads' few outputs, probabilities. */
#include "kernels/cuda/elements.cuh"

namespace dn {

enum {
    WARPS = 8,
    BLOCK_THREADS = WARPS * WARP_LANES,
    HEAD_ROWS = 8, /* rows that share one reading of the weights */
    FIRST_TOKEN = 1
};

/** A block per row, a piece of 16 bytes per thread; tokens are added in their order. */
template <class T, int N>
__global__ void __launch_bounds__(BLOCK_THREADS)
    pool_rows(int hidden, const int32_t *row_start, int n_parts, int part0, int part1, const T *x,
              float *out) {
    await_previous();
    int row = (int)blockIdx.x, begin = row_start[row], n = row_start[row + 1] - begin;
    for (int p = 0; p < n_parts; p++) {
        bool first_only = (p == 0 ? part0 : part1) == FIRST_TOKEN;
        int used = first_only && n > 0 ? 1 : n;
        float scale = used > 0 ? 1 / (float)used : 0;
        float *to = out + ((size_t)row * (size_t)n_parts + (size_t)p) * (size_t)hidden;
        for (int column = (int)threadIdx.x * N; column < hidden; column += BLOCK_THREADS * N) {
            float sum[N] = {}, next[N];
            const T *from = x + (size_t)begin * (size_t)hidden + column;
#pragma unroll 4
            for (int t = 0; t < used; t++) {
                load<N>(from + (size_t)t * (size_t)hidden, next);
                for (int i = 0; i < N; i++) {
                    sum[i] += next[i];
                }
            }
            for (int i = 0; i < N; i++) {
                sum[i] *= scale;
            }
            store<N>(to + column, sum);
        }
    }
}

template <class T> static int pool(const dn_cuda_pool_args *a, cudaStream_t stream) {
    constexpr int N = per_16_bytes<T>;
    auto kernel = a->hidden % N == 0 ? pool_rows<T, N> : pool_rows<T, 1>;
    return start(kernel, dim3((unsigned)a->n_rows), BLOCK_THREADS, 0, stream, a->hidden,
                 a->row_start, a->n_parts, a->part[0], a->part[1], static_cast<const T *>(a->x),
                 a->out);
}

struct heads {
    int n_rows, n, k;
    const float *bias;
    dn_cuda_activation activation;
    float *out;
};

__device__ __forceinline__ float apply(dn_cuda_activation activation, float x) {
    return activation == DN_CUDA_ACT_GELU   ? 0.5f * x * (1 + erff(x * 0.70710678f))
           : activation == DN_CUDA_ACT_TANH ? tanhf(x)
           : activation == DN_CUDA_ACT_RELU ? (x > 0 ? x : 0)
                                            : x;
}

/** A warp makes one output of eight rows at a time: lanes share the inputs, so each output is a sum
 * over k in an order that k alone decides. */
template <class X, class W, int N>
__global__ void __launch_bounds__(BLOCK_THREADS)
    multiply_rows(const heads h, const X *x, const W *w) {
    await_previous();
    int lane = (int)threadIdx.x % WARP_LANES, row = (int)blockIdx.x * HEAD_ROWS;
    int column = (int)(blockIdx.y * WARPS + threadIdx.x / WARP_LANES);
    if (column >= h.n) {
        return;
    }
    int n_rows = h.n_rows - row < HEAD_ROWS ? h.n_rows - row : HEAD_ROWS;
    float sum[HEAD_ROWS] = {};
    for (int k = lane * N; k < h.k; k += WARP_LANES * N) {
        float weight[N], input[N];
        load<N>(w + (size_t)column * (size_t)h.k + k, weight);
#pragma unroll
        for (int r = 0; r < HEAD_ROWS; r++) {
            if (r < n_rows) {
                load<N>(x + (size_t)(row + r) * (size_t)h.k + k, input);
                for (int i = 0; i < N; i++) {
                    sum[r] += weight[i] * input[i];
                }
            }
        }
    }
    float bias = h.bias ? h.bias[column] : 0;
#pragma unroll
    for (int r = 0; r < HEAD_ROWS; r++) {
        float y = warp_sum(sum[r]) + bias;
        if (r < n_rows && lane == r) {
            h.out[(size_t)(row + r) * (size_t)h.n + column] = apply(h.activation, y);
        }
    }
}

template <class X, class W>
static int launch_heads(const dn_cuda_heads_args *a, cudaStream_t stream) {
    constexpr int N = per_16_bytes<W>; /* of floats twice 16 bytes, beside weights of 16 bits */
    heads h = {a->n_rows, a->n, a->k, a->bias, a->activation, a->out};
    auto kernel = a->k % N == 0 ? multiply_rows<X, W, N> : multiply_rows<X, W, 1>;
    dim3 grid(n_blocks((size_t)a->n_rows, HEAD_ROWS), n_blocks((size_t)a->n, WARPS));
    return start(kernel, grid, BLOCK_THREADS, 0, stream, h, static_cast<const X *>(a->x),
                 static_cast<const W *>(a->w));
}

template <class W> static int multiply(const dn_cuda_heads_args *a, cudaStream_t stream) {
    if (a->x_type == DN_CUDA_F32) {
        return launch_heads<float, W>(a, stream);
    }
    return a->x_type == a->type ? launch_heads<W, W>(a, stream) : (int)cudaErrorInvalidValue;
}

__device__ __forceinline__ void softmax(const float *x, float *out, int n, int lane) {
    float most = -INFINITY, sum = 0;
    for (int i = lane; i < n; i += WARP_LANES) {
        most = fmaxf(most, x[i]);
    }
    most = warp_max(most);
    for (int i = lane; i < n; i += WARP_LANES) {
        sum += expf(x[i] - most);
    }
    sum = warp_sum(sum);
    for (int i = lane; i < n; i += WARP_LANES) {
        out[i] = expf(x[i] - most) / sum;
    }
}

__device__ __forceinline__ void unit_length(const float *x, float *out, int n, int lane) {
    float squares = 0;
    for (int i = lane; i < n; i += WARP_LANES) {
        squares += x[i] * x[i];
    }
    float length = fmaxf(sqrtf(warp_sum(squares)), 1e-12f);
    for (int i = lane; i < n; i += WARP_LANES) {
        out[i] = x[i] / length;
    }
}

/** A warp per row and group. */
__global__ void __launch_bounds__(BLOCK_THREADS) finish_groups(const dn_cuda_score_args a) {
    await_previous();
    int item = (int)(blockIdx.x * WARPS + threadIdx.x / WARP_LANES);
    int lane = (int)threadIdx.x % WARP_LANES, row = item / a.n_groups;
    if (row >= a.n_rows) {
        return;
    }
    const dn_cuda_group group = a.group[item % a.n_groups];
    const float *x = a.x + (size_t)row * (size_t)a.width + group.begin;
    float *out = a.out + (size_t)row * (size_t)a.out_stride + a.out_begin + group.begin;
    if (group.finish == DN_CUDA_SOFTMAX) {
        softmax(x, out, group.width, lane);
    } else if (group.finish == DN_CUDA_UNIT_LENGTH) {
        unit_length(x, out, group.width, lane);
    } else {
        for (int i = lane; i < group.width; i += WARP_LANES) {
            out[i] = group.finish == DN_CUDA_SIGMOID ? 1 / (1 + expf(-x[i])) : x[i];
        }
    }
}

} // namespace dn

int dn_cuda_pool(const dn_cuda_pool_args *args, cudaStream_t stream) {
    return DN_BY_TYPE(args->type, dn::pool, args, stream);
}

int dn_cuda_heads(const dn_cuda_heads_args *args, cudaStream_t stream) {
    return DN_BY_TYPE(args->type, dn::multiply, args, stream);
}

int dn_cuda_score(const dn_cuda_score_args *args, cudaStream_t stream) {
    size_t n_items = (size_t)args->n_rows * (size_t)args->n_groups;
    return dn::start(dn::finish_groups, dim3(dn::n_blocks(n_items, dn::WARPS)), dn::BLOCK_THREADS,
                     0, stream, *args);
}

int dn_cuda_prepare(void) {
    cudaFuncAttributes attributes;
    return cudaFuncGetAttributes(&attributes, dn::finish_groups);
}
