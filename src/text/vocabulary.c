#include "text/vocabulary.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_FILE_BYTES = 64 << 20, FIRST_EDGE_BITS = 12 };

static dn_status read_all(const char *path, char **text, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        return DN_FAIL(NO_INPUT, "%s: %s; a model directory holds its vocabulary there", path,
                       strerror(errno));
    }
    struct stat about;
    bool good = fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode);
    if (!good || about.st_size > MAX_FILE_BYTES) {
        fclose(file);
        return DN_FAIL(MODEL, "%s: not a file of at most %d MiB", path, MAX_FILE_BYTES >> 20);
    }
    *text = dn_alloc((size_t)about.st_size + 1);
    *size = fread(*text, 1, (size_t)about.st_size, file);
    fclose(file);
    return DN_OK;
}

static size_t edge_slot(const dn_vocabulary *v, uint32_t key) {
    size_t mask = ((size_t)1 << v->edge_bits) - 1;
    size_t slot = (key * 0x9e3779b1u) >> (32 - v->edge_bits);
    while (v->edge[slot].key && v->edge[slot].key != key) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static void grow_edges(dn_vocabulary *v) {
    dn_trie_edge *old = v->edge;
    size_t n_old = old ? (size_t)1 << v->edge_bits : 0;
    v->edge_bits = old ? v->edge_bits + 1 : FIRST_EDGE_BITS;
    v->edge = dn_alloc_array((size_t)1 << v->edge_bits, sizeof *v->edge);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].key) {
            v->edge[edge_slot(v, old[i].key)] = old[i];
        }
    }
    free(old);
}

static uint32_t add_node(dn_vocabulary *v) {
    if (v->n_nodes == v->nodes_room) {
        v->nodes_room = 2 * v->nodes_room + 1024;
        v->id = dn_grow(v->id, v->nodes_room, sizeof *v->id);
    }
    v->id[v->n_nodes] = -1;
    return v->n_nodes++;
}

/* The node at the end of a token's path, made where it is missing. */
static uint32_t add_path(dn_vocabulary *v, dn_span token) {
    uint32_t node = 0;
    for (size_t i = 0; i < token.len; i++) {
        if (2 * (size_t)v->n_nodes >= (size_t)1 << v->edge_bits) {
            grow_edges(v);
        }
        uint32_t key = node * 256 + (unsigned char)token.ptr[i];
        size_t slot = edge_slot(v, key);
        if (!v->edge[slot].key) {
            v->edge[slot] = (dn_trie_edge){key, add_node(v)};
        }
        node = v->edge[slot].node;
    }
    return node;
}

/* The node that a byte leads to, 0: none. */
static uint32_t child_of(const dn_vocabulary *v, uint32_t node, unsigned char byte) {
    return v->edge[edge_slot(v, node * 256 + byte)].node;
}

static dn_trie_jump jump_of(const dn_vocabulary *v, uint32_t first, uint32_t second) {
    dn_trie_jump jump = {.node = second};
    if (first && v->id[first] >= 0) {
        jump.best = 4 * v->id[first] + 1;
    }
    if (second && v->id[second] >= 0) {
        jump.best = 4 * v->id[second] + 2;
    }
    return jump;
}

/* Once all tokens are in. */
static void add_jumps(dn_vocabulary *v) {
    v->go_on = add_path(v, DN_SPAN("##"));
    for (int inside = 0; inside < 2; inside++) {
        v->jump[inside] = dn_alloc_array(DN_TRIE_JUMPS, sizeof *v->jump[inside]);
        for (int a = 0; a < 256; a++) {
            uint32_t first = child_of(v, inside ? v->go_on : 0, (unsigned char)a);
            for (int b = 0; first && b < 256; b++) {
                uint32_t second = child_of(v, first, (unsigned char)b);
                v->jump[inside][a * 256 + b] = jump_of(v, first, second);
            }
        }
    }
}

static dn_status add_token(dn_vocabulary *v, dn_span token) {
    int line = v->n + 1;
    if (token.len == 0) {
        return DN_FAIL(MODEL, "%s:%d: an empty line; each line is a token", v->path, line);
    }
    if (memchr(token.ptr, '\0', token.len) || dn_utf8_valid_prefix(token) < token.len) {
        return DN_FAIL(MODEL, "%s:%d: the token is not valid UTF-8 text", v->path, line);
    }
    if (v->n_nodes + token.len >= UINT32_MAX / 256) {
        return DN_FAIL(MODEL, "%s:%d: the vocabulary is too large", v->path, line);
    }
    uint32_t node = add_path(v, token);
    if (v->id[node] >= 0) {
        return DN_FAIL(MODEL, "%s:%d: token '%.*s' stands in line %d already", v->path, line,
                       (int)(token.len < 80 ? token.len : 80), token.ptr, v->id[node] + 1);
    }
    v->id[node] = v->n;
    v->token[v->n++] = token;
    return DN_OK;
}

static dn_status add_lines(dn_vocabulary *v, size_t size) {
    size_t n_lines = 1;
    for (size_t i = 0; i < size; i++) {
        n_lines += v->text[i] == '\n';
    }
    v->token = dn_alloc_array(n_lines, sizeof *v->token);
    for (const char *at = v->text, *end = at + size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        const char *next = newline ? newline + 1 : end;
        while (stop > at && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t')) {
            stop--;
        }
        DN_TRY(add_token(v, (dn_span){at, (size_t)(stop - at)}));
        at = next;
    }
    return v->n ? DN_OK : DN_FAIL(MODEL, "%s:1: the vocabulary is empty", v->path);
}

dn_status dn_vocabulary_load(const char *dir, dn_vocabulary *vocabulary) {
    *vocabulary = (dn_vocabulary){.path = dn_format("%s/vocab.txt", dir)};
    size_t size = 0;
    dn_status status;
    DN_TRY_GO(read_all(vocabulary->path, &vocabulary->text, &size), err_free);
    grow_edges(vocabulary);
    add_node(vocabulary);
    DN_TRY_GO(add_lines(vocabulary, size), err_free);
    add_jumps(vocabulary);
    return DN_OK;
err_free:
    dn_vocabulary_free(vocabulary);
    return status;
}

/* The members of an object by their ids, their bytes in v->text. */
static dn_status collect_members(const dn_json_at *tokens, dn_vocabulary *v) {
    size_t n = dn_json_count(tokens), size = 0;
    void *cursor = NULL;
    dn_json_at member;
    while (dn_json_next(tokens, &cursor, &member)) {
        size += strlen(member.key);
    }
    v->token = dn_alloc_array(n + 1, sizeof *v->token);
    char *to = v->text = dn_alloc(size + 1);
    while (dn_json_next(tokens, &cursor, &member)) {
        int64_t id;
        size_t length = strlen(member.key);
        DN_TRY(dn_json_int(&member, 0, (int64_t)n - 1, &id));
        if (!length || v->token[id].ptr) {
            return dn_json_fail(
                &member, length ? "another token has the id %lld" : "the token of id %lld is empty",
                (long long)id);
        }
        memcpy(to, member.key, length);
        v->token[id] = (dn_span){to, length};
        to += length;
    }
    v->n = (int32_t)n;
    return n ? DN_OK : dn_json_fail(tokens, "is empty");
}

dn_status dn_vocabulary_from_json(const dn_json_at *tokens, const char *path,
                                  dn_vocabulary *vocabulary) {
    *vocabulary = (dn_vocabulary){.path = dn_strdup(path)};
    dn_status status;
    grow_edges(vocabulary);
    add_node(vocabulary);
    DN_TRY_GO(collect_members(tokens, vocabulary), err_free);
    for (int32_t i = 0; i < vocabulary->n; i++) {
        uint32_t node = add_path(vocabulary, vocabulary->token[i]); /* may move the ids */
        vocabulary->id[node] = i;
    }
    add_jumps(vocabulary);
    return DN_OK;
err_free:
    dn_vocabulary_free(vocabulary);
    return status;
}

void dn_vocabulary_free(dn_vocabulary *vocabulary) {
    free(vocabulary->path);
    free(vocabulary->text);
    free(vocabulary->token);
    free(vocabulary->id);
    free(vocabulary->edge);
    free(vocabulary->jump[0]);
    free(vocabulary->jump[1]);
    *vocabulary = (dn_vocabulary){0};
}

int32_t dn_vocabulary_longest(const dn_vocabulary *vocabulary, bool inside, dn_span text,
                              size_t *length) {
    uint32_t node = inside ? vocabulary->go_on : 0;
    int32_t best = -1;
    size_t i = 0;
    *length = 0;
    if (text.len >= 2) {
        const unsigned char *at = (const unsigned char *)text.ptr;
        const dn_trie_jump *jump = &vocabulary->jump[inside][at[0] * 256 + at[1]];
        node = jump->node;
        best = jump->best ? jump->best / 4 : -1;
        *length = (size_t)jump->best % 4;
        i = node ? 2 : text.len;
    }
    for (; i < text.len; i++) {
        node = child_of(vocabulary, node, (unsigned char)text.ptr[i]);
        if (!node) {
            break;
        }
        if (vocabulary->id[node] >= 0) {
            best = vocabulary->id[node];
            *length = i + 1;
        }
    }
    return best;
}

int32_t dn_vocabulary_find(const dn_vocabulary *vocabulary, dn_span token) {
    size_t length;
    int32_t id = dn_vocabulary_longest(vocabulary, false, token, &length);
    return length == token.len ? id : -1;
}
