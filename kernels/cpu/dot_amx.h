#ifndef DN_CPU_DOT_AMX_H
#define DN_CPU_DOT_AMX_H
/** The inner kernel of narrow products in AMX tiles: sums[rows][32] = x[rows][k] panel, rows up to
 * 32. Before it stand the words of a precision: the types, DN_AMX_DOT, d_load, d_float.
 *
 *     tmm4 (x, rows 0-15)  ─┬─ tmm0 ─┬─ tmm1      the panel's columns: tmm6, tmm7
 *     tmm5 (x, rows 16-31) ─┴─ tmm2 ─┴─ tmm3
 *
 * The panel is that of VNNI: 16 groups of inputs a step, of 32 columns each, two tiles side by
 * side. Rows beyond the block are computed from what lies in the buffer, and nobody reads them.
 *
 * The unit for tiles works alone for 64 cycles a step, so the vector units meanwhile finish the
 * sums of the tile before: scales, GELU and all cost little on top. */
#include "kernels/cpu/narrow_finish.h"

enum { NARROW_ROWS = 32, GROUP = 4 / sizeof(activation_t), AMX_STEP = 64 / sizeof(activation_t) };

/** Where rounded rows lie: a step of all rows, then the next, so that a tile is 1 KiB in one piece.
 */
typedef struct narrow_strides {
    size_t row, step; /**< elements from row to row, and from one NARROW_STEP to the next */
} narrow_strides;

static inline narrow_strides narrow_strides_of(size_t wide_k, int n_rows) {
    (void)wide_k;
    return (narrow_strides){.row = AMX_STEP,
                            .step = round_up((size_t)n_rows, NARROW_ROWS) * AMX_STEP};
}

typedef struct narrow_tile {
    const activation_t *x;
    narrow_strides strides;
    const weight_t *panel;
    int k;    /**< a multiple of AMX_STEP */
    int rows; /**< 1 to NARROW_ROWS */
} narrow_tile;

/** The sums of a tile and of the one before, which waits to be finished. */
typedef struct narrow_work {
    _Alignas(64) sum_t of[2][NARROW_ROWS * TILE_COLS];
    narrow_place place;
    int waiting_rows;
    int turn;
} narrow_work;

static inline int narrow_edge(int rows, int n_tiles, int i) {
    return i < n_tiles ? i * NARROW_ROWS : rows;
}

/** One configuration for all: eight tiles of 16 rows of 64 bytes. A thread holds tiles only between
 * these two, since their 8 KiB make its context switches dear. */
static inline void tiles_begin(void) {
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } all = {.palette = 1,
             .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
             .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&all);
}
static inline void tiles_end(void) {
    _tile_release();
}

static inline void narrow_begin(narrow_work *work) {
    work->waiting_rows = work->turn = 0;
    tiles_begin();
}

/** A step of all four tiles, or of the upper two. */
static inline void tiles_step(const activation_t *x, const weight_t *panel, bool is_tall) {
    const size_t x_stride = AMX_STEP * sizeof *x, panel_stride = TILE_COLS * GROUP * sizeof *panel;
    _tile_loadd(4, x, x_stride);
    _tile_loadd(6, panel, panel_stride);
    DN_AMX_DOT(0, 4, 6);
    _tile_loadd(7, panel + 16 * GROUP, panel_stride);
    DN_AMX_DOT(1, 4, 7);
    if (is_tall) {
        _tile_loadd(5, x + 16 * AMX_STEP, x_stride);
        DN_AMX_DOT(2, 5, 6);
        DN_AMX_DOT(3, 5, 7);
    }
}

static inline __attribute__((always_inline)) void tiles_run(const narrow_tile *t, narrow_work *work,
                                                            const bool is_tall) {
    const activation_t *x = t->x;
    const weight_t *panel = t->panel;
    const sum_t *waiting = work->of[!work->turn];
    sum_t *to = work->of[work->turn];
    const int n_steps = t->k / AMX_STEP;
    const int share = (work->waiting_rows + n_steps - 1) / n_steps;
    int done = 0;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int i = 0; i < n_steps; i++) {
        tiles_step(x, panel, is_tall);
        x += t->strides.step;
        panel += AMX_STEP * TILE_COLS;
        if (done < work->waiting_rows) {
            int end = done + share < work->waiting_rows ? done + share : work->waiting_rows;
            narrow_finish(&work->place, waiting, done, end);
            done = end;
        }
    }
    const size_t stride = TILE_COLS * sizeof *to;
    _tile_stored(0, to, stride);
    _tile_stored(1, to + 16, stride);
    if (is_tall) {
        _tile_stored(2, to + 16 * TILE_COLS, stride);
        _tile_stored(3, to + 16 * TILE_COLS + 16, stride);
    }
}

static void narrow_multiply(const narrow_tile *t, narrow_work *work, const narrow_place *place) {
    if (t->rows > 16) {
        tiles_run(t, work, true);
    } else {
        tiles_run(t, work, false);
    }
    work->place = *place, work->waiting_rows = t->rows;
    work->turn = !work->turn;
}

static void narrow_end(narrow_work *work) {
    tiles_end();
    narrow_finish(&work->place, work->of[!work->turn], 0, work->waiting_rows);
}

/** Products of tiles that are at hand, into four sums. */
static double narrow_burst(void) {
    enum { STEPS = 20000 };
    tiles_begin();
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
    tiles_end();
    return 2.0 * 4 * STEPS * 16 * 16 * AMX_STEP;
}

#endif
