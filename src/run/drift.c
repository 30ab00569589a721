#include "run/drift.h"

#include "base/log.h"
#include "base/memory.h"
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 16 << 20 };
static const double least_share = 1e-4;
static const char null_name[] = "null";

/** What came of a column so far. */
typedef struct watch {
    bool warned;
    int64_t n_windows;
    double last, most, share_then, share_now;
    const char *label;
} watch;

struct dn_drift {
    char *pipeline;
    dn_json *doc;       /**< NULL: no baseline */
    dn_json_at columns; /**< of the pipeline; valid where has_columns */
    bool has_columns;
    watch watch[DN_MAX_LABEL_COLUMNS];
};

dn_status dn_drift_new(const char *path, const char *pipeline, dn_drift **out) {
    dn_drift *d = dn_alloc(sizeof *d);
    d->pipeline = dn_strdup(pipeline);
    dn_status status = *path ? dn_json_load(path, MAX_BYTES, DN_E_DATA, &d->doc) : DN_OK;
    if (status == DN_OK && d->doc) {
        dn_json_at root = dn_json_root(d->doc), pipelines;
        status = dn_json_need(&root, "pipelines", DN_JSON_OBJECT, &pipelines);
        d->has_columns = status == DN_OK && dn_json_find(&pipelines, pipeline, &d->columns);
    }
    if (status != DN_OK) {
        dn_drift_free(d);
        return status;
    }
    *out = d;
    return DN_OK;
}

void dn_drift_free(dn_drift *drift) {
    if (drift) {
        dn_json_free(drift->doc);
        free(drift->pipeline);
        free(drift);
    }
}

/* ---- comparing ---- */

static const char *name_of(const dn_field *field, int code) {
    return code == DN_NO_LABEL ? null_name : code < field->n_labels ? field->labels[code] : NULL;
}

/** How often the baseline has the label; what is not there has none. */
static double count_of(const dn_json_at *column, const char *label) {
    dn_json_at at;
    double count = 0;
    bool known = dn_json_find(column, label, &at) && dn_json_real(&at, 0, 1e18, &count) == DN_OK;
    return known ? count : 0;
}

static void compare(const dn_field *field, const dn_json_at *column, const int64_t *now, watch *w) {
    double sum_then = 0, sum_now = 0, psi = 0, largest = -1, then = 0, new = 0;
    const char *label = NULL;
    for (int code = 0; code < DN_LABEL_CODES; code++) {
        const char *name = name_of(field, code);
        sum_then += name ? count_of(column, name) : 0;
        sum_now += (double)now[code];
    }
    for (int code = 0; code < DN_LABEL_CODES && sum_then > 0 && sum_now > 0; code++) {
        const char *name = name_of(field, code);
        double p = name ? count_of(column, name) / sum_then : 0, q = (double)now[code] / sum_now;
        double bounded_p = fmax(p, least_share), bounded_q = fmax(q, least_share);
        psi += (bounded_q - bounded_p) * log(bounded_q / bounded_p);
        if (fabs(q - p) > largest) {
            largest = fabs(q - p);
            then = p;
            new = q;
            label = name;
        }
    }
    w->n_windows++;
    w->last = psi;
    if (psi >= w->most) {
        w->most = psi;
        w->label = label;
        w->share_then = then;
        w->share_now = new;
    }
}

static void warn(const dn_drift *d, const dn_field *field, watch *w) {
    bool above = w->last > DN_DRIFT_WARN;
    if (above && !w->warned) {
        dn_log(DN_LOG_WARN,
               "drift: %s of pipeline %s is no longer as in the baseline (PSI %.2f, above %.2f): "
               "most of all %s, %.1f %% now, %.1f %% then",
               field->name, d->pipeline, w->last, DN_DRIFT_WARN, w->label ? w->label : "?",
               100 * w->share_now, 100 * w->share_then);
    }
    w->warned = above;
}

void dn_drift_look(void *drift, const dn_labels *labels) {
    dn_drift *d = drift;
    for (int c = 0; c < dn_labels_columns(labels) && d->has_columns; c++) {
        const dn_field *field = dn_labels_field(labels, c);
        int64_t now[DN_LABEL_CODES];
        dn_json_at column;
        if (dn_json_find(&d->columns, field->name, &column)) {
            dn_labels_newest(labels, c, now);
            compare(field, &column, now, &d->watch[c]);
            warn(d, field, &d->watch[c]);
        }
    }
}

/* ---- at the end ---- */

int dn_drift_read(const dn_drift *d, const dn_labels *labels, dn_drift_column *column) {
    int n = dn_labels_columns(labels);
    for (int c = 0; c < n; c++) {
        const watch *w = &d->watch[c];
        column[c] = (dn_drift_column){.n_windows = w->n_windows,
                                      .last = w->last,
                                      .most = w->most,
                                      .share_then = w->share_then,
                                      .share_now = w->share_now};
        snprintf(column[c].name, sizeof column[c].name, "%s", dn_labels_field(labels, c)->name);
        snprintf(column[c].label, sizeof column[c].label, "%s", w->label ? w->label : "");
        memcpy(column[c].total, dn_labels_total(labels, c), sizeof column[c].total);
    }
    return n;
}

void dn_drift_merge(dn_drift_column *into, const dn_drift_column *from) {
    for (int code = 0; code < DN_LABEL_CODES; code++) {
        into->total[code] += from->total[code];
    }
    into->n_windows += from->n_windows;
    into->last = fmax(into->last, from->last);
    if (from->most > into->most) {
        into->most = from->most;
        into->share_then = from->share_then;
        into->share_now = from->share_now;
        memcpy(into->label, from->label, sizeof into->label);
    }
}

void dn_drift_write(const dn_labels *labels, const dn_drift_column *column, dn_out *out) {
    dn_out_open(out, '{');
    for (int c = 0; c < dn_labels_columns(labels); c++) {
        const dn_field *field = dn_labels_field(labels, c);
        dn_out_key(out, field->name);
        dn_out_open(out, '{');
        for (int code = 0; code < DN_LABEL_CODES; code++) {
            if (name_of(field, code)) {
                dn_out_key(out, name_of(field, code));
                dn_out_i64(out, column[c].total[code]);
            }
        }
        dn_out_close(out, '}');
    }
    dn_out_close(out, '}');
}
