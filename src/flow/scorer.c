#include "flow/scorer.h"

const char *const dn_close_reason_names[DN_CLOSE_REASONS] = {
    [DN_CLOSE_TOKENS] = "tokens", [DN_CLOSE_ROWS] = "rows",     [DN_CLOSE_DEADLINE] = "deadline",
    [DN_CLOSE_IDLE] = "idle",     [DN_CLOSE_COMMIT] = "commit", [DN_CLOSE_DRAIN] = "drain",
    [DN_CLOSE_REVOKE] = "revoke", [DN_CLOSE_END] = "end",       [DN_CLOSE_LEADER] = "leader",
};

int dn_scorer_under_way(const dn_scorer_ops *ops, const dn_scorer *scorer) {
    return ops->under_way ? ops->under_way(scorer) : 0;
}

dn_status dn_scorer_settle(const dn_scorer_ops *ops, dn_scorer *scorer, dn_close_reason reason) {
    DN_TRY(ops->flush(scorer, reason));
    while (dn_scorer_under_way(ops, scorer) > 0) {
        DN_TRY(ops->wait(scorer));
    }
    return DN_OK;
}
