#ifndef DN_CPU_NARROW_FINISH_H
#define DN_CPU_NARROW_FINISH_H
/** From the sums of a tile to results: scales, bias, residual, activation. */

/** What turns a row's sums into its results: scale * sum + shift * (column's sum of weights), and
 * the inputs that were kept out of the sums. */
typedef struct row_scale {
    float scale, shift, kept[DN_MAX_KEPT];
} row_scale;

/** Where a tile's sums go: columns [column, column + n) of rows from `out`. */
typedef struct narrow_place {
    const float *scale, *sum, *bias; /**< of the columns; bias may be NULL */
    const float *kept;               /**< [n_kept] of `stride` each: weights of kept inputs */
    const float *residual;           /**< NULL, or rows as `out` */
    const row_scale *of_row;
    float *out;
    size_t stride;
    int n, n_kept;
    dn_activation activation;
} narrow_place;

/** Of one vector of columns: what is the same in every row. */
typedef struct finish_column {
    vec scale, sum, bias;
} finish_column;

static DN_INLINE finish_column column_of(const narrow_place *p, int v, const int left) {
    return (finish_column){.scale = load_row(p->scale + v, left),
                           .sum = HAS_ZERO ? load_row(p->sum + v, left) : v_set(0),
                           .bias = p->bias ? load_row(p->bias + v, left) : v_set(0)};
}

/** `left` columns, at most a vector, of one row. */
static DN_INLINE void finish_vector(const narrow_place *p, const row_scale *row,
                                    const finish_column *column, const sum_t *sum, int v,
                                    const int left, const float *residual, float *out,
                                    const dn_activation activation) {
    vec y = d_float(d_load(sum + v));
    vec base = HAS_ZERO ? v_fma(v_set(row->shift), column->sum, column->bias) : column->bias;
    for (int i = 0; i < p->n_kept; i++) {
        const float *kept = p->kept + (size_t)i * p->stride + v;
        base = v_fma(v_set(row->kept[i]), load_row(kept, left), base);
    }
    y = v_fma(y, v_mul(v_set(row->scale), column->scale), base);
    y = residual ? v_add(y, load_row(residual + v, left)) : y;
    y = activation == DN_ACT_GELU   ? v_gelu(y)
        : activation == DN_ACT_TANH ? v_tanh(y)
        : activation == DN_ACT_RELU ? v_relu(y)
                                    : y;
    store_row(out + v, left, y);
}

/** `left` columns, at most TILE_COLS, row by row: results of a row lie side by side, those of two
 * rows in different pages, which is the likely reason (no counter was at hand) why column by column
 * 384 > 1536 took 3 to 11 % longer (Sapphire Rapids, 2026-11-29). The place is copied, since a
 * vector store may alias it and everything would be read again after each. */
static DN_INLINE void finish_columns(const narrow_place p, const sum_t *sum, int rows,
                                     const int left, const dn_activation activation) {
    finish_column column[TILE_VECS];
#pragma GCC unroll 4
    for (int v = 0; v < TILE_VECS; v++) {
        column[v] = left > v * VW ? column_of(&p, v * VW, left - v * VW) : (finish_column){0};
    }
    const float *residual = p.residual;
    float *out = p.out;
    for (int r = 0; r < rows; r++, out += p.stride, sum += TILE_COLS) {
#pragma GCC unroll 4
        for (int v = 0; v < TILE_VECS; v++) {
            if (left > v * VW) {
                finish_vector(&p, p.of_row + r, &column[v], sum, v * VW, left - v * VW, residual,
                              out, activation);
            }
        }
        residual = residual ? residual + p.stride : NULL;
    }
}

static DN_INLINE void finish_rows(const narrow_place *p, const sum_t *sum, int rows,
                                  const dn_activation activation) {
    if (p->n == TILE_COLS) {
        finish_columns(*p, sum, rows, TILE_COLS, activation);
    } else {
        finish_columns(*p, sum, rows, p->n, activation);
    }
}

static void narrow_finish(const narrow_place *p, const sum_t *sum, int rows) {
    switch (p->activation) {
    case DN_ACT_NONE:
        finish_rows(p, sum, rows, DN_ACT_NONE);
        break;
    case DN_ACT_GELU:
        finish_rows(p, sum, rows, DN_ACT_GELU);
        break;
    case DN_ACT_TANH:
        finish_rows(p, sum, rows, DN_ACT_TANH);
        break;
    case DN_ACT_RELU:
        finish_rows(p, sum, rows, DN_ACT_RELU);
        break;
    }
}

#endif
