#ifndef DN_BATCH_CLOSING_H
#define DN_BATCH_CLOSING_H
/** When a micro-batch that is not full is closed. The time is an argument: nothing here reads a
 * clock, so a test can run hours of arrivals in a second.
 *
 * Without a goal (throughput) a batch waits for others until its oldest row has waited `deadline`.
 * With one (p95 within `slo_ns` of the intended send time), while nothing more is at hand:
 *
 *    waiting pays           until   due of the oldest row - predicted time of scoring - margin
 *    waiting does not pay   not at all: a text costs within a tenth of what it does in a full
 * batch, or its oldest row is late whatever is done, or no batch was seen yet
 *
 * and while rows are at hand, the batch grows to its budget unless that would make its oldest row
 * late and the batch is good enough already. Rows that are late anyway do not make batches small:
 * full ones are the quickest way out of a queue.
 *
 * On a device several batches are under way, one behind the other. Then the open one begins no
 * sooner than those are expected to be done, and until then waiting costs it nothing:
 *
 *    closed, under way   |--- first ---|--- second ---|
 *    open                      grows                  |--- begins
 *                        ^ now                        ^ free
 *
 * The margin is a tenth of the goal for what comes after the model, and four times the mean error
 * of the predictions, as TCP sets its timeouts (V. Jacobson, Congestion avoidance and control,
 * 1988). */
#include "batch/cost.h"
#include "flow/scorer.h"

#include <stdbool.h>

typedef struct dn_closing_rules {
    int64_t slo_ns;      /**< 0: throughput */
    int64_t deadline_ns; /**< throughput: wait of the oldest row */
    int64_t max_tokens;
} dn_closing_rules;

/** What is known of a batch. */
typedef struct dn_closing_batch {
    dn_cost_load load;
    int64_t oldest_ns;    /**< when its first row was added, INT64_MAX: empty */
    int64_t due_ns;       /**< earliest instant by which one of its rows should be scored */
    int32_t n_late;       /**< rows that came behind their time */
    int64_t predicted_ns; /**< of a closed one: expected time of scoring */
} dn_closing_batch;

/** One per model thread. */
typedef struct dn_closing {
    dn_closing_rules rules;
    dn_cost cost;
    double error_ns; /**< mean distance of prediction and truth */
    dn_closing_batch open;
    int64_t under_way_ns; /**< predicted times of the batches under way, added up */
    int64_t free_ns;      /**< when they will be done; not in the future: nothing is under way */
} dn_closing;

void dn_closing_init(dn_closing *closing, dn_closing_rules rules);

/** A row of `n_tokens` was added to the batch. */
void dn_closing_add(dn_closing *closing, int64_t n_tokens, int64_t now_ns);

/** Somebody waits for a row of the batch and counts from `begin_ns`. */
void dn_closing_expect(dn_closing *closing, int64_t begin_ns, int64_t now_ns);

/** Whether the batch must be closed although more rows are at hand. */
bool dn_closing_is_due(const dn_closing *closing, int64_t now_ns);

/** When the batch is to be closed if nothing more comes, DN_AT_ONCE: now; INT64_MAX when it is
 * empty. */
int64_t dn_closing_moment(const dn_closing *closing, int64_t now_ns);

/** Expected time of scoring the open batch, once it begins; 0 until a batch has been seen. */
int64_t dn_closing_predict(const dn_closing *closing);

/** Closes the open batch and begins the next one. */
dn_closing_batch dn_closing_close(dn_closing *closing, int64_t now_ns);

/** The oldest batch under way is done. Scoring it took `ns`, without the time it waited for those
 * before it: learns from that. */
void dn_closing_scored(dn_closing *closing, const dn_closing_batch *batch, int64_t ns,
                       int64_t now_ns);

#endif
