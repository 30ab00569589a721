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

/** `left` columns, at most a vector. The place is copied, since a vector store may alias it and
 * everything would be read again after each. */
static DN_INLINE void finish_columns(const narrow_place p, const sum_t *sum, int rows,
                                     const int left, const dn_activation activation) {
    const vec scale = load_row(p.scale, left);
    const vec column_sum = HAS_ZERO ? load_row(p.sum, left) : v_set(0);
    const vec bias = p.bias ? load_row(p.bias, left) : v_set(0);
    const float *residual = p.residual;
    float *out = p.out;
    for (int r = 0; r < rows; r++, out += p.stride) {
        vec y = d_float(d_load(sum + r * TILE_COLS));
        vec base = HAS_ZERO ? v_fma(v_set(p.of_row[r].shift), column_sum, bias) : bias;
        for (int i = 0; i < p.n_kept; i++) {
            const float *column = p.kept + (size_t)i * p.stride;
            base = v_fma(v_set(p.of_row[r].kept[i]), load_row(column, left), base);
        }
        y = v_fma(y, v_mul(v_set(p.of_row[r].scale), scale), base);
        if (residual) {
            y = v_add(y, load_row(residual, left));
            residual += p.stride;
        }
        y = activation == DN_ACT_GELU   ? v_gelu(y)
            : activation == DN_ACT_TANH ? v_tanh(y)
            : activation == DN_ACT_RELU ? v_relu(y)
                                        : y;
        store_row(out, left, y);
    }
}

static inline narrow_place place_from(narrow_place p, int v) {
    p.scale += v, p.sum += v, p.out += v;
    p.bias = p.bias ? p.bias + v : NULL;
    p.kept = p.kept ? p.kept + v : NULL;
    p.residual = p.residual ? p.residual + v : NULL;
    return p;
}

static DN_INLINE void finish_rows(const narrow_place *p, const sum_t *sum, int rows,
                                  const dn_activation activation) {
    for (int v = 0; v < p->n; v += VW) {
        if (p->n - v >= VW) {
            finish_columns(place_from(*p, v), sum + v, rows, VW, activation);
        } else {
            finish_columns(place_from(*p, v), sum + v, rows, p->n - v, activation);
        }
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
