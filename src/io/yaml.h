#ifndef DN_IO_YAML_H
#define DN_IO_YAML_H
/** YAML documents as trees that remember where everything stands. One document per file; aliases,
 * anchors, tags and duplicate keys are refused; scalars stay text, their type is the property
 * table's business. */
#include "base/status.h"

typedef enum dn_yaml_kind { DN_YAML_TEXT, DN_YAML_MAP, DN_YAML_LIST } dn_yaml_kind;

typedef struct dn_yaml {
    dn_yaml_kind kind;
    const char *file;
    int line, column; /**< from 1 */
    const char *text; /**< TEXT: the scalar */
    const char *key;  /**< as a child of a MAP: its key; else NULL */
    int key_line, key_column;
    struct dn_yaml *first; /**< MAP, LIST: children in order */
    struct dn_yaml *next;
} dn_yaml;

typedef struct dn_yaml_document dn_yaml_document;

/** Reads and parses. NO_INPUT when the file cannot be read, CONFIG with file:line:column when it is
 * not YAML. ownership  the caller: dn_yaml_close, which ends the tree */
dn_status dn_yaml_open(const char *path, dn_yaml_document **out);
const dn_yaml *dn_yaml_root(const dn_yaml_document *document);
void dn_yaml_close(dn_yaml_document *document);

/** Child of a map, or NULL. */
const dn_yaml *dn_yaml_get(const dn_yaml *map, const char *key);

#endif
