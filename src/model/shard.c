#include "model/shard.h"

#include <stdio.h>
#include <string.h>

/* A message: rows, tokens, row_start[max_rows + 1], token[max_tokens]. */
enum { ROWS, TOKENS, HEAD, END = -1 };

static dn_slice slice_of(int of, int part, int n_parts) {
    int64_t begin = (int64_t)part * of / n_parts, end = ((int64_t)part + 1) * of / n_parts;
    return (dn_slice){(int)begin, (int)(end - begin), of};
}

dn_slice dn_slice_whole(int of) {
    return (dn_slice){0, of, of};
}

void dn_shard_list_divisors(int n, size_t size, char *out) {
    int last = n;
    size_t used = 0;
    out[0] = '\0';
    for (int d = 1; d <= n && used < size; d++) {
        if (n % d == 0) {
            const char *before = d == 1 ? "" : d == last ? " or " : ", ";
            used += (size_t)snprintf(out + used, size - used, "%s%d", before, d);
        }
    }
}

dn_status dn_shard_check_heads(const char *dir, int heads, int n_parts) {
    if (heads % n_parts) {
        char divisors[128];
        dn_shard_list_divisors(heads, sizeof divisors, divisors);
        return DN_FAIL(CONFIG,
                       "%s has %d attention heads, which a group of %d ranks cannot share evenly: "
                       "use --tp %s",
                       dir, heads, n_parts, divisors);
    }
    return DN_OK;
}

dn_status dn_shard_make(const char *dir, const dn_config *config, dn_comm *group, dn_shard *out) {
    int part = group ? group->rank : 0, n_parts = group ? group->size : 1;
    DN_TRY(dn_shard_check_heads(dir, config->heads, n_parts));
    int depth = config->hidden / config->heads;
    dn_slice heads = slice_of(config->heads, part, n_parts);
    *out = (dn_shard){
        .group = n_parts > 1 ? group : NULL,
        .leads = part == 0,
        .heads = heads,
        .width = {heads.begin * depth, heads.n * depth, config->hidden},
        .inner = slice_of(config->intermediate, part, n_parts),
        .words = slice_of(config->vocabulary, part, n_parts),
    };
    return DN_OK;
}

size_t dn_shard_message_size(int max_tokens, int max_rows) {
    return ((size_t)HEAD + (size_t)max_rows + 1 + (size_t)max_tokens) * sizeof(int32_t);
}

dn_status dn_shard_send(const dn_shard *shard, int32_t *message, int max_tokens, int max_rows,
                        const dn_batch *batch) {
    message[ROWS] = batch ? batch->n_rows : END;
    if (batch) {
        message[TOKENS] = batch->n_tokens;
        memcpy(message + HEAD, batch->row_start,
               ((size_t)batch->n_rows + 1) * sizeof *batch->row_start);
        memcpy(message + HEAD + max_rows + 1, batch->token,
               (size_t)batch->n_tokens * sizeof *batch->token);
    }
    return dn_comm_broadcast(shard->group, 0, message, dn_shard_message_size(max_tokens, max_rows));
}

dn_status dn_shard_receive(const dn_shard *shard, int32_t *message, int max_tokens, int max_rows,
                           dn_batch *batch, bool *end) {
    DN_TRY(
        dn_comm_broadcast(shard->group, 0, message, dn_shard_message_size(max_tokens, max_rows)));
    *end = message[ROWS] == END;
    *batch = (dn_batch){.n_rows = message[ROWS],
                        .n_tokens = message[TOKENS],
                        .row_start = message + HEAD,
                        .token = message + HEAD + max_rows + 1};
    return DN_OK;
}
