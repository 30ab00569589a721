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
#include "kernels/cpu/narrow_finish.h"
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
    float full = weight_full_scale(row, k), factor = weight_factor(full);
    weight_t *panel = w->panel + (size_t)(j / TILE_COLS * TILE_COLS) * w->wide_k;
    int sum = 0;
    for (int i = 0; i < k; i++) {
        weight_t q = round_weight(row[i], factor);
        panel[((size_t)(i / GROUP) * TILE_COLS + (size_t)(j % TILE_COLS)) * GROUP +
              (size_t)(i % GROUP)] = q;
        sum += (int)q;
    }
    w->scale[j] = weight_scale(full);
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

/** Rounds a row into the steps of its block, zeros behind it. What is kept out of the range
 * saturates, and meets weights of zero. */
static void narrow_row(const float *x, int k, dn_rounding rounding, activation_t *out) {
    const vec factor = v_set(rounding.factor);
    vec part[NARROW_STEP / VW];
    int i = 0;
    for (; i + NARROW_STEP <= k; i += NARROW_STEP, out += NARROW_STEP_STRIDE) {
#pragma GCC unroll 4
        for (int v = 0; v < NARROW_STEP / VW; v++) {
            part[v] = v_mul(v_load(x + i + v * VW), factor);
        }
        store_narrow(out, part, rounding.zero);
    }
    for (; i < (int)wide_inputs(k); i += NARROW_STEP, out += NARROW_STEP_STRIDE) {
#pragma GCC unroll 4
        for (int v = 0; v < NARROW_STEP / VW; v++) {
            int left = k - i - v * VW;
            part[v] = left > 0 ? v_mul(load_row(x + i + v * VW, left), factor) : v_set(0);
        }
        store_narrow(out, part, rounding.zero);
    }
}

/** A block of rows on its way through the product. */
typedef struct narrow_rows {
    range rows;
    activation_t *x;
    row_scale scale[NARROW_BLOCK];
    _Alignas(
        64) sum_t sum[NARROW_BLOCK * NARROW_COLUMNS]; /* of each panel [NARROW_BLOCK][TILE_COLS] */
} narrow_rows;

/** Rows from `from` on, columns from `column` on: where their results belong. */
static narrow_place place_of(const dn_linear_args *a, const narrow_weight *w,
                             const narrow_rows *block, int from, int column) {
    size_t n = (size_t)a->weight->n;
    size_t place = (size_t)(block->rows.begin + from) * n + (size_t)column;
    int left = a->weight->n - column;
    return (narrow_place){.scale = w->scale + column,
                          .sum = w->sum + column,
                          .bias = a->bias ? a->bias + column : NULL,
                          .kept = a->kept ? a->kept->column + column : NULL,
                          .n_kept = a->kept ? a->kept->n : 0,
                          .residual = a->residual ? a->residual + place : NULL,
                          .of_row = block->scale + from,
                          .out = a->out + place,
                          .stride = n,
                          .n = left < TILE_COLS ? left : TILE_COLS,
                          .activation = a->activation};
}

/** A block times one panel, over some inputs; finished after the last of them. Where these are all,
 * every tile's sums take the place of the ones before, which is near. */
static void narrow_panel(const dn_linear_args *a, const narrow_weight *w, narrow_rows *block,
                         range inputs, int column, sum_t *sum) {
    int n_rows = block->rows.end - block->rows.begin;
    int n_tiles = (n_rows + NARROW_ROWS - 1) / NARROW_ROWS;
    bool is_last = inputs.end == (int)w->wide_k, is_only = is_last && inputs.begin == 0;
    const activation_t *x = block->x + inputs.begin / NARROW_STEP * NARROW_STEP_STRIDE;
    for (int i = 0; i < n_tiles; i++) {
        int from = narrow_edge(n_rows, n_tiles, i), to = narrow_edge(n_rows, n_tiles, i + 1);
        narrow_tile t = {.x = x + narrow_row_at(w->wide_k, from),
                         .wide_k = w->wide_k,
                         .panel = w->panel + (size_t)column * w->wide_k +
                                  (size_t)inputs.begin * TILE_COLS,
                         .sum = is_only ? block->sum : sum + from * TILE_COLS,
                         .k = inputs.end - inputs.begin,
                         .rows = to - from,
                         .adds = inputs.begin > 0};
        narrow_multiply(&t);
        if (is_last) {
            narrow_place place = place_of(a, w, block, from, column);
            narrow_finish(&place, t.sum, to - from);
        }
    }
}

/** The columns of one pass: panel by panel, and again for the next inputs. */
static void narrow_columns(const dn_linear_args *a, const narrow_weight *w, narrow_rows *block,
                           range outputs) {
    for (int from = 0; from < (int)w->wide_k; from += NARROW_DEPTH) {
        range inputs = range_from(from, NARROW_DEPTH, (int)w->wide_k);
        for (int column = outputs.begin; column < outputs.end; column += TILE_COLS) {
            narrow_panel(a, w, block, inputs, column,
                         block->sum + (column - outputs.begin) * NARROW_BLOCK);
        }
    }
}

static row_scale scale_of(const dn_linear_args *a, const float *row, dn_rounding rounding) {
    row_scale scale = {rounding.scale, -rounding.scale * (float)rounding.zero, {0}};
    for (int i = 0; a->kept && i < a->kept->n; i++) {
        scale.kept[i] = row[a->kept->input[i]];
    }
    return scale;
}

/** A row's range is known one row before it is rounded: the next row's hides how long it takes to
 * become one number. */
static void round_block(const dn_linear_args *a, narrow_rows *block) {
    const int k = a->weight->k, n_rows = block->rows.end - block->rows.begin;
    const float *others = a->kept ? a->kept->others : NULL;
    const float *row = a->x + (size_t)block->rows.begin * (size_t)k;
    dn_rounding next = activation_rounding(row, others, k);
    for (int i = 0; i < n_rows; i++, row += k) {
        dn_rounding rounding = next;
        if (i + 1 < n_rows) {
            next = activation_rounding(row + k, others, k);
        }
        narrow_row(row, k, rounding, block->x + narrow_row_at(wide_inputs(k), i));
        block->scale[i] = scale_of(a, row, rounding);
    }
}

static void narrow_block(const dn_linear_args *a, const narrow_weight *w, range rows,
                         activation_t *x) {
    size_t n = (size_t)a->weight->n;
    narrow_rows block;
    block.rows = rows, block.x = x;
    round_block(a, &block);
    for (int column = 0; column < a->weight->n; column += NARROW_COLUMNS) {
        narrow_columns(a, w, &block, range_from(column, NARROW_COLUMNS, a->weight->n));
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
