#include "model/logistic.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 8, MAX_HALVINGS = 30 };
static const double least_gain = 1e-9; /**< of a step, as a share of the value */

/** A minimisation under way. Vectors are [n]: weights, then biases. */
typedef struct search {
    dn_design *x;
    const int *label;
    int n_labels;
    double ridge; /**< of the mean loss: 1 / (strength x rows) */
    size_t n, n_weights;
    float *at, *gradient, *next, *next_gradient, *direction;
    float *step[MEMORY], *change[MEMORY]; /**< the last differences of `at` and of the gradient */
    double curvature[MEMORY];
    int n_kept;
    float *z;    /**< [n_rows][n_labels]: logits, then what the loss says of them */
    double *sum; /**< [n_labels] */
} search;

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static void add_scaled(float *to, double scale, const float *from, size_t n) {
    for (size_t i = 0; i < n; i++) {
        to[i] = (float)((double)to[i] + scale * (double)from[i]);
    }
}

/* ---- the function ---- */

/** Logits become probabilities less the right label's 1; the row's loss. */
static double row_loss(float *z, const float *bias, int n, int label) {
    double most = -INFINITY, sum = 0, right;
    for (int k = 0; k < n; k++) {
        z[k] += bias[k];
        most = fmax(most, (double)z[k]);
    }
    right = (double)z[label] - most;
    for (int k = 0; k < n; k++) {
        z[k] = expf((float)((double)z[k] - most));
        sum += (double)z[k];
    }
    for (int k = 0; k < n; k++) {
        z[k] = (float)((double)z[k] / sum);
    }
    z[label] -= 1;
    return log(sum) - right;
}

/** Value and gradient at `at`. */
static double evaluate(search *s, const float *at, float *gradient) {
    int n_rows = s->x->n_rows, n_labels = s->n_labels;
    double loss = 0, scale = 1.0 / n_rows;
    s->x->ops->logits(s->x, n_labels, at, s->z);
    float *of_bias = gradient + s->n_weights;
    double *sum = s->sum;
    memset(sum, 0, (size_t)n_labels * sizeof *sum);
    for (int i = 0; i < n_rows; i++) {
        float *z = s->z + (size_t)i * (size_t)n_labels;
        loss += row_loss(z, at + s->n_weights, n_labels, s->label[i]);
        for (int k = 0; k < n_labels; k++) {
            z[k] = (float)((double)z[k] * scale);
            sum[k] += (double)z[k];
        }
    }
    s->x->ops->gradient(s->x, n_labels, s->z, gradient);
    add_scaled(gradient, s->ridge, at, s->n_weights);
    for (int k = 0; k < n_labels; k++) {
        of_bias[k] = (float)sum[k];
    }
    return loss * scale + s->ridge / 2 * dot(at, at, s->n_weights);
}

static double largest(const float *x, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)x[i]));
    }
    return most;
}

/* ---- the way down ---- */

/** direction = - H gradient, where H is what the last steps tell of the inverse Hessian. */
static void choose_direction(search *s) {
    double share[MEMORY];
    float *d = s->direction;
    memcpy(d, s->gradient, s->n * sizeof *d);
    for (int i = s->n_kept - 1; i >= 0; i--) {
        share[i] = dot(s->step[i], d, s->n) / s->curvature[i];
        add_scaled(d, -share[i], s->change[i], s->n);
    }
    double scale = 1 / fmax(1, sqrt(dot(d, d, s->n)));
    if (s->n_kept > 0) {
        const float *newest = s->change[s->n_kept - 1];
        scale = s->curvature[s->n_kept - 1] / dot(newest, newest, s->n);
    }
    for (size_t i = 0; i < s->n; i++) {
        d[i] = (float)((double)d[i] * -scale);
    }
    for (int i = 0; i < s->n_kept; i++) {
        double back = dot(s->change[i], d, s->n) / s->curvature[i];
        add_scaled(d, -share[i] - back, s->step[i], s->n);
    }
}

/** Keeps the step that was taken; the oldest goes. One that the function does not curve along would
 * spoil H: it is not kept. */
static void remember(search *s) {
    if (s->n_kept == MEMORY) {
        float *step = s->step[0], *change = s->change[0];
        memmove(s->step, s->step + 1, (MEMORY - 1) * sizeof *s->step);
        memmove(s->change, s->change + 1, (MEMORY - 1) * sizeof *s->change);
        memmove(s->curvature, s->curvature + 1, (MEMORY - 1) * sizeof *s->curvature);
        s->step[MEMORY - 1] = step;
        s->change[MEMORY - 1] = change;
        s->n_kept--;
    }
    float *step = s->step[s->n_kept], *change = s->change[s->n_kept];
    for (size_t i = 0; i < s->n; i++) {
        step[i] = s->next[i] - s->at[i];
        change[i] = s->next_gradient[i] - s->gradient[i];
    }
    double curvature = dot(step, change, s->n);
    if (curvature > 1e-10 * dot(change, change, s->n)) {
        s->curvature[s->n_kept++] = curvature;
    }
}

static void swap(float **a, float **b) {
    float *old = *a;
    *a = *b;
    *b = old;
}

/** Goes along the direction as far as the value falls enough (Armijo); false: it cannot. */
static bool go(search *s, double *value) {
    const double enough = 1e-4;
    double slope = dot(s->gradient, s->direction, s->n), length = 1;
    for (int i = 0; slope < 0 && i < MAX_HALVINGS; i++, length /= 2) {
        memcpy(s->next, s->at, s->n * sizeof *s->next);
        add_scaled(s->next, length, s->direction, s->n);
        double reached = evaluate(s, s->next, s->next_gradient);
        if (reached <= *value + enough * length * slope) {
            remember(s);
            swap(&s->at, &s->next);
            swap(&s->gradient, &s->next_gradient);
            *value = reached;
            return true;
        }
    }
    return false;
}

/* ---- set-up ---- */

static float *vector(size_t n) {
    return dn_alloc_array(n, sizeof(float));
}

static void open_search(search *s) {
    float **vectors[] = {&s->at, &s->gradient, &s->next, &s->next_gradient, &s->direction};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        *vectors[i] = vector(s->n);
    }
    for (int i = 0; i < MEMORY; i++) {
        s->step[i] = vector(s->n);
        s->change[i] = vector(s->n);
    }
    s->z = vector((size_t)s->x->n_rows * (size_t)s->n_labels);
    s->sum = dn_alloc_array((size_t)s->n_labels, sizeof *s->sum);
}

static void close_search(search *s) {
    float *vectors[] = {s->at, s->gradient, s->next, s->next_gradient, s->direction, s->z};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        free(vectors[i]);
    }
    free(s->sum);
    for (int i = 0; i < MEMORY; i++) {
        free(s->step[i]);
        free(s->change[i]);
    }
}

int dn_logistic_fit(dn_design *x, const int *label, const dn_logistic_conf *conf,
                    dn_logistic *logistic) {
    size_t n_labels = (size_t)logistic->n_labels, n_weights = (size_t)x->n_columns * n_labels;
    search s = {.x = x,
                .label = label,
                .n_labels = logistic->n_labels,
                .ridge = 1 / (conf->strength * x->n_rows),
                .n = n_weights + n_labels,
                .n_weights = n_weights};
    open_search(&s);
    memcpy(s.at, logistic->weight, n_weights * sizeof *s.at);
    memcpy(s.at + n_weights, logistic->bias, n_labels * sizeof *s.at);
    double value = evaluate(&s, s.at, s.gradient);
    int steps = 0;
    while (steps < conf->max_steps && largest(s.gradient, s.n) > conf->tolerance) {
        double before = value;
        choose_direction(&s);
        bool went = go(&s, &value);
        if (went ? before - value < least_gain * before : s.n_kept == 0) {
            break; /* as low as floats tell */
        }
        s.n_kept = went ? s.n_kept : 0;
        steps += went;
    }
    memcpy(logistic->weight, s.at, n_weights * sizeof *s.at);
    memcpy(logistic->bias, s.at + n_weights, n_labels * sizeof *s.at);
    close_search(&s);
    return steps;
}

void dn_logistic_new(int n_columns, int n_labels, dn_logistic *out) {
    *out = (dn_logistic){n_labels, vector((size_t)n_columns * (size_t)n_labels),
                         vector((size_t)n_labels)};
}

void dn_logistic_free(dn_logistic *logistic) {
    free(logistic->weight);
    free(logistic->bias);
    *logistic = (dn_logistic){0};
}

void dn_logistic_score(const dn_logistic *logistic, dn_design *x, float *z) {
    x->ops->logits(x, logistic->n_labels, logistic->weight, z);
    for (int i = 0; i < x->n_rows; i++) {
        for (int k = 0; k < logistic->n_labels; k++) {
            *z++ += logistic->bias[k];
        }
    }
}
