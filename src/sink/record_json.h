#ifndef DN_SINK_RECORD_JSON_H
#define DN_SINK_RECORD_JSON_H
/** A row as one JSON object, as jobs/README.md fixes it: what topics and files carry.
 *
 *   {"id":7,"created_at":"2017-08-15T00:00:03Z","user":"a","text":"...","lang":"en",
 *    "labels":{"sentiment":"positive"},"scores":{"sentiment":{"negative":0.1,"positive":0.9}}}
 *
 * Columns of the group "labels" and "scores" are gathered under these two names; null values are
 * left out. */
#include "flow/chunk.h"
#include "io/json_write.h"

#include "base/props.h"

typedef struct dn_record_format {
    int n;
    int field[DN_MAX_FIELDS];
    const char *name[DN_MAX_FIELDS]; /**< lends from the schema */
    bool has_labels, has_scores;
} dn_record_format;

/** Chooses the columns: those of `fields`, or, when that is empty, id, created_at, user, text,
 * language and all labels and scores, as far as the schema has them. CONFIG for a column that is
 * not there. */
dn_status dn_record_bind(const dn_schema *schema, const dn_list *fields, const char *who,
                         dn_record_format *format);

/** Appends the object, without a newline. */
void dn_record_write(const dn_record_format *format, const dn_chunk *chunk, uint32_t row,
                     dn_out *out);

#endif
