/* 128 x 128 of the result a block, by two warpgroups of 64 rows each:
 *
 *     x [128][64] ──┐ three buffers in shared memory, filled by cp.async while others are
 * multiplied w [128][64] ──┴─▶ wgmma, 64 x 128 floats a warpgroup in registers ─▶ + bias,
 * activation ─▶ 128 x 128 elements in shared memory ─▶ rows of 16-byte stores, fp8 too
 *
 * 97 KB and 128 registers a thread let two blocks share a multiprocessor: while one waits for its
 * copies or finishes its tile, the other multiplies, without a schedule of ours. 5,632 tokens and
 * 1,536 outputs are 528 tiles, four for each of 132 multiprocessors. Not tried: TMA instead of
 * cp.async, and clusters that share w. Residual and LayerNorm in the same way want whole rows of
 * 384 in a block: each block of 64 rows reads all of w, 104 MB from L2 at 5,632 tokens and k 1,536
 * against 13 MB that a separate kernel moves; without multicast that loses before it is written. */
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/elements.cuh"
#include "kernels/cuda/product.h"

namespace dn {

enum {
    GROUP_THREADS = 128,
    BLOCK_THREADS = 2 * GROUP_THREADS,
    TILE = 128, /* rows of x, and of w */
    DEPTH = 64, /* columns of k in a buffer: one swizzled row of 128 bytes */
    PIECES = 8, /* of 16 bytes in it */
    BUFFERS = 3,
    TILE_BYTES = TILE * DEPTH * 2,
    ALIGNMENT = 1024,
    RESULT_PITCH = TILE + 8, /* elements: eight rows begin in eight places of the banks */
    SHARED_BYTES = ALIGNMENT + BUFFERS * 2 * TILE_BYTES
};

struct product {
    int n_tokens, n, k;
    const float *bias;
    void *out;
    dn_cuda_fp8 fp8;
};

/** Starts the copy of rows [row, row + 128) of `from`, columns [column, column + 64), to a swizzled
 * tile; zeros outside of the matrix. */
template <class T>
__device__ __forceinline__ void fetch_tile(unsigned char *tile, const T *from, int row, int n_rows,
                                           int column, int k) {
    for (int i = (int)threadIdx.x; i < TILE * PIECES; i += BLOCK_THREADS) {
        int r = i / PIECES, piece = i % PIECES, at = column + piece * 8;
        bool real = row + r < n_rows && at < k;
        copy_start(tile + r * 128 + (piece ^ r % 8) * 16,
                   real ? from + (size_t)(row + r) * (size_t)k + at : from, real);
    }
}

/** The 64 columns of one buffer, for this warpgroup's rows of x. */
template <class T>
__device__ __forceinline__ void multiply_buffer(const unsigned char *x, const unsigned char *w,
                                                float d[64]) {
    group_begin();
    for (int step = 0; step < DEPTH / 16; step++) {
        group_multiply(T{}, d, group_operand(x + step * 32), group_operand(w + step * 32));
    }
    group_wait();
}

/** The tile as elements, in shared memory that the product no longer needs, then out by rows. */
template <class T, class Activation>
__device__ __forceinline__ void finish_tile(const product &p, int row, int column,
                                            const float d[64], T *tile) {
    int lane = (int)threadIdx.x % WARP_LANES, warp = (int)threadIdx.x / WARP_LANES;
    int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int j = 0; j < TILE / 8; j++) {
        int c = 8 * j + 2 * t;
        bool real = p.bias && column + c < p.n;
        float2 bias = real ? *reinterpret_cast<const float2 *>(p.bias + column + c) : float2{0, 0};
        for (int i = 0; i < 2; i++) {
            uint32_t pair = pack_pair(T{}, Activation::apply(d[4 * j + 2 * i] + bias.x),
                                      Activation::apply(d[4 * j + 2 * i + 1] + bias.y));
            *reinterpret_cast<uint32_t *>(tile + (16 * warp + g + 8 * i) * RESULT_PITCH + c) = pair;
        }
    }
    __syncthreads();
    writer<T> out(p.out, p.fp8);
    for (int i = (int)threadIdx.x; i < TILE * TILE / 8; i += BLOCK_THREADS) {
        int r = i / (TILE / 8), c = i % (TILE / 8) * 8;
        if (row + r < p.n_tokens && column + c < p.n) {
            float x[8];
            load<8>(tile + r * RESULT_PITCH + c, x);
            out.template put<8>((size_t)(row + r) * (size_t)p.n + (size_t)(column + c), x);
        }
    }
    out.finish();
}

template <class T, class Activation>
__global__ void __launch_bounds__(BLOCK_THREADS, 2)
    multiply_and_finish(const product p, const T *x, const T *w) {
    await_previous();
    unsigned char *memory = static_cast<unsigned char *>(shared_memory()) + shared_padding();
    int row = (int)blockIdx.y * TILE, column = (int)blockIdx.x * TILE;
    int n_steps = (p.k + DEPTH - 1) / DEPTH;
    auto fetch = [&](int step) {
        unsigned char *buffer = memory + step % BUFFERS * 2 * TILE_BYTES;
        if (step < n_steps) {
            fetch_tile(buffer, x, row, p.n_tokens, step * DEPTH, p.k);
            fetch_tile(buffer + TILE_BYTES, w, column, p.n, step * DEPTH, p.k);
        }
        copy_commit();
    };
    fetch(0);
    fetch(1);
    float d[64];
#pragma unroll
    for (int i = 0; i < 64; i++) {
        d[i] = 0;
    }
    int my_rows = (int)threadIdx.x / GROUP_THREADS * 64 * 128;
    for (int step = 0; step < n_steps; step++) {
        const unsigned char *buffer = memory + step % BUFFERS * 2 * TILE_BYTES;
        copy_wait_all_but_one();
        group_publish();
        __syncthreads(); /* this buffer is there, and everybody is done with the one before it */
        fetch(step + 2);
        multiply_buffer<T>(buffer + my_rows, buffer + TILE_BYTES, d);
    }
    __syncthreads();
    finish_tile<T, Activation>(p, row, column, d, reinterpret_cast<T *>(memory));
}

template <class T, class Activation>
static int launch_product(const dn_cuda_product_args *a, cudaStream_t stream) {
    auto kernel = multiply_and_finish<T, Activation>;
    cudaFuncAttributes attributes;
    int error = cudaFuncGetAttributes(&attributes, kernel);
    if (error == cudaSuccess && attributes.binaryVersion != 90) {
        error = cudaErrorInvalidValue;
    }
    if (error == cudaSuccess) {
        error =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, SHARED_BYTES);
    }
    if (error != cudaSuccess) {
        return error;
    }
    product p = {a->n_tokens, a->n, a->k, a->bias, a->out, a->fp8};
    dim3 grid(n_blocks((size_t)a->n, TILE), n_blocks((size_t)a->n_tokens, TILE));
    return start(kernel, grid, BLOCK_THREADS, SHARED_BYTES, stream, p, static_cast<const T *>(a->x),
                 static_cast<const T *>(a->w));
}

template <class T> static int multiply_as(const dn_cuda_product_args *a, cudaStream_t stream) {
    switch (a->activation) {
    case DN_CUDA_ACT_NONE:
        return launch_product<T, identity>(a, stream);
    case DN_CUDA_ACT_GELU:
        return launch_product<T, gelu_rational>(a, stream);
    case DN_CUDA_ACT_TANH:
        return launch_product<T, hyperbolic_tangent>(a, stream);
    case DN_CUDA_ACT_RELU:
        return launch_product<T, rectifier>(a, stream);
    }
    return cudaErrorInvalidValue;
}

} // namespace dn

int dn_cuda_product(const dn_cuda_product_args *args, cudaStream_t stream) {
    if (args->n % 8 != 0 || args->k % 8 != 0) {
        return cudaErrorInvalidValue;
    }
    return args->type == DN_CUDA_BF16  ? dn::multiply_as<dn::bf16>(args, stream)
           : args->type == DN_CUDA_F16 ? dn::multiply_as<dn::fp16>(args, stream)
                                       : (int)cudaErrorInvalidValue;
}
