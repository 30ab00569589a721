#include "text/token_trie.h"

#include "base/memory.h"

#include <stdlib.h>

typedef struct entry {
    dn_span token;
    int32_t id;
} entry;

typedef struct builder {
    dn_token_trie *trie;
    const entry *entry;
    uint32_t first_free; /* no unit before it is free */
} builder;

static int by_bytes(const void *a, const void *b) {
    const entry *x = a, *y = b;
    size_t shorter = x->token.len < y->token.len ? x->token.len : y->token.len;
    int order = memcmp(x->token.ptr, y->token.ptr, shorter);
    return order ? order : (x->token.len > y->token.len) - (x->token.len < y->token.len);
}

/* Room for any child of a unit before `n`, so that step needs no bound. */
static void reserve(dn_token_trie *trie, uint32_t n) {
    uint32_t need = n + 256;
    if (need > trie->n_units) {
        uint32_t room = need + need / 2;
        trie->unit = dn_grow(trie->unit, room, sizeof *trie->unit);
        for (uint32_t i = trie->n_units; i < room; i++) {
            trie->unit[i] = (dn_trie_unit){0, 0, -1};
        }
        trie->n_units = room;
    }
}

static bool fits(const dn_token_trie *trie, uint32_t base, const unsigned char *byte, int n) {
    for (int i = 0; i < n; i++) {
        if (trie->unit[base + byte[i]].parent) {
            return false;
        }
    }
    return true;
}

/* A base with room for children by these bytes, which rise. */
static uint32_t find_base(builder *b, const unsigned char *byte, int n) {
    dn_token_trie *trie = b->trie;
    uint32_t tried = 0, taken = 0;
    for (uint32_t at = b->first_free;; at++) {
        reserve(trie, at + 256);
        tried++;
        if (trie->unit[at].parent) {
            taken++;
            continue;
        }
        if (at > byte[0] && fits(trie, at - byte[0], byte, n)) {
            if (tried > 64 && taken * 20 > tried * 19) { /* all but full: not looked at again */
                b->first_free = at;
            }
            return at - byte[0];
        }
    }
}

/* The children of a node, whose entries are [low, high) and agree in `depth` bytes. */
static void add_children(builder *b, uint32_t node, size_t low, size_t high, size_t depth) {
    unsigned char byte[256];
    size_t begin[257];
    int n = 0;
    if (b->entry[low].token.len == depth) {
        b->trie->unit[node].id = b->entry[low++].id;
    }
    for (size_t i = low; i < high; i++) {
        unsigned char c = (unsigned char)b->entry[i].token.ptr[depth];
        if (n == 0 || byte[n - 1] != c) {
            begin[n] = i;
            byte[n++] = c;
        }
    }
    if (n == 0) {
        return;
    }
    begin[n] = high;
    uint32_t base = find_base(b, byte, n); /* may move the units */
    b->trie->unit[node].base = base;
    for (int i = 0; i < n; i++) {
        b->trie->unit[base + byte[i]].parent = node + 1;
    }
    for (int i = 0; i < n; i++) {
        add_children(b, base + byte[i], begin[i], begin[i + 1], depth + 1);
    }
}

bool dn_token_trie_build(dn_token_trie *trie, const dn_span *token, int32_t n, int32_t *repeated) {
    entry *list = dn_alloc_array((size_t)n + 1, sizeof *list);
    size_t n_entries = 0;
    bool unique = true;
    *trie = (dn_token_trie){NULL, 0};
    for (int32_t i = 0; i < n; i++) {
        if (token[i].len) {
            list[n_entries++] = (entry){token[i], i};
        }
    }
    qsort(list, n_entries, sizeof *list, by_bytes);
    for (size_t i = 1; i < n_entries && unique; i++) {
        unique = by_bytes(&list[i - 1], &list[i]) != 0;
        *repeated = list[i].id;
    }
    if (unique) {
        builder b = {trie, list, 1};
        reserve(trie, 256);
        trie->unit[0].parent = UINT32_MAX; /* the root is nobody's child */
        if (n_entries) {
            add_children(&b, 0, 0, n_entries, 0);
        }
    }
    free(list);
    return unique;
}

void dn_token_trie_free(dn_token_trie *trie) {
    free(trie->unit);
    *trie = (dn_token_trie){NULL, 0};
}

int32_t dn_token_trie_find(const dn_token_trie *trie, dn_span token) {
    uint32_t node = 0;
    for (size_t i = 0; i < token.len; i++) {
        node = dn_token_trie_step(trie, node, (unsigned char)token.ptr[i]);
        if (!node) {
            return -1;
        }
    }
    return trie->unit[node].id;
}
