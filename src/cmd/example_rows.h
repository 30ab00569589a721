#ifndef DN_CMD_EXAMPLE_ROWS_H
#define DN_CMD_EXAMPLE_ROWS_H
/** The formats of cmd/examples.h, row by row. */
#include "cmd/examples.h"

typedef struct dn_example_row {
    dn_span text, label; /**< as they stand there, not checked; views until visit returns */
    int line;            /**< the row's first */
} dn_example_row;
typedef dn_status dn_example_visit(void *ctx, const dn_example_row *row);

/** Errors of the file and of `visit`. */
dn_status dn_example_rows_read(const dn_examples_from *from, dn_example_visit *visit, void *ctx);

#endif
