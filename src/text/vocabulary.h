#ifndef DN_TEXT_VOCABULARY_H
#define DN_TEXT_VOCABULARY_H
/** vocab.txt: one token a line, its id the number of the line from 0; and the trie that finds the
 * longest token.
 *
 * The trie's edges stand in one open-addressed table: (node, byte) -> node. A token that goes on a
 * word begins with "##"; it hangs under the node of "##", so both kinds of token are found by the
 * same walk from another node. Most walks end within three bytes, and each step is a cache miss, so
 * the first two bytes are one step through a table for each of the two beginnings. */
#include "io/json.h"

#include <stdint.h>

typedef struct dn_trie_edge {
    uint32_t key; /**< node * 256 + byte; 0: free, since no token begins with a zero byte */
    uint32_t node;
} dn_trie_edge;

/** Where two bytes lead from the root or from "##". */
typedef struct dn_trie_jump {
    uint32_t node; /**< 0: nowhere */
    int32_t best;  /**< 4 * id + length of the longest token on the way, 0: none */
} dn_trie_jump;

enum { DN_TRIE_JUMPS = 1 << 16 };

typedef struct dn_vocabulary {
    char *path;     /**< of the file */
    char *text;     /**< the file */
    dn_span *token; /**< [n] views into text */
    int32_t n;
    int32_t *id; /**< [n_nodes] of the token that ends there, -1 */
    uint32_t n_nodes, nodes_room;
    dn_trie_edge *edge; /**< [1 << edge_bits] */
    int edge_bits;
    uint32_t go_on;        /**< node of "##" */
    dn_trie_jump *jump[2]; /**< [DN_TRIE_JUMPS] by first byte * 256 + second: root, "##" */
} dn_vocabulary;

/** Reads `dir`/vocab.txt. MODEL errors name the file and line: empty or repeated token, bad UTF-8,
 * no token at all; NO_INPUT when it cannot be read.     ownership  the caller: dn_vocabulary_free
 */
dn_status dn_vocabulary_load(const char *dir, dn_vocabulary *vocabulary);

/** Takes the object token -> id of a tokenizer.json, whose ids are 0 to n - 1, each once. `path` is
 * copied. MODEL errors name the token.     ownership  the caller: dn_vocabulary_free */
dn_status dn_vocabulary_from_json(const dn_json_at *tokens, const char *path,
                                  dn_vocabulary *vocabulary);
void dn_vocabulary_free(dn_vocabulary *vocabulary);

/** Id of a token, -1 when there is none. */
int32_t dn_vocabulary_find(const dn_vocabulary *vocabulary, dn_span token);

/** The longest token that is a prefix of `text`, looked for as they stand or, `inside` a
 * word, behind "##". returns  its id, -1 when none is; `*length` its bytes in text     cost
 * O(longest token) */
int32_t dn_vocabulary_longest(const dn_vocabulary *vocabulary, bool inside, dn_span text,
                              size_t *length);

#endif
