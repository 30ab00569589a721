#ifndef DN_MODEL_FOLDS_H
#define DN_MODEL_FOLDS_H
/** How strongly a classifier should follow its examples, and how good it will be on other texts:
 * cross-validation in DN_FOLDS parts, each with its share of every label.
 *
 * Every row is decided once per strength, by a classifier that saw the other parts only. The
 * strength whose decisions have the best mean F1 over labels is chosen, of equal ones that with the
 * smaller loss. Its figure is a little too good, since it was chosen by it.
 *
 * thread  any     errors  those of `make`     blocks  never */
#include "model/logistic.h"
#include "model/metrics.h"

enum { DN_FOLDS = 5, DN_STRENGTHS = 8 };

/** Labelled rows, and how to make a design of some of them. */
typedef struct dn_labelled {
    int n_rows, n_labels, n_columns;
    const int *label;       /**< [n_rows]; each stands there at least DN_FOLDS times */
    const double *strength; /**< [DN_STRENGTHS], rising */
    dn_status (*make)(const void *ctx, const int *row, int n_rows, dn_design **out);
    const void *ctx;
} dn_labelled;

typedef struct dn_expected {
    double strength;
    int *part;           /**< [n_rows]: below DN_FOLDS */
    int *decided;        /**< [n_rows]: the label that the other parts gave */
    float *probability;  /**< [n_rows]: of that label */
    double f1, accuracy; /**< of `decided`; f1: mean over labels */
    dn_interval f1_interval, accuracy_interval; /**< 95 %, 1,000 bootstrap draws */
} dn_expected;

/** ownership  the caller: dn_expected_free      cost  DN_FOLDS x DN_STRENGTHS fits */
dn_status dn_folds_expect(const dn_labelled *rows, dn_expected *out);
void dn_expected_free(dn_expected *expected);

/** The value that this share of value[n] is not below; rounded down to 4 digits. */
double dn_threshold_keeping(const float *value, int n, double share);

/** A classifier of all rows.     ownership  the caller: dn_logistic_free */
dn_status dn_folds_fit(const dn_labelled *rows, double strength, dn_logistic *out);

#endif
