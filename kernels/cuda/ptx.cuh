#ifndef DN_CUDA_PTX_CUH
#define DN_CUDA_PTX_CUH
/** The instructions that C++ has no word for, one function each. On the device they are inline PTX
 * (ptx_device.cuh); on a host compiler they are only declared, and tests/cuda/emulate defines them
 * from the same paragraphs of the PTX ISA, so that every kernel runs, and is tested, without a GPU.
 *
 * Numbers in 16 and 8 bits are structs around their bits: what they mean is said by the conversions
 * below alone. Two of 16 bits travel in a 32-bit register, the first in its low half. */
#include <cuda_runtime.h>
#include <stdint.h>

namespace dn {

struct bf16 {
    uint16_t bits;
};
struct fp16 {
    uint16_t bits;
};
struct e4m3 {
    uint8_t bits;
};

#if defined(__CUDACC__)
#define DN_INSTRUCTION __device__ __forceinline__
#else
#define DN_INSTRUCTION
#endif

/** Two floats rounded to even. cvt.rn.bf16x2.f32, cvt.rn.f16x2.f32 (sm_80). */
DN_INSTRUCTION uint32_t pack_pair(bf16, float first, float second);
DN_INSTRUCTION uint32_t pack_pair(fp16, float first, float second);
/** Two floats to e4m3, rounded to even; what is beyond 448 becomes 448. cvt.rn.satfinite.e4m3x2.f32
 * (sm_89; a trap below). */
DN_INSTRUCTION uint16_t pack_pair(e4m3, float first, float second);
/** cvt.f32.f16. */
DN_INSTRUCTION float half_to_float(uint16_t bits);

/** 2^x within 2 units of the last place of a float; denormals are zero. ex2.approx.ftz.f32. */
DN_INSTRUCTION float exp2_fast(float x);
/** 1 / x within 1 unit of the last place. rcp.approx.ftz.f32. */
DN_INSTRUCTION float reciprocal_fast(float x);

/** d += a b over a warp: a is 16 x 16, b 16 x 8, d 16 x 8 in float. With g = lane / 4 and t = lane
 * % 4, a lane holds (PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type")
 *
 *     a[0] = A[g][2t, 2t+1]     a[1] = A[g+8][2t, 2t+1]     a[2], a[3]: the same, 8 columns on
 *     b[0] = B[2t, 2t+1][g]     b[1] = B[2t+8, 2t+9][g]
 *     d[0], d[1] = D[g][2t, 2t+1]     d[2], d[3] = D[g+8][2t, 2t+1]
 *
 * mma.sync.aligned.m16n8k16.row.col.f32 (sm_80). */
DN_INSTRUCTION void mma_16x8x16(bf16, float d[4], const uint32_t a[4], const uint32_t b[2]);
DN_INSTRUCTION void mma_16x8x16(fp16, float d[4], const uint32_t a[4], const uint32_t b[2]);

/** Starts a copy of 16 bytes from global to shared memory, past L1; zeros where `real` is false,
 * and then `from` is not read. It has happened, for this thread, after the wait that covers its
 * group. cp.async.cg.shared.global with a source size (sm_80). */
DN_INSTRUCTION void copy_start(void *to, const void *from, bool real);
/** Ends a group of this thread's copies. cp.async.commit_group. */
DN_INSTRUCTION void copy_commit(void);
/** Waits until at most the newest group (copy_wait_all: none) is under way. cp.async.wait_group. */
DN_INSTRUCTION void copy_wait_all_but_one(void);
DN_INSTRUCTION void copy_wait_all(void);

/** Products of a warpgroup (four warps, the first a multiple of four) from shared memory, sm_90a
 * only. A tile is rows of 64 numbers of 16 bits (128 bytes), eight rows an atom of 1,024 bytes,
 * aligned so; within row r the piece of 16 bytes c lies at c ^ (r % 8): K-major with the 128-byte
 * swizzle.
 *
 * group_operand() describes such a tile from some column on: `tile` is the address that the column
 * has in row 0. group_multiply() starts d += a b^T, a 64 rows, b 128 rows, 16 columns of each. With
 * w the warp's number in the group, g and t as above, a thread holds (PTX ISA, "Register Fragments
 * for wgmma.mma_async.m64nNk16")
 *
 *     d[4j + i] = D[16w + g + 8 (i / 2)][8j + 2t + i % 2]
 *
 * d and the tiles may not be touched from group_begin() to the end of group_wait(). wgmma.fence,
 * wgmma.mma_async, wgmma.commit_group and wait_group 0. */
DN_INSTRUCTION uint64_t group_operand(const void *tile);
DN_INSTRUCTION void group_begin(void);
DN_INSTRUCTION void group_multiply(bf16, float d[64], uint64_t a, uint64_t b);
DN_INSTRUCTION void group_multiply(fp16, float d[64], uint64_t a, uint64_t b);
DN_INSTRUCTION void group_wait(void);
/** What this thread has written to shared memory (copies that it waited for are that, too) may be
 * read by group_multiply() behind the next barrier. fence.proxy.async. */
DN_INSTRUCTION void group_publish(void);
/** How far the block's shared memory is from the next multiple of 1,024. */
DN_INSTRUCTION unsigned shared_padding(void);

/** First in every kernel: lets the next launch begin, and waits until everything before this one is
 * done and can be seen. Matters where launches are early (start() in elements.cuh), else it costs
 * nothing. griddepcontrol (sm_90; below it no launch is early). */
DN_INSTRUCTION void await_previous(void);

/** The block's dynamic shared memory, 128-byte aligned. Kernels here have no other. */
DN_INSTRUCTION void *shared_memory(void);

} // namespace dn

#if defined(__CUDACC__)
#include "kernels/cuda/ptx_device.cuh"
#endif

#endif
