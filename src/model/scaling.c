#include "model/scaling.h"

#include <math.h>

enum { SECTIONS = 60, NEWTON_STEPS = 60 };

static const dn_scaling NONE = {1, 0};

static double softmax_loss(const float *z, const bool *right, int n, dn_scaling s) {
    double most = -INFINITY, sum = 0, of_right = 0;
    for (int i = 0; i < n; i++) {
        most = fmax(most, (double)z[i] / s.temperature);
        of_right = right[i] ? (double)z[i] / s.temperature : of_right;
    }
    for (int i = 0; i < n; i++) {
        sum += exp((double)z[i] / s.temperature - most);
    }
    return most + log(sum) - of_right;
}

static double sigmoid_loss(const float *z, const bool *right, int n, dn_scaling s) {
    double loss = 0;
    for (int i = 0; i < n; i++) {
        double logit = ((double)z[i] + s.shift) / s.temperature,
               against = right[i] ? -logit : logit;
        loss += fmax(against, 0) + log1p(exp(-fabs(against)));
    }
    return loss / n;
}

double dn_scaling_loss(const dn_logits *l, dn_scaling scaling) {
    double sum = 0;
    for (size_t row = 0; row < l->n; row++) {
        size_t at = row * (size_t)l->n_labels;
        sum += (l->kind == DN_HEAD_SIGMOID ? sigmoid_loss : softmax_loss)(
            l->logit + at, l->right + at, l->n_labels, scaling);
    }
    return l->n ? sum / (double)l->n : 0;
}

/** Softmax's loss at the temperature exp(x). */
static double loss_at(const dn_logits *l, double x) {
    return dn_scaling_loss(l, (dn_scaling){exp(x), 0});
}

/** The loss is convex in 1 / T, so it has one valley in log T: golden sections close in on it. */
static dn_scaling fit_softmax(const dn_logits *l) {
    const double golden = (sqrt(5.0) - 1) / 2;
    double low = log(DN_TEMPERATURE_MIN), high = log(DN_TEMPERATURE_MAX);
    double x[2] = {high - golden * (high - low), low + golden * (high - low)};
    double y[2] = {loss_at(l, x[0]), loss_at(l, x[1])};
    for (int i = 0; i < SECTIONS; i++) {
        int better = y[0] <= y[1] ? 0 : 1, other = 1 - better;
        *(better == 0 ? &high : &low) = x[other];
        x[other] = x[better];
        y[other] = y[better];
        x[better] = better == 0 ? high - golden * (high - low) : low + golden * (high - low);
        y[better] = loss_at(l, x[better]);
    }
    return (dn_scaling){exp((low + high) / 2), 0};
}

/** Slope and curvature of sigmoid's loss, summed, in `scale` and `offset` of scale z + offset. */
typedef struct slopes {
    double scale, offset, scale_scale, scale_offset, offset_offset;
} slopes;

static slopes slopes_at(const dn_logits *l, double scale, double offset) {
    slopes s = {0};
    for (size_t i = 0; i < l->n * (size_t)l->n_labels; i++) {
        double z = (double)l->logit[i], p = 1 / (1 + exp(-(scale * z + offset)));
        double wrong = p - (l->right[i] ? 1 : 0), weight = p * (1 - p);
        s.scale += wrong * z;
        s.offset += wrong;
        s.scale_scale += weight * z * z;
        s.scale_offset += weight * z;
        s.offset_offset += weight;
    }
    return s;
}

static dn_scaling scaling_of(double scale, double offset) {
    double temperature = 1 / fmin(fmax(scale, 1 / DN_TEMPERATURE_MAX), 1 / DN_TEMPERATURE_MIN);
    return (dn_scaling){temperature, fmin(fmax(offset * temperature, -DN_SHIFT_MAX), DN_SHIFT_MAX)};
}

/** The loss is convex in both numbers: Newton's steps, halved while they do not help. Where no
 * label or every label is right the valley has no end, and the limits are. */
static dn_scaling fit_sigmoid(const dn_logits *l) {
    double scale = 1, offset = 0, loss = dn_scaling_loss(l, NONE);
    for (int i = 0; i < NEWTON_STEPS; i++) {
        slopes s = slopes_at(l, scale, offset);
        double ridge = 1e-9 * (s.scale_scale + s.offset_offset) + 1e-12, a = s.scale_scale + ridge,
               c = s.offset_offset + ridge, determinant = a * c - s.scale_offset * s.scale_offset;
        double by_scale = (c * s.scale - s.scale_offset * s.offset) / determinant,
               by_offset = (a * s.offset - s.scale_offset * s.scale) / determinant, step = 1;
        double next = loss;
        for (; step > 1e-6; step /= 2) {
            next =
                dn_scaling_loss(l, scaling_of(scale - step * by_scale, offset - step * by_offset));
            if (next < loss) {
                break;
            }
        }
        if (!(loss - next > 1e-12 * loss)) {
            break;
        }
        loss = next;
        scale -= step * by_scale;
        offset -= step * by_offset;
    }
    return scaling_of(scale, offset);
}

dn_scaling dn_scaling_fit(const dn_logits *l) {
    return l->n == 0 ? NONE : l->kind == DN_HEAD_SIGMOID ? fit_sigmoid(l) : fit_softmax(l);
}

dn_scaling dn_scaling_of_both(dn_scaling inner, dn_scaling outer) {
    return (dn_scaling){inner.temperature * outer.temperature,
                        inner.shift + outer.shift * inner.temperature};
}
