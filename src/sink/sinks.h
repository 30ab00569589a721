#ifndef DN_SINK_SINKS_H
#define DN_SINK_SINKS_H
/** The sinks of this folder, for job/registry.c. */
#include "flow/sink.h"

/** Kept rows as HDF5 files, OUT/rows/<topic>/<partition>/<first offset>.h5. */
extern const dn_sink_ops dn_sink_rows_h5;

/** Bad records as HDF5 files, OUT/dead/<pipeline>/<topic>/<partition>/<first offset>.h5: every
 * pipeline has one, before its other sinks. Its cursor only tells which letters it has already; a
 * restart begins by the others' cursors. */
extern const dn_sink_ops dn_sink_dead_letters;

/** Counts and drops. */
extern const dn_sink_ops dn_sink_null;

/** A topic. All three have the conf of sink/topic.h; job/ takes another than the first where there
 * is no broker. */
extern const dn_sink_ops dn_sink_kafka_topic;  /**< of a Kafka broker, in transactions: topic.c */
extern const dn_sink_ops dn_sink_memory_topic; /**< read by another pipeline: topic_memory.c */
extern const dn_sink_ops dn_sink_jsonl_topic;  /**< files OUT/topics/<name>/: jsonl.c */

#endif
