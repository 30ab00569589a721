#ifndef DN_SINK_TREE_H
#define DN_SINK_TREE_H
/** Walking an output folder: every partition's folder of rows and of dead letters, in a fixed
 * order. */
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/** A partition's folder. lends until the visitor returns */
typedef struct dn_place {
    const char *folder;   /**< "<output>/rows/<topic>/<partition>" */
    const char *relative; /**< the same without the output folder */
    bool dead;            /**< dead letters, else rows */
    const char *pipeline; /**< of dead letters, else "" */
    const char *topic;
    int64_t partition;
    const int64_t *first; /**< first offsets of its files, rising */
    int n_files;
} dn_place;

typedef dn_status dn_tree_visitor(void *ctx, const dn_place *place);

/** Calls `visit` for rows by topic and partition, then for dead letters by pipeline, topic and
 * partition. Ends at the first status that is not OK and forwards it. Missing folders are empty. */
dn_status dn_tree_walk(const char *output, dn_tree_visitor *visit, void *ctx);

#endif
