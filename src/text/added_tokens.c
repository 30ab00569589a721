#include "text/added_tokens.h"

#include "base/memory.h"
#include "text/white.h"

#include <stdlib.h>

void dn_added_tokens_init(dn_added_tokens *tokens) {
    *tokens = (dn_added_tokens){.top = -1};
}

void dn_added_tokens_add(dn_added_tokens *tokens, const char *text, int32_t id, bool eats_before,
                         bool eats_after, bool normalised) {
    tokens->token = dn_grow(tokens->token, (size_t)tokens->n + 1, sizeof *tokens->token);
    tokens->token[tokens->n++] = (dn_added_token){.text = dn_strdup(text),
                                                  .size = strlen(text),
                                                  .id = id,
                                                  .eats_before = eats_before,
                                                  .eats_after = eats_after,
                                                  .normalised = normalised};
    tokens->first[normalised][(unsigned char)text[0]] = true;
    tokens->any[normalised] = true;
    tokens->top = id > tokens->top ? id : tokens->top;
}

static dn_status read_flag(const dn_json_at *object, const char *key, bool *out) {
    dn_json_at at;
    *out = false;
    return dn_json_find(object, key, &at) ? dn_json_bool(&at, out) : DN_OK;
}

static dn_status read_token(const dn_json_at *item, dn_added_tokens *tokens) {
    dn_json_at content, at;
    const char *text;
    int64_t id;
    bool single_word, before, after, normalised;
    DN_TRY(dn_json_need(item, "content", DN_JSON_TEXT, &content));
    DN_TRY(dn_json_text(&content, &text));
    DN_TRY(dn_json_need(item, "id", DN_JSON_INT, &at));
    DN_TRY(dn_json_int(&at, 0, INT32_MAX - 1, &id));
    DN_TRY(read_flag(item, "single_word", &single_word));
    DN_TRY(read_flag(item, "lstrip", &before));
    DN_TRY(read_flag(item, "rstrip", &after));
    DN_TRY(read_flag(item, "normalized", &normalised));
    if (single_word) {
        return dn_json_fail(item, "single_word is set for '%.80s', which is not supported", text);
    }
    for (const char *c = text; *c; c++) {
        if (*c == ' ') {
            return dn_json_fail(item, "'%.80s' has a blank in it, which is not supported", text);
        }
    }
    for (int i = 0; i < tokens->n; i++) {
        if (strcmp(tokens->token[i].text, text) == 0) {
            return dn_json_fail(item, "'%.80s' is there already", text);
        }
    }
    if (!text[0]) {
        return dn_json_fail(&content, "is empty");
    }
    dn_added_tokens_add(tokens, text, (int32_t)id, before, after, normalised);
    return DN_OK;
}

dn_status dn_added_tokens_read(const dn_json_at *root, dn_added_tokens *tokens) {
    enum { MOST = 4096 };
    dn_json_at list;
    if (!dn_json_find(root, "added_tokens", &list)) {
        return DN_OK;
    }
    DN_TRY(dn_json_need(root, "added_tokens", DN_JSON_ARRAY, &list));
    size_t n = dn_json_count(&list);
    if (n > MOST) {
        return dn_json_fail(&list, "has %zu tokens, expected %d at most", n, MOST);
    }
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(&list, i);
        DN_TRY(read_token(&item, tokens));
    }
    return DN_OK;
}

void dn_added_tokens_free(dn_added_tokens *tokens) {
    for (int i = 0; i < tokens->n; i++) {
        free(tokens->token[i].text);
    }
    free(tokens->token);
    dn_added_tokens_init(tokens);
}

/* The longest token of the set that stands at `at`, NULL for none. */
static const dn_added_token *token_at(const dn_added_tokens *tokens, bool normalised,
                                      const char *at, const char *end) {
    const dn_added_token *best = NULL;
    for (const dn_added_token *t = tokens->token; t < tokens->token + tokens->n; t++) {
        if (t->normalised == normalised && t->size <= (size_t)(end - at) &&
            memcmp(t->text, at, t->size) == 0 && (!best || t->size > best->size)) {
            best = t;
        }
    }
    return best;
}

bool dn_added_tokens_find(const dn_added_tokens *tokens, bool normalised, dn_span text,
                          dn_added_match *out) {
    const char *end = text.ptr + text.len;
    if (!tokens->any[normalised]) {
        return false;
    }
    for (const char *at = text.ptr; at < end; at++) {
        if (!tokens->first[normalised][(unsigned char)*at]) {
            continue;
        }
        const dn_added_token *t = token_at(tokens, normalised, at, end);
        if (t) {
            const char *stop = at + t->size;
            *out = (dn_added_match){t->eats_before ? dn_white_before(text.ptr, at) : at,
                                    t->eats_after ? dn_white_after(stop, end) : stop, t->id};
            return true;
        }
    }
    return false;
}
