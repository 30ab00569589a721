#ifndef DN_RUN_DRIFT_H
#define DN_RUN_DRIFT_H
/** Whether what a pipeline gives is distributed as it once was: labels, und, null with its reason,
 * tokens that the vocabulary lacks (flow/labels.h).
 *
 * The newest rows of a rank are compared with a baseline (run/baseline.h), column by column, by the
 * population stability index
 *
 *    PSI = sum over classes of (q - p) ln(q / p)       p, q: shares in the baseline, and now
 *
 * with shares below 0.0001 taken as that. Below `drift_notice` (0.1) nothing has changed, above
 * `drift_warn` (0.25) much has: then the log warns once, and again after it has been below. The job
 * goes on. By chance alone PSI is about (classes - 1) (1 / rows now + 1 / rows then).
 *
 * source  Siddiqi 2006, "Credit Risk Scorecards", for the index and its two bounds */
#include "flow/labels.h"
#include "job/job.h"

/** A column as it is at the end; plain numbers, so that ranks can send it. */
typedef struct dn_drift_column {
    char name[64];
    int64_t total[DN_LABEL_CODES];
    int64_t undecided; /**< of total: und */
    int64_t n_windows; /**< compared; 0: the baseline lacks the column, or too few rows */
    double last, most; /**< PSI of the newest window, and the largest */
    double notice, warn;
    char label[64]; /**< whose share changed most in the window of `most` */
    double share_then, share_now;
} dn_drift_column;

typedef struct dn_drift dn_drift;

/** Of pipeline `i` of a bound job; without a baseline it only counts. `says`: what is odd about the
 * baseline goes to the log. NO_INPUT, DATA, CONFIG.
 *  ownership  the caller: dn_drift_free     lends  the job until then */
dn_status dn_drift_new(const dn_job *job, int i, bool says, dn_drift **out);
void dn_drift_free(dn_drift *drift);

/** A dn_labels_window: compares, keeps and warns.     thread  sink */
void dn_drift_look(void *drift, const dn_labels *labels);

/** The newest rows by class, those of all rows where there were too few for a window; which look
 * they are of, 0: none yet.
 *  lends  *shares until the next call     thread  control */
int64_t dn_drift_shares(dn_drift *drift, const dn_share **shares, int *n);

/** Fills column[DN_MAX_LABEL_COLUMNS] after the run; their number.     thread  control */
int dn_drift_read(dn_drift *drift, const dn_labels *labels, dn_drift_column *column);

/** Adds another rank's numbers of the same column. */
void dn_drift_merge(dn_drift_column *into, const dn_drift_column *from);

/** What became of it: "" below drift_notice, then words for the summary. */
const char *dn_drift_word(const dn_drift_column *column);

#endif
