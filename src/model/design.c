#include "model/design.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* ---- dense ---- */

typedef struct dense {
    dn_design base;
    const dn_kernels *kernels;
    dn_weight by_row, by_column; /**< X and its transpose */
    float *turned;               /**< [n_labels][n_rows] */
    int room;                    /**< labels that fit */
} dense;

static float *turned(dense *d, int n_labels) {
    if (n_labels > d->room) {
        size_t n = (size_t)n_labels * (size_t)d->base.n_rows;
        d->turned = dn_grow(d->turned, n, sizeof *d->turned);
        d->room = n_labels;
    }
    return d->turned;
}

/** The many rows of X stand where a layer's weights do, W where its tokens do: so X is packed once
 * and W, which changes with every step, never. */
static void dense_logits(dn_design *design, int n_labels, const float *w, float *z) {
    dense *d = (dense *)design;
    float *by_label = turned(d, n_labels);
    d->kernels->linear(
        &(dn_linear_args){.n_tokens = n_labels, .x = w, .weight = &d->by_row, .out = by_label});
    for (int i = 0; i < design->n_rows; i++) {
        for (int k = 0; k < n_labels; k++) {
            *z++ = by_label[(size_t)k * (size_t)design->n_rows + (size_t)i];
        }
    }
}

static void dense_gradient(dn_design *design, int n_labels, const float *r, float *g) {
    dense *d = (dense *)design;
    float *by_label = turned(d, n_labels);
    for (int i = 0; i < design->n_rows; i++) {
        for (int k = 0; k < n_labels; k++) {
            by_label[(size_t)k * (size_t)design->n_rows + (size_t)i] = *r++;
        }
    }
    d->kernels->linear(
        &(dn_linear_args){.n_tokens = n_labels, .x = by_label, .weight = &d->by_column, .out = g});
}

static void dense_free(dn_design *design) {
    dense *d = (dense *)design;
    dn_weight_free(&d->by_row);
    dn_weight_free(&d->by_column);
    free(d->turned);
}

static const dn_design_ops dense_ops = {dense_logits, dense_gradient, dense_free};

dn_status dn_design_dense(const dn_kernels *kernels, const float *x, int n_columns, const int *row,
                          int n_rows, dn_design **out) {
    dense *d = dn_alloc(sizeof *d);
    d->base = (dn_design){&dense_ops, n_rows, n_columns};
    d->kernels = kernels;
    size_t n = (size_t)n_rows, width = (size_t)n_columns;
    float *rows = dn_alloc_array(n * width, sizeof *rows);
    float *columns = dn_alloc_array(n * width, sizeof *columns);
    for (size_t i = 0; i < n; i++) {
        memcpy(rows + i * width, x + (size_t)row[i] * width, width * sizeof *rows);
        for (size_t j = 0; j < width; j++) {
            columns[j * n + i] = rows[i * width + j];
        }
    }
    dn_status status = kernels->pack(rows, n_rows, n_columns, &d->by_row);
    status = status == DN_OK ? kernels->pack(columns, n_columns, n_rows, &d->by_column) : status;
    free(rows);
    free(columns);
    if (status != DN_OK) {
        dn_design_free(&d->base);
        return status;
    }
    *out = &d->base;
    return DN_OK;
}

/* ---- sparse ---- */

typedef struct sparse {
    dn_design base;
    const dn_sparse *x;
    int *row;
} sparse;

static void sparse_logits(dn_design *design, int n_labels, const float *w, float *z) {
    const sparse *s = (const sparse *)design;
    size_t width = (size_t)n_labels;
    for (int i = 0; i < design->n_rows; i++, z += width) {
        memset(z, 0, width * sizeof *z);
        for (int64_t at = s->x->begin[s->row[i]]; at < s->x->begin[s->row[i] + 1]; at++) {
            const float *of = w + (size_t)s->x->column[at] * width;
            for (size_t k = 0; k < width; k++) {
                z[k] += s->x->value[at] * of[k];
            }
        }
    }
}

static void sparse_gradient(dn_design *design, int n_labels, const float *r, float *g) {
    const sparse *s = (const sparse *)design;
    size_t width = (size_t)n_labels;
    memset(g, 0, (size_t)design->n_columns * width * sizeof *g);
    for (int i = 0; i < design->n_rows; i++, r += width) {
        for (int64_t at = s->x->begin[s->row[i]]; at < s->x->begin[s->row[i] + 1]; at++) {
            float *of = g + (size_t)s->x->column[at] * width;
            for (size_t k = 0; k < width; k++) {
                of[k] += s->x->value[at] * r[k];
            }
        }
    }
}

static void sparse_free(dn_design *design) {
    free(((sparse *)design)->row);
}

static const dn_design_ops sparse_ops = {sparse_logits, sparse_gradient, sparse_free};

dn_design *dn_design_sparse(const dn_sparse *x, const int *row, int n_rows) {
    sparse *s = dn_alloc(sizeof *s);
    s->base = (dn_design){&sparse_ops, n_rows, x->n_columns};
    s->x = x;
    s->row = dn_alloc_array((size_t)n_rows, sizeof *s->row);
    memcpy(s->row, row, (size_t)n_rows * sizeof *row);
    return &s->base;
}

void dn_sparse_free(dn_sparse *x) {
    free(x->begin);
    free(x->column);
    free(x->value);
    *x = (dn_sparse){0};
}

void dn_design_free(dn_design *design) {
    if (design) {
        design->ops->free(design);
        free(design);
    }
}
