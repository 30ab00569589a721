#ifndef DN_CMD_MODEL_BATCHES_H
#define DN_CMD_MODEL_BATCHES_H
/** The lines of a file, or the texts of a suite, as micro-batches of a model. */
#include "cmd/model_parts.h"
#include "cmd/suite.h"

enum { DN_LINES_ROWS = 64 };

typedef struct dn_lines {
    const dn_model_info *info;
    int max_tokens; /**< of a batch */
    dn_status (*visit)(void *ctx, const dn_batch *batch);
    void *ctx;
    int64_t n_texts, n_bad; /**< lines that were visited, and those that are not UTF-8 */
} dn_lines;

/** Visits all lines of --texts `path` in batches of up to DN_LINES_ROWS. NO_INPUT when it cannot be
 * opened, DATA when no line of it is UTF-8. */
dn_status dn_lines_read(dn_lines *lines, const char *path);

/** The same with the texts of one task of a suite, in its order. */
dn_status dn_lines_read_task(dn_lines *lines, const dn_suite *suite, int task);

#endif
