/* Metrics against scikit-learn's figures, intervals and errors against what is known of the cases,
 * temperatures against logits whose temperature was chosen. */
#include "model/metrics.h"
#include "model/scaling.h"
#include "test.h"

enum { LABELS = 3, MOST = 10, DRAWS = 2000, MANY = 4000 };

static const int right_of[MOST] = {0, 0, 1, 2, 2, 2, 1, 0, 2, 1};
static const int decided_of[MOST] = {0, 1, 1, 2, 0, 2, 1, 0, 1, 1};

static dn_outcomes *singles(const int *right, const int *decided, int n) {
    dn_outcomes *o = dn_outcomes_new(LABELS);
    for (int i = 0; i < n; i++) {
        bool r[LABELS] = {0}, d[LABELS] = {0};
        r[right[i]] = d[decided[i]] = true;
        dn_outcomes_add(o, r, d);
    }
    return o;
}

static double random_unit(void) {
    return (double)(dn_random() >> 11) * 0x1p-53;
}

static bool near(double a, double b) {
    return fabs(a - b) < 1e-9;
}

static double measure(const dn_outcomes *o, dn_metric_kind kind, const bool *of) {
    return dn_outcomes_measure(o, (dn_metric){kind, of}, (dn_rows){NULL, dn_outcomes_count(o)});
}

CASE(one_label_a_text_as_scikit_learn) {
    dn_outcomes *o = singles(right_of, decided_of, MOST);
    const bool second[LABELS] = {false, true, false}, last_two[LABELS] = {false, true, true};
    EXPECT(near(measure(o, DN_METRIC_F1, NULL), 0.6944444444444443));
    EXPECT(near(measure(o, DN_METRIC_F1, second), 0.75));
    EXPECT(near(measure(o, DN_METRIC_F1, last_two), 0.7083333333333333));
    EXPECT(near(measure(o, DN_METRIC_RECALL, NULL), 0.7222222222222222));
    EXPECT(near(measure(o, DN_METRIC_ACCURACY, NULL), 0.7));
    dn_outcomes_free(o);
}

CASE(several_labels_a_text_as_scikit_learn) {
    static const bool right[][LABELS] = {{1, 0, 0}, {0, 1, 1}, {1, 1, 0}, {0, 0, 0}};
    static const bool decided[][LABELS] = {{1, 0, 0}, {0, 1, 0}, {1, 0, 1}, {0, 0, 0}};
    dn_outcomes *o = dn_outcomes_new(LABELS);
    for (int i = 0; i < 4; i++) {
        dn_outcomes_add(o, right[i], decided[i]);
    }
    EXPECT(near(measure(o, DN_METRIC_F1, NULL), 0.5555555555555555));
    EXPECT(near(measure(o, DN_METRIC_RECALL, NULL), 0.5));
    EXPECT(near(measure(o, DN_METRIC_ACCURACY, NULL), 0.5));
    EXPECT(dn_outcomes_right(o, 0) && !dn_outcomes_right(o, 1) && dn_outcomes_right(o, 3));
    dn_outcomes_free(o);
}

CASE(what_is_appended_counts_as_if_it_were_added) {
    dn_outcomes *whole = singles(right_of, decided_of, MOST);
    dn_outcomes *first = singles(right_of, decided_of, 4), *none = dn_outcomes_new(LABELS);
    dn_outcomes *rest = singles(right_of + 4, decided_of + 4, MOST - 4);
    dn_outcomes_append(first, none);
    dn_outcomes_append(first, rest);
    EXPECT_INT(dn_outcomes_count(first), MOST);
    EXPECT(near(measure(first, DN_METRIC_F1, NULL), measure(whole, DN_METRIC_F1, NULL)));
    for (int i = 0; i < MOST; i++) {
        EXPECT(dn_outcomes_right(first, i) == dn_outcomes_right(whole, i));
    }
    dn_outcomes_free(whole);
    dn_outcomes_free(first);
    dn_outcomes_free(none);
    dn_outcomes_free(rest);
}

CASE(labels_that_are_not_there_have_no_rate) {
    dn_outcomes *o = singles(right_of, decided_of, MOST);
    const int32_t row[] = {0, 7, 0}; /* all hits of label 0 */
    const bool last[LABELS] = {false, false, true};
    dn_rows rows = {row, 3};
    EXPECT(near(dn_outcomes_measure(o, (dn_metric){DN_METRIC_F1, NULL}, rows), 1));
    EXPECT(isnan(dn_outcomes_measure(o, (dn_metric){DN_METRIC_F1, last}, rows)));
    EXPECT(isnan(dn_outcomes_measure(o, (dn_metric){DN_METRIC_ACCURACY, NULL}, (dn_rows){row, 0})));
    dn_outcomes_free(o);
}

/** n texts, of which the share `good` is right. */
static dn_outcomes *random_outcomes(int n, double good) {
    static int right[MANY], decided[MANY];
    for (int i = 0; i < n; i++) {
        right[i] = i % LABELS;
        decided[i] = random_unit() < good ? right[i] : (right[i] + 1) % LABELS;
    }
    return singles(right, decided, n);
}

CASE(interval_is_that_of_the_binomial) {
    static double value[DRAWS], again[DRAWS];
    dn_outcomes *o = random_outcomes(MANY, 0.7);
    dn_metric metric = {DN_METRIC_ACCURACY, NULL};
    dn_rows all = {NULL, MANY};
    double share = dn_outcomes_measure(o, metric, all);
    double half = 1.96 * sqrt(share * (1 - share) / MANY);
    dn_outcomes_bootstrap(o, metric, all, DRAWS, 7, value);
    dn_outcomes_bootstrap(o, metric, all, DRAWS, 7, again);
    EXPECT(memcmp(value, again, sizeof value) == 0);
    dn_interval in = dn_interval_of(value, DRAWS);
    EXPECT(fabs(share - in.low - half) < 0.2 * half);
    EXPECT(fabs(in.high - share - half) < 0.2 * half);
    dn_outcomes_bootstrap(o, metric, all, DRAWS, 8, again);
    EXPECT(memcmp(value, again, sizeof value) != 0);
    dn_outcomes_free(o);
}

CASE(share_has_wilson_s_interval) {
    static const struct {
        int64_t k, n;
        double low, high;
    } table[] = {{0, 0, 0, 1},
                 {0, 200, 0, 0.01884532},
                 {3, 1500, 0.00068041, 0.00586380},
                 {7, 10, 0.39677815, 0.89220873},
                 {10, 10, 0.72246716, 1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        dn_interval in = dn_share_interval(table[i].k, table[i].n);
        EXPECT(fabs(in.low - table[i].low) < 1e-7);
        EXPECT(fabs(in.high - table[i].high) < 1e-7);
    }
}

CASE(pairs_see_what_two_intervals_hide) {
    static int right[MANY], a[MANY], b[MANY];
    static double value[DRAWS];
    for (int i = 0; i < MANY; i++) { /* b is a with one wrong text in a hundred put right */
        right[i] = i % LABELS;
        a[i] = i % 4 ? right[i] : (right[i] + 1) % LABELS;
        b[i] = i % 100 ? a[i] : right[i];
    }
    dn_outcomes *first = singles(right, a, MANY), *second = singles(right, b, MANY);
    dn_metric metric = {DN_METRIC_ACCURACY, NULL};
    dn_outcomes_bootstrap_pair(first, second, metric, (dn_rows){NULL, MANY}, DRAWS, 3, value);
    dn_interval in = dn_interval_of(value, DRAWS);
    EXPECT(in.low > 0.005 && in.low < 0.01 && in.high > 0.01 && in.high < 0.015);
    dn_pairs pairs = dn_outcomes_pairs(first, second, (dn_rows){NULL, MANY});
    EXPECT_INT(pairs.first_only, 0);
    EXPECT_INT(pairs.second_only, 40);
    EXPECT(near(pairs.p, ldexp(1, -39)));
    dn_outcomes_free(first);
    dn_outcomes_free(second);
}

/** The test of n texts of which `a` are right in the first alone, and the rest in the second. */
static double p_of(int a, int n) {
    static int right[MOST * 2], x[MOST * 2], y[MOST * 2];
    for (int i = 0; i < n; i++) {
        x[i] = i >= a;
        y[i] = i < a;
    }
    dn_outcomes *first = singles(right, x, n), *second = singles(right, y, n);
    dn_pairs pairs = dn_outcomes_pairs(first, second, (dn_rows){NULL, n});
    dn_outcomes_free(first);
    dn_outcomes_free(second);
    return pairs.p;
}

CASE(p_is_exact) {
    EXPECT(near(p_of(3, 13), 0.09228515625));
    EXPECT(near(p_of(0, 0), 1));
    EXPECT(near(p_of(7, 14), 1));
    EXPECT(near(p_of(0, 5), 0.0625));
}

CASE(calibration_error_of_known_bins) {
    const float confidence[] = {0.95f, 0.95f, 0.95f, 0.95f, 0.55f, 0.55f, 1.0f, 0.0f};
    const bool right[] = {true, true, true, false, false, false, true, false};
    /* [0.9, 1]: 4.8 against 4; [0.5, 0.6): 1.1 against 0; [0, 0.1): 0 against 0 */
    EXPECT(fabs(dn_calibration_error(confidence, right, 8) - (0.8 + 1.1) / 8) < 1e-6);
    EXPECT(dn_calibration_error(confidence, right, 0) == 0);
}

CASE(noise_is_the_error_of_the_calibrated) {
    static float confidence[MANY];
    static bool right[MANY];
    for (int i = 0; i < MANY; i++) {
        confidence[i] = 0.5f + 0.5f * (float)random_unit();
        right[i] = random_unit() < (double)confidence[i];
    }
    double noise = dn_calibration_noise(confidence, MANY, 200, 1);
    double fewer = dn_calibration_noise(confidence, MANY / 16, 200, 1);
    EXPECT(noise > 0.005 && noise < 0.03);
    EXPECT(fabs(fewer / noise - 4) < 0.6); /* as 1 / sqrt(n) */
    EXPECT(dn_calibration_error(confidence, right, MANY) < 3 * noise);
    for (int i = 0; i < MANY; i++) {
        right[i] = right[i] && i % 2;
    }
    EXPECT(dn_calibration_error(confidence, right, MANY) > 10 * noise);
}

/** Labels drawn by the probabilities of logits / chosen. */
static void draw_logits(dn_head_kind kind, double chosen, float *logit, bool *right) {
    for (int row = 0; row < MANY; row++) {
        double weight[LABELS], sum = 0, at = random_unit();
        for (int i = 0; i < LABELS; i++) {
            float z = (float)(6 * random_unit() - 3);
            logit[row * LABELS + i] = z;
            weight[i] = exp((double)z / chosen);
            sum += weight[i];
            right[row * LABELS + i] = random_unit() < weight[i] / (1 + weight[i]);
        }
        for (int i = 0; kind == DN_HEAD_SOFTMAX && i < LABELS; i++) {
            double share = weight[i] / sum;
            right[row * LABELS + i] = at >= 0 && at < share;
            at -= share;
        }
    }
}

/** Every pair, as the definition says. */
static double auroc_by_pairs(const float *score, int n_in, int n_out) {
    double higher = 0;
    for (int i = 0; i < n_in; i++) {
        for (int k = n_in; k < n_in + n_out; k++) {
            higher += score[i] > score[k] ? 1 : score[i] == score[k] ? 0.5 : 0;
        }
    }
    return higher / n_in / n_out;
}

CASE(outside_is_told_by_the_score) {
    static const float score[] = {0.9f, 0.2f, 0.8f, 0.7f, 0.75f, 0.2f, 0.1f};
    dn_separation found = dn_separate(score, 4, 3, 0.75);
    EXPECT(near(found.auroc, 9.5 / 12));
    EXPECT(near(found.recall, 2.0 / 3));
    EXPECT(found.threshold == (double)0.7f);
    EXPECT(score[0] == 0.9f && score[1] == 0.2f && score[6] == 0.1f);
    EXPECT(isnan(dn_separate(score, 0, 3, 0.95).auroc));
    EXPECT(isnan(dn_separate(score, 3, 0, 0.95).recall));
    static float drawn[300];
    for (int turn = 0; turn < 50; turn++) {
        int n_in = 1 + (int)(dn_random() % 200), n_out = 1 + (int)(dn_random() % 100), kept = 0;
        for (int i = 0; i < n_in + n_out; i++) {
            drawn[i] = (float)(dn_random() % 40 + (i < n_in ? 10 : 0)) / 50;
        }
        found = dn_separate(drawn, n_in, n_out, 0.95);
        EXPECT(near(found.auroc, auroc_by_pairs(drawn, n_in, n_out)));
        int below = 0, next = 0;
        for (int i = 0; i < n_in; i++) {
            kept += (double)drawn[i] >= found.threshold;
            next += (double)drawn[i] > found.threshold;
        }
        for (int i = n_in; i < n_in + n_out; i++) {
            below += (double)drawn[i] < found.threshold;
        }
        EXPECT(kept >= 0.95 * n_in - 1e-9 && next < 0.95 * n_in + 1e-9);
        EXPECT(near(found.recall, (double)below / n_out));
    }
}

CASE(outside_has_an_interval) {
    static float score[400];
    double auroc[200], recall[200], again[200], other[200];
    for (int i = 0; i < 400; i++) {
        score[i] = (float)(random_unit() + (i < 300 ? 0.5 : 0));
    }
    dn_separation found = dn_separate(score, 300, 100, 0.95);
    dn_separation_bootstrap(score, 300, 100, 0.95, 200, 7, auroc, recall);
    dn_separation_bootstrap(score, 300, 100, 0.95, 200, 7, again, other);
    EXPECT(memcmp(auroc, again, sizeof auroc) == 0 && memcmp(recall, other, sizeof recall) == 0);
    dn_interval of_auroc = dn_interval_of(auroc, 200), of_recall = dn_interval_of(recall, 200);
    EXPECT(of_auroc.low < found.auroc && found.auroc < of_auroc.high);
    EXPECT(of_recall.low < found.recall && found.recall < of_recall.high);
    EXPECT(of_auroc.high - of_auroc.low < 0.2);
}

CASE(scaling_is_found_again) {
    static float logit[MANY * LABELS];
    static bool right[MANY * LABELS];
    for (int kind = DN_HEAD_SOFTMAX; kind <= DN_HEAD_SIGMOID; kind++) {
        for (double chosen = 0.5; chosen < 3; chosen *= 2) {
            double shift = kind == DN_HEAD_SIGMOID ? chosen - 1 : 0;
            draw_logits(kind, chosen, logit, right);
            for (int i = 0; i < MANY * LABELS; i++) {
                logit[i] -= (float)shift;
            }
            dn_logits l = {kind, LABELS, MANY, logit, right};
            dn_scaling found = dn_scaling_fit(&l);
            double loss = dn_scaling_loss(&l, found), t = found.temperature, s = found.shift;
            EXPECT(fabs(log(t / chosen)) < 0.15);
            EXPECT(fabs(s - shift) < 0.15);
            EXPECT(loss <= dn_scaling_loss(&l, (dn_scaling){t * 1.01, s}));
            EXPECT(loss <= dn_scaling_loss(&l, (dn_scaling){t * 0.99, s}));
            EXPECT(kind == DN_HEAD_SOFTMAX ||
                   loss <= dn_scaling_loss(&l, (dn_scaling){t, s + 0.01}));
            EXPECT(kind == DN_HEAD_SOFTMAX ||
                   loss <= dn_scaling_loss(&l, (dn_scaling){t, s - 0.01}));
        }
    }
    dn_scaling none = dn_scaling_fit(&(dn_logits){DN_HEAD_SOFTMAX, LABELS, 0, logit, right});
    EXPECT(none.temperature == 1 && none.shift == 0);
}

CASE(scaling_of_labels_that_are_never_right_has_limits) {
    static float logit[MANY * LABELS];
    static bool right[MANY * LABELS];
    draw_logits(DN_HEAD_SIGMOID, 1, logit, right);
    memset(right, 0, sizeof right);
    dn_scaling found = dn_scaling_fit(&(dn_logits){DN_HEAD_SIGMOID, LABELS, MANY, logit, right});
    EXPECT(found.temperature >= DN_TEMPERATURE_MIN && found.temperature <= DN_TEMPERATURE_MAX);
    EXPECT(found.shift < -1 && found.shift >= -DN_SHIFT_MAX);
}

CASE(scaling_twice_is_one_scaling) {
    float logit[] = {-1.5f, 0.25f, 2}, scaled[3];
    bool right[] = {true, false, true};
    dn_scaling inner = {2, -0.5}, outer = {0.7, 0.3}, none = {1, 0};
    for (int i = 0; i < 3; i++) {
        double once = ((double)logit[i] + inner.shift) / inner.temperature;
        scaled[i] = (float)((once + outer.shift) / outer.temperature);
    }
    dn_logits first = {DN_HEAD_SIGMOID, 3, 1, logit, right},
              then = {DN_HEAD_SIGMOID, 3, 1, scaled, right};
    EXPECT(near(dn_scaling_loss(&first, dn_scaling_of_both(inner, outer)),
                dn_scaling_loss(&then, none)));
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
