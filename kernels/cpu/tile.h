#ifndef DN_CPU_TILE_H
#define DN_CPU_TILE_H
/** The inner kernel of every matrix product: c[rows][n] = base + a[rows][k] panel[k][TILE_COLS].
 *
 *        panel  k x (TILE_VECS vectors), dense, zero beyond column n
 *          |
 *    a ----+---> sums of TILE_ROWS x TILE_VECS vectors, all in registers
 *
 * One multiply-add per k into one sum per element, from k = 0 upwards, however many rows or columns
 * the tile has: an element's bits do not depend on its neighbours. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For functions whose const parameters must be constants of their body. */
#define DN_INLINE inline __attribute__((always_inline))

enum {
    TILE_COLS = TILE_VECS * VW,
    LINE = 16, /* floats of a cache line */
    /* Inputs of which the panel is fetched before their turn: it streams from the second level.
     * Without it the encoder took 7 % longer; from 8 to 32 made no difference (Sapphire Rapids,
     * 2026-11-22). */
    AHEAD = 8
};

typedef struct tile {
    const float *a;     /**< [rows][k], rows `a_stride` floats apart */
    const float *panel; /**< 64-byte aligned */
    const float *base;  /**< [rows][n] (stride 0: one row for all), NULL for zero; may be c */
    float *c;           /**< [rows][n] */
    size_t a_stride, base_stride, c_stride;
    int k, n;
} tile;

/** The fields are taken out first: a vector store may alias them, so they would be read again after
 * each. */
static DN_INLINE void tile_store_as(const tile *t, vec (*sum)[TILE_VECS], const int rows,
                                    const bool has_base, const int n) {
    const float *base = t->base;
    float *c = t->c;
    const size_t base_stride = t->base_stride, c_stride = t->c_stride;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            const int left = n - v * VW;
            if (left > 0) {
                vec y = sum[r][v];
                store_row(c + v * VW, left, has_base ? v_add(load_row(base + v * VW, left), y) : y);
            }
        }
        base = has_base ? base + base_stride : NULL;
        c += c_stride;
    }
}

static DN_INLINE void tile_store(const tile *t, vec (*sum)[TILE_VECS], const int rows) {
    if (t->n < TILE_COLS) {
        tile_store_as(t, sum, rows, t->base != NULL, t->n);
    } else if (t->base) {
        tile_store_as(t, sum, rows, true, TILE_COLS);
    } else {
        tile_store_as(t, sum, rows, false, TILE_COLS);
    }
}

/** Rows are reached as 0, 1 and 2 strides from every third one, which addressing does for free: 14
 * row pointers would leave the general registers. */
static DN_INLINE void tile_run(const tile *t, const int rows) {
    vec sum[TILE_ROWS][TILE_VECS];
    const float *panel = t->panel;
    const size_t stride = t->a_stride;
    const float *a[(TILE_ROWS + 2) / 3];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            sum[r][v] = v_set(0);
        }
        if (r % 3 == 0) {
            a[r / 3] = t->a + (size_t)r * stride;
        }
    }
#pragma GCC unroll 4
    for (int k = 0; k < t->k; k++) {
        vec b[TILE_VECS];
#pragma GCC unroll 4
        for (int line = 0; line < TILE_COLS; line += LINE) {
            __builtin_prefetch(panel + AHEAD * TILE_COLS + line);
        }
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            b[v] = v_load(panel + v * VW);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            vec x = v_set(a[r / 3][(size_t)(r % 3) * stride]);
#pragma GCC unroll 4
            for (int v = 0; v < TILE_VECS; v++) {
                sum[r][v] = v_fma(x, b[v], sum[r][v]);
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r += 3) {
            a[r / 3]++;
        }
        panel += TILE_COLS;
    }
    tile_store(t, sum, rows);
}

#define DN_TILE(rows)                                                                              \
    static void tile_##rows(const tile *t) {                                                       \
        tile_run(t, rows);                                                                         \
    }
DN_EACH_TILE_HEIGHT(DN_TILE)
#undef DN_TILE

#define DN_TILE(rows) tile_##rows,
static void (*const tile_of_height[TILE_ROWS + 1])(const tile *) = {NULL,
                                                                    DN_EACH_TILE_HEIGHT(DN_TILE)};
#undef DN_TILE

/** `rows` in tiles of nearly the same height: the one after i of n. A last tile of two rows would
 * wait for its sums. */
static inline int tile_edge(int rows, int n_tiles, int i) {
    return (int)((int64_t)rows * i / n_tiles);
}
static inline int tile_count(int rows) {
    return (rows + TILE_ROWS - 1) / TILE_ROWS;
}

static inline size_t round_up(size_t x, size_t step) {
    return (x + step - 1) / step * step;
}

#endif
