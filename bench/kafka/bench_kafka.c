/* Our topic source and transaction wrapper beside plain loops over librdkafka, interleaved on one
 * broker. */
#include "base/clock.h"
#include "base/memory.h"
#include "io/kafka_client.h"
#include "io/kafka_txn.h"
#include "raw.h"
#include "source/sources.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_ROUNDS = 25 };

typedef struct setup {
    const char *broker, *compression;
    char topic[64];
    int n_partitions, rounds;
    int64_t n_messages;
    size_t message_bytes;
    dn_map kafka;
    char *payload; /* tweet-like text that compresses like one */
    size_t payload_bytes;
} setup;

static void check(dn_status status, const char *what) {
    if (status != DN_OK) {
        fprintf(stderr, "bench kafka: %s: %s\n", what, dn_failure_last()->text);
        exit(1);
    }
}

/* ---- messages */

static void make_payload(setup *s) {
    static const char *const words[] = {"flock",           "the",      "wader",  "tide",   "now",
                                        "https://t.co/x1", "@someone", "mud",    "winter", "RT",
                                        "shore",           "news",     "people", "#birds"};
    uint64_t z = 1;
    s->payload_bytes = 1 << 22;
    s->payload = dn_alloc(s->payload_bytes + 64);
    for (size_t at = 0; at < s->payload_bytes;) {
        z = z * 6364136223846793005u + 1442695040888963407u;
        at += (size_t)snprintf(s->payload + at, 64, "%s%llu ", words[(z >> 33) % 14],
                               (unsigned long long)(z >> 56));
    }
}

static const char *message(const setup *s, int64_t i) {
    return s->payload + (size_t)(i * 977) % (s->payload_bytes - s->message_bytes);
}

static void fill(const setup *s, int64_t i, raw_message *m) {
    *m = (raw_message){.partition = (int32_t)(i / 512 % s->n_partitions),
                       .value = message(s, i),
                       .value_bytes = s->message_bytes,
                       .sent_ns = dn_wall_ns()};
}

/* ---- one run of each kind; all return messages */

static int64_t produce_ours(setup *s) {
    dn_kafka_txn_conf conf = {.kafka = &s->kafka,
                              .job = "bench",
                              .pipeline = "produce",
                              .size = 1,
                              .topic = s->topic,
                              .cursor_topic = s->topic,
                              .n_cursors = 1,
                              .compression = s->compression,
                              .linger_ns = 50000000,
                              .batch_bytes = 1000000};
    int64_t cursor = 0;
    dn_kafka_txn *txn;
    check(dn_kafka_txn_open(&conf, &cursor, &txn), "open");
    int64_t due = dn_mono_ns() + 1000000000;
    for (int64_t i = 0; i < s->n_messages; i++) {
        raw_message m;
        fill(s, i, &m);
        check(dn_kafka_txn_put(txn, m.partition, (dn_span){"key", 3},
                               (dn_span){m.value, m.value_bytes}, m.sent_ns),
              "put");
        if ((i % 512 == 511 && dn_mono_ns() > due) || dn_kafka_txn_pending_bytes(txn) >= 64 << 20) {
            cursor++;
            check(dn_kafka_txn_commit(txn, &cursor), "commit");
            due = dn_mono_ns() + 1000000000;
        }
    }
    cursor++;
    check(dn_kafka_txn_commit(txn, &cursor), "commit");
    dn_kafka_txn_close(txn);
    return s->n_messages;
}

static int64_t produce_raw(setup *s) {
    raw_producer *producer = raw_producer_open(s->broker, s->topic, s->compression);
    for (int64_t i = 0; i < s->n_messages; i++) {
        raw_message m;
        fill(s, i, &m);
        raw_produce(producer, &m);
    }
    raw_producer_close(producer);
    return s->n_messages;
}

static int64_t consume_ours(setup *s) {
    const dn_source_ops *ops = &dn_source_kafka_topic;
    void *conf = dn_alloc(ops->conf_size);
    dn_schema schema = {0};
    dn_bind bind = {.schema = &schema};
    check(dn_props_init(ops->props, conf), "props");
    check(dn_prop_set(dn_prop_find(ops->props, "name"), conf, s->topic), "name");
    check(ops->bind(conf, &bind), "bind");
    dn_source_env env = {.job = "bench",
                         .pipeline = "consume",
                         .size = 1,
                         .n_partitions = s->n_partitions,
                         .bounded = true,
                         .kafka = &s->kafka};
    dn_source *source;
    check(ops->open(conf, &env, &source), "open");
    dn_chunk *chunk = dn_chunk_new(&schema);
    int64_t n = 0, n_chunks = 0;
    dn_poll what = DN_POLL_IDLE;
    while (what != DN_POLL_END) {
        dn_chunk_reset(chunk);
        check(ops->poll(source, 100000000, chunk, &what), "poll");
        n += what == DN_POLL_CHUNK ? chunk->n_rows : 0;
        n_chunks += what == DN_POLL_CHUNK;
    }
    ops->close(source);
    dn_chunk_free(chunk);
    dn_props_free(ops->props, conf);
    free(conf);
    fprintf(stderr, "rows a chunk: %.0f\n", n_chunks ? (double)n / (double)n_chunks : 0.0);
    return n;
}

static int64_t consume_poll(setup *s) {
    return raw_consume(s->broker, s->topic, s->n_partitions, RAW_POLL);
}

static int64_t consume_batch(setup *s) {
    return raw_consume(s->broker, s->topic, s->n_partitions, RAW_BATCH);
}

static const struct {
    const char *name;
    int64_t (*run)(setup *s);
    int base; /* row that its ratio refers to */
    bool makes_topic;
} kinds[] = {
    {"produce: librdkafka, idempotent, acks=all", produce_raw, 0, true},
    {"produce: transactions each 1 s (ours)", produce_ours, 0, true},
    {"consume: librdkafka, consumer_poll", consume_poll, 2, false},
    {"consume: librdkafka, batches of 1000", consume_batch, 2, false},
    {"consume: topic source, into chunks (ours)", consume_ours, 2, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- rounds */

static double cpu_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void make_topic(setup *s, int round, int kind) {
    dn_kafka_client *client;
    dn_topic_report report;
    snprintf(s->topic, sizeof s->topic, "bench-%d-%d-%d", (int)getpid(), round, kind);
    dn_topic_spec spec = {.name = s->topic, .partitions = s->n_partitions, .retention = "forever"};
    check(dn_kafka_client_open(&s->kafka, &client), "connect");
    check(dn_kafka_topic_ensure(client, &spec, true, &report), "topic");
    dn_kafka_client_close(client);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(const double *values, int n) {
    double sorted[MAX_ROUNDS];
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    return sorted[n / 2];
}

static void extremes(const double *values, int n, double *least, double *most) {
    *least = *most = values[0];
    for (int i = 1; i < n; i++) {
        *least = values[i] < *least ? values[i] : *least;
        *most = values[i] > *most ? values[i] : *most;
    }
}

static void print(const setup *s, double rate[KINDS][MAX_ROUNDS], double us[KINDS][MAX_ROUNDS]) {
    printf("# %lld messages of %zu bytes, %d partitions, %s, %d rounds after one of warm-up, "
           "librdkafka %s\n",
           (long long)s->n_messages, s->message_bytes, s->n_partitions, s->compression, s->rounds,
           dn_kafka_version());
    printf("%-44s %10s %10s %10s %8s %12s\n", "", "msg/s min", "median", "max", "ratio",
           "CPU us/msg");
    for (int k = 0; k < KINDS; k++) {
        double least, most, ratio[MAX_ROUNDS];
        extremes(rate[k], s->rounds, &least, &most);
        for (int r = 0; r < s->rounds; r++) {
            ratio[r] = rate[k][r] / rate[kinds[k].base][r];
        }
        printf("%-44s %10.0f %10.0f %10.0f %8.2f %12.2f\n", kinds[k].name, least,
               median(rate[k], s->rounds), most, median(ratio, s->rounds),
               median(us[k], s->rounds));
    }
}

static void run(setup *s) {
    double rate[KINDS][MAX_ROUNDS], us[KINDS][MAX_ROUNDS];
    for (int round = -1; round < s->rounds; round++) {
        for (int k = 0; k < KINDS; k++) {
            if (kinds[k].makes_topic) {
                make_topic(s, round, k);
            }
            int64_t begin = dn_mono_ns();
            double cpu = cpu_s();
            int64_t n = kinds[k].run(s);
            if (n != s->n_messages) {
                fprintf(stderr, "bench kafka: %s: %lld messages, expected %lld\n", kinds[k].name,
                        (long long)n, (long long)s->n_messages);
                exit(1);
            }
            if (round >= 0) {
                rate[k][round] = (double)n / (1e-9 * (double)(dn_mono_ns() - begin));
                us[k][round] = 1e6 * (cpu_s() - cpu) / (double)n;
            }
        }
    }
    print(s, rate, us);
}

static int usage(void) {
    fprintf(stderr,
            "usage: kafka -b HOST:PORT [-n messages] [-s bytes] [-p partitions] [-r rounds] "
            "[-z none|gzip|snappy|lz4|zstd]\n");
    return 64;
}

int main(int argc, char **argv) {
    setup s = {.compression = "lz4",
               .n_partitions = 4,
               .rounds = 5,
               .n_messages = 500000,
               .message_bytes = 300};
    for (int c; (c = getopt(argc, argv, "b:n:s:p:r:z:")) != -1;) {
        switch (c) {
        case 'b':
            s.broker = optarg;
            break;
        case 'n':
            s.n_messages = atoll(optarg);
            break;
        case 's':
            s.message_bytes = (size_t)atoll(optarg);
            break;
        case 'p':
            s.n_partitions = atoi(optarg);
            break;
        case 'r':
            s.rounds = atoi(optarg);
            break;
        case 'z':
            s.compression = optarg;
            break;
        default:
            return usage();
        }
    }
    if (!s.broker || s.rounds < 1 || s.rounds > MAX_ROUNDS || s.n_partitions < 1 ||
        s.n_messages < 1 || s.message_bytes < 1 || s.message_bytes > 1 << 20) {
        return usage();
    }
    dn_map_put(&s.kafka, "bootstrap.servers", s.broker);
    make_payload(&s);
    run(&s);
    return 0;
}
