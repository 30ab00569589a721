#include "run/drift.h"

#include "base/log.h"
#include "base/memory.h"
#include "run/baseline.h"
#include "run/provenance.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double least_share = 1e-4;

typedef enum level { AS_EVER, NOTICED, WARNED } level;

/** A window beside the baseline, and of all classes the one that differs most. */
typedef struct look {
    double psi, share_then, share_now;
    const char *label;
} look;

/** What came of a column so far. */
typedef struct watch {
    level said;
    int64_t n_windows;
    look last, most;
} watch;

typedef int64_t counts[DN_MAX_LABEL_COLUMNS][DN_LABEL_CODES];

struct dn_drift {
    const char *pipeline;
    double notice, warn;
    dn_labels *columns; /* for their names: the pipeline's own are not there yet */
    bool compares;
    dn_baseline baseline;
    watch watch[DN_MAX_LABEL_COLUMNS];
    pthread_mutex_t lock; /* of the three below */
    int64_t n_looks;
    counts now;
    double psi[DN_MAX_LABEL_COLUMNS];
    counts copied; /* control thread */
    dn_share *share;
};

/* ---- set-up ---- */

static int count_classes(const dn_labels *labels) {
    int n = 0;
    for (int c = 0; c < dn_labels_columns(labels); c++) {
        for (int code = 0; code < DN_LABEL_CODES; code++) {
            n += dn_labels_class(labels, c, code) != NULL;
        }
    }
    return n;
}

static dn_status read_baseline(dn_drift *d, const dn_job *job, int i, bool says) {
    char sha256[DN_MODELS_SHA256];
    if (!job->conf.drift[0] || dn_labels_columns(d->columns) == 0) {
        return DN_OK;
    }
    if (d->notice > d->warn) {
        return DN_FAIL(CONFIG, "drift_notice (%g) is above drift_warn (%g)", d->notice, d->warn);
    }
    dn_plan_models_sha256(&job->pipeline[i], sha256);
    const dn_baseline_of of = {d->pipeline, sha256, d->columns};
    d->compares = true;
    return dn_baseline_read(job->conf.drift, &of, says, &d->baseline);
}

dn_status dn_drift_new(const dn_job *job, int i, bool says, dn_drift **out) {
    dn_drift *d = dn_alloc(sizeof *d);
    d->pipeline = job->pipeline[i].name;
    d->notice = job->conf.drift_notice;
    d->warn = job->conf.drift_warn;
    d->columns = dn_labels_new(&job->pipeline[i].schema, job->conf.drift_rows, NULL, NULL);
    d->share = dn_alloc_array((size_t)count_classes(d->columns) + 1, sizeof *d->share);
    pthread_mutex_init(&d->lock, NULL);
    dn_status status = read_baseline(d, job, i, says);
    if (status != DN_OK) {
        dn_drift_free(d);
        return status;
    }
    *out = d;
    return DN_OK;
}

void dn_drift_free(dn_drift *drift) {
    if (drift) {
        pthread_mutex_destroy(&drift->lock);
        dn_labels_free(drift->columns);
        free(drift->share);
        free(drift);
    }
}

/* ---- comparing: sink thread ---- */

static int64_t sum_of(const int64_t *count) {
    int64_t sum = 0;
    for (int code = 0; code < DN_LABEL_CODES; code++) {
        sum += count[code];
    }
    return sum;
}

static void compare(const dn_drift *d, int column, const int64_t *now, watch *w) {
    double sum = (double)sum_of(now), largest = -1;
    look new = {0};
    for (int code = 0; code < DN_LABEL_CODES; code++) {
        const char *class = dn_labels_class(d->columns, column, code);
        double p = d->baseline.share[column][code], q = (double)now[code] / sum;
        double bounded_p = fmax(p, least_share), bounded_q = fmax(q, least_share);
        if (!class) {
            continue;
        }
        new.psi += (bounded_q - bounded_p) * log(bounded_q / bounded_p);
        if (fabs(q - p) > largest) {
            largest = fabs(q - p);
            new.share_then = p;
            new.share_now = q;
            new.label = class;
        }
    }
    w->n_windows++;
    w->last = new;
    if (new.psi >= w->most.psi) {
        w->most = new;
    }
}

static level level_of(double psi, double notice, double warn) {
    return psi > warn ? WARNED : psi > notice ? NOTICED : AS_EVER;
}

/** Once for each rise. */
static void say(const dn_drift *d, int column, watch *w) {
    level now = level_of(w->last.psi, d->notice, d->warn);
    if (now > w->said) {
        bool much = now == WARNED;
        dn_log(much ? DN_LOG_WARN : DN_LOG_INFO,
               "drift: %s of pipeline %s %s in the baseline (PSI %.2f, above %.2f): most of all "
               "%s, %.1f %% now, %.1f %% then",
               dn_labels_name(d->columns, column), d->pipeline,
               much ? "is no longer as" : "is not quite as", w->last.psi,
               much ? d->warn : d->notice, w->last.label, 100 * w->last.share_now,
               100 * w->last.share_then);
    }
    w->said = now;
}

void dn_drift_look(void *drift, const dn_labels *labels) {
    dn_drift *d = drift;
    int64_t now[DN_LABEL_CODES];
    for (int c = 0; c < dn_labels_columns(labels); c++) {
        watch *w = &d->watch[c];
        dn_labels_newest(labels, c, now);
        bool compared = d->compares && d->baseline.has[c] && sum_of(now) > 0;
        if (compared) {
            compare(d, c, now, w);
            say(d, c, w);
        }
        pthread_mutex_lock(&d->lock);
        memcpy(d->now[c], now, sizeof now);
        d->psi[c] = compared ? w->last.psi : NAN;
        pthread_mutex_unlock(&d->lock);
    }
    pthread_mutex_lock(&d->lock);
    d->n_looks++;
    pthread_mutex_unlock(&d->lock);
}

/* ---- showing: control thread ---- */

int64_t dn_drift_shares(dn_drift *d, const dn_share **shares, int *n) {
    double psi[DN_MAX_LABEL_COLUMNS];
    pthread_mutex_lock(&d->lock);
    int64_t n_looks = d->n_looks;
    memcpy(d->copied, d->now, sizeof d->copied);
    memcpy(psi, d->psi, sizeof psi);
    pthread_mutex_unlock(&d->lock);
    *n = 0;
    *shares = d->share;
    for (int c = 0; c < dn_labels_columns(d->columns) && n_looks > 0; c++) {
        int64_t of = sum_of(d->copied[c]);
        for (int code = 0; code < DN_LABEL_CODES; code++) {
            const char *class = dn_labels_class(d->columns, c, code);
            bool compared = d->compares && d->baseline.has[c];
            double then = compared ? d->baseline.share[c][code] : NAN;
            if (class && (d->copied[c][code] > 0 || then > 0)) {
                d->share[(*n)++] = (dn_share){
                    dn_labels_name(d->columns, c), class, d->copied[c][code], of, then, psi[c]};
            }
        }
    }
    return n_looks;
}

static int64_t undecided_of(const dn_labels *labels, int column, const int64_t *total) {
    for (int code = 0; code < DN_NO_LABEL; code++) {
        const char *class = dn_labels_class(labels, column, code);
        if (class && strcmp(class, DN_UNDECIDED) == 0) {
            return total[code];
        }
    }
    return 0;
}

/** Of a run that was too short for a window all rows are the newest. */
static void look_at_all(dn_drift *d, const dn_labels *labels) {
    pthread_mutex_lock(&d->lock);
    for (int c = 0; c < dn_labels_columns(labels) && d->n_looks == 0; c++) {
        memcpy(d->now[c], dn_labels_total(labels, c), sizeof d->now[c]);
        d->psi[c] = NAN;
    }
    d->n_looks += d->n_looks == 0;
    pthread_mutex_unlock(&d->lock);
}

int dn_drift_read(dn_drift *d, const dn_labels *labels, dn_drift_column *column) {
    int n = dn_labels_columns(labels);
    look_at_all(d, labels);
    for (int c = 0; c < n; c++) {
        const watch *w = &d->watch[c];
        const int64_t *total = dn_labels_total(labels, c);
        column[c] = (dn_drift_column){.undecided = undecided_of(labels, c, total),
                                      .n_windows = w->n_windows,
                                      .last = w->last.psi,
                                      .most = w->most.psi,
                                      .notice = d->notice,
                                      .warn = d->warn,
                                      .share_then = w->most.share_then,
                                      .share_now = w->most.share_now};
        snprintf(column[c].name, sizeof column[c].name, "%s", dn_labels_name(labels, c));
        snprintf(column[c].label, sizeof column[c].label, "%s", w->most.label ? w->most.label : "");
        memcpy(column[c].total, total, sizeof column[c].total);
    }
    return n;
}

/* ---- at the end ---- */

void dn_drift_merge(dn_drift_column *into, const dn_drift_column *from) {
    for (int code = 0; code < DN_LABEL_CODES; code++) {
        into->total[code] += from->total[code];
    }
    into->undecided += from->undecided;
    into->n_windows += from->n_windows;
    into->last = fmax(into->last, from->last);
    if (from->most > into->most) {
        into->most = from->most;
        into->share_then = from->share_then;
        into->share_now = from->share_now;
        memcpy(into->label, from->label, sizeof into->label);
    }
}

const char *dn_drift_word(const dn_drift_column *column) {
    static const char *const words[] = {
        [AS_EVER] = "", [NOTICED] = ": not quite as it was", [WARNED] = ": it has changed"};
    return words[level_of(column->most, column->notice, column->warn)];
}
