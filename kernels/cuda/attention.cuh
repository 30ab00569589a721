#ifndef DN_CUDA_ATTENTION_CUH
#define DN_CUDA_ATTENTION_CUH
/** 16 queries of one row and head against its keys, by one warp on the tensor cores; scores stay in
 * registers. Both kernels of attention.cu are this with other places to read keys from.
 *
 *     queries q of the row: 16 x D ──┐
 *     32 keys of the row:   D x 32 ──┴─▶ scores 16 x 32 ─ running maximum, exp2 ─▶ p 16 x 32 ──┐
 *     their values:         32 x D ────────────────────────────────────────────────────────────┴─▶
 * o
 *
 * Keys are taken 32 at a time from the row's first on, so a row's bits depend on the row alone, not
 * on where in the batch it lies, and both kernels give the same.
 *
 * No operand is rearranged in memory. A sum over d may run in any order, so a lane takes 16
 * contiguous bytes, d = 32c + 8t .. + 7, as its pairs of two mma steps of chunk c; queries and keys
 * alike. And the columns of o may stand in any order, so lane g takes values d = g D/8 .. + D/8 -
 * 1, one for each of D/8 tiles; what it holds in the end is contiguous again. g = lane / 4, t =
 * lane % 4 as in ptx.cuh. */
#include "kernels/cuda/elements.cuh"

namespace dn {

enum { TILE_QUERIES = 16, STEP_KEYS = 32 };

/** Rows of one head's queries, keys or values: D elements each, `pitch` elements apart. */
template <class T> struct head_rows {
    const T *at;
    int pitch;
};

template <class T, int D> struct attention_tile {
    static constexpr int CHUNKS = D / 32, COLUMNS = D / 8, KEY_TILES = STEP_KEYS / 8;

    uint4 query[CHUNKS][2]; /**< rows g and g + 8 */
    float o[COLUMNS][4];
    float largest[2],
        sum[2]; /**< of rows g and g + 8, over the keys so far; sum: this lane's part */
    int g, t;

    __device__ __forceinline__ attention_tile() {
        int lane = (int)threadIdx.x % WARP_LANES;
        g = lane / 4, t = lane % 4;
        for (int i = 0; i < 2; i++) {
            largest[i] = -INFINITY, sum[i] = 0;
        }
        for (int j = 0; j < COLUMNS; j++) {
            for (int i = 0; i < 4; i++) {
                o[j][i] = 0;
            }
        }
    }

    static __device__ __forceinline__ uint4 load_16_bytes(const T *from, bool real) {
        return real ? *reinterpret_cast<const uint4 *>(from) : uint4{0, 0, 0, 0};
    }

    /** Queries [0, 16) of `rows`, of which n are real. */
    __device__ __forceinline__ void load_queries(head_rows<T> rows, int n) {
        for (int c = 0; c < CHUNKS; c++) {
            for (int i = 0; i < 2; i++) {
                int row = g + 8 * i;
                query[c][i] = load_16_bytes(rows.at + row * rows.pitch + 32 * c + 8 * t, row < n);
            }
        }
    }

    /** Scores of the step's keys: s[j] are the fragments of keys 8j .. 8j + 7. */
    __device__ __forceinline__ void multiply_keys(head_rows<T> keys, int n, float s[KEY_TILES][4]) {
        for (int j = 0; j < KEY_TILES; j++) {
            for (int i = 0; i < 4; i++) {
                s[j][i] = 0;
            }
            for (int c = 0; c < CHUNKS; c++) {
                int key = 8 * j + g;
                uint4 k = load_16_bytes(keys.at + key * keys.pitch + 32 * c + 8 * t, key < n);
                const uint4 &q = query[c][0], &q8 = query[c][1];
                uint32_t a[4] = {q.x, q8.x, q.y, q8.y}, b[2] = {k.x, k.y};
                mma_16x8x16(T{}, s[j], a, b);
                uint32_t a2[4] = {q.z, q8.z, q.w, q8.w}, b2[2] = {k.z, k.w};
                mma_16x8x16(T{}, s[j], a2, b2);
            }
        }
    }

    /** Scores become exp2(factor (score - running maximum)), 0 behind the row's end. */
    __device__ __forceinline__ void weigh(int n, float factor, float s[KEY_TILES][4]) {
        for (int i = 0; i < 2; i++) {
            float most = largest[i];
            for (int j = 0; j < KEY_TILES; j++) {
                for (int odd = 0; odd < 2; odd++) {
                    float &x = s[j][2 * i + odd];
                    x = 8 * j + 2 * t + odd < n ? x : -INFINITY;
                    most = fmaxf(most, x);
                }
            }
            most = fmaxf(most, __shfl_xor_sync(DN_WHOLE_WARP, most, 1));
            most = fmaxf(most, __shfl_xor_sync(DN_WHOLE_WARP, most, 2));
            float shrink = exp2_fast((largest[i] - most) * factor);
            largest[i] = most;
            sum[i] *= shrink;
            for (int j = 0; j < COLUMNS; j++) {
                o[j][2 * i] *= shrink, o[j][2 * i + 1] *= shrink;
            }
            for (int j = 0; j < KEY_TILES; j++) {
                for (int odd = 0; odd < 2; odd++) {
                    float &x = s[j][2 * i + odd];
                    x = exp2_fast((x - most) * factor);
                    sum[i] += x;
                }
            }
        }
    }

    /** Pieces of D/8 elements of four values: keys 2t, 2t+1, 2t+8, 2t+9 of a block of 16. */
    struct piece {
        uint32_t word[COLUMNS / 2];
    };
    static __device__ __forceinline__ piece load_piece(const T *from, bool real) {
        piece p = {};
        if (real) {
            if constexpr (D == 32) {
                uint2 two = *reinterpret_cast<const uint2 *>(from);
                p.word[0] = two.x, p.word[1] = two.y;
            } else {
                uint4 four = *reinterpret_cast<const uint4 *>(from);
                p.word[0] = four.x, p.word[1] = four.y, p.word[2] = four.z, p.word[3] = four.w;
            }
        }
        return p;
    }

    __device__ __forceinline__ void add_values(head_rows<T> values, int n,
                                               const float p[KEY_TILES][4]) {
        for (int block = 0; block < STEP_KEYS / 16; block++) {
            const float *low = p[2 * block], *high = p[2 * block + 1];
            uint32_t a[4] = {pack_pair(T{}, low[0], low[1]), pack_pair(T{}, low[2], low[3]),
                             pack_pair(T{}, high[0], high[1]), pack_pair(T{}, high[2], high[3])};
            piece v[4];
            for (int i = 0; i < 4; i++) {
                int key = 16 * block + 2 * t + i % 2 + 8 * (i / 2);
                v[i] = load_piece(values.at + key * values.pitch + COLUMNS * g, key < n);
            }
            for (int j = 0; j < COLUMNS; j++) {
                unsigned halves = j % 2 ? 0x7632 : 0x5410;
                uint32_t b[2] = {__byte_perm(v[0].word[j / 2], v[1].word[j / 2], halves),
                                 __byte_perm(v[2].word[j / 2], v[3].word[j / 2], halves)};
                mma_16x8x16(T{}, o[j], a, b);
            }
        }
    }

    /** The next 32 keys and values, of which n are the row's (n may be more). */
    __device__ __forceinline__ void step(head_rows<T> keys, head_rows<T> values, int n,
                                         float factor) {
        float s[KEY_TILES][4];
        multiply_keys(keys, n, s);
        weigh(n, factor, s);
        add_values(values, n, s);
    }

    /** Writes the n real queries' rows; row 0 begins at element `at`, `pitch` elements apart. */
    __device__ __forceinline__ void finish(writer<T> &out, size_t at, int pitch, int n) {
        for (int i = 0; i < 2; i++) {
            float all = sum[i];
            all += __shfl_xor_sync(DN_WHOLE_WARP, all, 1);
            all += __shfl_xor_sync(DN_WHOLE_WARP, all, 2);
            float x[2 * COLUMNS], scale = 1 / all;
            for (int j = 0; j < COLUMNS; j++) {
                x[j] = o[j][2 * i] * scale;
                x[COLUMNS + j] = o[j][2 * i + 1] * scale;
            }
            int row = g + 8 * i;
            size_t to = at + (size_t)row * (size_t)pitch + (size_t)(2 * COLUMNS * t);
            for (int j = 0; j < 2 * COLUMNS && row < n; j += 8) {
                out.template put<8>(to + (size_t)j, x + j);
            }
        }
        out.finish();
    }
};

} // namespace dn

#endif
