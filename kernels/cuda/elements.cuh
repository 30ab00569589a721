#ifndef DN_CUDA_ELEMENTS_CUH
#define DN_CUDA_ELEMENTS_CUH
/** Elements of every type as floats, in pieces of 16 bytes where a row's width allows it (else one
 * by one), and how a kernel writes its result: in the elements' type, and beside it what an fp8
 * matrix product or its calibration wants (dn_cuda_fp8). */
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ptx.cuh"
#include "kernels/cuda/variants.h"

#include <math.h>

namespace dn {

enum { WARP_LANES = 32 };
#define DN_WHOLE_WARP 0xffffffffu

/** How many elements 16 bytes hold. */
template <class T> inline constexpr int per_16_bytes = 16 / (int)sizeof(T);

__device__ __forceinline__ float first_of(bf16, uint32_t pair) {
    return __uint_as_float(pair << 16);
}
__device__ __forceinline__ float second_of(bf16, uint32_t pair) {
    return __uint_as_float(pair & 0xffff0000u);
}
__device__ __forceinline__ float first_of(fp16, uint32_t pair) {
    return half_to_float((uint16_t)pair);
}
__device__ __forceinline__ float second_of(fp16, uint32_t pair) {
    return half_to_float((uint16_t)(pair >> 16));
}

/** Exponent and digits in a float's places, 120 powers of two too low; denormals too. */
__device__ __forceinline__ float to_float(e4m3 x) {
    unsigned magnitude = x.bits & 0x7fu;
    float y = magnitude == 0x7f ? NAN : __uint_as_float(magnitude << 20) * 0x1p120f;
    return x.bits & 0x80 ? -y : y;
}
__device__ __forceinline__ float to_float(float x) {
    return x;
}
template <class T> __device__ __forceinline__ float to_float(T x) {
    return first_of(T{}, x.bits);
}

/** x[0 .. N) from `from`, which is aligned to 16 bytes unless N is 1. N is 1 or per_16_bytes<T>; of
 * floats (parameters beside elements of 16 bits) also 8. */
template <int N> __device__ __forceinline__ void load(const float *from, float *x) {
    if constexpr (N == 1) {
        x[0] = *from;
    } else {
        for (int i = 0; i < N; i += 4) {
            float4 four = *reinterpret_cast<const float4 *>(from + i);
            x[i] = four.x, x[i + 1] = four.y, x[i + 2] = four.z, x[i + 3] = four.w;
        }
    }
}
template <int N, class T> __device__ __forceinline__ void load(const T *from, float *x) {
    if constexpr (N == 1) {
        x[0] = to_float(*from);
    } else {
        uint4 words = *reinterpret_cast<const uint4 *>(from);
        const uint32_t pair[4] = {words.x, words.y, words.z, words.w};
        for (int i = 0; i < 4; i++) {
            x[2 * i] = first_of(T{}, pair[i]);
            x[2 * i + 1] = second_of(T{}, pair[i]);
        }
    }
}

template <int N> __device__ __forceinline__ void store(float *to, const float *x) {
    if constexpr (N == 1) {
        *to = x[0];
    } else {
        for (int i = 0; i < N; i += 4) {
            *reinterpret_cast<float4 *>(to + i) = float4{x[i], x[i + 1], x[i + 2], x[i + 3]};
        }
    }
}
template <int N, class T> __device__ __forceinline__ void store(T *to, const float *x) {
    if constexpr (N == 1) {
        to->bits = (uint16_t)pack_pair(T{}, x[0], 0.0f);
    } else {
        *reinterpret_cast<uint4 *>(to) =
            uint4{pack_pair(T{}, x[0], x[1]), pack_pair(T{}, x[2], x[3]),
                  pack_pair(T{}, x[4], x[5]), pack_pair(T{}, x[6], x[7])};
    }
}
/** N bytes: 1, 4 or 8. */
template <int N> __device__ __forceinline__ void store(e4m3 *to, const float *x) {
    if constexpr (N == 1) {
        to->bits = (uint8_t)pack_pair(e4m3{}, x[0], 0.0f);
    } else {
        uint32_t word[N / 4];
        for (int i = 0; i < N / 4; i++) {
            word[i] = pack_pair(e4m3{}, x[4 * i], x[4 * i + 1]) |
                      (uint32_t)pack_pair(e4m3{}, x[4 * i + 2], x[4 * i + 3]) << 16;
        }
        if constexpr (N == 4) {
            *reinterpret_cast<uint32_t *>(to) = word[0];
        } else {
            *reinterpret_cast<uint2 *>(to) = uint2{word[0], word[1]};
        }
    }
}

__device__ __forceinline__ float warp_sum(float x) {
    for (int flip = WARP_LANES / 2; flip > 0; flip /= 2) {
        x += __shfl_xor_sync(DN_WHOLE_WARP, x, flip);
    }
    return x;
}
__device__ __forceinline__ float warp_max(float x) {
    for (int flip = WARP_LANES / 2; flip > 0; flip /= 2) {
        x = fmaxf(x, __shfl_xor_sync(DN_WHOLE_WARP, x, flip));
    }
    return x;
}

/** One thread's hand in a result. */
template <class T> struct writer {
    T *out; /**< NULL: fp8 only */
    dn_cuda_fp8 fp8;
    float factor, largest;

    __device__ writer(void *to, const dn_cuda_fp8 &second)
        : out(static_cast<T *>(to)), fp8(second), factor(second.out ? *second.factor : 0),
          largest(0) {
    }

    /** The elements at [at, at + N). */
    template <int N> __device__ __forceinline__ void put(size_t at, const float *x) {
        if (out) {
            store<N>(out + at, x);
        }
        if (fp8.out) {
            float scaled[N];
            for (int i = 0; i < N; i++) {
                scaled[i] = x[i] * factor;
            }
            store<N>(static_cast<e4m3 *>(fp8.out) + at, scaled);
        }
        if (fp8.largest) {
            for (int i = 0; i < N; i++) {
                largest = fmaxf(largest, fabsf(x[i]));
            }
        }
    }

    /** Called once by every lane of the warp, behind the last put(). Floats of one sign are ordered
     * as their bits are, and a maximum does not care who came first. */
    __device__ __forceinline__ void finish() {
        if (fp8.largest) {
            float all = warp_max(largest);
            if (threadIdx.x % WARP_LANES == 0) {
                atomicMax(reinterpret_cast<int *>(fp8.largest), __float_as_int(all));
            }
        }
    }
};

/** The last of n ascending numbers start(0 .. n) that is not above `place`, searched by a whole
 * warp 32 at a time: 1,024 rows are two loads deep. start(0) must not be above. */
template <class Start>
__device__ __forceinline__ int warp_find_last(int n, int place, Start start) {
    int low = 0, high = n, lane = (int)threadIdx.x % WARP_LANES;
    while (high - low > 1) {
        int step = (high - low + WARP_LANES - 1) / WARP_LANES, probe = low + lane * step;
        bool not_above = probe < high && start(probe) <= place;
        low += (__popc(__ballot_sync(DN_WHOLE_WARP, not_above)) - 1) * step;
        high = low + step < high ? low + step : high;
    }
    return low;
}

/** A launch; 0 or its error. Nothing is launched over an empty grid. An early one may set up while
 * the launch before it still runs, and waits in await_previous(). */
template <class... Parameters, class... Arguments>
int start(void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared_bytes,
          cudaStream_t stream, Arguments... arguments) {
    if (grid.x == 0 || grid.y == 0) {
        return cudaSuccess;
    }
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = dim3((unsigned)threads);
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream;
    cudaLaunchAttribute early = {};
    if (dn_cuda_is_forced("launch", "early")) {
        early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
        early.val.programmaticStreamSerializationAllowed = 1;
        config.attrs = &early;
        config.numAttrs = 1;
    }
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

inline unsigned n_blocks(size_t n_items, int per_block) {
    return (unsigned)((n_items + (size_t)per_block - 1) / (size_t)per_block);
}

/** Calls function<T>(...) with the type that an enum names. */
#define DN_BY_TYPE(which, function, ...)                                                           \
    ((which) == DN_CUDA_BF16  ? function<dn::bf16>(__VA_ARGS__)                                    \
     : (which) == DN_CUDA_F16 ? function<dn::fp16>(__VA_ARGS__)                                    \
     : (which) == DN_CUDA_F32 ? function<float>(__VA_ARGS__)                                       \
                              : (int)cudaErrorInvalidValue)

} // namespace dn

#endif
