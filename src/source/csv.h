#ifndef DN_SOURCE_CSV_H
#define DN_SOURCE_CSV_H
/** RFC 4180 records from a stream.
 *
 * Fields are parted by commas, records by LF or CR LF; a quoted field may hold all of these and
 * doubled quotes. A lone CR is data. A line without a byte is no record, unless records have one
 * field. Everything else that the grammar does not allow makes the record bad and the parser goes
 * on after the end of that line:
 *
 *   a"b,c      a quote inside an unquoted field
 *   "a"b,c     bytes between the closing quote and the comma
 *
 * The file may end with or without a line end. Inside a quoted field, or in a record that is too
 * short, it is cut. */
#include "base/span.h"
#include "source/feed.h"

enum { DN_CSV_FIELDS_MAX = 128, DN_CSV_KEPT = 4096 };

typedef enum dn_csv_state {
    DN_CSV_RECORD,
    DN_CSV_BAD,      /**< not a record: `why`, `raw` */
    DN_CSV_OVERSIZE, /**< over DN_RECORD_MAX: `raw` is its beginning */
    DN_CSV_END,
} dn_csv_state;

typedef struct dn_csv {
    dn_feed *feed;  /**< lends */
    int n_expected; /**< fields of a record, for telling a cut last one; 0: not known yet */
    int n_fields;   /**< of this record; those beyond DN_CSV_FIELDS_MAX are only counted */
    dn_span
        field[DN_CSV_FIELDS_MAX]; /**< still escaped where `escaped`; views, until the next call */
    bool escaped[DN_CSV_FIELDS_MAX]; /**< holds doubled quotes */
    dn_span raw;                     /**< the record's bytes without its line end */
    uint64_t position;               /**< decoded position of its first byte */
    uint64_t size_bytes;             /**< OVERSIZE: length of the whole record */
    const char *why;                 /**< BAD: a literal */
    char kept[DN_CSV_KEPT];          /**< OVERSIZE: where `raw` points */
} dn_csv;

/** The next record. At the end DATA when the file is cut inside a record or its data is damaged:
 * everything whole has been given before.     errors  DATA, IO     cost  O(bytes) */
dn_status dn_csv_next(dn_csv *csv, dn_csv_state *state);

/** The value of a field: doubled quotes become one, in place, so `raw` is void for that field. */
dn_span dn_csv_value(dn_csv *csv, int field);

#endif
