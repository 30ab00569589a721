#ifndef DN_SOURCE_SOURCES_H
#define DN_SOURCE_SOURCES_H
/** The sources, for the registry. Each is defined at the foot of its own file. */
#include "flow/source.h"

extern const dn_source_ops dn_source_corpus;    /**< a recorded corpus: replay_conf.c, replay.c */
extern const dn_source_ops dn_source_generator; /**< made-up tweets: replay_conf.c, tweets.c */

/** A topic. Both have the conf of source/topic.h; job/ takes the second where there is no broker.
 */
extern const dn_source_ops dn_source_kafka_topic;  /**< of a Kafka broker: topic.c */
extern const dn_source_ops dn_source_memory_topic; /**< fed by another pipeline: topic_memory.c */

#endif
