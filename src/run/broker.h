#ifndef DN_RUN_BROKER_H
#define DN_RUN_BROKER_H
/** Which broker a run talks to, and whether its topics are as declared. */
#include "comm/comm.h"
#include "job/job.h"

/** Resolves "none", "local" or HOST:PORT of `wanted` (NULL: the job's) into `job->conf.kafka`'s
 * bootstrap.servers. `local` starts the broker of scripts/kafka if none runs (rank 0) and leaves it
 * running. `*with_broker` is false for "none".     collective  yes      errors  BROKER, CONFIG */
dn_status dn_broker_resolve(dn_comm *comm, dn_job *job, const char *wanted, bool *with_broker);

/** Told of each declared topic. */
typedef void dn_topic_listener(void *ctx, const dn_topic_spec *spec, const dn_topic_report *report);

/** Compares the declared topics with the broker and makes the missing ones where the job allows;
 * `change` false only looks. A topic that a pipeline needs and that is missing is a TOPIC error.
 * thread  main of rank 0 */
dn_status dn_broker_topics(const dn_job *job, bool change, dn_topic_listener *listener, void *ctx);

#endif
