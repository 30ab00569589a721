#include "batch/closing.h"

#include <math.h>

/* Good enough: a tenth above a full batch. Within it bench/model found 192 tokens and more of 512.
 */
static const double good_enough = 1.1;
static const double error_share = 0.125, errors_in_margin = 4;
enum { SINKS_SHARE = 10 };

static void begin(dn_closing *closing) {
    closing->load = (dn_cost_load){0};
    closing->oldest_ns = closing->due_ns = INT64_MAX;
    closing->n_late = 0;
}

void dn_closing_init(dn_closing *closing, dn_closing_rules rules) {
    *closing = (dn_closing){.rules = rules};
    begin(closing);
}

void dn_closing_add(dn_closing *closing, int64_t n_tokens, int64_t now_ns) {
    closing->load.tokens += n_tokens;
    closing->load.squares += n_tokens * n_tokens;
    closing->oldest_ns = closing->oldest_ns == INT64_MAX ? now_ns : closing->oldest_ns;
}

void dn_closing_expect(dn_closing *closing, int64_t begin_ns, int64_t now_ns) {
    int64_t due_ns = begin_ns + closing->rules.slo_ns;
    closing->due_ns = due_ns < closing->due_ns ? due_ns : closing->due_ns;
    closing->n_late += due_ns <= now_ns;
}

int64_t dn_closing_predict(const dn_closing *closing) {
    return dn_cost_predict(&closing->cost, closing->load);
}

static bool is_good(const dn_closing *closing) {
    double share = (double)closing->load.tokens / (double)closing->rules.max_tokens;
    if (share <= 0) {
        return true;
    }
    dn_cost_load full = {.tokens = closing->rules.max_tokens,
                         .squares = llrint((double)closing->load.squares / share)};
    return (double)dn_closing_predict(closing) <=
           good_enough * share * (double)dn_cost_predict(&closing->cost, full);
}

static int64_t last_moment(const dn_closing *closing) {
    return closing->due_ns - dn_closing_predict(closing) - closing->rules.slo_ns / SINKS_SHARE -
           llrint(errors_in_margin * closing->error_ns);
}

static bool can_be_met(const dn_closing *closing, int64_t now_ns) {
    return closing->due_ns - dn_closing_predict(closing) >= now_ns;
}

bool dn_closing_is_due(const dn_closing *closing, int64_t now_ns) {
    return closing->rules.slo_ns && closing->due_ns != INT64_MAX &&
           last_moment(closing) <= now_ns && can_be_met(closing, now_ns) && is_good(closing);
}

int64_t dn_closing_moment(const dn_closing *closing, int64_t now_ns) {
    if (closing->oldest_ns == INT64_MAX) {
        return INT64_MAX;
    }
    if (closing->rules.slo_ns == 0) {
        return closing->oldest_ns + closing->rules.deadline_ns;
    }
    bool waits = closing->cost.n_seen && can_be_met(closing, now_ns) && !is_good(closing);
    return waits ? last_moment(closing) : DN_AT_ONCE;
}

void dn_closing_scored(dn_closing *closing, int64_t ns) {
    if (closing->cost.n_seen) {
        double error = fabs((double)(ns - dn_closing_predict(closing)));
        closing->error_ns += error_share * (error - closing->error_ns);
    }
    dn_cost_observe(&closing->cost, closing->load, ns);
    begin(closing);
}
