#ifndef DN_RUN_WIRING_H
#define DN_RUN_WIRING_H
/** Topics between pipelines of a rank: who feeds whom, through memory or through the broker. */
#include "flow/bus.h"
#include "job/job.h"

#include <stdatomic.h>

/** One topic that a pipeline of this rank writes and another one reads. */
typedef struct dn_wire {
    int from, sink, to;        /**< pipeline and its sink, reading pipeline */
    dn_bus *bus;               /**< without a broker; NULL with one */
    const _Atomic bool *ended; /**< of the writing pipeline */
    dn_pipeline *writer;
} dn_wire;

typedef struct dn_wiring {
    int n;
    dn_wire wire[DN_MAX_PIPELINES * DN_MAX_SINKS];
} dn_wiring;

/** Finds the wires and an order in which pipelines can be opened: readers before writers, since a
 * topic in memory begins where its reader's sinks stopped. CONFIG when pipelines feed each other in
 * a circle. args  ended  [n_pipelines] flags that become true when a pipeline has ended */
dn_status dn_wiring_make(dn_wiring *wiring, const dn_job *job, const _Atomic bool *ended,
                         int *order);
void dn_wiring_free(dn_wiring *wiring);

/** Puts pipeline i's ends of wires into its environment. */
void dn_wiring_connect(dn_wiring *wiring, int i, dn_pipeline_env *env);

/** Pipeline i has ended: its readers get the end of their topics in memory. thread: any */
void dn_wiring_ended(dn_wiring *wiring, int i);

/** Whether a topic in memory feeds pipeline i. */
bool dn_wiring_feeds(const dn_wiring *wiring, int i);

/** Lets go whoever waits at a topic in memory: its other side has failed. thread: any */
void dn_wiring_release(dn_wiring *wiring);

/** Pipeline i is open: as a reader it tells its topics in memory where it starts. */
void dn_wiring_opened(dn_wiring *wiring, int i, dn_pipeline *pipeline);

#endif
