#ifndef DN_CPU_LINEAR_H
#define DN_CPU_LINEAR_H
/** out = act(x W^T + bias), or layer_norm(residual + x W^T + bias), in one pass over a block of
 * rows.
 *
 * W[n][k] is packed once: blocks of DEPTH inputs, in each of them panels of TILE_COLS outputs, in
 * each panel the outputs of one input side by side (zero beyond n):
 *
 *     | block 0: panel 0 [DEPTH][TILE_COLS] | panel 1 | ... | block 1: panel 0 | ...
 *
 * A panel of one block stays near the first-level cache while the tiles of ROW_BLOCK rows pass by;
 * these rows' inputs and results stay in the second. Each block's sum starts from zero and is added
 * to the result, so the order of an element's sum is fixed by k and DEPTH. */
#include "base/memory.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { DEPTH = 384, ROW_BLOCK = 168 };

static int block_depth(int k, int from) {
    return k - from < DEPTH ? k - from : DEPTH;
}

static dn_status pack(const float *w, int n, int k, dn_weight *out) {
    size_t columns = round_up((size_t)n, TILE_COLS);
    size_t bytes = columns * (size_t)k * sizeof(float);
    float *packed = dn_alloc_aligned(64, bytes), *next = packed;
    for (int from = 0; from < k; from += DEPTH) {
        for (int column = 0; column < n; column += TILE_COLS) {
            for (int i = from; i < from + block_depth(k, from); i++, next += TILE_COLS) {
                for (int j = column; j < n && j < column + TILE_COLS; j++) {
                    next[j - column] = w[(size_t)j * (size_t)k + (size_t)i];
                }
            }
        }
    }
    *out = (dn_weight){.n = n, .k = k, .layout = DN_LAYOUT, .bytes = bytes, .packed = packed};
    return DN_OK;
}

static inline vec activate(vec x, dn_activation activation) {
    switch (activation) {
    case DN_ACT_GELU:
        return v_gelu(x);
    case DN_ACT_TANH:
        return v_tanh(x);
    case DN_ACT_RELU:
        return v_max(v_set(0), x);
    case DN_ACT_NONE:
        break;
    }
    return x;
}

/** Over a tile that has just been stored and is still in the first-level cache. */
static void activate_tile(const tile *t, int rows, dn_activation activation) {
    for (int r = 0; r < rows; r++) {
        float *c = t->c + (size_t)r * t->c_stride;
        for (int j = 0; j < t->n; j += VW) {
            store_row(c + j, t->n - j, activate(load_row(c + j, t->n - j), activation));
        }
    }
}

/** The product of rows [begin, end) with one panel of one block of inputs. */
static void multiply_panel(const dn_linear_args *a, int begin, int end, int column, int from) {
    size_t n = (size_t)a->weight->n, k = (size_t)a->weight->k;
    int depth = block_depth(a->weight->k, from);
    bool is_last = from + depth == a->weight->k;
    const float *packed = a->weight->packed;
    tile t = {
        .panel = packed + (size_t)from * round_up(n, TILE_COLS) + (size_t)column * (size_t)depth,
        .a_stride = k,
        .c_stride = n,
        .k = depth,
        .n = a->weight->n - column < TILE_COLS ? a->weight->n - column : TILE_COLS,
    };
    int n_tiles = tile_count(end - begin);
    for (int i = 0; i < n_tiles; i++) {
        int row = begin + tile_edge(end - begin, n_tiles, i);
        int rows = begin + tile_edge(end - begin, n_tiles, i + 1) - row;
        size_t place = (size_t)row * n + (size_t)column;
        t.a = a->x + (size_t)row * k + from;
        t.c = a->out + place;
        if (from > 0) {
            t.base = t.c, t.base_stride = n;
        } else if (a->residual) {
            t.base = a->residual + place, t.base_stride = n;
        } else {
            t.base = a->bias ? a->bias + column : NULL, t.base_stride = 0;
        }
        tile_of_height[rows](&t);
        if (is_last && a->activation != DN_ACT_NONE) {
            activate_tile(&t, rows, a->activation);
        }
    }
}

static void linear(const dn_linear_args *a) {
    assert(strcmp(a->weight->layout, DN_LAYOUT) == 0);
    assert(!a->gamma == !a->residual && (!a->gamma || a->activation == DN_ACT_NONE));
    int n = a->weight->n;
    int n_blocks = (a->n_tokens + ROW_BLOCK - 1) / ROW_BLOCK;
    for (int block = 0; block < n_blocks; block++) {
        int begin = tile_edge(a->n_tokens, n_blocks, block);
        int end = tile_edge(a->n_tokens, n_blocks, block + 1);
        for (int from = 0; from < a->weight->k; from += DEPTH) {
            for (int column = 0; column < n; column += TILE_COLS) {
                multiply_panel(a, begin, end, column, from);
            }
        }
        for (int t = begin; a->gamma && t < end; t++) {
            normalise_row(a->out + (size_t)t * (size_t)n, n, a->bias, a->gamma, a->beta,
                          a->epsilon);
        }
    }
}

#endif
