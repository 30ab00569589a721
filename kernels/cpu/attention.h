#ifndef DN_CPU_ATTENTION_H
#define DN_CPU_ATTENTION_H
/** softmax(q k^T / sqrt(D)) v of each row and head, over packed rows without padding tokens.
 *
 * One head of one row at a time, its keys and values copied into panels once, then tiles of
 * queries:
 *
 *     scratch  | keys, transposed: panels [D][TILE_COLS] | values: panels [S][TILE_COLS] | scores
 * [TILE_ROWS][S]
 *
 * so both products run through the inner kernel of linear(), and scores never leave the cache. The
 * order of every sum depends on the row's own length alone. */
#include "kernels/kernels.h"

#include <math.h>

static size_t attention_scratch(int max_row_tokens, int hidden, int heads) {
    size_t depth = (size_t)(hidden / heads), length = (size_t)max_row_tokens;
    size_t wide_depth = round_up(depth, TILE_COLS), wide_length = round_up(length, TILE_COLS);
    return wide_length * depth + wide_depth * length + wide_length * TILE_ROWS;
}

typedef struct head {
    const float *q, *k, *v; /**< [length][depth], rows `stride` floats apart */
    size_t stride;
    int length, depth;
    float *keys, *values, *scores; /**< in scratch */
    size_t wide_length;
} head;

/** Keys beyond the row and depths beyond D read as zero. */
static void pack_keys(const head *h) {
    for (int j = 0; j < (int)h->wide_length; j += VW) {
        float *panel =
            h->keys + (size_t)(j / TILE_COLS * TILE_COLS) * (size_t)h->depth + j % TILE_COLS;
        for (int d = 0; d < h->depth; d += VW) {
            vec row[VW];
            for (int i = 0; i < VW; i++) {
                row[i] = j + i < h->length
                             ? load_row(h->k + (size_t)(j + i) * h->stride + d, h->depth - d)
                             : v_set(0);
            }
            v_transpose(row);
            for (int i = 0; i < VW && d + i < h->depth; i++) {
                v_store(panel + (size_t)(d + i) * TILE_COLS, row[i]);
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

/** Queries [begin, begin + rows) of one head; out[length][depth], rows `out_stride` floats apart.
 */
static void attend(const head *h, int begin, int rows, float *out, size_t out_stride) {
    size_t at = (size_t)begin;
    for (size_t j = 0; j < h->wide_length; j += TILE_COLS) {
        tile_of_height[rows](&(tile){.a = h->q + at * h->stride,
                                     .a_stride = h->stride,
                                     .k = h->depth,
                                     .panel = h->keys + j * (size_t)h->depth,
                                     .c = h->scores + j,
                                     .c_stride = h->wide_length,
                                     .n = TILE_COLS});
    }
    float scale = 1.0f / sqrtf((float)h->depth);
    for (int r = 0; r < rows; r++) {
        softmax_row(h->scores + (size_t)r * h->wide_length, h->length, scale);
    }
    for (int d = 0; d < h->depth; d += TILE_COLS) {
        int left = h->depth - d;
        tile_of_height[rows](&(tile){.a = h->scores,
                                     .a_stride = h->wide_length,
                                     .k = h->length,
                                     .panel = h->values + (size_t)d * (size_t)h->length,
                                     .c = out + at * out_stride + d,
                                     .c_stride = out_stride,
                                     .n = left < TILE_COLS ? left : TILE_COLS});
    }
}

static void attend_row(const dn_attention_args *a, int begin, int length) {
    size_t width = (size_t)a->hidden, depth = width / (size_t)a->heads;
    size_t wide_length = round_up((size_t)length, TILE_COLS);
    int n_tiles = tile_count(length);
    for (size_t column = 0; column < width; column += depth) {
        const float *q = a->qkv + (size_t)begin * 3 * width + column;
        head h = {.q = q,
                  .k = q + width,
                  .v = q + 2 * width,
                  .stride = 3 * width,
                  .length = length,
                  .depth = (int)depth,
                  .keys = a->scratch,
                  .wide_length = wide_length};
        h.values = h.keys + wide_length * depth;
        h.scores = h.values + round_up(depth, TILE_COLS) * (size_t)length;
        pack_keys(&h);
        pack_values(&h);
        for (int i = 0; i < n_tiles; i++) {
            int first = tile_edge(length, n_tiles, i);
            attend(&h, first, tile_edge(length, n_tiles, i + 1) - first,
                   a->out + (size_t)begin * width + column, width);
        }
    }
}

static void attention(const dn_attention_args *a) {
    for (int r = 0; r < a->n_rows; r++) {
        attend_row(a, a->row_start[r], a->row_start[r + 1] - a->row_start[r]);
    }
}

#endif
