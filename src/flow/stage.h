#ifndef DN_FLOW_STAGE_H
#define DN_FLOW_STAGE_H
/** A text stage: one const struct at the foot of its file, one row in job/registry.c.
 *
 * Calls, in this order: props set by the job file -> bind (once, main thread) -> open (per worker)
 * -> run (per chunk)
 * -> close -> unbind. `conf` is const once bound and shared by the workers. A stage loops over
 * chunk->sel, reads and writes columns by the indices it found in bind, and never keeps a pointer
 * into a chunk after run. */
#include "base/props.h"
#include "flow/chunk.h"

enum { DN_MAX_SCORERS = 4 /**< models of a pipeline */ };

/** A model of the pipeline, as far as the stages before it know it. */
typedef struct dn_bind_model {
    const char *dir; /**< model directory */
    const char *ids; /**< the column of token ids that it reads */
} dn_bind_model;

/** What a part may know of its job while it binds. */
typedef struct dn_bind {
    dn_schema *schema;
    const char *job, *pipeline;
    const char *
        base_dir; /**< relative paths of the job file are relative to this: the working directory */
    int n_models;
    dn_bind_model model[DN_MAX_SCORERS]; /**< the pipeline's models */
    struct dn_comm *group; /**< a scorer's: the ranks that its model is split over; NULL: none.
                              lends until unbind */
    const char *output;    /**< the output folder */
    const char *kept;      /**< comma list of columns a sink or later stage names, or NULL */
} dn_bind;

typedef enum dn_order {
    DN_PURE,    /**< any worker may run it, chunks in any order */
    DN_ORDERED, /**< chunks of a partition in order; state per partition */
} dn_order;

typedef struct dn_stage_ops {
    const char *name;
    const char *summary; /**< one sentence */
    dn_order order;
    const dn_prop *props; /**< NULL: none */
    size_t conf_size;
    dn_status (*bind)(void *conf, const dn_bind *bind);
    dn_status (*open)(const void *conf, void **worker); /**< NULL: no scratch */
    dn_status (*run)(const void *conf, void *worker, dn_chunk *chunk);
    void (*close)(void *worker);
    void (*unbind)(void *conf);
} dn_stage_ops;

#endif
