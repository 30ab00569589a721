/* Kernels that do one thing each to the emulated GPU, most of them wrong. */
#include "emulator_kernels.h"
#include "kernels/cuda/elements.cuh"

namespace dn {

enum { THREADS = 64, GARBAGE = 0x7fff };

/** Every thread gives its neighbour of the next warp a number, with or without a barrier between.
 */
__global__ void give_to_next_warp(bool has_barrier, int *out) {
    await_previous();
    int *box = static_cast<int *>(shared_memory());
    int me = (int)threadIdx.x;
    box[(me + WARP_LANES) % THREADS] = me;
    if (has_barrier) {
        __syncthreads();
    }
    out[me] = box[me];
}

/** The same within a warp, where a barrier of the warp is enough; and back over a second one. */
__global__ void give_to_next_lane(bool has_barrier, int *out) {
    await_previous();
    int *box = static_cast<int *>(shared_memory());
    int me = (int)threadIdx.x, next = (me & ~31) | ((me + 1) & 31);
    box[next] = me;
    __syncwarp();
    int got = box[me];
    if (has_barrier) {
        __syncwarp();
    }
    box[next] = got;
    __syncwarp();
    out[me] = box[me];
}

__global__ void read_unwritten(int *out) {
    await_previous();
    int *box = static_cast<int *>(shared_memory());
    out[threadIdx.x] = box[threadIdx.x];
}

__global__ void copy_to_shared(int waits, const int *from, int *out) {
    await_previous();
    int *box = static_cast<int *>(shared_memory());
    int me = (int)threadIdx.x;
    copy_start(box + 4 * me, from + 4 * me, me % 2 == 0);
    copy_commit();
    copy_start(box + 4 * (THREADS + me), from, true);
    copy_commit();
    if (waits == 1) {
        copy_wait_all_but_one();
    } else if (waits == 2) {
        copy_wait_all();
    }
    if (waits > 0) {
        out[me] = box[4 * me + 3];
        out[THREADS + me] = box[4 * (THREADS + me)];
    }
    copy_wait_all();
}

__global__ void meet_at_two_instructions(int *out) {
    await_previous();
    int mine = (int)threadIdx.x;
    out[mine] = mine % 2 ? (int)__shfl_sync(DN_WHOLE_WARP, (unsigned)mine, 0)
                         : (int)__ballot_sync(DN_WHOLE_WARP, mine);
}

__global__ void leave_before_the_shuffle(int *out) {
    await_previous();
    int mine = (int)threadIdx.x;
    if (mine != 5) {
        out[mine] = (int)__shfl_xor_sync(DN_WHOLE_WARP, (unsigned)mine, 1);
    }
}

__global__ void wait_for_each_other(int *out) {
    await_previous();
    if (threadIdx.x == 0) {
        __syncthreads();
    } else if (threadIdx.x < WARP_LANES) {
        __syncwarp();
    }
    out[threadIdx.x] = 0;
}

__global__ void end_with_a_copy_under_way(const int *from) {
    await_previous();
    copy_start(static_cast<int *>(shared_memory()) + 4 * threadIdx.x, from, true);
}

/** Fragments as the PTX ISA lists them, element i of each register array one after the other. */
__global__ void multiply_fragments(const float *a, const float *b, float *d) {
    await_previous();
    int group = (int)threadIdx.x / 4, member = (int)threadIdx.x % 4;
    float ai[8], bi[4], di[4];
    for (int i = 0; i < 8; i++) {
        int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
        int column = i < 4 ? member * 2 + (i & 1) : member * 2 + (i & 1) + 8;
        ai[i] = a[row * 16 + column];
    }
    for (int i = 0; i < 4; i++) {
        int row = i < 2 ? member * 2 + (i & 1) : member * 2 + (i & 1) + 8;
        bi[i] = b[row * 8 + group];
    }
    for (int i = 0; i < 4; i++) {
        di[i] = d[(i < 2 ? group : group + 8) * 8 + member * 2 + (i & 1)];
    }
    uint32_t as[4], bs[2];
    for (int i = 0; i < 4; i++) {
        as[i] = pack_pair(bf16{}, ai[2 * i], ai[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        bs[i] = pack_pair(bf16{}, bi[2 * i], bi[2 * i + 1]);
    }
    mma_16x8x16(bf16{}, di, as, bs);
    for (int i = 0; i < 4; i++) {
        d[(i < 2 ? group : group + 8) * 8 + member * 2 + (i & 1)] = di[i];
    }
}

/** Element i of a swizzled tile: row i / 64, column i % 64. */
__device__ bf16 *tile_element(unsigned char *tile, int i) {
    int row = i / 64, column = i % 64;
    int piece = (column / 8) ^ (row & 7);
    return reinterpret_cast<bf16 *>(tile + row * 128 + piece * 16) + column % 8;
}

enum { GROUP = 128, A_BYTES = 64 * 128, B_BYTES = 128 * 128 };

/** d [64][128] = a [64][64] b [128][64]^T, fragments as the PTX ISA lists them. */
__global__ void multiply_tiles(const float *a, const float *b, float *d) {
    await_previous();
    unsigned char *tiles = static_cast<unsigned char *>(shared_memory()) + shared_padding();
    for (int i = (int)threadIdx.x; i < 64 * 64; i += GROUP) {
        store<1>(tile_element(tiles, i), a + i);
    }
    for (int i = (int)threadIdx.x; i < 128 * 64; i += GROUP) {
        store<1>(tile_element(tiles + A_BYTES, i), b + i);
    }
    group_publish();
    __syncthreads();
    float di[64] = {};
    group_begin();
    for (int k = 0; k < 64; k += 16) {
        group_multiply(bf16{}, di, group_operand(tiles + 2 * k),
                       group_operand(tiles + A_BYTES + 2 * k));
    }
    group_wait();
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    for (int i = 0; i < 64; i++) {
        int row = warp * 16 + lane / 4 + ((i & 2) != 0 ? 8 : 0);
        int column = i / 4 * 8 + lane % 4 * 2 + (i & 1);
        d[row * 128 + column] = di[i];
    }
}

__global__ void multiply_unpublished(const float *from) {
    await_previous();
    unsigned char *tiles = static_cast<unsigned char *>(shared_memory()) + shared_padding();
    for (int i = (int)threadIdx.x; i < (A_BYTES + B_BYTES) / 16; i += GROUP) {
        copy_start(tiles + 16 * i, from, true);
    }
    copy_commit();
    copy_wait_all();
    __syncthreads();
    float d[64] = {};
    group_multiply(bf16{}, d, group_operand(tiles), group_operand(tiles + A_BYTES));
    group_wait();
}

__global__ void multiply_between_atoms(const float *) {
    await_previous();
    unsigned char *tiles = static_cast<unsigned char *>(shared_memory()) + shared_padding() + 128;
    float d[64] = {};
    group_multiply(bf16{}, d, group_operand(tiles), group_operand(tiles));
    group_wait();
}

/** Does not await what came before. */
__global__ void rush(int *out) {
    out[threadIdx.x] = 1;
}

/** The block that runs last stays. */
__global__ void write_block_number(int *last) {
    await_previous();
    *last = (int)(blockIdx.x + gridDim.x * blockIdx.y);
}

} // namespace dn

using namespace dn;
enum { BOX_BYTES = THREADS * sizeof(int) };

int dn_try_give_to_next_warp(int has_barrier, int *out) {
    return start(give_to_next_warp, dim3(1), THREADS, BOX_BYTES, NULL, has_barrier != 0, out);
}
int dn_try_give_to_next_lane(int has_barrier, int *out) {
    return start(give_to_next_lane, dim3(1), THREADS, BOX_BYTES, NULL, has_barrier != 0, out);
}
int dn_try_read_unwritten(int *out) {
    return start(read_unwritten, dim3(1), THREADS, BOX_BYTES, NULL, out);
}
int dn_try_copy_to_shared(int waits, const int *from, int *out) {
    return start(copy_to_shared, dim3(1), THREADS, 8 * BOX_BYTES, NULL, waits, from, out);
}
int dn_try_multiply(const float *a, const float *b, float *d) {
    return start(multiply_fragments, dim3(1), WARP_LANES, 0, NULL, a, b, d);
}
int dn_try_rush(int *out) {
    return start(rush, dim3(1), THREADS, 0, NULL, out);
}
int dn_try_group_multiply(const float *a, const float *b, float *d) {
    return start(multiply_tiles, dim3(1), GROUP, 1024 + A_BYTES + B_BYTES, NULL, a, b, d);
}
int dn_try_write_block_number(int *last) {
    return start(write_block_number, dim3(5, 3), WARP_LANES, 0, NULL, last);
}
int dn_try_shape(int threads, int shared_bytes, int *out) {
    return start(write_block_number, dim3(1), threads, (size_t)shared_bytes, NULL, out);
}

int dn_try_fault(int which, int *out) {
    static void (*const wrong[])(int *) = {meet_at_two_instructions, leave_before_the_shuffle,
                                           wait_for_each_other};
    static void (*const wrong_tiles[])(const float *) = {multiply_unpublished,
                                                         multiply_between_atoms};
    const int *from = out;
    if (which < 3) {
        return start(wrong[which], dim3(1), THREADS, 0, NULL, out);
    }
    return which == 3 ? start(end_with_a_copy_under_way, dim3(1), WARP_LANES, 1024, NULL, from)
                      : start(wrong_tiles[which - 4], dim3(1), GROUP, 2048 + A_BYTES + B_BYTES,
                              NULL, reinterpret_cast<const float *>(from));
}
