#ifndef DN_RUN_TELEMETRY_H
#define DN_RUN_TELEMETRY_H
/** What model threads report: summed for the summary, and carried to the trace file by the control
 * thread.
 *
 *   model thread ──▶ channel ──▶ totals (atomic sums)
 *                           └──▶ dn_events ──▶ control thread ──▶ dn_trace
 *
 * Best effort: a trace that cannot be written is switched off with one warning, the run goes on. */
#include "base/events.h"
#include "run/report.h"
#include "trace/trace.h"

typedef struct dn_telemetry dn_telemetry;

/** ownership  takes the trace (NULL: totals only); dn_telemetry_free closes it */
dn_telemetry *dn_telemetry_new(dn_trace *trace);

/** The listener's context for one pipeline, with that many threads for each of its models. lends
 * until dn_telemetry_free. thread: main */
void *dn_telemetry_channel(dn_telemetry *telemetry, int pipeline, int n_models,
                           const int *model_threads);

/** Of one of its models. */
const dn_batch_totals *dn_telemetry_totals(const dn_telemetry *telemetry, int pipeline, int model);

/** Whose shares of labels go into the trace. lends until dn_telemetry_free */
void dn_telemetry_watch(dn_telemetry *telemetry, int pipeline, dn_drift *drift);

/** A dn_batch_listener. thread: the one that event->model and event->thread name */
void dn_telemetry_batch(void *channel, const dn_batch_event *event);

/** Moves events to the trace and samples system and pipelines about once a second. thread: control
 */
void dn_telemetry_tick(dn_telemetry *telemetry, dn_pipeline *const *pipelines);

/** Adds the last samples, the pipelines' parts and histograms and this rank's report (not yet
 * merged), and closes the trace. */
void dn_telemetry_finish(dn_telemetry *telemetry, const dn_report *report);
void dn_telemetry_free(dn_telemetry *telemetry);

#endif
