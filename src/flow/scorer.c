#include "flow/scorer.h"

const char *const dn_close_reason_names[DN_CLOSE_REASONS] = {
    [DN_CLOSE_TOKENS] = "tokens", [DN_CLOSE_ROWS] = "rows",     [DN_CLOSE_DEADLINE] = "deadline",
    [DN_CLOSE_IDLE] = "idle",     [DN_CLOSE_COMMIT] = "commit", [DN_CLOSE_DRAIN] = "drain",
    [DN_CLOSE_REVOKE] = "revoke", [DN_CLOSE_END] = "end",       [DN_CLOSE_LEADER] = "leader",
};
