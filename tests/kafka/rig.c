#include "kafka/rig.h"

#include "base/memory.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char broker_dir[256], address[128], folder[256];
static pid_t owner; /* children of tests must not stop the broker */

/* What tests hold until the program ends. */
static void *keep(void *thing) {
    static void *kept[4096];
    static size_t n;
    if (n == sizeof kept / sizeof *kept) {
        fprintf(stderr, "rig: too many things to keep\n");
        exit(1);
    }
    return kept[n++] = thing;
}

/* ---- broker */

const char *rig_shell(const char *fmt, ...) {
    static char line[4096];
    char command[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    line[0] = '\0';
    FILE *pipe = popen(command, "r");
    if (pipe) {
        size_t n = fread(line, 1, sizeof line - 1, pipe);
        line[n] = '\0';
        line[strcspn(line, "\n")] = '\0';
        pclose(pipe);
    }
    return line;
}

static void stop(void) {
    if (getpid() == owner) {
        rig_shell("scripts/kafka down --dir '%s' 2>/dev/null; rm -rf '%s'", broker_dir, broker_dir);
    }
}

static void start(void) {
    owner = getpid();
    snprintf(broker_dir, sizeof broker_dir, "/tmp/dunlin-kafka-%d", (int)owner);
    atexit(stop);
    rig_broker_start();
    if (!address[0]) {
        printf("skipped: scripts/kafka cannot start a broker here (see above)\n");
        exit(77);
    }
}

/* Not on the default port: while a test's broker is down, anybody's `scripts/kafka up` would take
 * it. */
void rig_broker_start(void) {
    bool again = address[0] != '\0';
    int port = again ? atoi(strchr(address, ':') + 1) : 20000 + 2 * (int)(getpid() % 4500);
    snprintf(address, sizeof address, "%s",
             rig_shell("scripts/kafka up --port %d --dir '%s'", port, broker_dir));
    if (again && !address[0]) {
        fprintf(stderr, "rig: the broker did not start again on port %d\n", port);
        exit(1);
    }
    if (!address[0]) {
        snprintf(address, sizeof address, "%s",
                 rig_shell("scripts/kafka up --dir '%s'", broker_dir));
    }
}

void rig_broker_kill(void) {
    rig_shell(
        "pid=$(cat '%s/pid'); kill -9 $pid; while kill -0 $pid 2>/dev/null; do sleep 0.01; done",
        broker_dir);
}

const dn_map *rig_kafka(void) {
    static dn_map map;
    if (map.n == 0) {
        start();
        dn_map_put(&map, "bootstrap.servers", address);
        dn_map_put(&map, "reconnect.backoff.max.ms", "500");
    }
    return &map;
}

const dn_map *rig_kafka_with(const dn_map *base, ...) {
    dn_map *map = keep(dn_alloc(sizeof *map));
    for (int i = 0; base && i < base->n; i++) {
        dn_map_put(map, base->key[i], base->value[i]);
    }
    va_list args;
    va_start(args, base);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        dn_map_put(map, key, va_arg(args, const char *));
    }
    va_end(args);
    return map;
}

const char *rig_topic(const char *word, int n_partitions) {
    static int n;
    char *name = keep(dn_format("%s-%d", word, ++n));
    dn_topic_spec spec = {.name = name, .partitions = n_partitions, .retention = "forever"};
    dn_topic_report report;
    dn_kafka_client *client;
    if (dn_kafka_client_open(rig_kafka(), &client) != DN_OK ||
        dn_kafka_topic_ensure(client, &spec, true, &report) != DN_OK) {
        fprintf(stderr, "rig_topic: %s\n", dn_failure_last()->text);
        exit(1);
    }
    dn_kafka_client_close(client);
    return name;
}

static void remove_folder(void) {
    rig_shell("rm -rf '%s'", folder);
}

const char *rig_folder(void) {
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/dunlin-out-XXXXXX");
        if (!mkdtemp(folder)) {
            perror("mkdtemp");
            exit(1);
        }
        atexit(remove_folder);
    }
    return folder;
}

/* ---- confs */

static dn_status set_all(const dn_prop *props, void *conf, va_list args) {
    DN_TRY(dn_props_init(props, conf));
    for (const char *name = va_arg(args, const char *); name; name = va_arg(args, const char *)) {
        const dn_prop *prop = dn_prop_find(props, name);
        if (!prop) {
            return DN_FAIL(INTERNAL, "no property %s", name);
        }
        DN_TRY(dn_prop_set(prop, conf, va_arg(args, const char *)));
    }
    return DN_OK;
}

/* ---- sinks */

const dn_schema *rig_schema(void) {
    static dn_schema schema;
    int index;
    if (schema.n == 0) {
        dn_field id = {.name = "id",
                       .type = DN_I64,
                       .width = 1,
                       .units = "",
                       .group = "records",
                       .long_name = ""};
        dn_field user = {.name = "user",
                         .type = DN_BYTES,
                         .width = 1,
                         .units = "",
                         .group = "records",
                         .long_name = ""};
        dn_field text = user;
        text.name = "text";
        dn_schema_add(&schema, id, &index);
        dn_schema_add(&schema, user, &index);
        dn_schema_add(&schema, text, &index);
    }
    return &schema;
}

dn_status rig_sink_open(rig_sink *rig, const dn_sink_ops *ops, const dn_sink_env *env, ...) {
    *rig = (rig_sink){.ops = ops, .conf = dn_alloc(ops->conf_size), .schema = *rig_schema()};
    va_list args;
    va_start(args, env);
    dn_status status = set_all(ops->props, rig->conf, args);
    va_end(args);
    dn_bind bind = {.schema = &rig->schema, .job = env->job, .pipeline = env->pipeline};
    if (status == DN_OK) {
        status = ops->bind(rig->conf, &bind);
    }
    return status == DN_OK ? ops->open(rig->conf, env, &rig->sink) : status;
}

void rig_sink_close(rig_sink *rig) {
    rig->ops->close(rig->sink);
    rig->ops->unbind(rig->conf);
    dn_props_free(rig->ops->props, rig->conf);
    free(rig->conf);
}

dn_status rig_sink_write(rig_sink *rig, dn_chunk *chunk) {
    const dn_stage_ops *prepare = rig->ops->prepare;
    void *worker;
    DN_TRY(prepare->open(rig->conf, &worker));
    dn_status status = prepare->run(rig->conf, worker, chunk);
    prepare->close(worker);
    return status == DN_OK ? rig->ops->write(rig->sink, chunk) : status;
}

static void fill_chunk(dn_chunk *chunk, int32_t partition, int64_t first, int64_t last) {
    dn_chunk_reset(chunk);
    chunk->topic = "corpus";
    chunk->partition = partition;
    for (int64_t i = first; i < last; i++) {
        uint32_t row = dn_chunk_append(chunk, i, DN_NULL_I64, 1000000000 + i);
        char text[64];
        snprintf(text, sizeof text, "text of record %lld", (long long)i);
        dn_chunk_i64(chunk, RIG_ID)[row] = i;
        dn_chunk_bytes(chunk, RIG_USER)[row] = DN_SPAN("ann");
        dn_chunk_bytes(chunk, RIG_TEXT)[row] = dn_arena_copy(&chunk->arena, dn_span_of(text));
    }
    chunk->next = last;
}

dn_status rig_sink_rows(rig_sink *rig, int32_t partition, int64_t first, int64_t last) {
    dn_chunk *chunk = dn_chunk_new(&rig->schema);
    dn_status status = DN_OK;
    while (first < last && status == DN_OK) {
        int64_t end = first + 500 < last ? first + 500 : last;
        fill_chunk(chunk, partition, first, end);
        chunk->sequence = (uint64_t)rig->sequence++;
        status = rig_sink_write(rig, chunk);
        first = end;
    }
    dn_chunk_free(chunk);
    return status;
}

/* ---- sources */

dn_status rig_source_open(rig_source *rig, const dn_source_ops *ops, const dn_source_env *env,
                          ...) {
    *rig = (rig_source){.ops = ops, .conf = dn_alloc(ops->conf_size)};
    va_list args;
    va_start(args, env);
    dn_status status = set_all(ops->props, rig->conf, args);
    va_end(args);
    dn_bind bind = {.schema = &rig->schema, .job = env->job, .pipeline = env->pipeline};
    if (status == DN_OK) {
        status = ops->bind(rig->conf, &bind);
    }
    rig->chunk = dn_chunk_new(&rig->schema);
    return status == DN_OK ? ops->open(rig->conf, env, &rig->source) : status;
}

void rig_source_close(rig_source *rig) {
    rig->ops->close(rig->source);
    dn_chunk_free(rig->chunk);
    dn_props_free(rig->ops->props, rig->conf);
    free(rig->conf);
}

static void count_chunk(const dn_chunk *chunk, int value, int n_ids, uint8_t *seen) {
    for (uint32_t row = 0; row < chunk->n_rows; row++) {
        /* The arena puts a NUL behind every value. */
        const char *id = strstr(dn_chunk_bytes(chunk, value)[row].ptr, "\"id\":");
        long number = id ? strtol(id + 5, NULL, 10) : -1;
        if (number < 0 || number >= n_ids) {
            fprintf(stderr, "unexpected record: %s\n", dn_chunk_bytes(chunk, value)[row].ptr);
            exit(1);
        }
        seen[number] += seen[number] < 255;
        if (chunk->offset[row] >= chunk->next ||
            (row && chunk->offset[row] <= chunk->offset[row - 1])) {
            fprintf(stderr, "offsets do not rise\n");
            exit(1);
        }
    }
}

int64_t rig_source_count(rig_source *rig, int n_ids, uint8_t *seen) {
    int64_t records = 0;
    int value = dn_schema_find(&rig->schema, "value");
    dn_poll what = DN_POLL_IDLE;
    for (int idle = 0; what != DN_POLL_END && idle < 300; idle += what == DN_POLL_IDLE) {
        dn_chunk_reset(rig->chunk);
        if (rig->ops->poll(rig->source, 100000000, rig->chunk, &what) != DN_OK) {
            fprintf(stderr, "poll: %s\n", dn_failure_last()->text);
            return -1;
        }
        if (what == DN_POLL_CHUNK) {
            count_chunk(rig->chunk, value, n_ids, seen);
            records += rig->chunk->n_rows;
        }
    }
    return what == DN_POLL_END ? records : -2;
}

int rig_not_once(const uint8_t *seen, int n) {
    int wrong = 0;
    for (int i = 0; i < n; i++) {
        wrong += seen[i] != 1;
    }
    return wrong;
}
