#ifndef DN_MODEL_MEASURE_H
#define DN_MODEL_MEASURE_H
/** How fast a model is on this machine, as tokens/s and as a share of the multiply-add peak.
 *
 * A run is 0.3 s (at least one batch) of micro-batches at the lengths of tweets. Behind a batch, at
 * most every 15 ms of work, the thread measures its peak for 5 ms, because the clock of a shared
 * machine changes within a second and a share must not compare two clocks. Figures are medians over
 * the runs. */
#include "model/model.h"

typedef struct dn_measurement {
    int n_threads, budget;             /**< threads; tokens of a micro-batch */
    double tokens_per_s, tweets_per_s; /**< all threads, by the clock on the wall */
    double gflops, peak_gflops;        /**< one thread, by its CPU time; or a device */
    double peak_share;
    double spread; /**< (third quartile - first) / median of tokens_per_s */
} dn_measurement;

typedef struct dn_measuring dn_measuring;

/** `n_threads` threads over shared weights, each with its own batches; at most n_runs runs.
 *  ownership  the caller: dn_measuring_free */
dn_status dn_measuring_new(const dn_model *model, const dn_kernels *kernels, int budget,
                           int n_threads, int n_runs, dn_measuring **out);
void dn_measuring_free(dn_measuring *measuring);

/** One run: those of several measurings may take turns, so that a busy machine hits them alike.
 *  thread  main     blocks  0.3 s and more */
dn_status dn_measuring_run(dn_measuring *measuring);

/** Over the runs so far, at least one. */
dn_measurement dn_measuring_read(dn_measuring *measuring);

/** The first of its batches, to check scores by. lends until free */
const dn_batch *dn_measuring_batch(const dn_measuring *measuring);

#endif
