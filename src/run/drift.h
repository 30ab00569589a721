#ifndef DN_RUN_DRIFT_H
#define DN_RUN_DRIFT_H
/** Whether the labels that a job gives are distributed as they once were.
 *
 *    OUT/labels.json   how often each label was given, und and null too, by the newest run
 *    drift: FILE       such a file of an earlier run, to compare with
 *
 * A column's newest rows are compared with the baseline by the population stability index
 *
 *    PSI = sum over labels of (q - p) ln(q / p)        p, q: shares in the baseline, and now
 *
 * with shares below 0.0001 taken as that. Below 0.1 nothing has changed, above 0.25 much has: then
 * the log warns once, and again after it has been below. The job goes on.
 *
 * source  Siddiqi 2006, "Credit Risk Scorecards", for the index and its two bounds */
#include "flow/labels.h"
#include "io/json_write.h"

#define DN_DRIFT_WARN 0.25

/** A column as it is at the end; plain numbers, so that ranks can send it. */
typedef struct dn_drift_column {
    char name[64];
    int64_t total[DN_LABEL_CODES];
    int64_t n_windows; /**< compared; 0: the baseline lacks the column, or too few rows */
    double last, most; /**< PSI of the newest window, and the largest */
    char label[64];    /**< whose share changed most in the window of `most` */
    double share_then, share_now;
} dn_drift_column;

typedef struct dn_drift dn_drift;

/** The pipeline's part of a baseline; `path` "": only counts. NO_INPUT, DATA: names the field.
 *  ownership  the caller: dn_drift_free */
dn_status dn_drift_new(const char *path, const char *pipeline, dn_drift **out);
void dn_drift_free(dn_drift *drift);

/** A dn_labels_window: compares, keeps and warns. */
void dn_drift_look(void *drift, const dn_labels *labels);

/** Fills column[DN_MAX_LABEL_COLUMNS] after the run; their number. */
int dn_drift_read(const dn_drift *drift, const dn_labels *labels, dn_drift_column *column);

/** Adds another rank's numbers of the same column. */
void dn_drift_merge(dn_drift_column *into, const dn_drift_column *from);

/** {"enrich": {"label.mood": {"good": 12, ..., "und": 0, "null": 3}}}: a pipeline's member. */
void dn_drift_write(const dn_labels *labels, const dn_drift_column *column, dn_out *out);

#endif
