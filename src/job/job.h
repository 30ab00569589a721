#ifndef DN_JOB_JOB_H
#define DN_JOB_JOB_H
/** A job: a YAML file bound by the property tables of its parts. jobs/README.md describes the file
 * for its writer.
 *
 *    job: tweets
 *    topics:     { tweets: {partitions: 12} }
 *    pipelines:
 *      enrich:
 *        source: {topic: {name: tweets}}
 *        stages: [decode, clean, tokenise]
 *        model:  {path: models/tweets}          or a list of models
 *        sinks:  [rows]
 *
 * Unknown and misspelt keys are errors with file:line:column and the nearest name that would be
 * right. */
#include "flow/pipeline.h"
#include "io/kafka_client.h"

#include <stdio.h>

enum { DN_MAX_PIPELINES = 8, DN_MAX_TOPICS = 32 };

/** Top-level settings. */
typedef struct dn_job_conf {
    char *job, *output, *broker;
    char *drift; /**< baseline of the labels' shares, "": none */
    int64_t drift_rows;
    double drift_notice, drift_warn; /**< PSI, see run/drift.h */
    double max_bad;
    bool create_topics;
    dn_map kafka;                        /**< librdkafka properties, passed through */
    int64_t text_threads, model_threads; /**< 0: as many as are of use on the rank's cores */
} dn_job_conf;

typedef struct dn_job {
    char *file;
    dn_job_conf conf;
    int n_topics;
    dn_topic_spec topic[DN_MAX_TOPICS];
    int n_pipelines;
    dn_pipeline_plan pipeline[DN_MAX_PIPELINES];
} dn_job;

/** Reads and binds a job file, then applies `set` ("output=DIR", "enrich.model.path=DIR",
 * "ingest.corpus.limit=10k"). The file and what it reads are looked for in the working directory,
 * then in dn_home. CONFIG and NO_INPUT errors.     ownership  the caller: dn_job_close */
dn_status dn_job_open(const char *path, const dn_list *set, dn_job **out);
void dn_job_close(dn_job *job);

/** Resolves the numbers of threads and chunks of pipeline i for a rank with `cores` cores: base +
 * a_thread * threads chunks.   requires  a bound job: a model says how many threads are of use */
void dn_job_set_threads(dn_job *job, int i, int cores, int base, int a_thread);

/** Keeps the pipelines named in `only` (in the job's order). */
dn_status dn_job_only(dn_job *job, const dn_list *only);

/** Gives topics their kind of transport. With a broker: Kafka. Without: a topic that a pipeline of
 * the job reads is kept in memory between the two, any other becomes files. */
dn_status dn_job_resolve_topics(dn_job *job, bool with_broker);

/** The declared topic of that name, or NULL. */
const dn_topic_spec *dn_job_topic(const dn_job *job, const char *name);

/** Name of the topic that a source reads or a sink writes; NULL when it is no topic. */
const char *dn_source_topic(const dn_source_ops *ops, const void *conf);
const char *dn_sink_topic(const dn_sink_ops *ops, const void *conf);

/** Binds all pipelines in order (models are loaded). */
dn_status dn_job_bind(dn_job *job);
dn_status dn_job_bind_one(dn_job *job, int i);

/** Writes the job with all values resolved and secrets hidden, as YAML that dn_job_open reads.
 *  ownership  the caller: free() */
char *dn_job_print(const dn_job *job);

/** Writes jobs/REFERENCE.md: every part of the registry with its properties. */
void dn_reference_print(FILE *out);

#endif
