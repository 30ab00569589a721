#include "source/topic.h"

static const char *const gap_words[] = {"error", "earliest", NULL};

const dn_prop dn_topic_source_props[] = {
    {.name = "name",
     .type = DN_P_TEXT,
     .offset = offsetof(dn_topic_source_conf, name),
     .text = "The topic to read."},
    {.name = "partitions",
     .type = DN_P_COUNT,
     .offset = offsetof(dn_topic_source_conf, partitions),
     .initial = "0",
     .max = 100000,
     .text = "How many partitions it must have; 0 takes what the broker has."},
    {.name = "prefetch",
     .type = DN_P_BYTES,
     .offset = offsetof(dn_topic_source_conf, prefetch_bytes),
     .initial = "64MiB",
     .min = 1 << 20,
     .max = 1e12,
     .text = "Bytes that may be fetched ahead, all partitions of a rank together."},
    {.name = "on_gap",
     .type = DN_P_CHOICE,
     .offset = offsetof(dn_topic_source_conf, on_gap),
     .initial = "error",
     .choices = gap_words,
     .text = "What to do when the records to go on with are no longer in the topic: stop with an "
             "error, or go on with "
             "the earliest there are."},
    {0},
};

static dn_status add(const dn_bind *bind, const char *name, const char *long_name, int *index) {
    return dn_schema_add(bind->schema,
                         (dn_field){.name = name,
                                    .type = DN_BYTES,
                                    .width = 1,
                                    .units = "",
                                    .long_name = long_name,
                                    .group = "records",
                                    .transient = true},
                         index);
}

dn_status dn_topic_source_bind(void *conf, const dn_bind *bind) {
    dn_topic_source_conf *c = conf;
    DN_TRY(add(bind, "key", "key of the record", &c->key));
    return add(bind, "value", "value of the record as it came", &c->value);
}

void dn_topic_source_append(const dn_topic_source_conf *conf, dn_chunk *chunk, int64_t offset,
                            int64_t sent_ns, dn_span key, dn_span value) {
    uint32_t row = dn_chunk_append(chunk, offset, DN_NULL_I64, sent_ns);
    if (key.ptr) {
        dn_chunk_bytes(chunk, conf->key)[row] = dn_arena_copy(&chunk->arena, key);
    }
    if (value.ptr) {
        dn_chunk_bytes(chunk, conf->value)[row] = dn_arena_copy(&chunk->arena, value);
    }
    chunk->payload_bytes += (uint32_t)(key.len + value.len);
    chunk->next = offset + 1;
}

bool dn_topic_source_fits(const dn_chunk *chunk, size_t value_bytes) {
    return chunk->n_rows == 0 || (chunk->n_rows < DN_CHUNK_ROWS &&
                                  chunk->payload_bytes + value_bytes <= (size_t)DN_CHUNK_BYTES);
}
