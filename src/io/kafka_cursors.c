/* Cursors: the offsets that a group has committed. */
#include "io/kafka_client.h"

#include "base/clock.h"
#include "io/kafka_handle.h"

#include <stdio.h>

/* Ranks of the run that committed it, as kafka_txn.c notes them; other programs' metadata mean
 * nothing here. */
static int size_of(const rd_kafka_topic_partition_t *elem) {
    char text[32];
    int size;
    snprintf(text, sizeof text, "%.*s", (int)elem->metadata_size,
             elem->metadata ? (const char *)elem->metadata : "");
    return sscanf(text, "dunlin ranks=%d", &size) == 1 ? size : 0;
}

static void read_list(const rd_kafka_topic_partition_list_t *list, int64_t *offset,
                      int *largest_size) {
    *largest_size = 0;
    for (int i = 0; i < list->cnt; i++) {
        int size = size_of(&list->elems[i]);
        offset[i] = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
        *largest_size = size > *largest_size ? size : *largest_size;
    }
}

/* The coordinator may still be loading, or ending another instance's transaction. */
static rd_kafka_resp_err_t ask(kafka_handle *handle, rd_kafka_topic_partition_list_t *list) {
    int64_t end = dn_mono_ns() + handle->outage_ns;
    rd_kafka_resp_err_t err;
    do {
        err = rd_kafka_committed(handle->rk, list, kafka_ms(handle->deadline_ns));
        dn_kafka_serve(handle);
    } while (err == RD_KAFKA_RESP_ERR__TIMED_OUT && dn_mono_ns() < end);
    return err;
}

static rd_kafka_resp_err_t first_error(const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return list->elems[i].err;
        }
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

dn_status dn_kafka_cursors_read(const dn_map *kafka, const char *group, const char *topic,
                                int n_partitions, int64_t *offset, int *largest_size) {
    const kafka_setting settings[] = {{"group.id", group}, {NULL, NULL}};
    kafka_plan plan = {.role = KAFKA_CONSUMER,
                       .kafka = kafka,
                       .client_id = "dunlin-cursors",
                       .settings = settings};
    kafka_handle *handle;
    DN_TRY(dn_kafka_open(&plan, &handle));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n_partitions);
    for (int p = 0; p < n_partitions; p++) {
        rd_kafka_topic_partition_list_add(list, topic, p);
    }
    rd_kafka_resp_err_t err = ask(handle, list);
    err = err ? err : first_error(list);
    dn_status status = DN_OK;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        read_list(list, offset, largest_size);
    } else {
        status =
            KAFKA_FAIL(handle, err, "committed offsets of group %s for topic %s", group, topic);
    }
    rd_kafka_topic_partition_list_destroy(list);
    dn_kafka_close(handle);
    return status;
}
