#ifndef DN_CPU_NARROW_LINEAR_H
#define DN_CPU_NARROW_LINEAR_H
/** linear() over rounded operands (narrow.h): a block of rows is rounded, multiplied with all
 * panels and given its epilogue in fp32, LayerNorm included, before the next block begins.
 *
 *     x fp32 ─ round ─▶ narrow rows (first or second level) ─ dot products ─▶ sums of a tile (first
 *     level) ─ scales, bias, residual, activation ─▶ out fp32 ─ LayerNorm in place
 *
 * W[n][k] packed: panels of TILE_COLS outputs, then a scale per output and that times the sum of
 * its weights, for activations whose zero is not 0. Zero beyond n and k.
 *
 *     | panel 0 [k / GROUP][TILE_COLS][GROUP] | panel 1 | ... | scale [N] | sum [N] | */
#include "kernels/narrow.h"

enum { NARROW_ALIGN = 64, NARROW_BYTES = NARROW_ROWS * DN_NARROW_MAX_INPUTS };

static inline size_t wide_inputs(int k) {
    return round_up((size_t)k, NARROW_ALIGN);
}

typedef struct narrow_weight {
    weight_t *panel;
    float *scale, *sum;
    size_t wide_k, wide_n;
} narrow_weight;

static narrow_weight narrow_view(void *packed, int n, int k) {
    narrow_weight w = {
        .panel = packed, .wide_k = wide_inputs(k), .wide_n = round_up((size_t)n, TILE_COLS)};
    w.scale = (float *)(void *)(w.panel + w.wide_k * w.wide_n);
    w.sum = w.scale + w.wide_n;
    return w;
}

/** Column j of the packed matrix from its row of W. */
static void pack_output(const float *row, int j, int k, const narrow_weight *w) {
    float largest = dn_largest(row, k), factor = weight_factor(largest);
    weight_t *panel = w->panel + (size_t)(j / TILE_COLS * TILE_COLS) * w->wide_k;
    int sum = 0;
    for (int i = 0; i < k; i++) {
        weight_t q = round_weight(row[i], factor);
        panel[((size_t)(i / GROUP) * TILE_COLS + (size_t)(j % TILE_COLS)) * GROUP +
              (size_t)(i % GROUP)] = q;
        sum += (int)q;
    }
    w->scale[j] = weight_scale(largest);
    w->sum[j] = w->scale[j] * (float)sum;
}

static dn_status narrow_pack(const float *w, int n, int k, dn_weight *out) {
    if (n < DN_NARROW_MIN_OUTPUTS) {
        return pack(w, n, k, out);
    }
    DN_TRY(dn_narrow_check(w, n, k));
    narrow_weight view = narrow_view(NULL, n, k);
    size_t bytes = view.wide_k * view.wide_n * sizeof(weight_t) + 2 * view.wide_n * sizeof(float);
    view = narrow_view(memset(dn_alloc_aligned(64, bytes), 0, bytes), n, k);
    for (int j = 0; j < n; j++) {
        pack_output(w + (size_t)j * (size_t)k, j, k, &view);
    }
    *out = (dn_weight){
        .n = n, .k = k, .layout = DN_NARROW_LAYOUT, .bytes = bytes, .packed = view.panel};
    return DN_OK;
}

/** Rounds a row into out[wide_k], zeros behind it. */
static dn_rounding narrow_row(const float *x, int k, activation_t *out) {
    dn_rounding rounding = activation_rounding(x, k);
    vec factor = v_set(rounding.factor);
    for (int i = 0; i < (int)wide_inputs(k); i += NARROW_STEP) {
        vec part[NARROW_STEP / VW];
#pragma GCC unroll 4
        for (int v = 0; v < NARROW_STEP / VW; v++) {
            int left = k - i - v * VW;
            part[v] = left > 0 ? v_mul(load_row(x + i + v * VW, left), factor) : v_set(0);
        }
        store_narrow(out + i, part, rounding.zero);
    }
    return rounding;
}

/** What turns a row's sums into its results: scale * sum + shift * (column's sum of weights). */
typedef struct row_scale {
    float scale, shift;
} row_scale;

/** Where a tile's sums go: columns [column, column + n) of rows from `out`. */
typedef struct narrow_place {
    const float *scale, *sum, *bias; /**< of the columns; bias may be NULL */
    const float *residual;           /**< NULL, or rows as `out` */
    float *out;
    size_t stride;
    int n;
    dn_activation activation;
} narrow_place;

static inline __attribute__((always_inline)) void narrow_finish(const narrow_place *p,
                                                                const sum_t *sum,
                                                                const row_scale *of_row, int rows,
                                                                const dn_activation activation) {
    for (int v = 0; v < p->n; v += VW) {
        const int left = p->n - v;
        const vec scale = load_row(p->scale + v, left);
        const vec column_sum = HAS_ZERO ? load_row(p->sum + v, left) : v_set(0);
        const vec bias = p->bias ? load_row(p->bias + v, left) : v_set(0);
        for (int r = 0; r < rows; r++) {
            const size_t place = (size_t)r * p->stride + (size_t)v;
            vec y = d_float(d_load(sum + r * TILE_COLS + v));
            const vec base = HAS_ZERO ? v_fma(v_set(of_row[r].shift), column_sum, bias) : bias;
            y = v_fma(y, v_mul(v_set(of_row[r].scale), scale), base);
            if (p->residual) {
                y = v_add(y, load_row(p->residual + place, left));
            }
            y = activation == DN_ACT_GELU   ? v_gelu(y)
                : activation == DN_ACT_TANH ? v_tanh(y)
                : activation == DN_ACT_RELU ? v_relu(y)
                                            : y;
            store_row(p->out + place, left, y);
        }
    }
}

static void narrow_epilogue(const narrow_place *p, const sum_t *sum, const row_scale *of_row,
                            int rows) {
    switch (p->activation) {
    case DN_ACT_NONE:
        narrow_finish(p, sum, of_row, rows, DN_ACT_NONE);
        break;
    case DN_ACT_GELU:
        narrow_finish(p, sum, of_row, rows, DN_ACT_GELU);
        break;
    case DN_ACT_TANH:
        narrow_finish(p, sum, of_row, rows, DN_ACT_TANH);
        break;
    case DN_ACT_RELU:
        narrow_finish(p, sum, of_row, rows, DN_ACT_RELU);
        break;
    }
}

static void narrow_panel(const dn_linear_args *a, const narrow_weight *w, range rows, int column,
                         const activation_t *x, const row_scale *of_row) {
    _Alignas(64) sum_t sum[NARROW_ROWS * TILE_COLS];
    size_t n = (size_t)a->weight->n, place = (size_t)rows.begin * n + (size_t)column;
    int n_rows = rows.end - rows.begin, left = a->weight->n - column;
    narrow_place p = {.scale = w->scale + column,
                      .sum = w->sum + column,
                      .bias = a->bias ? a->bias + column : NULL,
                      .residual = a->residual ? a->residual + place : NULL,
                      .out = a->out + place,
                      .stride = n,
                      .n = left < TILE_COLS ? left : TILE_COLS,
                      .activation = a->activation};
    narrow_tile t = {.panel = w->panel + (size_t)column * w->wide_k,
                     .sum = sum,
                     .stride = w->wide_k,
                     .k = (int)w->wide_k};
    int n_tiles = (n_rows + NARROW_ROWS - 1) / NARROW_ROWS;
    for (int i = 0; i < n_tiles; i++) {
        int from = tile_edge(n_rows, n_tiles, i), count = tile_edge(n_rows, n_tiles, i + 1) - from;
        t.x = x + (size_t)from * w->wide_k;
        narrow_multiply(&t, count);
        narrow_epilogue(&p, sum, of_row + from, count);
        p.out += (size_t)count * n;
        p.residual = p.residual ? p.residual + (size_t)count * n : NULL;
    }
}

static void narrow_block(const dn_linear_args *a, const narrow_weight *w, range rows,
                         activation_t *x) {
    row_scale of_row[NARROW_BLOCK];
    size_t n = (size_t)a->weight->n, k = (size_t)a->weight->k;
    for (int r = rows.begin; r < rows.end; r++) {
        int i = r - rows.begin;
        dn_rounding rounding = narrow_row(a->x + (size_t)r * k, (int)k, x + (size_t)i * w->wide_k);
        of_row[i] = (row_scale){rounding.scale, -rounding.scale * (float)rounding.zero};
    }
    for (int column = 0; column < a->weight->n; column += TILE_COLS) {
        narrow_panel(a, w, rows, column, x, of_row);
    }
    for (int r = rows.begin; a->gamma && r < rows.end; r++) {
        normalise_row(a->out + (size_t)r * n, (int)n, NULL, a->gamma, a->beta, a->epsilon);
    }
}

static void narrow_linear(const dn_linear_args *a) {
    _Alignas(64) activation_t x[NARROW_BYTES];
    if (a->weight->n < DN_NARROW_MIN_OUTPUTS) {
        linear(a);
        return;
    }
    assert(strcmp(a->weight->layout, DN_NARROW_LAYOUT) == 0);
    assert(!a->gamma == !a->residual && (!a->gamma || a->activation == DN_ACT_NONE));
    narrow_weight w = narrow_view(a->weight->packed, a->weight->n, a->weight->k);
    int fitting = (int)(NARROW_BYTES / w.wide_k);
    fitting = fitting < NARROW_BLOCK ? fitting / NARROW_ROWS * NARROW_ROWS : NARROW_BLOCK;
    int n_blocks = (a->n_tokens + fitting - 1) / fitting;
    narrow_begin();
    for (int i = 0; i < n_blocks; i++) {
        narrow_block(a, &w, range_part((range){0, a->n_tokens}, n_blocks, i), x);
    }
    narrow_end();
}

/** As measure_peak, of the narrow dot product. */
static double measure_narrow_peak(int ms) {
    double best = 0;
    int64_t now_ns = dn_thread_cpu_ns(), stop_ns = now_ns + (int64_t)ms * 1000000;
    while (now_ns < stop_ns) {
        double operations = narrow_burst();
        int64_t then_ns = dn_thread_cpu_ns();
        double rate = operations / (double)(then_ns - now_ns);
        best = rate > best ? rate : best;
        now_ns = then_ns;
    }
    return best;
}

#endif
