#ifndef DN_BENCH_KAFKA_RAW_H
#define DN_BENCH_KAFKA_RAW_H
/** The plain loops that ours are compared with: librdkafka as its own examples use it. They end the
 * program on an error. */
#include <stddef.h>
#include <stdint.h>

typedef struct raw_message {
    int32_t partition;
    const char *value;
    size_t value_bytes;
    int64_t sent_ns;
} raw_message;

typedef struct raw_producer raw_producer;
raw_producer *raw_producer_open(const char *broker, const char *topic, const char *compression);
void raw_produce(raw_producer *producer, const raw_message *message);
/** Waits for all acknowledgements. */
void raw_producer_close(raw_producer *producer);

typedef enum raw_mode { RAW_POLL, RAW_BATCH } raw_mode;
/** Reads committed messages of all partitions to their ends, looks at each, returns how many. */
int64_t raw_consume(const char *broker, const char *topic, int n_partitions, raw_mode mode);

#endif
