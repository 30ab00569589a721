/* Settings: the job's `kafka:` section reaches librdkafka as it is, except for what Dunlin's
 * promises rest on. */
#include "io/kafka_handle.h"

#include "base/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANY = KAFKA_ADMIN | KAFKA_CONSUMER | KAFKA_PRODUCER, CLIENT_ID_MAX = 32 };

/* What a job may not change. `value` NULL: Dunlin makes the value itself. */
typedef struct own_setting {
    const char *name;
    const char *value;
    const char *why;
} own_setting;

static const own_setting own[] = {
    {"enable.auto.commit", "false", "offsets are kept with the results"},
    {"auto.commit.enable", "false", "offsets are kept with the results"},
    {"enable.auto.offset.store", "false", "offsets are kept with the results"},
    {"auto.offset.reset", "error",
     "a gap in the input must not be skipped silently (on_gap says what to do)"},
    {"enable.partition.eof", "true", "the end of a partition is told by this event"},
    {"isolation.level", "read_committed", "aborted records are not input"},
    {"check.crcs", "true", "damaged records must not be read as data"},
    {"socket.nagle.disable", "true", "every request would wait"},
    {"enable.idempotence", "true", "records would be written twice after a retry"},
    {"acks", "all", "acknowledged records could be lost"},
    {"request.required.acks", "all", "acknowledged records could be lost"},
    {"transactional.id", NULL, "it is <job>.<pipeline>.<rank>"},
    {"group.id", NULL, "it is <job>.<pipeline>"},
    {"log.queue", "false", "log lines become part of error messages"},
    {NULL, NULL, NULL},
};

/* Better values than librdkafka's for this use; the job's win. */
static const struct {
    int roles;
    kafka_setting setting;
} better[] = {
    {ANY, {"reconnect.backoff.max.ms", "1000"}},
    {KAFKA_CONSUMER | KAFKA_PRODUCER, {"socket.nagle.disable", "true"}},
    {KAFKA_CONSUMER, {"enable.auto.commit", "false"}},
    {KAFKA_CONSUMER, {"enable.auto.offset.store", "false"}},
    {KAFKA_CONSUMER, {"auto.offset.reset", "error"}},
    {KAFKA_CONSUMER, {"enable.partition.eof", "true"}},
    {KAFKA_CONSUMER, {"isolation.level", "read_committed"}},
    {KAFKA_CONSUMER, {"check.crcs", "true"}},
    {KAFKA_CONSUMER, {"fetch.wait.max.ms", "100"}},
    {KAFKA_CONSUMER, {"fetch.error.backoff.ms", "100"}},
    {KAFKA_PRODUCER, {"enable.idempotence", "true"}},
    {KAFKA_PRODUCER, {"acks", "all"}},
    {KAFKA_PRODUCER, {"queue.buffering.max.messages", "10000000"}},
};

/* Keys of the `kafka:` section that are Dunlin's own. */
static bool is_ours(const char *name) {
    return strcmp(name, "deadline") == 0 || strcmp(name, "outage") == 0;
}

static const own_setting *find_own(const char *name) {
    for (const own_setting *row = own; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

static dn_status check_own(const own_setting *row, const char *value) {
    if (row->value && strcmp(row->value, value) == 0) {
        return DN_OK;
    }
    return DN_FAIL(CONFIG,
                   "kafka: %s is set by Dunlin%s%s, because %s; remove it from the job file",
                   row->name, row->value ? " to " : "", row->value ? row->value : "", row->why);
}

static dn_status check_client_id(const char *name, const char *value) {
    if (strcmp(name, "client.id") == 0 && strlen(value) > CLIENT_ID_MAX) {
        return DN_FAIL(
            CONFIG, "kafka: client.id has %zu characters; librdkafka before 2.5 needs %d or fewer",
            strlen(value), CLIENT_ID_MAX);
    }
    return DN_OK;
}

/* The nearest name in librdkafka's own list of properties, aliases included; "" when none is near.
 */
static void find_nearest(const char *name, char best[64]) {
    char *list = NULL, *rest, *line;
    size_t size = 0;
    int best_distance = INT_MAX;
    FILE *stream = open_memstream(&list, &size);
    rd_kafka_conf_properties_show(stream);
    fclose(stream);
    best[0] = '\0';
    for (line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char word[64] = "";
        sscanf(line, "%63s", word);
        int distance = dn_edit_distance(name, word);
        if (distance < best_distance && dn_near(name, word)) {
            best_distance = distance;
            strcpy(best, word);
        }
    }
    free(list);
}

static dn_status fail_unknown(const char *name) {
    char near[64];
    find_nearest(name, near);
    return DN_FAIL(CONFIG, "kafka: %s is not a property of librdkafka %s%s%s%s", name,
                   rd_kafka_version_str(), near[0] ? "; did you mean " : "", near,
                   near[0] ? "?" : "");
}

static dn_status set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, why, sizeof why);
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        return fail_unknown(name);
    }
    if (result != RD_KAFKA_CONF_OK) {
        return DN_FAIL(CONFIG, "kafka: %s: %s", name, why);
    }
    return DN_OK;
}

static dn_status set_one(rd_kafka_conf_t *conf, const char *name, const char *value) {
    const own_setting *row = find_own(name);
    if (row || is_ours(name)) {
        return row ? check_own(row, value) : DN_OK;
    }
    DN_TRY(check_client_id(name, value));
    return set(conf, name, value);
}

static dn_status set_job(rd_kafka_conf_t *conf, const dn_map *kafka) {
    for (int i = 0; i < kafka->n; i++) {
        DN_TRY(set_one(conf, kafka->key[i], kafka->value[i]));
    }
    return DN_OK;
}

static dn_status set_all(const kafka_plan *plan, rd_kafka_conf_t *conf) {
    char client_id[CLIENT_ID_MAX + 1] = "dunlin";
    if (plan->client_id) {
        strncpy(client_id, plan->client_id, CLIENT_ID_MAX);
    }
    DN_TRY(set(conf, "client.id", client_id));
    for (size_t i = 0; i < sizeof better / sizeof *better; i++) {
        if (better[i].roles & (int)plan->role) {
            DN_TRY(set(conf, better[i].setting.name, better[i].setting.value));
        }
    }
    /* A sink's own defaults come before the job's, which may override them; what it may not is in
     * own[]. */
    for (const kafka_setting *s = plan->settings; s && s->name; s++) {
        DN_TRY(set(conf, s->name, s->value));
    }
    return set_job(conf, plan->kafka);
}

static dn_status own_times(const dn_map *kafka, kafka_handle *handle) {
    const char *deadline = dn_map_get(kafka, "deadline"), *outage = dn_map_get(kafka, "outage");
    DN_TRY(dn_parse_duration(deadline ? deadline : "10s", &handle->deadline_ns));
    return dn_parse_duration(outage ? outage : "2min", &handle->outage_ns);
}

dn_status dn_kafka_conf_make(const kafka_plan *plan, kafka_handle *handle, rd_kafka_conf_t **out) {
    const char *brokers = dn_map_get(plan->kafka, "bootstrap.servers");
    if (!brokers) {
        brokers = dn_map_get(plan->kafka, "metadata.broker.list");
    }
    if (!brokers && !dn_map_get(plan->kafka, "test.mock.num.brokers")) {
        return DN_FAIL(
            CONFIG, "no Kafka broker is given; use -b HOST:PORT, --broker local or --broker none");
    }
    if (rd_kafka_version() < 0x02000000) {
        return DN_FAIL(CONFIG, "librdkafka %s is too old; 2.0 or newer is needed",
                       rd_kafka_version_str());
    }
    DN_TRY(own_times(plan->kafka, handle));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    dn_status status = set_all(plan, conf);
    if (status != DN_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    handle->brokers = dn_strdup(brokers ? brokers : "mock");
    *out = conf;
    return DN_OK;
}
