#ifndef DN_TEST_MAIL_LINE_H
#define DN_TEST_MAIL_LINE_H
/** The stage mail as a pipeline runs it, on mails that are records of their own. */
#include "base/memory.h"
#include "test.h"
#include "text/stages.h"

typedef struct mail_line {
    dn_schema schema;
    int value;
    void *conf, *worker;
    dn_chunk *chunk;
} mail_line;

/** Settings: name, value, ..., NULL. FATAL when the stage refuses them; close it all the same. */
static inline dn_status mail_begin(mail_line *l, const char *const *settings) {
    dn_field value = {
        .name = "value", .type = DN_BYTES, .width = 1, .units = "", .group = "records"};
    dn_bind bind = {.schema = &l->schema, .job = "test", .pipeline = "test", .base_dir = "."};
    *l = (mail_line){.conf = dn_alloc(dn_stage_mail.conf_size)};
    EXPECT(dn_schema_add(&l->schema, value, &l->value) == DN_OK);
    EXPECT(dn_props_init(dn_stage_mail.props, l->conf) == DN_OK);
    EXPECT(dn_prop_set(dn_prop_find(dn_stage_mail.props, "from"), l->conf, "value") == DN_OK);
    for (; settings && *settings; settings += 2) {
        DN_TRY(dn_prop_set(dn_prop_find(dn_stage_mail.props, settings[0]), l->conf, settings[1]));
    }
    DN_TRY(dn_stage_mail.bind(l->conf, &bind));
    DN_TRY(dn_stage_mail.open(l->conf, &l->worker));
    l->chunk = dn_chunk_new(&l->schema);
    return DN_OK;
}

static inline void mail_add(mail_line *l, dn_span mail) {
    uint32_t row = dn_chunk_append(l->chunk, l->chunk->n_rows, DN_NULL_I64, DN_NULL_I64);
    dn_chunk_bytes(l->chunk, l->value)[row] = mail;
}

static inline void mail_run(mail_line *l) {
    EXPECT(dn_stage_mail.run(l->conf, l->worker, l->chunk) == DN_OK);
}

/** Runs one mail alone. */
static inline void mail_one(mail_line *l, dn_span mail) {
    dn_chunk_reset(l->chunk);
    mail_add(l, mail);
    mail_run(l);
}

static inline dn_span mail_bytes(const mail_line *l, const char *column, int row) {
    return dn_chunk_bytes(l->chunk, dn_schema_find(&l->schema, column))[row];
}

static inline int64_t mail_count(const mail_line *l, const char *column, int row) {
    return dn_chunk_i64(l->chunk, dn_schema_find(&l->schema, column))[row];
}

static inline void mail_end(mail_line *l) {
    if (l->worker) {
        dn_stage_mail.close(l->worker);
        dn_chunk_free(l->chunk);
    }
    dn_props_free(dn_stage_mail.props, l->conf);
    free(l->conf);
}

#endif
