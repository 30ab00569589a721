#ifndef DN_CPU_ATTENTION_H
#define DN_CPU_ATTENTION_H
/** softmax(q k^T / sqrt(D)) v of each row and head, over packed rows without padding tokens.
 *
 * One head of one row at a time, TILE_COLS queries at a time, a query in each lane:
 *
 *     scratch  | queries, scaled and transposed: [D][TILE_COLS] | scores [S][TILE_COLS], a key a
 * line | values, only where D is no multiple of TILE_COLS: panels [S][TILE_COLS]
 *
 * So keys and values stay where linear() put them, a query's softmax runs down its lane without
 * sums across a vector, and scores never leave the cache. The order of every sum depends on the
 * row's own length alone. */
#include "kernels/kernels.h"

#include <math.h>

static size_t attention_scratch(int max_row_tokens, int hidden, int heads) {
    size_t depth = (size_t)(hidden / heads), length = (size_t)max_row_tokens;
    return (depth + length) * TILE_COLS + round_up(depth, TILE_COLS) * length;
}

typedef struct head {
    const float *q, *k, *v; /**< [length][depth], rows `stride` floats apart */
    float *out;             /**< [length][depth], rows `out_stride` floats apart */
    size_t stride, out_stride;
    int length, depth;
    float *queries, *scores, *values; /**< in scratch */
} head;

/** `n` queries from `begin` on become columns, times log2(e) / sqrt(D), so that 2^x serves as e^x;
 * lanes beyond them read as zero. */
static void pack_queries(const head *h, int begin, int n) {
    const vec scale = v_set(1.44269504f / sqrtf((float)h->depth));
    for (int j = 0; j < TILE_COLS; j += VW) {
        for (int d = 0; d < h->depth; d += VW) {
            vec row[VW];
            for (int i = 0; i < VW; i++) {
                const float *q = h->q + (size_t)(begin + j + i) * h->stride + d;
                row[i] = j + i < n ? v_mul(load_row(q, h->depth - d), scale) : v_set(0);
            }
            v_transpose(row);
            for (int i = 0; i < VW && d + i < h->depth; i++) {
                v_store(h->queries + (d + i) * TILE_COLS + j, row[i]);
            }
        }
    }
}

static void pack_values(const head *h) {
    for (int d = 0; d < h->depth; d += TILE_COLS) {
        float *panel = h->values + (size_t)d * (size_t)h->length;
        for (int j = 0; j < h->length; j++, panel += TILE_COLS) {
            for (int i = 0; i < TILE_COLS; i += VW) {
                int left = h->depth - d - i;
                v_store(panel + i,
                        left > 0 ? load_row(h->v + (size_t)j * h->stride + d + i, left) : v_set(0));
            }
        }
    }
}

/** scores = keys times queries, in tiles of keys. */
static void score_keys(const head *h) {
    int n_tiles = tile_count(h->length);
    for (int i = 0; i < n_tiles; i++) {
        int from = tile_edge(h->length, n_tiles, i), to = tile_edge(h->length, n_tiles, i + 1);
        tile_of_height[to - from](&(tile){.a = h->k + (size_t)from * h->stride,
                                          .a_stride = h->stride,
                                          .k = h->depth,
                                          .panel = h->queries,
                                          .c = h->scores + (size_t)from * TILE_COLS,
                                          .c_stride = TILE_COLS,
                                          .n = TILE_COLS});
    }
}

/** Scores become 2^(score - the lane's largest); 1 / their sum goes to inverse[TILE_COLS]. */
static void exponentiate(const head *h, float *inverse) {
    vec top[TILE_VECS], sum[TILE_VECS];
    for (int v = 0; v < TILE_VECS; v++) {
        top[v] = v_set(-INFINITY), sum[v] = v_set(0);
    }
    for (int j = 0; j < h->length; j++) {
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            top[v] = v_max(top[v], v_load(h->scores + j * TILE_COLS + v * VW));
        }
    }
    for (int j = 0; j < h->length; j++) {
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            float *score = h->scores + j * TILE_COLS + v * VW;
            vec y = v_exp2(v_sub(v_load(score), top[v]));
            v_store(score, y);
            sum[v] = v_add(sum[v], y);
        }
    }
    for (int v = 0; v < TILE_VECS; v++) {
        v_store(inverse + v * VW, v_div(v_set(1.0f), sum[v]));
    }
}

/** out[rows][n] = the values of all keys, weighted by lanes `share` to `share` + rows of each line.
 */
typedef struct mix {
    const float *share,
        *inverse;        /**< [length][TILE_COLS], [TILE_COLS], both from the first lane on */
    const float *values; /**< [length][TILE_COLS], rows `stride` floats apart */
    float *out;
    size_t stride, out_stride;
    int length, n;
} mix;

static DN_INLINE void mix_run(const mix *m, const int rows) {
    vec sum[TILE_ROWS][TILE_VECS];
    const float *share = m->share, *values = m->values;
    const size_t stride = m->stride;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            sum[r][v] = v_set(0);
        }
    }
#pragma GCC unroll 2
    for (int j = 0; j < m->length; j++) {
        vec b[TILE_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            b[v] = v_load(values + v * VW);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            vec x = v_set(share[r]);
#pragma GCC unroll 4
            for (int v = 0; v < TILE_VECS; v++) {
                sum[r][v] = v_fma(x, b[v], sum[r][v]);
            }
        }
        share += TILE_COLS, values += stride;
    }
    float *out = m->out;
    const float *inverse = m->inverse;
    const size_t out_stride = m->out_stride;
    const int n = m->n;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++, out += out_stride) {
        vec scale = v_set(inverse[r]);
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            if (n > v * VW) {
                store_row(out + v * VW, n - v * VW, v_mul(sum[r][v], scale));
            }
        }
    }
}

#define DN_MIX(rows)                                                                               \
    static void mix_##rows(const mix *m) {                                                         \
        mix_run(m, rows);                                                                          \
    }
DN_EACH_TILE_HEIGHT(DN_MIX)
#undef DN_MIX

#define DN_MIX(rows) mix_##rows,
static void (*const mix_of_height[TILE_ROWS + 1])(const mix *) = {NULL,
                                                                  DN_EACH_TILE_HEIGHT(DN_MIX)};
#undef DN_MIX

/** The results of queries [begin, begin + n) from their shares. */
static void mix_values(const head *h, const float *inverse, int begin, int n) {
    bool is_packed = h->depth % TILE_COLS != 0;
    int n_tiles = tile_count(n);
    for (int d = 0; d < h->depth; d += TILE_COLS) {
        int left = h->depth - d;
        mix m = {.values = is_packed ? h->values + (size_t)d * (size_t)h->length : h->v + d,
                 .stride = is_packed ? TILE_COLS : h->stride,
                 .out_stride = h->out_stride,
                 .length = h->length,
                 .n = left < TILE_COLS ? left : TILE_COLS};
        for (int i = 0; i < n_tiles; i++) {
            int from = tile_edge(n, n_tiles, i);
            m.share = h->scores + from, m.inverse = inverse + from;
            m.out = h->out + (size_t)(begin + from) * h->out_stride + d;
            mix_of_height[tile_edge(n, n_tiles, i + 1) - from](&m);
        }
    }
}

static void attend(const head *h) {
    _Alignas(64) float inverse[TILE_COLS];
    if (h->depth % TILE_COLS != 0) {
        pack_values(h);
    }
    for (int begin = 0; begin < h->length; begin += TILE_COLS) {
        int left = h->length - begin, n = left < TILE_COLS ? left : TILE_COLS;
        pack_queries(h, begin, n);
        score_keys(h);
        exponentiate(h, inverse);
        mix_values(h, inverse, begin, n);
    }
}

static void attend_row(const dn_attention_args *a, int begin, int length) {
    size_t width = (size_t)a->hidden, depth = width / (size_t)a->heads;
    for (size_t column = 0; column < width; column += depth) {
        const float *q = a->qkv + (size_t)begin * 3 * width + column;
        head h = {.q = q,
                  .k = q + width,
                  .v = q + 2 * width,
                  .out = a->out + (size_t)begin * width + column,
                  .stride = 3 * width,
                  .out_stride = width,
                  .length = length,
                  .depth = (int)depth,
                  .queries = a->scratch};
        h.scores = h.queries + depth * TILE_COLS;
        h.values = h.scores + (size_t)length * TILE_COLS;
        attend(&h);
    }
}

static void attention(const dn_attention_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        attend_row(a, a->row_start[r], a->row_start[r + 1] - a->row_start[r]);
    }
}

#endif
