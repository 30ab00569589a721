#include "io/kafka_client.h"

#include "base/memory.h"
#include "io/kafka_handle.h"

#include <stdlib.h>

const char *dn_kafka_version(void) {
    return rd_kafka_version_str();
}

dn_status dn_kafka_check(const dn_map *kafka) {
    kafka_handle handle = {0};
    rd_kafka_conf_t *conf;
    DN_TRY(dn_kafka_conf_make(&(kafka_plan){.role = KAFKA_ADMIN, .kafka = kafka}, &handle, &conf));
    rd_kafka_conf_destroy(conf);
    free(handle.brokers);
    return DN_OK;
}

dn_status dn_kafka_client_open(const dn_map *kafka, dn_kafka_client **client) {
    kafka_handle *handle;
    /* Ranges are told with the transactions that are still open. */
    const kafka_setting settings[] = {{"isolation.level", "read_uncommitted"}, {NULL, NULL}};
    kafka_plan plan = {
        .role = KAFKA_ADMIN, .kafka = kafka, .client_id = "dunlin-admin", .settings = settings};
    DN_TRY(dn_kafka_open(&plan, &handle));
    *client = dn_alloc(sizeof **client);
    (*client)->handle = handle;
    return DN_OK;
}

void dn_kafka_client_close(dn_kafka_client *client) {
    if (client) {
        dn_kafka_close(client->handle);
        free(client);
    }
}

dn_status dn_kafka_topic_partitions(dn_kafka_client *client, const char *topic, int *n_partitions) {
    return dn_kafka_count_partitions(client->handle, topic, client->handle->deadline_ns,
                                     n_partitions);
}

dn_status dn_kafka_topic_range(dn_kafka_client *client, const char *topic, int partition,
                               int64_t *first, int64_t *end) {
    rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(
        client->handle->rk, topic, partition, first, end, kafka_ms(client->handle->deadline_ns));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_FAIL(client->handle, err, "range of topic %s, partition %d", topic, partition);
    }
    return DN_OK;
}
