#include "model/temperature.h"

#include <math.h>

enum { STEPS = 60 };

static double softmax_loss(const float *z, const bool *right, int n, double scale) {
    double most = -INFINITY, sum = 0, of_right = 0;
    for (int i = 0; i < n; i++) {
        most = fmax(most, scale * (double)z[i]);
        of_right = right[i] ? scale * (double)z[i] : of_right;
    }
    for (int i = 0; i < n; i++) {
        sum += exp(scale * (double)z[i] - most);
    }
    return most + log(sum) - of_right;
}

static double sigmoid_loss(const float *z, const bool *right, int n, double scale) {
    double loss = 0;
    for (int i = 0; i < n; i++) {
        double against = scale * (double)(right[i] ? -z[i] : z[i]);
        loss += fmax(against, 0) + log1p(exp(-fabs(against)));
    }
    return loss / n;
}

double dn_temperature_loss(const dn_logits *l, double temperature) {
    double sum = 0, scale = 1 / temperature;
    for (size_t row = 0; row < l->n; row++) {
        size_t at = row * (size_t)l->n_labels;
        sum += (l->kind == DN_HEAD_SIGMOID ? sigmoid_loss : softmax_loss)(
            l->logit + at, l->right + at, l->n_labels, scale);
    }
    return l->n ? sum / (double)l->n : 0;
}

/** The loss is convex in 1 / T, so it has one valley in log T: golden sections close in on it. */
double dn_temperature_fit(const dn_logits *l) {
    const double golden = (sqrt(5.0) - 1) / 2;
    double low = log(DN_TEMPERATURE_MIN), high = log(DN_TEMPERATURE_MAX);
    double x[2] = {high - golden * (high - low), low + golden * (high - low)};
    double y[2] = {dn_temperature_loss(l, exp(x[0])), dn_temperature_loss(l, exp(x[1]))};
    for (int i = 0; i < STEPS && l->n; i++) {
        int better = y[0] <= y[1] ? 0 : 1, other = 1 - better;
        *(better == 0 ? &high : &low) = x[other];
        x[other] = x[better];
        y[other] = y[better];
        x[better] = better == 0 ? high - golden * (high - low) : low + golden * (high - low);
        y[better] = dn_temperature_loss(l, exp(x[better]));
    }
    return l->n ? exp((low + high) / 2) : 1;
}
