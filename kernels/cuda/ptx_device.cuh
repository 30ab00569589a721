#ifndef DN_CUDA_PTX_DEVICE_CUH
#define DN_CUDA_PTX_DEVICE_CUH
/** ptx.cuh on the device. */
#include "kernels/cuda/ptx.cuh"

namespace dn {

DN_INSTRUCTION uint32_t pack_pair(bf16, float first, float second) {
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}

DN_INSTRUCTION uint32_t pack_pair(fp16, float first, float second) {
    uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}

DN_INSTRUCTION uint16_t pack_pair(e4m3, float first, float second) {
    uint16_t pair = 0;
#if __CUDA_ARCH__ >= 890
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(second), "f"(first));
#else
    asm volatile("trap;");
#endif
    return pair;
}

DN_INSTRUCTION float half_to_float(uint16_t bits) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
}

DN_INSTRUCTION float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

DN_INSTRUCTION float reciprocal_fast(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

#define DN_MMA(type)                                                                               \
    asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 "                             \
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                          \
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                           \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

DN_INSTRUCTION void mma_16x8x16(bf16, float d[4], const uint32_t a[4], const uint32_t b[2]) {
    DN_MMA("bf16");
}
DN_INSTRUCTION void mma_16x8x16(fp16, float d[4], const uint32_t a[4], const uint32_t b[2]) {
    DN_MMA("f16");
}
#undef DN_MMA

DN_INSTRUCTION uint32_t shared_address(const void *p) {
    return (uint32_t)__cvta_generic_to_shared(p);
}

DN_INSTRUCTION void copy_start(void *to, const void *from, bool real) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                 "l"(from), "r"(real ? 16 : 0)
                 : "memory");
}
DN_INSTRUCTION void copy_commit(void) {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
DN_INSTRUCTION void copy_wait_all_but_one(void) {
    asm volatile("cp.async.wait_group 1;" ::: "memory");
}
DN_INSTRUCTION void copy_wait_all(void) {
    asm volatile("cp.async.wait_group 0;" ::: "memory");
}

DN_INSTRUCTION void *shared_memory(void) {
    extern __shared__ __align__(128) unsigned char dn_shared_bytes[];
    return dn_shared_bytes;
}

} // namespace dn

#endif
