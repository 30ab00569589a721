#ifndef DN_IO_JSON_H
#define DN_IO_JSON_H
/** Small JSON documents: configurations and headers, never records (their streaming extractor is
 * io/scan.h).
 *
 * Duplicate keys, more than 2,048 levels, bad UTF-8, NUL and trailing text are refused. Every error
 * names the document and the place: line and column while parsing, the path of the value
 * ("dunlin.heads[1].labels") afterwards.
 *
 *   dn_json_at root = dn_json_root(doc), heads;
 *   DN_TRY(dn_json_need(&root, "heads", DN_JSON_ARRAY, &heads));
 *
 * thread  one at a time per document     blocks  only load */
#include "base/span.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dn_json dn_json;

typedef enum dn_json_kind {
    DN_JSON_OBJECT,
    DN_JSON_ARRAY,
    DN_JSON_TEXT,
    DN_JSON_INT,
    DN_JSON_REAL, /**< also matches an INT where a REAL is asked for */
    DN_JSON_BOOL,
    DN_JSON_NULL
} dn_json_kind;

/** A value and how one came to it. It points to its parent for error messages, so the parent must
 * stay where it is as long as its children are used. lends from the document */
typedef struct dn_json_at {
    const dn_json *doc;
    const void *value;
    const struct dn_json_at *parent;
    const char *key; /**< NULL: an item of an array, at `index` */
    size_t index;
} dn_json_at;

/** Parses `text`. `origin` names it in errors (a file's path; copied), which have the code `error`.
 *  ownership  the caller: dn_json_free */
dn_status dn_json_parse(dn_span text, const char *origin, dn_error error, dn_json **out);

/** Reads and parses a file of at most `max_bytes`. NO_INPUT when it cannot be read, `error` when it
 * is not right. */
dn_status dn_json_load(const char *path, size_t max_bytes, dn_error error, dn_json **out);

void dn_json_free(dn_json *doc);

dn_json_at dn_json_root(const dn_json *doc);
dn_json_kind dn_json_kind_of(const dn_json_at *at);

/** Number of items or members; 0 for anything else. */
size_t dn_json_count(const dn_json_at *at);

/** The member `key` of an object; false when it is absent or null. */
bool dn_json_find(const dn_json_at *object, const char *key, dn_json_at *out);

/** The same, but absence and another kind are errors. */
dn_status dn_json_need(const dn_json_at *object, const char *key, dn_json_kind kind,
                       dn_json_at *out);

/** Item `index` of an array of at least index + 1 items. */
dn_json_at dn_json_item(const dn_json_at *array, size_t index);

/** Walks an object's members in the order of the document: *cursor is NULL at first; false at the
 * end. */
bool dn_json_next(const dn_json_at *object, void **cursor, dn_json_at *member);

/** The value itself; another kind, or a number outside [min, max], is an error. */
dn_status dn_json_text(const dn_json_at *at, const char **out);
dn_status dn_json_bool(const dn_json_at *at, bool *out);
dn_status dn_json_int(const dn_json_at *at, int64_t min, int64_t max, int64_t *out);
dn_status dn_json_real(const dn_json_at *at, double min, double max, double *out);

/** Puts a number into an object of the document, in place of an older one of that key. */
void dn_json_put_real(const dn_json_at *object, const char *key, double value);

/** Puts a value, given as JSON, into an object of the document in place of an older one of that
 * key, or behind the last item of a list. The value must be right JSON. */
void dn_json_put(const dn_json_at *object, const char *key, const char *json);
void dn_json_append(const dn_json_at *list, const char *json);

/** The document as dn_json_save writes it.    ownership  the caller: free */
char *dn_json_print(const dn_json *doc);

/** Writes the document, indented by two, over the file: whole or not at all. Numbers have 15
 * digits. CANT_CREATE, IO, NO_SPACE.      blocks  on the disk */
dn_status dn_json_save(const dn_json *doc, const char *path);

/** Records "<origin>: <path>: <message>" with the document's error code and returns FATAL. */
dn_status dn_json_fail(const dn_json_at *at, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
