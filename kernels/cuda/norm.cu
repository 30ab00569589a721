/* LayerNorm and what stands before it: the embedding, or bias and residual. A row is read once,
 * kept in registers (one warp a row) or in shared memory (one block a row, for rows that are too
 * wide or no multiple of 16 bytes), and written once. The variance is taken about the mean, as ref
 * does. */
#include "kernels/cuda/elements.cuh"
#include "kernels/cuda/variants.h"

namespace dn {

enum {
    WARPS_PER_BLOCK = 8,
    BLOCK_THREADS = 256,
    MAX_VECTORS = 4,        /* 16-byte pieces of a row that a lane keeps in registers */
    MAX_BLOCK_WIDTH = 12000 /* floats in 48 KB of shared memory, partial sums apart */
};

template <class T> struct embedding {
    using element = T;
    const int32_t *token, *place;
    const T *word, *position, *token_type;
    int width;

    /** Row t at [column, column + N). */
    template <int N> __device__ __forceinline__ void fetch(int t, int column, float *x) const {
        float more[N];
        load<N>(word + (size_t)token[t] * (size_t)width + column, x);
        load<N>(position + (size_t)place[t] * (size_t)width + column, more);
        for (int i = 0; i < N; i++) {
            x[i] += more[i];
        }
        load<N>(token_type + column, more);
        for (int i = 0; i < N; i++) {
            x[i] += more[i];
        }
    }
};

template <class T> struct product {
    using element = T;
    const T *in, *residual;
    const float *bias;
    int width;

    template <int N> __device__ __forceinline__ void fetch(int t, int column, float *x) const {
        size_t at = (size_t)t * (size_t)width + (size_t)column;
        float more[N];
        load<N>(in + at, x);
        if (bias) {
            load<N>(bias + column, more);
            for (int i = 0; i < N; i++) {
                x[i] += more[i];
            }
        }
        if (residual) {
            load<N>(residual + at, more);
            for (int i = 0; i < N; i++) {
                x[i] += more[i];
            }
        }
    }
};

struct norm {
    int n_tokens, width;
    const float *gamma, *beta;
    float epsilon;
    void *out;
    dn_cuda_fp8 fp8;

    template <int N>
    __device__ __forceinline__ void scale(int column, float mean, float factor, float *x) const {
        float g[N], b[N];
        load<N>(gamma + column, g);
        load<N>(beta + column, b);
        for (int i = 0; i < N; i++) {
            x[i] = (x[i] - mean) * factor * g[i] + b[i];
        }
    }
};

template <class Source, int VECTORS>
__global__ void __launch_bounds__(WARPS_PER_BLOCK *WARP_LANES)
    norm_by_warp(const Source source, const norm n) {
    await_previous();
    using T = typename Source::element;
    constexpr int N = per_16_bytes<T>;
    int t = (int)(blockIdx.x * WARPS_PER_BLOCK + threadIdx.x / WARP_LANES);
    int lane = (int)threadIdx.x % WARP_LANES;
    if (t >= n.n_tokens) {
        return;
    }
    float x[VECTORS][N], sum = 0, squares = 0;
#pragma unroll
    for (int v = 0; v < VECTORS; v++) {
        int column = (v * WARP_LANES + lane) * N;
        if (column < n.width) {
            source.template fetch<N>(t, column, x[v]);
            for (int i = 0; i < N; i++) {
                sum += x[v][i];
            }
        }
    }
    float mean = warp_sum(sum) / (float)n.width;
#pragma unroll
    for (int v = 0; v < VECTORS; v++) {
        if ((v * WARP_LANES + lane) * N < n.width) {
            for (int i = 0; i < N; i++) {
                squares += (x[v][i] - mean) * (x[v][i] - mean);
            }
        }
    }
    float factor = rsqrtf(warp_sum(squares) / (float)n.width + n.epsilon);
    writer<T> out(n.out, n.fp8);
#pragma unroll
    for (int v = 0; v < VECTORS; v++) {
        int column = (v * WARP_LANES + lane) * N;
        if (column < n.width) {
            n.scale<N>(column, mean, factor, x[v]);
            out.template put<N>((size_t)t * (size_t)n.width + (size_t)column, x[v]);
        }
    }
    out.finish();
}

/** The sum over the block, in one order; `partial` has a float per warp. */
__device__ __forceinline__ float block_sum(float x, float *partial) {
    float mine = warp_sum(x), all = 0;
    if (threadIdx.x % WARP_LANES == 0) {
        partial[threadIdx.x / WARP_LANES] = mine;
    }
    __syncthreads();
    for (int i = 0; i < BLOCK_THREADS / WARP_LANES; i++) {
        all += partial[i];
    }
    __syncthreads();
    return all;
}

/** Each thread comes back to the columns that it filled, so the row itself needs no barrier. */
template <class Source, int N>
__global__ void __launch_bounds__(BLOCK_THREADS) norm_by_block(const Source source, const norm n) {
    await_previous();
    using T = typename Source::element;
    float *partial = static_cast<float *>(shared_memory());
    float *row = partial + WARP_LANES;
    int t = (int)blockIdx.x, first = (int)threadIdx.x * N;
    float x[N], sum = 0, squares = 0;
    for (int column = first; column < n.width; column += BLOCK_THREADS * N) {
        source.template fetch<N>(t, column, x);
        for (int i = 0; i < N; i++) {
            sum += x[i];
            row[column + i] = x[i];
        }
    }
    float mean = block_sum(sum, partial) / (float)n.width;
    for (int column = first; column < n.width; column += BLOCK_THREADS * N) {
        for (int i = 0; i < N; i++) {
            squares += (row[column + i] - mean) * (row[column + i] - mean);
        }
    }
    float factor = rsqrtf(block_sum(squares, partial) / (float)n.width + n.epsilon);
    writer<T> out(n.out, n.fp8);
    for (int column = first; column < n.width; column += BLOCK_THREADS * N) {
        for (int i = 0; i < N; i++) {
            x[i] = row[column + i];
        }
        n.scale<N>(column, mean, factor, x);
        out.template put<N>((size_t)t * (size_t)n.width + (size_t)column, x);
    }
    out.finish();
}

template <class Source>
static int launch_by_block(const Source &source, const norm &n, cudaStream_t stream) {
    constexpr int N = per_16_bytes<typename Source::element>;
    size_t shared_bytes = (WARP_LANES + (size_t)n.width) * sizeof(float);
    if (n.width > MAX_BLOCK_WIDTH) {
        return cudaErrorInvalidValue;
    }
    dim3 grid((unsigned)n.n_tokens);
    return n.width % N == 0 ? start(norm_by_block<Source, N>, grid, BLOCK_THREADS, shared_bytes,
                                    stream, source, n)
                            : start(norm_by_block<Source, 1>, grid, BLOCK_THREADS, shared_bytes,
                                    stream, source, n);
}

template <class Source>
static int launch(const Source &source, const norm &n, cudaStream_t stream) {
    constexpr int N = per_16_bytes<typename Source::element>;
    static void (*const by_warp[MAX_VECTORS])(Source, norm) = {
        norm_by_warp<Source, 1>, norm_by_warp<Source, 2>, norm_by_warp<Source, 3>,
        norm_by_warp<Source, 4>};
    int vectors = (n.width / N + WARP_LANES - 1) / WARP_LANES;
    if (n.width % N != 0 || vectors > MAX_VECTORS || dn_cuda_is_forced("norm", "block")) {
        return launch_by_block(source, n, stream);
    }
    return start(by_warp[vectors - 1], dim3(n_blocks((size_t)n.n_tokens, WARPS_PER_BLOCK)),
                 WARPS_PER_BLOCK * WARP_LANES, 0, stream, source, n);
}

/** The rows of a part of the vocabulary: [first, first + n) of the ids. */
struct words {
    int32_t first, n;
};

/** The embedding before its norm, zeros where another device has the word: a warp a row. */
template <class T, int N>
__global__ void __launch_bounds__(WARPS_PER_BLOCK *WARP_LANES)
    embed_part(const embedding<T> source, const words own, int n_tokens, T *out) {
    await_previous();
    int t = (int)(blockIdx.x * WARPS_PER_BLOCK + threadIdx.x / WARP_LANES);
    if (t >= n_tokens) {
        return;
    }
    int32_t id = source.token[t];
    bool is_here = own.n == 0 || (id >= own.first && id - own.first < own.n);
    for (int column = (int)threadIdx.x % WARP_LANES * N; column < source.width;
         column += WARP_LANES * N) {
        float x[N] = {};
        if (is_here) {
            source.template fetch<N>(t, column, x);
        }
        store<N>(out + (size_t)t * (size_t)source.width + (size_t)column, x);
    }
}

template <class T>
static int launch_part(embedding<T> source, const dn_cuda_embed_args *a, cudaStream_t stream) {
    constexpr int N = per_16_bytes<T>;
    words own = {a->first_word, a->n_words};
    dim3 grid(n_blocks((size_t)a->n_tokens, WARPS_PER_BLOCK));
    source.word -= (ptrdiff_t)a->first_word * a->hidden; /* so that ids count from 0 */
    return start(a->hidden % N == 0 ? embed_part<T, N> : embed_part<T, 1>, grid,
                 WARPS_PER_BLOCK * WARP_LANES, 0, stream, source, own, a->n_tokens,
                 static_cast<T *>(a->out));
}

template <class T> static int embed(const dn_cuda_embed_args *a, cudaStream_t stream) {
    embedding<T> source = {a->token,
                           a->place,
                           static_cast<const T *>(a->word),
                           static_cast<const T *>(a->position),
                           static_cast<const T *>(a->token_type),
                           a->hidden};
    if (!a->gamma) {
        return launch_part(source, a, stream);
    }
    return launch(source,
                  norm{a->n_tokens, a->hidden, a->gamma, a->beta, a->epsilon, a->out, a->fp8},
                  stream);
}

template <class T> static int normalise(const dn_cuda_norm_args *a, cudaStream_t stream) {
    product<T> source = {static_cast<const T *>(a->in), static_cast<const T *>(a->residual),
                         a->bias, a->width};
    return launch(
        source, norm{a->n_tokens, a->width, a->gamma, a->beta, a->epsilon, a->out, a->fp8}, stream);
}

} // namespace dn

int dn_cuda_embed(const dn_cuda_embed_args *args, cudaStream_t stream) {
    return DN_BY_TYPE(args->type, dn::embed, args, stream);
}

int dn_cuda_norm(const dn_cuda_norm_args *args, cudaStream_t stream) {
    return DN_BY_TYPE(args->type, dn::normalise, args, stream);
}
