#ifndef DN_RUN_BASELINE_H
#define DN_RUN_BASELINE_H
/** OUT/labels.json: how often each class of flow/labels.h was delivered by the newest run, and the
 * baseline of a later one.
 *
 *    {"schema": "dunlin.labels/1",
 *     "models": {"enrich": "model=05d1... linear=7857..."},
 *     "pipelines": {"enrich": {"label.mood": {"good": 12, "bad": 3, "und": 0, "null": 1}}}} */
#include "flow/labels.h"
#include "io/json_write.h"

typedef struct dn_baseline {
    bool has[DN_MAX_LABEL_COLUMNS]; /**< the column, with rows */
    double share[DN_MAX_LABEL_COLUMNS][DN_LABEL_CODES];
} dn_baseline;

/** Whose counts are read or written. */
typedef struct dn_baseline_of {
    const char *pipeline;
    const char *models_sha256; /**< dn_plan_models_sha256 */
    const dn_labels *labels;
} dn_baseline_of;

/** The pipeline's shares out of a file. A column that the file lacks is left out; other models are
 * said in the log where `says`. NO_INPUT, DATA: names the field, also where the file has none of
 * the columns, or other classes in one. */
dn_status dn_baseline_read(const char *path, const dn_baseline_of *of, bool says, dn_baseline *out);

/** A file of `n` pipelines; count(ctx, i, column) has what pipeline i delivered of each code. */
typedef const int64_t *dn_baseline_count(const void *ctx, int i, int column);
void dn_baseline_write(const dn_baseline_of *of, int n, dn_baseline_count *count, const void *ctx,
                       dn_out *out);

#endif
