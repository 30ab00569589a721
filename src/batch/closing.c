#include "batch/closing.h"

#include <math.h>

/* Good enough: a tenth above a full batch. Within it bench/model found 192 tokens and more of 512.
 */
static const double good_enough = 1.1;
static const double error_share = 0.125, errors_in_margin = 4;
enum { SINKS_SHARE = 10 };

static const dn_closing_batch empty = {.oldest_ns = INT64_MAX, .due_ns = INT64_MAX};

void dn_closing_init(dn_closing *closing, dn_closing_rules rules) {
    *closing = (dn_closing){.rules = rules, .open = empty};
}

void dn_closing_add(dn_closing *closing, int64_t n_tokens, int64_t now_ns) {
    dn_closing_batch *open = &closing->open;
    open->load.tokens += n_tokens;
    open->load.squares += n_tokens * n_tokens;
    open->oldest_ns = open->oldest_ns == INT64_MAX ? now_ns : open->oldest_ns;
}

void dn_closing_expect(dn_closing *closing, int64_t begin_ns, int64_t now_ns) {
    dn_closing_batch *open = &closing->open;
    int64_t due_ns = begin_ns + closing->rules.slo_ns;
    open->due_ns = due_ns < open->due_ns ? due_ns : open->due_ns;
    open->n_late += due_ns <= now_ns;
}

int64_t dn_closing_predict(const dn_closing *closing) {
    return dn_cost_predict(&closing->cost, closing->open.load);
}

static bool is_good(const dn_closing *closing) {
    dn_cost_load load = closing->open.load;
    double share = (double)load.tokens / (double)closing->rules.max_tokens;
    if (share <= 0) {
        return true;
    }
    dn_cost_load full = {.tokens = closing->rules.max_tokens,
                         .squares = llrint((double)load.squares / share)};
    return (double)dn_closing_predict(closing) <=
           good_enough * share * (double)dn_cost_predict(&closing->cost, full);
}

/** When a batch that is closed now begins to be scored. */
static int64_t start_ns(const dn_closing *closing, int64_t now_ns) {
    return closing->free_ns > now_ns ? closing->free_ns : now_ns;
}

static int64_t last_moment(const dn_closing *closing) {
    return closing->open.due_ns - dn_closing_predict(closing) -
           closing->rules.slo_ns / SINKS_SHARE - llrint(errors_in_margin * closing->error_ns);
}

static bool can_be_met(const dn_closing *closing, int64_t now_ns) {
    return closing->open.due_ns - dn_closing_predict(closing) >= start_ns(closing, now_ns);
}

bool dn_closing_is_due(const dn_closing *closing, int64_t now_ns) {
    return closing->rules.slo_ns && closing->open.due_ns != INT64_MAX &&
           last_moment(closing) <= start_ns(closing, now_ns) && can_be_met(closing, now_ns) &&
           is_good(closing);
}

int64_t dn_closing_moment(const dn_closing *closing, int64_t now_ns) {
    const dn_closing_batch *open = &closing->open;
    if (open->oldest_ns == INT64_MAX) {
        return INT64_MAX;
    }
    if (closing->rules.slo_ns == 0) {
        return start_ns(closing, open->oldest_ns + closing->rules.deadline_ns);
    }
    if (closing->cost.n_seen && can_be_met(closing, now_ns) && !is_good(closing)) {
        return last_moment(closing);
    }
    return closing->free_ns > now_ns ? closing->free_ns : DN_AT_ONCE;
}

dn_closing_batch dn_closing_close(dn_closing *closing, int64_t now_ns) {
    dn_closing_batch closed = closing->open;
    closed.predicted_ns = dn_closing_predict(closing);
    closing->free_ns = start_ns(closing, now_ns) + closed.predicted_ns;
    closing->under_way_ns += closed.predicted_ns;
    closing->open = empty;
    return closed;
}

void dn_closing_scored(dn_closing *closing, const dn_closing_batch *batch, int64_t ns,
                       int64_t now_ns) {
    if (closing->cost.n_seen) {
        double error = fabs((double)(ns - batch->predicted_ns));
        closing->error_ns += error_share * (error - closing->error_ns);
    }
    dn_cost_observe(&closing->cost, batch->load, ns);
    closing->under_way_ns -= batch->predicted_ns;
    closing->free_ns = now_ns + closing->under_way_ns;
}
