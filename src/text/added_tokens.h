#ifndef DN_TEXT_ADDED_TOKENS_H
#define DN_TEXT_ADDED_TOKENS_H
/** Tokens that are found in a text before it is split into words: "<s>", "<mask>", and what was
 * added to a vocabulary after training. The longest of those that begin first wins. Two sets: those
 * found in the text as it stands, and those found in its normalised form. */
#include "io/json.h"

typedef struct dn_added_token {
    char *text;
    size_t size;
    int32_t id;
    bool eats_before, eats_after; /**< the white space on that side belongs to it */
    bool normalised;              /**< found in the normalised form */
} dn_added_token;

typedef struct dn_added_tokens {
    dn_added_token *token;
    int n;
    bool first[2][256]; /**< [normalised][byte]: whether a token of the set begins with it */
    bool any[2];
    int32_t top; /**< largest id, -1 */
} dn_added_tokens;

typedef struct dn_added_match {
    const char *begin, *end; /**< with the white space it eats */
    int32_t id;
} dn_added_match;

void dn_added_tokens_init(dn_added_tokens *tokens);

/** Reads tokenizer.json's "added_tokens" (absent: none). MODEL errors name the item. */
dn_status dn_added_tokens_read(const dn_json_at *root, dn_added_tokens *tokens);

/** Adds one; `text` is copied. */
void dn_added_tokens_add(dn_added_tokens *tokens, const char *text, int32_t id, bool eats_before,
                         bool eats_after, bool normalised);
void dn_added_tokens_free(dn_added_tokens *tokens);

/** The first token of a set in `text`; false when there is none.     lends  from text     cost
 * O(text) */
bool dn_added_tokens_find(const dn_added_tokens *tokens, bool normalised, dn_span text,
                          dn_added_match *out);

#endif
