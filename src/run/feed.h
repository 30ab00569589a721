#ifndef DN_RUN_FEED_H
#define DN_RUN_FEED_H
/** What model threads report: summed for the summary, and carried to the trace file by the control
 * thread.
 *
 *   model thread ──▶ channel ──▶ totals (atomic sums)
 *                           └──▶ dn_events ──▶ control thread ──▶ dn_trace
 *
 * Best effort: a trace that cannot be written is switched off with one warning, the run goes on. */
#include "run/report.h"
#include "trace/trace.h"

enum { DN_FEED_THREADS = 256 };

typedef struct dn_feed dn_feed;

/** ownership  takes the trace (NULL: totals only); dn_feed_free closes it */
dn_feed *dn_feed_new(dn_trace *trace);

/** The listener's context for one pipeline with that many model threads. lends until dn_feed_free.
 * thread: main */
void *dn_feed_channel(dn_feed *feed, int pipeline, int model_threads);
const dn_batch_totals *dn_feed_totals(const dn_feed *feed, int pipeline);

/** A dn_batch_listener. thread: the model thread that event->thread names */
void dn_feed_batch(void *channel, const dn_batch_event *event);

/** Moves events to the trace and samples the system about once a second. thread: control */
void dn_feed_tick(dn_feed *feed);

/** Adds the pipelines' parts, queues and histograms, and closes the trace. */
void dn_feed_finish(dn_feed *feed, const dn_report *report);
void dn_feed_free(dn_feed *feed);

#endif
