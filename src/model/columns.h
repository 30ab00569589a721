#ifndef DN_MODEL_COLUMNS_H
#define DN_MODEL_COLUMNS_H
/** The columns of a head in a pipeline, by its kind: scorer.h names them. */
#include "flow/chunk.h"
#include "flow/schema.h"
#include "model/languages.h"
#include "model/model.h"

/** Fields of the schema that its kind has, -1 the others. */
typedef struct dn_head_columns {
    const dn_model_head *head;
    int score_field, label_field, likeness_field, spans_field;
    char *score_name, *label_name, *likeness_name, *spans_name;
} dn_head_columns;

/** Where columns are added, and for whom. */
typedef struct dn_columns_place {
    const char *path;              /**< of the model, for errors */
    const char *prefix;            /**< NULL or "": none */
    const dn_languages *languages; /**< that it fills them for: others may fill the rest */
    const char *language;          /**< the column that tells them */
    bool labels_only;              /**< of softmax heads no score columns */
    dn_schema *schema;
} dn_columns_place;

/** CONFIG where a column is there already.     ownership  the caller: dn_head_columns_free, also
 * after an error    lends  names and head until then */
dn_status dn_head_columns_add(const dn_columns_place *place, const dn_model_head *head,
                              dn_head_columns *out);
void dn_head_columns_free(dn_head_columns *columns);

/** Scores and label of a text from its row of scores (dn_model_score); spans are not its work. */
void dn_head_columns_write(const dn_head_columns *columns, dn_chunk *chunk, uint32_t row,
                           const float *scores);

#endif
