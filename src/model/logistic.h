#ifndef DN_MODEL_LOGISTIC_H
#define DN_MODEL_LOGISTIC_H
/** Multinomial logistic regression: weights W and biases b that minimise
 *
 *    1/2 |W|^2 + strength * sum over rows of -log softmax(X W + b)[label]
 *
 * with biases free. The function is convex and has one minimum, so that what comes out depends on
 * rows and strength alone; it is found by L-BFGS with a backtracking line search, deterministic to
 * the bit on one kind of CPU.
 *
 * source  objective: scikit-learn's LogisticRegression, whose C is `strength`. L-BFGS: Nocedal and
 * Wright, "Numerical optimization", algorithm 7.5 */
#include "model/design.h"

typedef struct dn_logistic {
    int n_labels;
    float *weight; /**< in the layout of the design */
    float *bias;   /**< [n_labels] */
} dn_logistic;

/** All zero: every label equally probable.    ownership  the caller: dn_logistic_free */
void dn_logistic_new(int n_columns, int n_labels, dn_logistic *out);
void dn_logistic_free(dn_logistic *logistic);

typedef struct dn_logistic_conf {
    double strength;
    double tolerance; /**< ends where no component of the mean gradient is larger */
    int max_steps;
} dn_logistic_conf;

/** Goes on from what the weights are to the minimum; label[n_rows] below n_labels. The steps that
 * were taken.    cost  O(rows x columns x labels) a step */
int dn_logistic_fit(dn_design *x, const int *label, const dn_logistic_conf *conf,
                    dn_logistic *logistic);

/** Logits z[n_rows][n_labels] of the rows of a design of the same kind and columns. */
void dn_logistic_score(const dn_logistic *logistic, dn_design *x, float *z);

#endif
