#ifndef DN_MODEL_METRICS_H
#define DN_MODEL_METRICS_H
/** How good decisions are, and how sure one can be of that.
 *
 * Every text is kept as what came of its labels: a hit (decided and right), false (decided and
 * wrong) or missed. All rates are made of these counts, so that a rate of some rows, of a sample
 * of them or of two models on the same rows is the same code.
 *
 *    text   right      decided      kept
 *    0      joy        joy          hit joy
 *    1      joy        anger        false anger, missed joy
 *    2      art, news  news, sport  missed art, hit news, false sport
 *
 * A label that is neither right nor decided in any of the rows has no rate and is left out of a
 * mean, so that a slice without it is not punished; for recall it must be right somewhere. Random
 * draws depend on the seed alone.
 *
 * thread  any, one per dn_outcomes     errors  none     blocks  never
 * source  AUROC: Hanley and McNeil 1982. F1, recall: scikit-learn's, which TweetEval's and UMSAB's own scripts call. Bootstrap:
 * Efron and Tibshirani 1993, percentiles. Test of pairs: McNemar 1947, exact. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum dn_metric_kind {
    DN_METRIC_F1,       /**< mean over labels of 2 hits / (2 hits + false + missed) */
    DN_METRIC_RECALL,   /**< mean over labels of hits / (hits + missed) */
    DN_METRIC_ACCURACY, /**< share of texts of which everything decided is right and nothing missed
                         */
    DN_METRIC_KINDS
} dn_metric_kind;
extern const char *const dn_metric_names[DN_METRIC_KINDS];

typedef struct dn_metric {
    dn_metric_kind kind;
    const bool *of; /**< [n_labels]: the labels of the mean; NULL: all */
} dn_metric;

typedef struct dn_outcomes dn_outcomes;

/** ownership  the caller: dn_outcomes_free */
dn_outcomes *dn_outcomes_new(int n_labels);
void dn_outcomes_free(dn_outcomes *outcomes);

/** Adds a text; right and decided: [n_labels]. */
void dn_outcomes_add(dn_outcomes *outcomes, const bool *right, const bool *decided);

/** Adds all texts of `more`, which has as many labels. */
void dn_outcomes_append(dn_outcomes *outcomes, const dn_outcomes *more);
int dn_outcomes_count(const dn_outcomes *outcomes);

/** Whether everything about text `row` is right. */
bool dn_outcomes_right(const dn_outcomes *outcomes, int row);

/** Texts of a dn_outcomes: `n` numbers, in which one may stand more than once. `row` NULL: the
 * first n as they come. */
typedef struct dn_rows {
    const int32_t *row;
    int n;
} dn_rows;

/** The metric of these texts, 0 to 1; NaN where no label has a rate.    cost  O(labels + texts) */
double dn_outcomes_measure(const dn_outcomes *outcomes, dn_metric metric, dn_rows rows);

/** Draws as many texts with replacement, `n_draws` times: value[n_draws]. */
void dn_outcomes_bootstrap(const dn_outcomes *outcomes, dn_metric metric, dn_rows rows, int n_draws,
                           uint64_t seed, double *value);

/** Two models on the same texts: value[i] is the metric of the second less that of the first on
 * draw i. Both must have the same texts in the same order. */
void dn_outcomes_bootstrap_pair(const dn_outcomes *first, const dn_outcomes *second,
                                dn_metric metric, dn_rows rows, int n_draws, uint64_t seed,
                                double *value);

/** The middle 95 % of values, which it sorts; NaN are left out, and two NaN mean none is left. */
typedef struct dn_interval {
    double low, high;
} dn_interval;
dn_interval dn_interval_of(double *value, int n);

/** Wilson's (1927) 95 % interval of the share that k of n events are a sample of; 0 to 1 where n is 0. */
dn_interval dn_share_interval(int64_t k, int64_t n);

/** Texts that one of two models got right and the other did not, and how probable a difference of
 * at least this size is where both are equally good. */
typedef struct dn_pairs {
    int first_only, second_only;
    double p;
} dn_pairs;
dn_pairs dn_outcomes_pairs(const dn_outcomes *first, const dn_outcomes *second, dn_rows rows);

/** How well a score tells texts that belong to one of the labels from those that do not: `score`
 * [n_inside] of the former, then [n_outside] of the latter, higher where it is more certain. */
typedef struct dn_separation {
    double auroc;     /**< how often one that belongs has the higher score; equal ones count half */
    double recall;    /**< share of outside ones below the threshold */
    double threshold; /**< at which `kept` of those inside are not below it */
} dn_separation;

/** All NaN where there are none of either kind.     cost  O(n log n) */
dn_separation dn_separate(const float *score, int n_inside, int n_outside, double kept);

/** Draws as many of each kind with replacement: auroc[n_draws], recall[n_draws]. */
void dn_separation_bootstrap(const float *score, int n_inside, int n_outside, double kept,
                             int n_draws, uint64_t seed, double *auroc, double *recall);

/** Expected calibration error: in DN_CALIBRATION_BINS bins of equal width by confidence, the
 * distance of mean confidence and share of right ones, weighted by the bins' sizes. 0 for n = 0.
 *  source  Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017 */
enum { DN_CALIBRATION_BINS = 10 };
double dn_calibration_error(const float *confidence, const bool *right, size_t n);

/** The mean error that these confidences show where each is exactly right: what chance alone makes
 * of so few decisions. */
double dn_calibration_noise(const float *confidence, size_t n, int n_draws, uint64_t seed);

#endif
