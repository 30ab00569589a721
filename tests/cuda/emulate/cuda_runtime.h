#ifndef DN_EMULATE_CUDA_RUNTIME_H
#define DN_EMULATE_CUDA_RUNTIME_H
/** What the kernels use of CUDA C++, for a host compiler: stands in the include path where the
 * toolkit's header of this name would. A launch runs at once and in full, one block after the
 * other; the threads of a block are fibers (grid.h). */
#include "emulate/grid.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

using emulate::blockDim, emulate::blockIdx, emulate::gridDim, emulate::threadIdx;
typedef struct CUstream_st *cudaStream_t;
typedef emulate::dim3 dim3;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorInvalidConfiguration = 9 };

enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization = 6 };
struct cudaLaunchAttribute {
    cudaLaunchAttributeID id;
    struct {
        int programmaticStreamSerializationAllowed;
    } val;
};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute *attrs;
    unsigned numAttrs;
};

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
    emulate::launch shape = {config->gridDim, config->blockDim, config->dynamicSmemBytes};
    auto call = [&] { kernel(Parameters(arguments)...); };
    bool fits = emulate::run(
        shape, [](void *body) { (*static_cast<decltype(call) *>(body))(); }, &call);
    return fits ? cudaSuccess : cudaErrorInvalidConfiguration;
}

/** The emulated device is a Hopper. */
struct cudaFuncAttributes {
    int binaryVersion;
};
template <class Kernel> cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *out, Kernel *) {
    *out = {90};
    return cudaSuccess;
}
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
template <class Kernel> cudaError_t cudaFuncSetAttribute(Kernel *, cudaFuncAttribute, int bytes) {
    return bytes <= emulate::MAX_SHARED_BYTES ? cudaSuccess : cudaErrorInvalidValue;
}

static inline void __syncthreads(void) {
    emulate::block_barrier();
}
static inline void __syncwarp(unsigned mask = ~0u) {
    emulate::warp_barrier(mask);
}
static inline unsigned __ballot_sync(unsigned mask, int predicate) {
    return emulate::ballot(mask, predicate != 0);
}
static inline unsigned __shfl_sync(unsigned mask, unsigned value, int lane) {
    return emulate::shuffle(mask, value, (unsigned)lane);
}
static inline unsigned __shfl_xor_sync(unsigned mask, unsigned value, int flip) {
    return emulate::shuffle(mask, value, emulate::here().lane ^ (unsigned)flip);
}
static inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline int __float_as_int(float x) {
    return (int)__float_as_uint(x);
}
static inline float __shfl_sync(unsigned mask, float value, int lane) {
    return __uint_as_float(__shfl_sync(mask, __float_as_uint(value), lane));
}
static inline float __shfl_xor_sync(unsigned mask, float value, int flip) {
    return __uint_as_float(__shfl_xor_sync(mask, __float_as_uint(value), flip));
}
static inline float rsqrtf(float x) {
    return 1 / sqrtf(x);
}
static inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}
static inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
    uint64_t bytes = (uint64_t)high << 32 | low;
    unsigned out = 0;
    for (int i = 0; i < 4; i++) {
        out |= (unsigned)(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    }
    return out;
}
static inline int atomicMax(int *at, int value) {
    int old = *at;
    *at = value > old ? value : old;
    return old;
}

#endif
