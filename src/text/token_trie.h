#ifndef DN_TEXT_TOKEN_TRIE_H
#define DN_TEXT_TOKEN_TRIE_H
/** All tokens that begin at a place of a text: a double-array trie. The child of a node by a byte
 * is the unit base + byte, if that unit names the node as its parent. */
#include "base/span.h"

#include <stdint.h>

typedef struct dn_trie_unit {
    uint32_t base;   /**< of its children */
    uint32_t parent; /**< + 1; 0: free */
    int32_t id;      /**< of the token that ends here, -1 */
} dn_trie_unit;

typedef struct dn_token_trie {
    dn_trie_unit *unit;
    uint32_t n_units;
} dn_token_trie;

/** Builds it from n tokens, whose ids are their places; false and `*repeated` when two are equal.
 * Empty ones are left out.     ownership  the caller: dn_token_trie_free */
bool dn_token_trie_build(dn_token_trie *trie, const dn_span *token, int32_t n, int32_t *repeated);
void dn_token_trie_free(dn_token_trie *trie);

/** The child of a node (0: the root), 0 for none. */
static inline uint32_t dn_token_trie_step(const dn_token_trie *trie, uint32_t node,
                                          unsigned char byte) {
    uint32_t next = trie->unit[node].base + byte;
    return trie->unit[next].parent == node + 1 ? next : 0;
}

/** Id of a token, -1 when there is none. */
int32_t dn_token_trie_find(const dn_token_trie *trie, dn_span token);

#endif
