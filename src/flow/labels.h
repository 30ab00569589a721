#ifndef DN_FLOW_LABELS_H
#define DN_FLOW_LABELS_H
/** How often each class was delivered, in all and among the newest rows.
 *
 *    column            classes
 *    label.HEAD        its labels (und too), null, and null because of the text's language
 *    unknown.texts     rows: known, or with a token that stands for what the vocabulary lacks
 *    unknown.pieces    their tokens: known, unknown
 *
 * The last two are of the column `ids`; of `ids.NAME` they are unknown.texts.NAME and so on. A
 * label's code counts labels, DN_NO_LABEL rows without one.
 *
 * thread  one at a time: the sink thread, then whoever joined it */
#include "flow/chunk.h"

enum {
    DN_MAX_LABEL_COLUMNS = 32,
    DN_OTHER_LANGUAGE = DN_NO_LABEL + 1, /**< null, for the makers of the column do not serve it */
    DN_LABEL_CODES,
};

/** How a class is doing among the newest rows, for those who show it. lends from the labels */
typedef struct dn_share {
    const char *column, *label;
    int64_t count, of;    /**< of all classes of the column */
    double baseline, psi; /**< its share once, and how far its column is from then: NaN unknown */
} dn_share;

typedef struct dn_labels dn_labels;
typedef void dn_labels_window(void *ctx, const dn_labels *labels);

/** The first DN_MAX_LABEL_COLUMNS columns. `window` is called with each tenth of `window_rows`
 * more, once there are so many; NULL: never.
 *  ownership  the caller: dn_labels_free     lends  `schema` until then */
dn_labels *dn_labels_new(const dn_schema *schema, int64_t window_rows, dn_labels_window *window,
                         void *ctx);
void dn_labels_free(dn_labels *labels);

/** Counts the rows that a chunk delivers. */
void dn_labels_add(dn_labels *labels, const dn_chunk *chunk);

/** 0 of NULL */
int dn_labels_columns(const dn_labels *labels);
const char *dn_labels_name(const dn_labels *labels, int column);
/** Name of a code's class; NULL: the column has no such class. */
const char *dn_labels_class(const dn_labels *labels, int column, int code);

/** count[DN_LABEL_CODES]: of all rows, and, in a window's call, of the newest `window_rows`. lends
 */
const int64_t *dn_labels_total(const dn_labels *labels, int column);
void dn_labels_newest(const dn_labels *labels, int column, int64_t *count);

#endif
