#ifndef DN_FLOW_LABELS_H
#define DN_FLOW_LABELS_H
/** How often each label was delivered: in all, and among the newest rows. A label's code counts
 * labels, DN_NO_LABEL rows without one.
 *
 * thread  one at a time: the sink thread, then whoever joined it */
#include "flow/chunk.h"

enum { DN_MAX_LABEL_COLUMNS = 24, DN_LABEL_CODES = DN_NO_LABEL + 1 };

typedef struct dn_labels dn_labels;
typedef void dn_labels_window(void *ctx, const dn_labels *labels);

/** The first DN_MAX_LABEL_COLUMNS columns of group "labels". `window` is called with each tenth of
 * `window_rows` more, once there are so many; NULL: never.
 *  ownership  the caller: dn_labels_free     lends  `schema` until then */
dn_labels *dn_labels_new(const dn_schema *schema, int64_t window_rows, dn_labels_window *window,
                         void *ctx);
void dn_labels_free(dn_labels *labels);

/** Counts the rows that a chunk delivers. */
void dn_labels_add(dn_labels *labels, const dn_chunk *chunk);

/** 0 of NULL */
int dn_labels_columns(const dn_labels *labels);
const dn_field *dn_labels_field(const dn_labels *labels, int column);

/** count[DN_LABEL_CODES]: of all rows, and, in a window's call, of the newest `window_rows`. lends
 */
const int64_t *dn_labels_total(const dn_labels *labels, int column);
void dn_labels_newest(const dn_labels *labels, int column, int64_t *count);

#endif
