#ifndef DN_BASE_PROPS_H
#define DN_BASE_PROPS_H
/** Property tables: one truth for parsing, defaults, checks, `describe` and the reference manual.
 *
 * Every stage, source, sink and section of a job file has a const table of dn_prop that ends with a
 * row without a name. Values are written in the job file with units (`5ms`, `16Ki`, `1.5MiB`) and
 * stored in the conf struct in the base unit:
 *
 *   type          stored as      written as
 *   TEXT PATH     char *         text; owned by the conf, freed by dn_props_free
 *   SECRET        char *         a file's path or env:NAME; never printed
 *   BOOL          bool           true false yes no on off
 *   COUNT         int64_t        1000, 16k (10^3), 16Ki (2^10)
 *   BYTES         int64_t        4096, 64KiB, 1MB
 *   DURATION      int64_t (ns)   5ms, 2s, 1min, 1h
 *   GOAL          int64_t (ns)   200ms, {p95: 200ms}; 0: throughput
 *   REAL          double         0.25, 5%
 *   CHOICE        int            a word of `choices`
 *   MAP           dn_map         a mapping of texts
 *   LIST          dn_list        a sequence of texts, or one text with commas */
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum dn_prop_type {
    DN_P_TEXT,
    DN_P_PATH,
    DN_P_SECRET,
    DN_P_BOOL,
    DN_P_COUNT,
    DN_P_BYTES,
    DN_P_DURATION,
    DN_P_GOAL,
    DN_P_REAL,
    DN_P_CHOICE,
    DN_P_MAP,
    DN_P_LIST,
} dn_prop_type;

typedef struct dn_map {
    int n;
    char **key, **value;
} dn_map;

typedef struct dn_list {
    int n;
    char **item;
} dn_list;

typedef struct dn_prop {
    const char *name;
    dn_prop_type type;
    size_t offset;       /**< of the value in the conf struct */
    const char *initial; /**< default as it would be written; NULL: required (TEXT PATH) or empty
                            (MAP LIST) */
    double min, max;     /**< base unit; both 0: unlimited */
    const char *const *choices; /**< CHOICE: words, NULL-terminated */
    const char *text;           /**< one sentence for the manual */
} dn_prop;

/** Sets all defaults in zeroed `conf`. */
dn_status dn_props_init(const dn_prop *props, void *conf);

/** Parses and stores one value (of a GOAL's or MAP's mapping: "key=value"); on error records CONFIG
 * with what is wrong, without a place (the caller knows it). */
dn_status dn_prop_set(const dn_prop *prop, void *conf, const char *value);

/** Adds one entry of a MAP, one item of a LIST. */
void dn_map_put(dn_map *map, const char *key, const char *value);
void dn_list_put(dn_list *list, const char *item);
const char *dn_map_get(const dn_map *map, const char *key);

/** The row of that name, or NULL. */
const dn_prop *dn_prop_find(const dn_prop *props, const char *name);

/** First required property that has no value, or NULL. */
const dn_prop *dn_props_missing(const dn_prop *props, const void *conf);

/** Writes a value as the job file would; secrets as "***". */
void dn_prop_print(const dn_prop *prop, const void *conf, char *out, size_t out_size);

void dn_props_free(const dn_prop *props, void *conf);

/** Edits (insert, delete, replace, swap two neighbours) from one to the other, and whether
 * `candidate` is near enough to `word` to be offered as "did you mean". */
int dn_edit_distance(const char *a, const char *b);
bool dn_near(const char *word, const char *candidate);

/** Parses "16Ki", "64KiB", "5ms" into base units; used by options too. */
dn_status dn_parse_count(const char *text, int64_t *out);
dn_status dn_parse_bytes(const char *text, int64_t *out);
dn_status dn_parse_duration(const char *text, int64_t *out_ns);

#endif
