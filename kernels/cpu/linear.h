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
 * Caches are used from the inside out: a panel of one block stays near the first level while the
 * tiles of ROWS rows pass by; COLUMNS outputs' panels and these rows' inputs stay in the second;
 * CHUNK rows' results in the third (or, for a micro-batch, in the second too). So the weights come
 * from afar once per CHUNK rows. LayerNorm follows the last block of its rows while they are still
 * near.
 *
 * Each block's sum starts from zero and is added to the result: the order of an element's sum is
 * fixed by k and DEPTH. */
#include "base/memory.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* Chosen on a Sapphire Rapids core (48 KiB, 2 MiB), 2026-11-22: DEPTH of 128 to 256 lost 2 to 5 %
 * to the stores between blocks, weights streamed once per ROWS instead of CHUNK rows 4 % for n =
 * 1536. */
enum { DEPTH = 384, ROWS = 56, COLUMNS = 384, CHUNK = 512 };
static_assert(COLUMNS % TILE_COLS == 0, "a block of columns is whole panels");

/** [begin, end) of tokens, outputs or inputs. */
typedef struct range {
    int begin, end;
} range;

/** The range of at most `step` that starts at `begin`. */
static range range_from(int begin, int step, int end) {
    return (range){begin, end - begin < step ? end : begin + step};
}

/** Part i of n, nearly equal. */
static range range_part(range whole, int n, int i) {
    int length = whole.end - whole.begin;
    return (range){whole.begin + tile_edge(length, n, i),
                   whole.begin + tile_edge(length, n, i + 1)};
}

static void pack_panel(const float *w, int k, range inputs, range outputs, float *panel) {
    for (int i = inputs.begin; i < inputs.end; i++, panel += TILE_COLS) {
        for (int j = outputs.begin; j < outputs.end; j++) {
            panel[j - outputs.begin] = w[(size_t)j * (size_t)k + (size_t)i];
        }
    }
}

static dn_status pack(const float *w, int n, int k, dn_weight *out) {
    size_t columns = round_up((size_t)n, TILE_COLS);
    size_t bytes = columns * (size_t)k * sizeof(float);
    float *packed = dn_alloc_aligned(64, bytes), *next = packed;
    for (int from = 0; from < k; from += DEPTH) {
        range inputs = range_from(from, DEPTH, k);
        for (int column = 0; column < n; column += TILE_COLS) {
            pack_panel(w, k, inputs, range_from(column, TILE_COLS, n), next);
            next += (inputs.end - inputs.begin) * TILE_COLS;
        }
    }
    *out = (dn_weight){.n = n, .k = k, .layout = DN_LAYOUT, .bytes = bytes, .packed = packed};
    return DN_OK;
}

static inline vec v_relu(vec x) {
    return v_max(v_set(0), x);
}

/* From a tile's dense sums to its place: results are stored once, and the sums are read back from
 * the first level. */
#define DN_ACTIVATE(name)                                                                          \
    static void name##_tile(const tile *t, int rows, float *out, size_t stride) {                  \
        for (int r = 0; r < rows; r++) {                                                           \
            for (int j = 0; j < t->n; j += VW) {                                                   \
                vec y = v_##name(v_load(t->c + r * TILE_COLS + j));                                \
                store_row(out + (size_t)r * stride + j, t->n - j, y);                              \
            }                                                                                      \
        }                                                                                          \
    }
DN_ACTIVATE(gelu)
DN_ACTIVATE(tanh)
DN_ACTIVATE(relu)
#undef DN_ACTIVATE

static void (*const activate_tile[])(const tile *, int rows, float *out,
                                     size_t stride) = {[DN_ACT_NONE] = NULL,
                                                       [DN_ACT_GELU] = gelu_tile,
                                                       [DN_ACT_TANH] = tanh_tile,
                                                       [DN_ACT_RELU] = relu_tile};

/** What the first block of inputs is added to; the later ones go on top of the result. A residual
 * that is the result itself is read where it is overwritten. With a residual the bias waits for
 * LayerNorm's pass. */
static void set_base(tile *t, const dn_linear_args *a, bool is_first, size_t place, int column) {
    if (!is_first || a->residual) {
        t->base = (is_first ? a->residual : a->out) + place;
        t->base_stride = (size_t)a->weight->n;
    } else {
        t->base = a->bias ? a->bias + column : NULL;
        t->base_stride = 0;
    }
}

static void multiply_panel(const dn_linear_args *a, range rows, range inputs, range outputs) {
    _Alignas(64) float sums[TILE_ROWS * TILE_COLS];
    size_t n = (size_t)a->weight->n, k = (size_t)a->weight->k;
    int depth = inputs.end - inputs.begin, n_tiles = tile_count(rows.end - rows.begin);
    bool is_active = inputs.end == a->weight->k && activate_tile[a->activation];
    const float *packed = a->weight->packed;
    const float *panel = packed + (size_t)inputs.begin * round_up(n, TILE_COLS) +
                         (size_t)outputs.begin * (size_t)depth;
    for (int i = 0; i < n_tiles; i++) {
        range part = range_part(rows, n_tiles, i);
        size_t place = (size_t)part.begin * n + (size_t)outputs.begin;
        tile t = {.a = a->x + (size_t)part.begin * k + inputs.begin,
                  .a_stride = k,
                  .panel = panel,
                  .c = is_active ? sums : a->out + place,
                  .c_stride = is_active ? TILE_COLS : n,
                  .k = depth,
                  .n = outputs.end - outputs.begin};
        set_base(&t, a, inputs.begin == 0, place, outputs.begin);
        tile_of_height[part.end - part.begin](&t);
        if (is_active) {
            activate_tile[a->activation](&t, part.end - part.begin, a->out + place, n);
        }
    }
}

static void multiply_block(const dn_linear_args *a, range rows, range inputs, range outputs) {
    int n = a->weight->n;
    for (int column = outputs.begin; column < outputs.end; column += TILE_COLS) {
        multiply_panel(a, rows, inputs, range_from(column, TILE_COLS, n));
    }
    bool is_last = inputs.end == a->weight->k && outputs.end == n;
    for (int t = rows.begin; is_last && a->gamma && t < rows.end; t++) {
        normalise_row(a->out + (size_t)t * (size_t)n, n, a->bias, a->gamma, a->beta, a->epsilon);
    }
}

static void multiply_chunk(const dn_linear_args *a, range chunk) {
    int n_blocks = (chunk.end - chunk.begin + ROWS - 1) / ROWS;
    for (int from = 0; from < a->weight->k; from += DEPTH) {
        for (int column = 0; column < a->weight->n; column += COLUMNS) {
            range outputs = range_from(column, COLUMNS, a->weight->n);
            for (int i = 0; i < n_blocks; i++) {
                multiply_block(a, range_part(chunk, n_blocks, i),
                               range_from(from, DEPTH, a->weight->k), outputs);
            }
        }
    }
}

static void linear(const dn_linear_args *a) {
    assert(strcmp(a->weight->layout, DN_LAYOUT) == 0 && !a->kept);
    assert(!a->gamma == !a->residual && (!a->gamma || a->activation == DN_ACT_NONE));
    for (int row = 0; row < a->n_tokens; row += CHUNK) {
        multiply_chunk(a, range_from(row, CHUNK, a->n_tokens));
    }
}

#endif
