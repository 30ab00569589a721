#ifndef DN_TEXT_BPE_H
#define DN_TEXT_BPE_H
/** Byte-pair encoding over bytes (Hugging Face RobertaTokenizerFast, GPT2TokenizerFast): words by
 * byte_words.h, a symbol per byte, then of all pairs of neighbours that a merge names the one of
 * the lowest rank becomes one symbol, the leftmost first, until none is left.
 *
 * Merges stand in one open-addressed table: (left id, right id) -> rank. */
#include "text/byte_words.h"

#include <stdint.h>

typedef struct dn_bpe_merge {
    uint64_t key; /**< left << 32 | right, plus 1; 0: free */
    int32_t rank;
    int32_t id; /**< of both together */
} dn_bpe_merge;

typedef struct dn_bpe {
    dn_byte_words words;
    int32_t byte_id[256]; /**< -1: bytes that the vocabulary has not are left out */
    dn_bpe_merge *merge;  /**< [1 << merge_bits] */
    int32_t *merged;      /**< [n_merges] id by rank */
    int32_t n_merges;
    int merge_bits;
    bool prefix_space; /**< a text that begins with a letter is treated as if behind a blank */
} dn_bpe;

/** Room for `n_merges`. */
void dn_bpe_reserve(dn_bpe *bpe, size_t n_merges);

/** Adds the merge of the next rank; false when the pair is there already. */
bool dn_bpe_add(dn_bpe *bpe, int32_t left, int32_t right, int32_t both);

static inline const dn_bpe_merge *dn_bpe_slot(const dn_bpe *bpe, int32_t left, int32_t right) {
    uint64_t key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1;
    size_t mask = ((size_t)1 << bpe->merge_bits) - 1;
    size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> (64 - bpe->merge_bits));
    while (bpe->merge[i].key && bpe->merge[i].key != key) {
        i = (i + 1) & mask;
    }
    return &bpe->merge[i];
}

#endif
