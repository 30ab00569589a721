#ifndef DN_CPU_DOT_AMX_H
#define DN_CPU_DOT_AMX_H
/** The inner kernel of narrow products in AMX tiles: sums[rows][32] (+)= x[rows][k] panel, rows up
 * to 32. Before it stand the words of a precision: the types, DN_AMX_DOT, d_load, d_float.
 *
 *     tmm4 (x, rows 0-15)  ─┬─ tmm0 ─┬─ tmm1      the panel's columns: tmm6, tmm7
 *     tmm5 (x, rows 16-31) ─┴─ tmm2 ─┴─ tmm3
 *
 * The panel is that of VNNI: 16 groups of inputs a step, of 32 columns each, two tiles side by
 * side. Rows beyond the block are computed from what lies in the buffer, and nobody reads them.
 *
 * Finishing the tile before between the steps gains nothing: while the tiles' unit works, the
 * vector units get one port of two (bench/kernels/README.md). */
enum {
    NARROW_ROWS = 32,
    GROUP = 4 / sizeof(activation_t),
    AMX_STEP = 64 / sizeof(activation_t),
    NARROW_STEP_STRIDE = 16 * AMX_STEP, /* elements of x from a row's step to its next */
    /* Inputs and outputs of one pass over a block. A block's 64 rows of so many inputs stay in the
     * first level while the panels pass by, else rows and panel both come from the second: 15 % of
     * the time at k = 1536 (Sapphire Rapids, 2026-11-29). */
    NARROW_DEPTH = 12 * AMX_STEP,
    NARROW_COLUMNS = 16 * TILE_COLS
};

/** Where a rounded row begins: 16 rows' first step, which is a tile of 1 KiB in one piece, then
 * their next. A step of all 64 rows in one piece would put a row's parts 4 KiB apart: 24 pages and
 * one set of the first level for 1,536 inputs. */
static inline size_t narrow_row_at(size_t wide_k, int row) {
    return (size_t)(row / 16 * 16) * wide_k + (size_t)(row % 16) * AMX_STEP;
}

typedef struct narrow_tile {
    const activation_t *x;
    size_t wide_k; /**< of the rows in x */
    const weight_t *panel;
    sum_t *sum; /**< [rows][TILE_COLS], 64-byte aligned */
    int k;      /**< a multiple of AMX_STEP */
    int rows;   /**< 1 to NARROW_ROWS */
    bool adds;  /**< to the sums that are there */
} narrow_tile;

static inline int narrow_edge(int rows, int n_tiles, int i) {
    return i < n_tiles ? i * NARROW_ROWS : rows;
}

/** One configuration for all: eight tiles of 16 rows of 64 bytes. A thread holds tiles only between
 * these two, since their 8 KiB make its context switches dear. */
static inline void narrow_begin(void) {
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } all = {.palette = 1,
             .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
             .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&all);
}
static inline void narrow_end(void) {
    _tile_release();
}

static inline void tiles_load(const narrow_tile *t, bool is_tall) {
    const size_t stride = TILE_COLS * sizeof *t->sum;
    if (!t->adds) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        return;
    }
    _tile_loadd(0, t->sum, stride);
    _tile_loadd(1, t->sum + 16, stride);
    if (is_tall) {
        _tile_loadd(2, t->sum + 16 * TILE_COLS, stride);
        _tile_loadd(3, t->sum + 16 * TILE_COLS + 16, stride);
    }
}

/** A step of all four tiles, or of the upper two. */
static inline void tiles_step(const activation_t *x, const activation_t *lower,
                              const weight_t *panel, bool is_tall) {
    const size_t x_stride = AMX_STEP * sizeof *x, panel_stride = TILE_COLS * GROUP * sizeof *panel;
    _tile_loadd(4, x, x_stride);
    _tile_loadd(6, panel, panel_stride);
    DN_AMX_DOT(0, 4, 6);
    _tile_loadd(7, panel + 16 * GROUP, panel_stride);
    DN_AMX_DOT(1, 4, 7);
    if (is_tall) {
        _tile_loadd(5, lower, x_stride);
        DN_AMX_DOT(2, 5, 6);
        DN_AMX_DOT(3, 5, 7);
    }
}

static DN_INLINE void tiles_run(const narrow_tile *t, const bool is_tall) {
    const activation_t *x = t->x;
    const weight_t *panel = t->panel;
    const size_t stride = TILE_COLS * sizeof *t->sum;
    tiles_load(t, is_tall);
    for (int k = 0; k < t->k; k += AMX_STEP) {
        tiles_step(x, x + 16 * t->wide_k, panel, is_tall);
        x += NARROW_STEP_STRIDE;
        panel += AMX_STEP * TILE_COLS;
    }
    _tile_stored(0, t->sum, stride);
    _tile_stored(1, t->sum + 16, stride);
    if (is_tall) {
        _tile_stored(2, t->sum + 16 * TILE_COLS, stride);
        _tile_stored(3, t->sum + 16 * TILE_COLS + 16, stride);
    }
}

static void narrow_multiply(const narrow_tile *t) {
    if (t->rows > 16) {
        tiles_run(t, true);
    } else {
        tiles_run(t, false);
    }
}

/** Products of tiles that are at hand, into four sums. */
static double narrow_burst(void) {
    enum { STEPS = 20000 };
    narrow_begin();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(6);
    for (int i = 0; i < STEPS; i++) {
        DN_AMX_DOT(0, 4, 6);
        DN_AMX_DOT(1, 4, 6);
        DN_AMX_DOT(2, 4, 6);
        DN_AMX_DOT(3, 4, 6);
    }
    narrow_end();
    return 2.0 * 4 * STEPS * 16 * 16 * AMX_STEP;
}

#endif
