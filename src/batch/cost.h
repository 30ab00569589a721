#ifndef DN_BATCH_COST_H
#define DN_BATCH_COST_H
/** How long a micro-batch will take, learned while running:
 *
 *    ns = a + b * tokens + c * sum over rows of length^2
 *
 * a is the price of a call, b of the matrix products, c of attention. Fitted by least squares over
 * the batches seen, older ones weighing less (a half after about 35), so that it follows clocks and
 * neighbours. Only the time of scoring goes in, never time spent waiting: a model that learned from
 * queues would call every queue a slow machine. */
#include "batch/batch.h"

#include <stdint.h>

enum { DN_COST_TERMS = 3 };

/** Zeroed: has seen nothing. One per model thread. */
typedef struct dn_cost {
    double products[DN_COST_TERMS][DN_COST_TERMS]; /**< decayed sums of x x^T */
    double targets[DN_COST_TERMS];                 /**< decayed sums of x * ns */
    double weight[DN_COST_TERMS];                  /**< the fit; never negative */
    int64_t n_seen;
} dn_cost;

/** What the formula reads of a batch. */
typedef struct dn_cost_load {
    int64_t tokens, squares;
} dn_cost_load;
dn_cost_load dn_cost_load_of(const dn_batch *batch);

/** Learns from a batch that took `ns`.     cost  some 50 ns */
void dn_cost_observe(dn_cost *cost, dn_cost_load load, int64_t ns);

/** Expected nanoseconds; 0 until the first batch has been seen. */
int64_t dn_cost_predict(const dn_cost *cost, dn_cost_load load);

#endif
