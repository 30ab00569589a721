#ifndef DN_IO_SCAN_H
#define DN_IO_SCAN_H
/** Takes a few top-level fields out of a JSON object in one pass, without a document tree.
 *
 * The whole record is checked against RFC 8259 all the same: grammar, UTF-8, escapes, surrogate
 * pairs, nesting. A record that this accepts is accepted by any strict parser. Stricter than the
 * RFC: the record is an object, a wanted field stands there once and holds no U+0000, nesting ends
 * at DN_SCAN_DEPTH, a byte order mark is refused. */
#include "base/arena.h"
#include "base/status.h"

#include <stdint.h>

enum { DN_SCAN_FIELDS = 16, DN_SCAN_DEPTH = 64 };

typedef enum dn_scan_type {
    DN_SCAN_ABSENT = 0,
    DN_SCAN_NULL,
    DN_SCAN_TRUE,
    DN_SCAN_FALSE,
    DN_SCAN_NUMBER,
    DN_SCAN_STRING,
    DN_SCAN_OBJECT,
    DN_SCAN_ARRAY,
} dn_scan_type;

/** A wanted field. STRING: its characters, unescaped; NUMBER, OBJECT, ARRAY: as written; else ptr
 * NULL. */
typedef struct dn_scan_value {
    dn_scan_type type;
    dn_span bytes; /**< a view into the record, or into the arena where there were escapes */
    size_t at;     /**< where the value begins in the record */
} dn_scan_value;

/** The names that are wanted; const after compile, shared by any number of threads. */
typedef struct dn_scan {
    int n;
    dn_span name[DN_SCAN_FIELDS];  /**< lends: the caller's strings */
    uint64_t head[DN_SCAN_FIELDS]; /**< first eight bytes, zero-filled */
    uint8_t bucket[64];            /**< by length: first name of that length + 1, 0 for none */
    uint8_t next[DN_SCAN_FIELDS];  /**< chain of names of equal length */
} dn_scan;

/** Why a record was refused. */
typedef struct dn_scan_error {
    const char *reason; /**< a literal, a class for counting: "bad JSON", "bad UTF-8", "NUL" ... */
    const char *detail; /**< a literal: what was expected */
    size_t at;          /**< position of the byte in the record */
} dn_scan_error;

/** Requires 1 to DN_SCAN_FIELDS different names of at most 63 bytes, else CONFIG.   lends  the
 * names, while in use */
dn_status dn_scan_compile(const char *const *names, int n, dn_scan *scan);

/** Fills values[scan->n]; false with `error` when the record is refused (values are then
 * undefined). lends   the record, to the values     arena  takes the unescaped strings thread  any
 * cost  O(record) */
bool dn_scan_record(const dn_scan *scan, dn_span record, dn_arena *arena, dn_scan_value *values,
                    dn_scan_error *error);

/** A NUMBER without fraction and exponent that fits; false otherwise. */
bool dn_scan_i64(const dn_scan_value *value, int64_t *out);

#endif
