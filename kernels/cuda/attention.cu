/* Attention of packed rows. Work is cut where rows are: a slot is 16 (or 64) queries of one row.
 * Row r owns the slots from row_start[r] / 16 + r on, at least as many as it needs, and their
 * number depends on tokens and rows only: so a captured graph fits any batch of its bucket, nobody
 * has to count on the host, and a slot finds its row by a search. Slots that a row does not need
 * end at once. A tile never holds two rows: 28 tokens in 16 x 32 blocks are 1.3 times the scores
 * that are needed, in 64 x 64 blocks around several rows they would be 2.3 times. */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/variants.h"

#include <math.h>

namespace dn {

enum {
    WARPS = 4,
    BLOCK_THREADS = WARPS * WARP_LANES,
    BLOCK_QUERIES = WARPS * TILE_QUERIES, /* of the staged kernel, and keys it stages at a time */
    SHORT_ROW = 128,
    PAD = 8, /* elements behind each staged row: eight rows begin in eight places of the banks */
    MAX_PLAIN_TOKENS = 3072 /* scores of four warps in 48 KB */
};

struct attention {
    int n_tokens, n_rows, hidden, heads, longest;
    const int32_t *row_start;
    float factor; /**< log2(e) / sqrt(D) */
    void *out;
    dn_cuda_fp8 fp8;
};

/** A row's tokens [begin, begin + n), of which the slot's queries begin at `first` (>= n: none). */
struct slot {
    int begin, n, first;
};

__device__ __forceinline__ slot find_slot(const attention &a, int number, int queries) {
    const int32_t *start = a.row_start;
    int row = warp_find_last(a.n_rows, number, [=](int r) { return start[r] / queries + r; });
    int begin = start[row];
    return {begin, start[row + 1] - begin, (number - (begin / queries + row)) * queries};
}

static unsigned n_slots(const attention &a, int queries) {
    return (unsigned)(a.n_tokens / queries + a.n_rows);
}

/** A warp per slot and head; the heads of a block lie side by side in memory. */
template <class T, int D>
__global__ void __launch_bounds__(BLOCK_THREADS) attend_direct(attention a, const T *qkv) {
    await_previous();
    int head = (int)(blockIdx.y * WARPS + threadIdx.x / WARP_LANES);
    slot s = find_slot(a, (int)blockIdx.x, TILE_QUERIES);
    if (s.first >= s.n || head >= a.heads) {
        return;
    }
    int pitch = 3 * a.hidden;
    const T *row = qkv + (size_t)s.begin * (size_t)pitch + head * D;
    attention_tile<T, D> tile;
    tile.load_queries({row + (size_t)s.first * (size_t)pitch, pitch}, s.n - s.first);
    for (int key = 0; key < s.n; key += STEP_KEYS) {
        const T *keys = row + (size_t)key * (size_t)pitch + a.hidden;
        tile.step({keys, pitch}, {keys + a.hidden, pitch}, s.n - key, a.factor);
    }
    writer<T> out(a.out, a.fp8);
    tile.finish(out, (size_t)(s.begin + s.first) * (size_t)a.hidden + (size_t)(head * D), a.hidden,
                s.n - s.first);
}

/** Keys and values of 64 tokens in shared memory, twice: one is computed on while the other comes.
 */
template <class T, int D> struct stage {
    static constexpr int PITCH = D + PAD, ROWS = 2 * BLOCK_QUERIES;
    static constexpr size_t BYTES = (size_t)ROWS * PITCH * sizeof(T);
    T *at;

    __device__ __forceinline__ head_rows<T> keys(int first) const {
        return {at + first * PITCH, PITCH};
    }
    __device__ __forceinline__ head_rows<T> values(int first) const {
        return {at + (BLOCK_QUERIES + first) * PITCH, PITCH};
    }

    /** The block's threads start to copy the n keys (and values) at `from`, zeros behind. */
    __device__ __forceinline__ void fetch(const T *from, int hidden, int pitch, int n) const {
        constexpr int PIECES = D / 8;
        for (int i = (int)threadIdx.x; i < ROWS * PIECES; i += BLOCK_THREADS) {
            int row = i / PIECES, piece = i % PIECES * 8, key = row % BLOCK_QUERIES;
            const T *source = from + (size_t)key * (size_t)pitch + (row / BLOCK_QUERIES) * hidden;
            copy_start(at + row * PITCH + piece, key < n ? source + piece : from, key < n);
        }
        copy_commit();
    }
};

template <class T, int D>
__global__ void __launch_bounds__(BLOCK_THREADS, 3) attend_staged(attention a, const T *qkv) {
    await_previous();
    int head = (int)blockIdx.y, pitch = 3 * a.hidden;
    slot s = find_slot(a, (int)blockIdx.x, BLOCK_QUERIES);
    if (s.first >= s.n) {
        return;
    }
    const T *row = qkv + (size_t)s.begin * (size_t)pitch + head * D;
    const T *keys = row + a.hidden;
    T *memory = static_cast<T *>(shared_memory());
    stage<T, D> now = {memory}, next = {memory + stage<T, D>::ROWS * stage<T, D>::PITCH};
    now.fetch(keys, a.hidden, pitch, s.n);
    int first = s.first + (int)(threadIdx.x / WARP_LANES) * TILE_QUERIES;
    attention_tile<T, D> tile;
    tile.load_queries({row + (size_t)first * (size_t)pitch, pitch}, s.n - first);
    for (int key = 0; key < s.n; key += BLOCK_QUERIES) {
        const T *ahead = keys + (size_t)(key + BLOCK_QUERIES) * (size_t)pitch;
        int n_ahead = s.n - key - BLOCK_QUERIES;
        if (n_ahead > 0) {
            next.fetch(ahead, a.hidden, pitch, n_ahead);
            copy_wait_all_but_one();
        } else {
            copy_wait_all();
        }
        __syncthreads();
        for (int k = 0; k < BLOCK_QUERIES && key + k < s.n; k += STEP_KEYS) {
            tile.step(now.keys(k), now.values(k), s.n - key - k, a.factor);
        }
        __syncthreads();
        stage<T, D> done = now;
        now = next, next = done;
    }
    writer<T> out(a.out, a.fp8);
    tile.finish(out, (size_t)(s.begin + first) * (size_t)a.hidden + (size_t)(head * D), a.hidden,
                s.n - first);
}

/** A warp per query and head; lanes share the keys, then the columns. */
template <class T>
__global__ void __launch_bounds__(BLOCK_THREADS) attend_plain(attention a, const T *qkv) {
    await_previous();
    int warp = (int)(threadIdx.x / WARP_LANES), lane = (int)threadIdx.x % WARP_LANES;
    int depth = a.hidden / a.heads, query = (int)blockIdx.x, head = (int)blockIdx.y * WARPS + warp;
    size_t pitch = 3 * (size_t)a.hidden;
    float *score = static_cast<float *>(shared_memory()) + (size_t)warp * (size_t)a.longest;
    const int32_t *start = a.row_start;
    int row = warp_find_last(a.n_rows, query, [=](int r) { return start[r]; });
    int begin = start[row], n = start[row + 1] - begin;
    if (head >= a.heads || query >= begin + n) {
        return;
    }
    const T *q = qkv + (size_t)query * pitch + head * depth;
    const T *keys = qkv + (size_t)begin * pitch + a.hidden + head * depth;
    float most = -INFINITY, sum = 0;
    for (int key = lane; key < n; key += WARP_LANES) {
        float dot = 0;
        for (int d = 0; d < depth; d++) {
            dot += to_float(q[d]) * to_float(keys[(size_t)key * pitch + (size_t)d]);
        }
        score[key] = dot;
        most = fmaxf(most, dot);
    }
    most = warp_max(most);
    for (int key = lane; key < n; key += WARP_LANES) {
        score[key] = exp2f((score[key] - most) * a.factor);
        sum += score[key];
    }
    float scale = 1 / warp_sum(sum);
    __syncwarp();
    writer<T> out(a.out, a.fp8);
    const T *values = keys + a.hidden;
    for (int d = lane; d < depth; d += WARP_LANES) {
        float y = 0;
        for (int key = 0; key < n; key++) {
            y += score[key] * to_float(values[(size_t)key * pitch + (size_t)d]);
        }
        y *= scale;
        out.template put<1>((size_t)query * (size_t)a.hidden + (size_t)(head * depth + d), &y);
    }
    out.finish();
}

template <class T> static int launch_plain(const attention &a, const T *qkv, cudaStream_t stream) {
    if (a.longest > MAX_PLAIN_TOKENS) {
        return cudaErrorInvalidValue;
    }
    dim3 grid((unsigned)a.n_tokens, n_blocks((size_t)a.heads, WARPS));
    return start(attend_plain<T>, grid, BLOCK_THREADS, WARPS * (size_t)a.longest * sizeof(float),
                 stream, a, qkv);
}

template <class T, int D>
static int launch_on_tensor_cores(const attention &a, const T *qkv, cudaStream_t stream) {
    bool is_staged = dn_cuda_is_forced("attention", "staged") ||
                     (a.longest > SHORT_ROW && !dn_cuda_is_forced("attention", "direct"));
    if (is_staged) {
        dim3 grid(n_slots(a, BLOCK_QUERIES), (unsigned)a.heads);
        return start(attend_staged<T, D>, grid, BLOCK_THREADS, 2 * stage<T, D>::BYTES, stream, a,
                     qkv);
    }
    dim3 grid(n_slots(a, TILE_QUERIES), n_blocks((size_t)a.heads, WARPS));
    return start(attend_direct<T, D>, grid, BLOCK_THREADS, 0, stream, a, qkv);
}

template <class T> static int attend(const dn_cuda_attention_args *args, cudaStream_t stream) {
    if (args->n_rows == 0) {
        return cudaSuccess;
    }
    int depth = args->hidden / args->heads;
    attention a = {args->n_tokens,
                   args->n_rows,
                   args->hidden,
                   args->heads,
                   args->longest,
                   args->row_start,
                   1.44269504f / sqrtf((float)depth),
                   args->out,
                   args->fp8};
    const T *qkv = static_cast<const T *>(args->qkv);
    if constexpr (sizeof(T) == 2) {
        if (!dn_cuda_is_forced("attention", "plain")) {
            if (depth == 32) {
                return launch_on_tensor_cores<T, 32>(a, qkv, stream);
            }
            if (depth == 64) {
                return launch_on_tensor_cores<T, 64>(a, qkv, stream);
            }
        }
    }
    return launch_plain(a, qkv, stream);
}

constexpr int STARTS_THREADS = 128;

__global__ void __launch_bounds__(STARTS_THREADS) find_starts(dn_cuda_starts_args a) {
    await_previous();
    int r = (int)(blockIdx.x * STARTS_THREADS + threadIdx.x);
    if (r <= a.n_rows) {
        int begin = a.row_start[r];
        a.qkv_start[r] = begin * 3 * a.hidden;
        a.out_start[r] = begin * a.hidden;
        if (r < a.n_rows) {
            a.length[r] = a.row_start[r + 1] - begin;
        }
    }
}

} // namespace dn

int dn_cuda_attention(const dn_cuda_attention_args *args, cudaStream_t stream) {
    return DN_BY_TYPE(args->type, dn::attend, args, stream);
}

int dn_cuda_starts(const dn_cuda_starts_args *args, cudaStream_t stream) {
    using namespace dn;
    return start(find_starts, dim3(n_blocks((size_t)args->n_rows + 1, STARTS_THREADS)),
                 STARTS_THREADS, 0, stream, *args);
}
