#ifndef DN_FLOW_SCHEMA_H
#define DN_FLOW_SCHEMA_H
/** The columns of a pipeline, bound by name at set-up and used by index on the data path.
 *
 * The source adds the columns it fills, each stage looks up what it reads and adds what it makes,
 * the scorer adds one pair per head, the sinks look up what they write and add what they prepare.
 * After binding the schema is const. */
#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

typedef enum dn_type {
    DN_BYTES, /**< dn_span per row; a view into the chunk's arena or into memory that lives as long
                 as the chunk */
    DN_I64,   /**< int64_t per row */
    DN_F32,   /**< `width` floats per row: scores */
    DN_LABEL, /**< uint8_t per row, an index into `labels`; DN_NO_LABEL is null */
    DN_IDS,   /**< dn_ids per row: token ids */
} dn_type;

enum { DN_MAX_FIELDS = 64, DN_NO_LABEL = 255, DN_LANGUAGES_BYTES = 512 };

/** The label, behind the others, of what is below its head's threshold. */
#define DN_UNDECIDED "und"

typedef struct dn_ids {
    const int32_t *id;
    int32_t n;
} dn_ids;

typedef struct dn_field {
    const char *name; /**< unique in the pipeline; lends until the pipeline ends */
    dn_type type;
    int width;                 /**< F32: floats per row; IDS: ids of a row at most; else 1 */
    const char *const *labels; /**< LABEL, F32: names of the classes, n_labels of them */
    int n_labels;
    const char *units;                  /**< UDUNITS word, "" for none */
    const char *long_name;              /**< a sentence for the HDF5 attribute */
    const char *group;                  /**< HDF5 group: "records", "scores", "labels" */
    bool transient;                     /**< not for sinks (raw value, token ids) */
    char languages[DN_LANGUAGES_BYTES]; /**< that its makers fill, as "de,es"; "": all */
    const char *language; /**< name of the column that tells them, of which there may be none */
    int32_t unknown_id;   /**< IDS: stands for what the vocabulary lacks; where has_unknown */
    bool has_unknown;
} dn_field;

typedef struct dn_schema {
    int n;
    dn_field field[DN_MAX_FIELDS];
} dn_schema;

/** Adds a column; its index. CONFIG error when the name is taken with another type (same name and
 * type: the old index). */
dn_status dn_schema_add(dn_schema *schema, dn_field field, int *index);

/** Index of the column, -1 when absent. */
int dn_schema_find(const dn_schema *schema, const char *name);

/** Like find, but a missing column or a wrong type is a CONFIG error that names `who` and the
 * columns there are. */
dn_status dn_schema_need(const dn_schema *schema, const char *who, const char *name, dn_type type,
                         int *index);

#endif
