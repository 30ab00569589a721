/** The means of labels in what an encoder gives, and how much the examples are like them. */
#include "base/memory.h"
#include "cmd/fit.h"

#include <math.h>
#include <stdlib.h>

/** What the encoder gave, before it was brought to one scale. */
static double given(const dn_encoded *e, int row, int column) {
    double deviation = (double)e->deviation[column], mean = (double)e->mean[column];
    size_t at = (size_t)row * (size_t)e->width + (size_t)column;
    return isinf(deviation) ? mean : mean + deviation * (double)e->x[at];
}

void dn_encoded_means(const dn_encoded *e, const dn_labelled *rows, const int *part, int without,
                      float *mean) {
    size_t width = (size_t)e->width, n = (size_t)rows->n_labels * width;
    double *sum = dn_alloc_array(n, sizeof *sum);
    int *count = dn_alloc_array((size_t)rows->n_labels, sizeof *count);
    for (int i = 0; i < rows->n_rows; i++) {
        if (!part || part[i] != without) {
            double *to = sum + (size_t)rows->label[i] * width;
            for (int j = 0; j < e->width; j++) {
                to[j] += given(e, i, j);
            }
            count[rows->label[i]]++;
        }
    }
    for (size_t i = 0; i < n; i++) {
        mean[i] = (float)(sum[i] / count[i / width]);
    }
    free(sum);
    free(count);
}

static double cosine(const dn_encoded *e, int row, const float *mean) {
    double product = 0, text = 0, length = 0;
    for (int j = 0; j < e->width; j++) {
        double x = given(e, row, j), m = (double)mean[j];
        product += x * m;
        text += x * x;
        length += m * m;
    }
    return product / fmax(sqrt(text * length), 1e-12);
}

void dn_encoded_likeness(const dn_encoded *e, const dn_labelled *rows, const dn_expected *expected,
                         float *likeness) {
    size_t width = (size_t)e->width;
    float *mean = dn_alloc_array((size_t)rows->n_labels * width, sizeof *mean);
    for (int part = 0; part < DN_FOLDS; part++) {
        dn_encoded_means(e, rows, expected->part, part, mean);
        for (int i = 0; i < rows->n_rows; i++) {
            if (expected->part[i] == part) {
                double c = fmax(0, cosine(e, i, mean + (size_t)expected->decided[i] * width));
                likeness[i] = expected->probability[i] * (float)(c * c);
            }
        }
    }
    free(mean);
}
