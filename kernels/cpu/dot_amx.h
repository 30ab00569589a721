#ifndef DN_CPU_DOT_AMX_H
#define DN_CPU_DOT_AMX_H
/** The inner kernel of narrow products in AMX tiles: sums[rows][32] = x[rows][k] panel, rows up to
 * 32. Before it stand the words of a precision: the types, DN_AMX_DOT, d_load, d_float.
 *
 *     tmm4 (x, rows 0-15)  ─┬─ tmm0 ─┬─ tmm1      the panel's columns: tmm6, tmm7
 *     tmm5 (x, rows 16-31) ─┴─ tmm2 ─┴─ tmm3
 *
 * The panel is that of VNNI: 16 groups of inputs a step, of 32 columns each, two tiles side by
 * side. Rows beyond the block are computed from what lies in the buffer, and nobody reads them. */
enum { NARROW_ROWS = 32, GROUP = 4 / sizeof(activation_t), AMX_STEP = 64 / sizeof(activation_t) };

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

typedef struct narrow_tile {
    const activation_t *x; /**< [32] rows, `stride` elements apart */
    const weight_t *panel;
    sum_t *sum; /**< [32][TILE_COLS] */
    size_t stride;
    int k; /**< a multiple of AMX_STEP */
} narrow_tile;

static inline void narrow_multiply(const narrow_tile *t, int rows) {
    (void)rows;
    const size_t x_stride = t->stride * sizeof *t->x;
    const size_t panel_stride = TILE_COLS * GROUP * sizeof *t->panel;
    const size_t sum_stride = TILE_COLS * sizeof *t->sum;
    const activation_t *x = t->x;
    const weight_t *panel = t->panel;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const char *next = (const char *)(t->panel + (size_t)t->k * TILE_COLS);
    for (int k = 0; k < t->k; k += AMX_STEP) {
#pragma GCC unroll 16
        for (int line = 0; line < 16; line++) {
            __builtin_prefetch(next + 64 * line, 0, 3);
        }
        next += 1024;
        _tile_loadd(4, x, x_stride);
        _tile_loadd(6, panel, panel_stride);
        _tile_loadd(7, panel + 16 * GROUP, panel_stride);
        _tile_loadd(5, x + 16 * t->stride, x_stride);
        DN_AMX_DOT(0, 4, 6);
        DN_AMX_DOT(1, 4, 7);
        DN_AMX_DOT(2, 5, 6);
        DN_AMX_DOT(3, 5, 7);
        x += AMX_STEP;
        panel += AMX_STEP * TILE_COLS;
    }
    _tile_stored(0, t->sum, sum_stride);
    _tile_stored(1, t->sum + 16, sum_stride);
    _tile_stored(2, t->sum + 16 * TILE_COLS, sum_stride);
    _tile_stored(3, t->sum + 16 * TILE_COLS + 16, sum_stride);
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
