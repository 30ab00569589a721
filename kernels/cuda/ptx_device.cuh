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

DN_INSTRUCTION void await_previous(void) {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;\n\tgriddepcontrol.wait;" ::: "memory");
#endif
}

/* Warpgroup products exist on sm_90a alone; elsewhere launches refuse, and this stops. */
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define DN_GROUP(...) asm volatile(__VA_ARGS__)
#else
#define DN_GROUP(...) asm volatile("trap;")
#endif

DN_INSTRUCTION unsigned shared_padding(void) {
    return (0u - shared_address(shared_memory())) % 1024;
}

DN_INSTRUCTION uint64_t group_operand(const void *tile) {
    /* address / 16; 1: unused with this swizzle; bytes / 16 from atom to atom; 128-byte swizzle */
    return (uint64_t)(shared_address(tile) >> 4 & 0x3fff) | (uint64_t)1 << 16 |
           (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
}
DN_INSTRUCTION void group_begin(void) {
    DN_GROUP("wgmma.fence.sync.aligned;" ::: "memory");
}
DN_INSTRUCTION void group_wait(void) {
    DN_GROUP("wgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 0;" ::: "memory");
}
DN_INSTRUCTION void group_publish(void) {
    DN_GROUP("fence.proxy.async.shared::cta;" ::: "memory");
}

#define DN_D4(i)  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define DN_D16(i) DN_D4(i), DN_D4(i + 4), DN_D4(i + 8), DN_D4(i + 12)
#define DN_GROUP_MULTIPLY(type)                                                                    \
    DN_GROUP("{.reg .pred add; setp.ne.b32 add, %66, 0; "                                          \
             "wgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type " {"                     \
             "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "              \
             "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "    \
             "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "    \
             "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "   \
             "%64, %65, add, 1, 1, 0, 0;}"                                                         \
             : DN_D16(0), DN_D16(16), DN_D16(32), DN_D16(48)                                       \
             : "l"(a), "l"(b), "r"(1))

DN_INSTRUCTION void group_multiply(bf16, float d[64], uint64_t a, uint64_t b) {
    DN_GROUP_MULTIPLY("bf16");
}
DN_INSTRUCTION void group_multiply(fp16, float d[64], uint64_t a, uint64_t b) {
    DN_GROUP_MULTIPLY("f16");
}
#undef DN_GROUP_MULTIPLY
#undef DN_D16
#undef DN_D4
#undef DN_GROUP

DN_INSTRUCTION void *shared_memory(void) {
    extern __shared__ __align__(128) unsigned char dn_shared_bytes[];
    return dn_shared_bytes;
}

} // namespace dn

#endif
