#include "sink/topic.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const dn_compression_words[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};

#define ROW(label, kind, member)                                                                   \
    .name = label, .type = kind, .offset = offsetof(dn_topic_sink_conf, member)
const dn_prop dn_topic_sink_props[] = {
    {ROW("name", DN_P_TEXT, name), .text = "The topic to write."},
    {ROW("fields", DN_P_LIST, fields), .text = "Columns of a record; empty: id, created_at, user, "
                                               "text, language, and all labels and scores."},
    {ROW("only", DN_P_LIST, only), .text =
                                       "Rows with one of these labels alone, each as HEAD=LABEL "
                                       "(team=billing; und: no label fits); empty: all rows."},
    {ROW("key", DN_P_TEXT, key), .initial = "",
     .text =
         "Column that is the record's key; empty: the key that the record came with, else user."},
    {ROW("compression", DN_P_CHOICE, compression), .initial = "lz4",
     .choices = dn_compression_words, .text = "Compression of batches."},
    {ROW("linger", DN_P_DURATION, linger_ns), .initial = "50ms", .max = 900e9,
     .text = "How long a batch waits for more records."},
    {ROW("batch", DN_P_BYTES, batch_bytes), .initial = "1MB", .min = 1, .max = 2147483647,
     .text = "Largest batch."},
    {ROW("commit", DN_P_DURATION, commit_ns), .initial = "1s", .min = 1e6, .max = 3600e9,
     .text = "How often a transaction ends: records are seen by readers after that."},
    {0},
};

static dn_status find_label(const dn_field *field, const char *word, uint8_t *out) {
    char known[256] = "";
    for (int i = 0; i < field->n_labels; i++) {
        size_t used = strlen(known);
        if (strcmp(field->labels[i], word) == 0) {
            *out = (uint8_t)i;
            return DN_OK;
        }
        snprintf(known + used, sizeof known - used, "%s%.40s", i ? ", " : "", field->labels[i]);
    }
    return DN_FAIL(CONFIG, "topic: only: '%s' is no label of %s, which has %d: %s", word,
                   field->name, field->n_labels, known);
}

/* "HEAD=LABEL", parted at the first '='. */
static dn_status bind_one(dn_topic_sink_conf *c, const dn_schema *schema, const char *rule) {
    const char *equals = strchr(rule, '=');
    dn_topic_only *to = &c->one_of[c->n_only];
    if (!equals || equals == rule) {
        return DN_FAIL(CONFIG, "topic: only: '%s' is not written as HEAD=LABEL", rule);
    }
    if (c->n_only++ == DN_MAX_ONLY) {
        return DN_FAIL(CONFIG, "topic: only: has more than %d labels", DN_MAX_ONLY);
    }
    char *name = dn_format("label.%.*s", (int)(equals - rule), rule);
    dn_status status = dn_schema_need(schema, "topic: only", name, DN_LABEL, &to->field);
    free(name);
    DN_TRY(status);
    return find_label(&schema->field[to->field], equals + 1, &to->label);
}

bool dn_topic_sink_wants(const dn_topic_sink_conf *conf, const dn_chunk *chunk, uint32_t row) {
    for (int i = 0; i < conf->n_only; i++) {
        const dn_topic_only *one = &conf->one_of[i];
        if (dn_chunk_label(chunk, one->field)[row] == one->label) {
            return true;
        }
    }
    return conf->n_only == 0;
}

/* "json(id,text)": no column of a job can be called so, and equal fields have the same. */
static char *column_name(const dn_list *fields) {
    char *name = dn_strdup("json(");
    for (int i = 0; i < fields->n; i++) {
        char *longer = dn_format("%s%s%s", name, i ? "," : "", fields->item[i]);
        free(name);
        name = longer;
    }
    char *whole = dn_format("%s)", name);
    free(name);
    return whole;
}

static dn_status add_records(dn_topic_sink_conf *c, dn_schema *schema) {
    c->column = column_name(&c->fields);
    dn_field records = {.name = c->column,
                        .type = DN_BYTES,
                        .width = 1,
                        .units = "",
                        .long_name = "the row as a record of a topic",
                        .group = "records",
                        .transient = true};
    return dn_schema_add(schema, records, &c->record_field);
}

void dn_topic_sink_unbind(void *conf) {
    dn_topic_sink_conf *c = conf;
    dn_record_unbind(&c->format);
    free(c->column);
    c->column = NULL;
}

dn_status dn_topic_sink_bind(void *conf, const dn_bind *bind) {
    dn_topic_sink_conf *c = conf;
    c->n_only = 0;
    for (int i = 0; i < c->only.n; i++) {
        DN_TRY(bind_one(c, bind->schema, c->only.item[i]));
    }
    DN_TRY(dn_record_bind(bind->schema, &c->fields, "topic", &c->format));
    DN_TRY(add_records(c, bind->schema));
    if (c->key && c->key[0]) {
        return dn_schema_need(bind->schema, "topic: key", c->key, DN_BYTES, &c->key_field);
    }
    c->key_field = dn_schema_find(bind->schema, "key");
    if (c->key_field < 0) {
        c->key_field = dn_schema_find(bind->schema, "user");
    }
    if (c->key_field >= 0 && bind->schema->field[c->key_field].type != DN_BYTES) {
        c->key_field = -1;
    }
    return DN_OK;
}

dn_span dn_topic_sink_key(const dn_topic_sink_conf *conf, const dn_chunk *chunk, uint32_t row) {
    return conf->key_field < 0 ? (dn_span){0} : dn_chunk_bytes(chunk, conf->key_field)[row];
}

dn_span dn_topic_sink_value(const dn_topic_sink_conf *conf, const dn_chunk *chunk, uint32_t row) {
    return dn_chunk_bytes(chunk, conf->record_field)[row];
}

/* ---- prepare ---- */

static dn_status prepare_open(const void *conf, void **worker) {
    (void)conf;
    *worker = dn_alloc(sizeof(dn_out));
    return DN_OK;
}

/* Another topic with the same fields may have made a row's record already. */
static dn_status prepare_run(const void *conf, void *worker, dn_chunk *chunk) {
    const dn_topic_sink_conf *c = conf;
    dn_out *out = worker;
    dn_span *record = dn_chunk_bytes(chunk, c->record_field);
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint32_t row = chunk->sel[i];
        if (!record[row].ptr && dn_topic_sink_wants(c, chunk, row)) {
            dn_out_reset(out);
            dn_record_write(&c->format, chunk, row, out);
            record[row] = dn_arena_copy(&chunk->arena, (dn_span){out->ptr, out->len});
        }
    }
    return DN_OK;
}

static void prepare_close(void *worker) {
    dn_out_free(worker);
    free(worker);
}

const dn_stage_ops dn_topic_prepare = {
    .name = "json",
    .summary = "Makes the records of a topic.",
    .order = DN_PURE,
    .open = prepare_open,
    .run = prepare_run,
    .close = prepare_close,
};
