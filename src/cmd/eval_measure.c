/** Figures from what models decided. */
#include "base/memory.h"
#include "base/utf8.h"
#include "cmd/eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1,000 draws place the ends of a 95 % interval to about a tenth of its width; a slice of fewer
 * than 20 texts has an interval as wide as the scale. */
enum { DRAWS = 1000, NOISE_DRAWS = 100, SEED = 1, SMALLEST_SLICE = 20 };
static const double OUTSIDE_KEPT = 0.95;

typedef struct measuring {
    const dn_suite *suite;
    const dn_eval_side *side;
    int n_sides;
    dn_figures *figures;
    double *draw;     /**< [DRAWS] */
    int32_t *row;     /**< [most rows of a task]: a slice */
    int *row_of_task; /**< the task's rows in the suite, in order */
} measuring;

static dn_metric metric_of(const dn_suite_task *task, const dn_judged *judged) {
    return (dn_metric){task->metric, judged->of};
}

static dn_rows all_of(const dn_judged *judged) {
    return (dn_rows){NULL, dn_outcomes_count(judged->outcomes)};
}

static void measure_rows(const measuring *m, const dn_suite_task *task, const dn_judged *judged,
                         dn_rows rows, dn_figure *to) {
    dn_metric metric = metric_of(task, judged);
    dn_suite_metric_name(m->suite, task, sizeof to->metric, to->metric);
    to->n = rows.n;
    to->value = dn_outcomes_measure(judged->outcomes, metric, rows);
    dn_outcomes_bootstrap(judged->outcomes, metric, rows, DRAWS, SEED, m->draw);
    dn_interval in = dn_interval_of(m->draw, DRAWS);
    to->low = in.low;
    to->high = in.high;
}

static void measure_model(const measuring *m, int t, const dn_eval_side *side) {
    const dn_suite_task *task = &m->suite->task[t];
    const dn_judged *judged = &side->judged[t];
    size_t n = (size_t)judged->n_decisions;
    if (!judged->outcomes) {
        dn_figures_add(m->figures, DN_FIGURE_ABSENT, task->name, side->name)->n = task->n_rows;
        return;
    }
    dn_figure *to = dn_figures_add(m->figures, DN_FIGURE_MODEL, task->name, side->name);
    measure_rows(m, task, judged, all_of(judged), to);
    to->error = dn_calibration_error(judged->confidence, judged->right, n);
    if (judged->undecided_below > 0) {
        to->undecided = (double)judged->n_undecided / judged->n_decisions;
    }
    if (side->cascade) {
        to->linear = (double)judged->n_linear / task->n_rows;
    }
    to->noise = dn_calibration_noise(judged->confidence, n, NOISE_DRAWS, SEED);
}

/* ---- texts that belong to no label ---- */

static dn_figure *add_outside(const measuring *m, int t, const dn_eval_side *side,
                              const char *metric, double value, double *draw) {
    const dn_judged *judged = &side->judged[t];
    dn_figure *to =
        dn_figures_add(m->figures, DN_FIGURE_OUTSIDE, m->suite->task[t].name, side->name);
    dn_interval in = dn_interval_of(draw, DRAWS);
    snprintf(to->metric, sizeof to->metric, "%s", metric);
    to->n = judged->n_outside;
    to->value = value;
    to->low = in.low;
    to->high = in.high;
    return to;
}

static void measure_outside(const measuring *m, int t, const dn_eval_side *side) {
    const dn_judged *judged = &side->judged[t];
    if (!judged->outcomes || judged->n_outside == 0) {
        return;
    }
    int n = judged->n_decisions, n_outside = judged->n_outside;
    float *score = dn_alloc_array((size_t)n + (size_t)n_outside, sizeof *score);
    double *recall = dn_alloc_array(DRAWS, sizeof *recall);
    memcpy(score, judged->likeness, (size_t)n * sizeof *score);
    memcpy(score + n, judged->outside, (size_t)n_outside * sizeof *score);
    dn_separation found = dn_separate(score, n, n_outside, OUTSIDE_KEPT);
    dn_separation_bootstrap(score, n, n_outside, OUTSIDE_KEPT, DRAWS, SEED, m->draw, recall);
    add_outside(m, t, side, "AUROC", found.auroc, m->draw);
    dn_figure *to =
        add_outside(m, t, side, "recall, 95 % of the others kept", found.recall, recall);
    to->threshold = found.threshold;
    if (judged->undecided_below > 0) {
        to->undecided = (double)judged->n_outside_undecided / n_outside;
    }
    free(score);
    free(recall);
}

/* ---- slices ---- */

static bool has_emoji(const char *text) {
    int length;
    for (const char *at = text; *at; at += length) {
        uint32_t c = dn_utf8_decode(at, &length);
        if ((c >= 0x1f000 && c < 0x1fb00) || (c >= 0x2600 && c < 0x27c0) || c == 0x2764) {
            return true;
        }
    }
    return false;
}

static bool is_retweet(const char *text) {
    return strncmp(text, "RT @", 4) == 0;
}

/** A slice by what the suite or the text says: one with the same name and value holds the row. */
typedef struct slice {
    const char *key, *value; /**< key NULL: `test` on the text, or a length */
    bool (*test)(const char *text);
    bool wanted;
    int length;
} slice;

static bool holds(const measuring *m, const slice *s, const dn_suite_row *row, uint8_t length) {
    if (s->test) {
        return s->test(row->text) == s->wanted;
    }
    for (int i = 0; s->key && i < row->slices.n; i += 2) {
        const char **pair = &m->suite->word[row->slices.begin + i];
        if (strcmp(pair[0], s->key) == 0) {
            return strcmp(pair[1], s->value) == 0;
        }
    }
    return !s->key && length == s->length;
}

/** Slices that hold all texts of a task, or too few, say nothing. */
static void measure_slice(const measuring *m, int t, const slice *s, const char *name) {
    const dn_suite_task *task = &m->suite->task[t];
    for (int k = 0; k < m->n_sides; k++) {
        const dn_judged *judged = &m->side[k].judged[t];
        int n = 0;
        for (int i = 0; judged->outcomes && i < task->n_rows; i++) {
            const dn_suite_row *row = &m->suite->row[m->row_of_task[i]];
            if (holds(m, s, row, judged->length[i])) {
                m->row[n++] = i;
            }
        }
        if (n >= SMALLEST_SLICE && n < task->n_rows) {
            dn_figure *to =
                dn_figures_add(m->figures, DN_FIGURE_SLICE, task->name, m->side[k].name);
            snprintf(to->slice, sizeof to->slice, "%s", name);
            measure_rows(m, task, judged, (dn_rows){m->row, n}, to);
        }
    }
}

/** Whether an earlier text of the task has the same key and value. */
static bool is_known(const measuring *m, int n, const char *key, const char *value) {
    for (int i = 0; i < n; i++) {
        const dn_suite_row *row = &m->suite->row[m->row_of_task[i]];
        for (int w = row->slices.begin; w < row->slices.begin + row->slices.n; w += 2) {
            if (strcmp(m->suite->word[w], key) == 0 && strcmp(m->suite->word[w + 1], value) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void measure_given_slices(const measuring *m, int t) {
    for (int i = 0; i < m->suite->task[t].n_rows; i++) {
        const dn_suite_row *row = &m->suite->row[m->row_of_task[i]];
        for (int w = row->slices.begin; w < row->slices.begin + row->slices.n; w += 2) {
            const char *key = m->suite->word[w], *value = m->suite->word[w + 1];
            if (!is_known(m, i, key, value)) {
                char name[96];
                snprintf(name, sizeof name, "%.40s %.40s", key, value);
                measure_slice(m, t, &(slice){.key = key, .value = value}, name);
            }
        }
    }
}

static void measure_slices(const measuring *m, int t) {
    if (m->suite->task[t].n_members) { /* its tasks are its slices */
        return;
    }
    measure_given_slices(m, t);
    for (int i = 0; i < DN_EVAL_LENGTHS; i++) {
        measure_slice(m, t, &(slice){.length = i}, dn_eval_lengths[i].name);
    }
    measure_slice(m, t, &(slice){.test = has_emoji, .wanted = true}, "with emoji");
    measure_slice(m, t, &(slice){.test = has_emoji, .wanted = false}, "without emoji");
    measure_slice(m, t, &(slice){.test = is_retweet, .wanted = true}, "retweets");
    measure_slice(m, t, &(slice){.test = is_retweet, .wanted = false}, "no retweets");
}

/* ---- pairs, references ---- */

static void measure_pair(const measuring *m, int t, const dn_eval_side *other) {
    const dn_suite_task *task = &m->suite->task[t];
    const dn_judged *first = &m->side[0].judged[t], *second = &other->judged[t];
    if (!first->outcomes || !second->outcomes) {
        return;
    }
    dn_metric metric = metric_of(task, first);
    dn_rows all = all_of(first);
    dn_figure *to = dn_figures_add(m->figures, DN_FIGURE_PAIR, task->name, other->name);
    dn_suite_metric_name(m->suite, task, sizeof to->metric, to->metric);
    to->n = all.n;
    to->value = dn_outcomes_measure(second->outcomes, metric, all) -
                dn_outcomes_measure(first->outcomes, metric, all);
    dn_outcomes_bootstrap_pair(first->outcomes, second->outcomes, metric, all, DRAWS, SEED,
                               m->draw);
    dn_interval in = dn_interval_of(m->draw, DRAWS);
    dn_pairs pairs = dn_outcomes_pairs(first->outcomes, second->outcomes, all);
    to->low = in.low;
    to->high = in.high;
    to->first_only = pairs.first_only;
    to->second_only = pairs.second_only;
    to->p = pairs.p;
}

/** Known figures of this task, or of all that a model of this suite has a head for. */
static void add_references(const measuring *m, const char *task) {
    for (int i = 0; i < m->suite->n_references; i++) {
        const dn_suite_reference *r = &m->suite->reference[i];
        if (strcmp(r->task, task) == 0) {
            dn_figure *to = dn_figures_add(
                m->figures, r->split ? DN_FIGURE_OTHER : DN_FIGURE_REFERENCE, r->task, r->model);
            to->split = r->split;
            to->value = r->percent / 100;
        }
    }
}

/* ---- means ---- */

/** A pool stands for its tasks. */
static bool counts(const measuring *m, const dn_eval_side *side, int t) {
    return side->judged[t].outcomes && m->suite->task[t].pool < 0;
}

/** The mean over the tasks that the side has heads for, drawn apart for each of them. */
static void measure_mean(const measuring *m, const dn_eval_side *side) {
    double *sum = dn_alloc_array(DRAWS, sizeof *sum), value = 0;
    int n = 0, n_rows = 0;
    for (int t = 0; t < m->suite->n_tasks; t++) {
        const dn_judged *judged = &side->judged[t];
        if (counts(m, side, t)) {
            dn_metric metric = metric_of(&m->suite->task[t], judged);
            dn_rows all = all_of(judged);
            dn_outcomes_bootstrap(judged->outcomes, metric, all, DRAWS, SEED + (uint64_t)n,
                                  m->draw);
            for (int i = 0; i < DRAWS; i++) {
                sum[i] += m->draw[i];
            }
            value += dn_outcomes_measure(judged->outcomes, metric, all);
            n++;
            n_rows += all.n;
        }
    }
    for (int i = 0; i < DRAWS; i++) {
        sum[i] /= n;
    }
    dn_figure *to = dn_figures_add(m->figures, DN_FIGURE_MODEL, "mean", side->name);
    dn_interval in = dn_interval_of(sum, DRAWS);
    snprintf(to->metric, sizeof to->metric, "of %d tasks", n);
    to->n = n_rows;
    to->value = value / n;
    to->low = in.low;
    to->high = in.high;
    free(sum);
}

/** The same mean of a known model, where it is known for each of these tasks. */
static void add_reference_mean(const measuring *m, const dn_suite_reference *of) {
    double sum = 0;
    int n = 0, wanted = 0;
    for (int t = 0; t < m->suite->n_tasks; t++) {
        bool is_wanted = counts(m, &m->side[0], t);
        wanted += is_wanted;
        for (int i = 0; is_wanted && i < m->suite->n_references; i++) {
            const dn_suite_reference *r = &m->suite->reference[i];
            if (r->model == of->model && strcmp(r->task, m->suite->task[t].name) == 0) {
                sum += r->percent / 100;
                n++;
            }
        }
    }
    if (n == wanted) {
        dn_figure *to = dn_figures_add(
            m->figures, of->split ? DN_FIGURE_OTHER : DN_FIGURE_REFERENCE, "mean", of->model);
        snprintf(to->metric, sizeof to->metric, "of %d tasks", n);
        to->split = of->split;
        to->value = sum / n;
    }
}

static void measure_means(const measuring *m) {
    for (int k = 0; k < m->n_sides; k++) {
        measure_mean(m, &m->side[k]);
    }
    for (int i = 0; i < m->suite->n_references; i++) {
        if (i == 0 || m->suite->reference[i].model != m->suite->reference[i - 1].model) {
            add_reference_mean(m, &m->suite->reference[i]);
        }
    }
}

/* ---- the whole ---- */

static void find_rows(const measuring *m, int t) {
    for (int i = 0, n = 0; i < m->suite->n_rows; i++) {
        if (m->suite->row[i].task == t && !m->suite->row[i].outside) {
            m->row_of_task[n++] = i;
        }
    }
}

void dn_eval_measure(const dn_suite *suite, const dn_eval_side *side, int n_sides,
                     dn_figures *figures) {
    size_t n_rows = (size_t)suite->n_rows;
    measuring m = {.suite = suite,
                   .side = side,
                   .n_sides = n_sides,
                   .figures = figures,
                   .draw = dn_alloc_array(DRAWS, sizeof(double)),
                   .row = dn_alloc_array(n_rows, sizeof(int32_t)),
                   .row_of_task = dn_alloc_array(n_rows, sizeof(int))};
    for (int t = 0; t < suite->n_tasks; t++) {
        find_rows(&m, t);
        for (int k = 0; k < n_sides; k++) {
            measure_model(&m, t, &side[k]);
            measure_outside(&m, t, &side[k]);
        }
        add_references(&m, suite->task[t].name);
        for (int k = 1; k < n_sides; k++) {
            measure_pair(&m, t, &side[k]);
        }
        measure_slices(&m, t);
    }
    measure_means(&m);
    free(m.draw);
    free(m.row);
    free(m.row_of_task);
}
