#ifndef DN_TESTS_KAFKA_RIG_H
#define DN_TESTS_KAFKA_RIG_H
/** A real broker for tests, and pipelines' ends without pipelines: sources are polled and sinks are
 * written by hand. */
#include "flow/sink.h"
#include "io/kafka_client.h"

/** Settings that reach the test's broker; the first call starts one in a folder of its own
 * (scripts/kafka), which ends with the program. Where none can be had (no Java, no jars) the
 * program ends with status 77: skipped. lends */
const dn_map *rig_kafka(void);

/** Settings with more entries; pairs end with NULL. ownership: the program's */
const dn_map *rig_kafka_with(const dn_map *base, ...);

/** kill -9 of the broker, and its start on the same port and data. */
void rig_broker_kill(void);
void rig_broker_start(void);

/** A topic with a name that no other test uses. lends */
const char *rig_topic(const char *word, int n_partitions);

/** A folder for a test's output, removed at exit. lends */
const char *rig_folder(void);

/** The schema of rows that go into a topic: id (I64), user and text (BYTES). */
enum { RIG_ID, RIG_USER, RIG_TEXT };
const dn_schema *rig_schema(void);

/** A sink of that name over settings; conf from "name=value" pairs that end with NULL. */
typedef struct rig_sink {
    const dn_sink_ops *ops;
    void *conf;
    dn_schema schema; /**< rig_schema() and what the sink adds */
    dn_sink *sink;
    int64_t sequence;
} rig_sink;
dn_status rig_sink_open(rig_sink *rig, const dn_sink_ops *ops, const dn_sink_env *env, ...);
void rig_sink_close(rig_sink *rig);

/** Prepares and writes a chunk of its schema. */
dn_status rig_sink_write(rig_sink *rig, dn_chunk *chunk);

/** Writes rows [first, last) of a partition as chunks, as a source whose offset and id are the
 * row's number would. */
dn_status rig_sink_rows(rig_sink *rig, int32_t partition, int64_t first, int64_t last);

/** A source. */
typedef struct rig_source {
    const dn_source_ops *ops;
    void *conf;
    dn_schema schema;
    dn_source *source;
    dn_chunk *chunk;
} rig_source;
dn_status rig_source_open(rig_source *rig, const dn_source_ops *ops, const dn_source_env *env, ...);
void rig_source_close(rig_source *rig);

/** Reads to the end; counts how often each id in [0, n_ids) was seen, checks that offsets rise.
 * Returns records. */
int64_t rig_source_count(rig_source *rig, int n_ids, uint8_t *seen);

/** How many ids of [0, n) were not seen exactly once. */
int rig_not_once(const uint8_t *seen, int n);

/** Standard output of a shell command, first line. lends until the next call */
const char *rig_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
