#include "batch/cost.h"

#include <math.h>
#include <string.h>

/* Terms are scaled to about 1 so that one small ridge fits all of them. */
static const double token_scale = 1.0 / 512, square_scale = 1.0 / 16384;
static const double decay = 0.98, ridge = 1e-3;

dn_cost_load dn_cost_load_of(const dn_batch *batch) {
    dn_cost_load load = {.tokens = batch->n_tokens};
    for (int32_t row = 0; row < batch->n_rows; row++) {
        int64_t length = batch->row_start[row + 1] - batch->row_start[row];
        load.squares += length * length;
    }
    return load;
}

static void terms_of(dn_cost_load load, double x[DN_COST_TERMS]) {
    x[0] = 1;
    x[1] = (double)load.tokens * token_scale;
    x[2] = (double)load.squares * square_scale;
}

/* Solves m w = y for a symmetric positive definite m over the terms that `active` names; the others
 * become 0. */
static void solve(const dn_cost *cost, const int *active, int n, double *weight) {
    double m[DN_COST_TERMS][DN_COST_TERMS], y[DN_COST_TERMS];
    for (int i = 0; i < n; i++) {
        y[i] = cost->targets[active[i]];
        for (int j = 0; j < n; j++) {
            m[i][j] = cost->products[active[i]][active[j]] + (i == j ? ridge : 0);
        }
    }
    for (int i = 0; i < n; i++) {
        for (int k = i + 1; k < n; k++) {
            double factor = m[k][i] / m[i][i];
            for (int j = i; j < n; j++) {
                m[k][j] -= factor * m[i][j];
            }
            y[k] -= factor * y[i];
        }
    }
    memset(weight, 0, DN_COST_TERMS * sizeof *weight);
    for (int i = n - 1; i >= 0; i--) {
        double sum = y[i];
        for (int j = i + 1; j < n; j++) {
            sum -= m[i][j] * weight[active[j]];
        }
        weight[active[i]] = sum / m[i][i];
    }
}

/* Drops the most negative term until none is: noise over batches of one size must not make a term
 * cheap and another dear. */
static void fit(dn_cost *cost) {
    int active[DN_COST_TERMS] = {0, 1, 2};
    for (int n = DN_COST_TERMS; n > 0; n--) {
        solve(cost, active, n, cost->weight);
        int worst = 0;
        for (int i = 1; i < n; i++) {
            worst = cost->weight[active[i]] < cost->weight[active[worst]] ? i : worst;
        }
        if (cost->weight[active[worst]] >= 0) {
            return;
        }
        memmove(active + worst, active + worst + 1, (size_t)(n - 1 - worst) * sizeof *active);
    }
    memset(cost->weight, 0, sizeof cost->weight);
}

void dn_cost_observe(dn_cost *cost, dn_cost_load load, int64_t ns) {
    double x[DN_COST_TERMS];
    terms_of(load, x);
    for (int i = 0; i < DN_COST_TERMS; i++) {
        for (int j = 0; j < DN_COST_TERMS; j++) {
            cost->products[i][j] = decay * cost->products[i][j] + x[i] * x[j];
        }
        cost->targets[i] = decay * cost->targets[i] + x[i] * (double)ns;
    }
    cost->n_seen++;
    fit(cost);
}

int64_t dn_cost_predict(const dn_cost *cost, dn_cost_load load) {
    double x[DN_COST_TERMS];
    terms_of(load, x);
    double ns = 0;
    for (int i = 0; i < DN_COST_TERMS; i++) {
        ns += cost->weight[i] * x[i];
    }
    return llrint(ns);
}
