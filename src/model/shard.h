#ifndef DN_MODEL_SHARD_H
#define DN_MODEL_SHARD_H
/** Which part of a model a rank of a group holds, and how a batch comes to all of them.
 *
 *    rank 0 (leader)   heads 0-7    inner columns 0-2047      words 0-15260      classifiers
 *    rank 1            heads 8-15   inner columns 2048-4095   words 15261-30521
 *
 *    x ─ q,k,v of own heads ─ attention ─ out, own inputs ──▶ sum over the group ─ + bias + x, norm
 * ─▶ x x ─ up, own columns, GELU ─ down, own inputs ──────────▶ sum over the group ─ + bias + x,
 * norm ─▶ x
 *
 * x and what normalises it are on all ranks; only the leader pools and classifies. What is split
 * (the matrices of the layers, the word embeddings) is all but 0.5 % of a BERT-large. */
#include "batch/batch.h"
#include "comm/comm.h"
#include "model/config.h"

/** Rows or columns [begin, begin + n) of `of`. */
typedef struct dn_slice {
    int begin, n, of;
} dn_slice;

dn_slice dn_slice_whole(int of);

typedef struct dn_shard {
    dn_comm *group; /**< NULL: the whole model */
    bool leads;     /**< also without a group */
    dn_slice heads; /**< of attention */
    dn_slice width; /**< their columns of the hidden state */
    dn_slice inner; /**< columns of the feed-forward */
    dn_slice words; /**< rows of the word embeddings */
} dn_shard;

/** What divides n, for a person: "1, 2, 3, 4, 6 or 12". */
void dn_shard_list_divisors(int n, size_t size, char *out);

/** CONFIG where the heads cannot be divided among n_parts ranks; `dir` names the model. */
dn_status dn_shard_check_heads(const char *dir, int heads, int n_parts);

/** CONFIG as dn_shard_check_heads. lends group */
dn_status dn_shard_make(const char *dir, const dn_config *config, dn_comm *group, dn_shard *out);

/** A batch as one message of a fixed size. */
size_t dn_shard_message_size(int max_tokens, int max_rows);

/** The leader's batch to all; NULL ends the group's work. `message` has the size above.
 *  collective  the group */
dn_status dn_shard_send(const dn_shard *shard, int32_t *message, int max_tokens, int max_rows,
                        const dn_batch *batch);

/** A follower's wait for it; *batch lies in `message`. *end: there will be no more.
 *  collective  the group      blocks  until the leader sends */
dn_status dn_shard_receive(const dn_shard *shard, int32_t *message, int max_tokens, int max_rows,
                           dn_batch *batch, bool *end);

#endif
