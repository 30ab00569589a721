#ifndef DN_FLOW_SCORER_H
#define DN_FLOW_SCORER_H
/** What a model thread drives: takes chunks, makes micro-batches over their rows, gives finished
 * chunks back.
 *
 * One scorer per model thread over shared weights. put() and flush() may run a batch (and therefore
 * take long). On a device they only start it, and wait for another one where too many are under
 * way; then the model thread calls wait() when it has nothing else to do. */
#include "flow/stage.h"

typedef struct dn_scorer dn_scorer;

/** Why a micro-batch was closed. */
typedef enum dn_close_reason {
    DN_CLOSE_TOKENS,   /**< token budget full */
    DN_CLOSE_ROWS,     /**< row limit */
    DN_CLOSE_DEADLINE, /**< the oldest row may not wait longer */
    DN_CLOSE_IDLE,     /**< nothing more is coming right now */
    DN_CLOSE_COMMIT,   /**< a sink wants to commit */
    DN_CLOSE_DRAIN,    /**< the run was asked to stop */
    DN_CLOSE_REVOKE,   /**< partitions move to another consumer */
    DN_CLOSE_END,      /**< end of the input */
    DN_CLOSE_LEADER,   /**< by the leader of the group: this rank did its part of that batch */
    DN_CLOSE_REASONS
} dn_close_reason;
extern const char *const dn_close_reason_names[DN_CLOSE_REASONS];

/** Groups of a forward pass's operations that a GPU times, numbered as dn_pass_group. */
enum { DN_DEVICE_GROUPS = 6 };

/** A row of the trace's /batches: what one micro-batch did. All times in nanoseconds. */
typedef struct dn_batch_event {
    int64_t closed_mono_ns; /**< when it was closed */
    int32_t model;          /**< which of the pipeline's models */
    int32_t thread;
    int32_t reason;         /**< dn_close_reason */
    int32_t under_way;      /**< batches on their way as it started, itself included */
    int32_t rows, tokens;   /**< scored by the model for this rank: of a leader's batch none */
    int32_t reused;         /**< rows whose result was copied since the last event */
    int32_t foreign_rows;   /**< rows in languages that the model does not serve, since then, and */
    int32_t foreign_tokens; /**< their tokens */
    int32_t linear_rows;    /**< rows that a linear model before this one answered, since then, and
                             */
    int32_t linear_tokens;  /**< their tokens */
    int32_t budget_tokens;
    int32_t late;         /**< rows whose time (slo) was over before the model saw them */
    int64_t wait_ns;      /**< of the oldest row, from put to close */
    int64_t queue_ns;     /**< from close until those before it were done */
    int64_t model_ns;     /**< forward pass, from there on: the thread's never overlap */
    int64_t predicted_ns; /**< what the cost model expected of device_ns, on the CPU of model_ns; 0
                             before it has seen one */
    int64_t flops;        /**< by the formula of the operations */
    int64_t device_ns;    /**< of model_ns on the GPU, by its clock; 0 on the CPU */
    int64_t group_ns[DN_DEVICE_GROUPS]; /**< of device_ns; all 0 but now and then */
} dn_batch_event;

/** Where a scorer reports; called from the model thread. */
typedef void dn_batch_listener(void *ctx, const dn_batch_event *event);

#define DN_AT_ONCE INT64_MIN

typedef struct dn_scorer_env {
    int model, thread; /**< its numbers in the pipeline */
    dn_batch_listener *listener;
    void *listener_ctx;
} dn_scorer_env;

typedef struct dn_scorer_ops {
    const char *name, *summary;
    const dn_prop *props;
    size_t conf_size;
    /** Loads the model, adds the columns of its heads. Needs a column of token ids. */
    dn_status (*bind)(void *conf, const dn_bind *bind);
    /** Once all ranks have bound: its parts on the ranks of a group meet. NULL: they need not.
     *  collective  the group */
    dn_status (*connect)(void *conf);
    /** How many model threads are of use to a rank of so many cores, once bound. NULL: as many. */
    int (*threads)(const void *conf, int cores);
    dn_status (*open)(const void *conf, const dn_scorer_env *env, dn_scorer **scorer);
    /** Takes a chunk. */
    dn_status (*put)(dn_scorer *scorer, dn_chunk *chunk);
    /** Gives a finished chunk back, NULL when there is none. */
    dn_chunk *(*take)(dn_scorer *scorer);
    /** Closes the open batch and scores it, or starts it: dn_scorer_settle waits. */
    dn_status (*flush)(dn_scorer *scorer, dn_close_reason reason);
    /** Batches that were started and are not done. NULL: flush() leaves none. */
    int (*under_way)(const dn_scorer *scorer);
    /** Finishes the oldest of them. Requires one.    blocks  until it is done */
    dn_status (*wait)(dn_scorer *scorer);
    /** Monotonic instant at which flush(DEADLINE) is due; INT64_MAX when nothing waits, DN_AT_ONCE
     * when flush(IDLE) is as soon as no chunk is at hand. */
    int64_t (*deadline)(const dn_scorer *scorer);
    /** A model thread's last call where all has come to its end: lets the other ranks of the group
     * go. NULL: it has none. */
    dn_status (*end)(dn_scorer *scorer);
    /** What a model thread of the other ranks does instead of all that: its part of the leader's
     * batches, until there are no more. NULL: it cannot.    blocks  until then */
    dn_status (*follow)(dn_scorer *scorer);
    void (*close)(dn_scorer *scorer);
    void (*unbind)(void *conf);
} dn_scorer_ops;

int dn_scorer_under_way(const dn_scorer_ops *ops, const dn_scorer *scorer);

/** Closes the open batch and finishes it and all others.    blocks  until then */
dn_status dn_scorer_settle(const dn_scorer_ops *ops, dn_scorer *scorer, dn_close_reason reason);

#endif
