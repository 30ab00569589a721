#ifndef DN_CPU_DOT_TILE_H
#define DN_CPU_DOT_TILE_H
/** The inner kernel of narrow products where sums live in vector registers: sums[rows][TILE_COLS] =
 * x[rows][k] panel, as tile.h for fp32 but with GROUP inputs to a step.
 *
 *     panel  [k / GROUP][TILE_COLS][GROUP], 64-byte aligned
 */
enum {
    NARROW_ROWS = TILE_ROWS,
    GROUP = 4 / sizeof(activation_t),
    NARROW_STEP_STRIDE = NARROW_STEP,
    NARROW_DEPTH = DN_NARROW_MAX_INPUTS, /* all in one pass: sums never leave their registers */
    NARROW_COLUMNS = TILE_COLS
};

/** Where a rounded row begins: each is one piece. */
static inline size_t narrow_row_at(size_t wide_k, int row) {
    return (size_t)row * wide_k;
}

typedef struct narrow_tile {
    const activation_t *x;
    size_t wide_k; /**< of the rows in x */
    const weight_t *panel;
    sum_t *sum; /**< [rows][TILE_COLS], 64-byte aligned */
    int k;      /**< a multiple of GROUP */
    int rows;   /**< 1 to TILE_ROWS */
    bool adds;  /**< never: there is one pass */
} narrow_tile;

static DN_INLINE void narrow_tile_run(const narrow_tile *t, const int rows) {
    sums sum[TILE_ROWS][TILE_VECS];
    const weight_t *panel = t->panel;
    const size_t stride = t->wide_k;
    const activation_t *x[(TILE_ROWS + 2) / 3];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            sum[r][v] = d_zero();
        }
        if (r % 3 == 0) {
            x[r / 3] = t->x + (size_t)r * stride;
        }
    }
#pragma GCC unroll 2
    for (int k = 0; k < t->k; k += GROUP) {
        sums w[TILE_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            __builtin_prefetch(panel + (AHEAD * TILE_COLS + v * VW) * GROUP);
            w[v] = d_weights(panel + v * VW * GROUP);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            sums group = d_broadcast(x[r / 3] + (size_t)(r % 3) * stride);
#pragma GCC unroll 4
            for (int v = 0; v < TILE_VECS; v++) {
                sum[r][v] = d_dot(sum[r][v], group, w[v]);
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r += 3) {
            x[r / 3] += GROUP;
        }
        panel += TILE_COLS * GROUP;
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            d_store(t->sum + r * TILE_COLS + v * VW, sum[r][v]);
        }
    }
}

#define DN_TILE(rows)                                                                              \
    static void narrow_tile_##rows(const narrow_tile *t) {                                         \
        narrow_tile_run(t, rows);                                                                  \
    }
DN_EACH_TILE_HEIGHT(DN_TILE)
#undef DN_TILE

#define DN_TILE(rows) narrow_tile_##rows,
static void (*const narrow_tile_of_height[TILE_ROWS + 1])(const narrow_tile *) = {
    NULL, DN_EACH_TILE_HEIGHT(DN_TILE)};
#undef DN_TILE

/** Tiles of nearly the same height. */
static inline int narrow_edge(int rows, int n_tiles, int i) {
    return tile_edge(rows, n_tiles, i);
}

static inline void narrow_multiply(const narrow_tile *t) {
    narrow_tile_of_height[t->rows](t);
}
static inline void narrow_begin(void) {
}
static inline void narrow_end(void) {
}

/** Dot products between registers, in enough chains to hide their latency. */
static double narrow_burst(void) {
    enum { CHAINS = 12, STEPS = 100000 };
    static const sum_t zeros[VW];
    static const activation_t ones[GROUP] = {0};
    sums sum[CHAINS], x = d_broadcast(ones), w = d_load(zeros);
    __asm__ volatile("" : "+v"(w)); /* the compiler knows the zeros, too */
    for (int c = 0; c < CHAINS; c++) {
        sum[c] = w;
    }
    for (int i = 0; i < STEPS; i++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) {
            sum[c] = d_dot(sum[c], x, w);
            __asm__ volatile("" : "+v"(x)); /* or one product would do for all chains */
        }
    }
    for (int c = 0; c < CHAINS; c++) {
        __asm__ volatile("" : : "v"(sum[c]));
    }
    return 2.0 * GROUP * VW * CHAINS * STEPS;
}

#endif
