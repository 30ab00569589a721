#ifndef DN_SINK_RECORD_JSON_H
#define DN_SINK_RECORD_JSON_H
/** A row as one JSON object, as jobs/README.md fixes it: what topics and files carry.
 *
 *   {"id":7,"created_at":"2017-08-15T00:00:03Z","user":"a","text":"...","lang":"en",
 *    "labels":{"sentiment":"positive"},"scores":{"sentiment":{"negative":0.1,"positive":0.9}}}
 *
 * Columns of the group "labels" and "scores" are gathered under these two names; null values are
 * left out. All that is not a value of the row is written once, when the columns are chosen:
 *
 *   "sentiment":{"negative":  0.1  ,"positive":  0.9  }
 *   ^ piece                        ^ piece            ^ piece */
#include "flow/chunk.h"
#include "io/json_write.h"

#include "base/props.h"

enum { DN_RECORD_PARTS = 3 };

typedef struct dn_record_column dn_record_column;

/** Zeroed: not bound. */
typedef struct dn_record_format {
    dn_record_column *column;
    int end[DN_RECORD_PARTS]; /**< of the columns of the object itself, its labels, its scores */
    dn_out text;              /**< all pieces, one behind the other */
    size_t *begin;            /**< [n_pieces + 1] where each begins in it */
    int n_pieces;
} dn_record_format;

/** Chooses the columns: those of `fields`, or, when that is empty, id, created_at, user, text,
 * language and all labels and scores, as far as the schema has them. CONFIG for a column that is
 * not there.
 *  ownership  the caller: dn_record_unbind */
dn_status dn_record_bind(const dn_schema *schema, const dn_list *fields, const char *who,
                         dn_record_format *format);
void dn_record_unbind(dn_record_format *format);

/** Appends the object, without a newline.     thread  any, each with its own `out` */
void dn_record_write(const dn_record_format *format, const dn_chunk *chunk, uint32_t row,
                     dn_out *out);

#endif
