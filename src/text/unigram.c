#include "text/unigram.h"

#include "base/memory.h"
#include "text/white.h"

#include <stdlib.h>

enum { SCRATCH_CELLS = 2, SCRATCH_MARKED = 3, FEW = 64, LONGEST_TOKEN = 1024 };

static const int32_t depends = -1; /* kept for a piece that must be seen with its neighbours */
static const double unknown_penalty = 10;

/* The best way to cut a word up to a place. */
typedef struct cell {
    double score;
    int32_t from; /* where its last token begins; -1: no way yet */
    int32_t to;   /* where the token that begins here ends, once the best way is known */
    int32_t id;
} cell;

dn_status dn_unigram_take(dn_unigram *unigram, const dn_span *token, const double *score, int32_t n,
                          int32_t unknown, const char *where) {
    int32_t repeated = 0;
    double lowest = 0;
    unigram->score = dn_alloc_array((size_t)n + 1, sizeof *unigram->score);
    unigram->n = n;
    unigram->unknown = unknown;
    for (int32_t i = 0; i < n; i++) {
        if (token[i].len > LONGEST_TOKEN) {
            return DN_FAIL(MODEL, "%s: token %d has %zu bytes, expected %d at most", where, i,
                           token[i].len, LONGEST_TOKEN);
        }
        unigram->score[i] = score[i];
        lowest = i == 0 || score[i] < lowest ? score[i] : lowest;
    }
    unigram->unknown_score = lowest - unknown_penalty;
    if (!dn_token_trie_build(&unigram->trie, token, n, &repeated)) {
        return DN_FAIL(MODEL, "%s: token %d, '%.*s', is there twice", where, repeated,
                       (int)token[repeated].len, token[repeated].ptr);
    }
    return DN_OK;
}

static inline void offer(cell *c, double score, int32_t from, int32_t id) {
    if (c->from < 0 || score > c->score) {
        c->score = score;
        c->from = from;
        c->id = id;
    }
}

/* Fills cells 1 to n. */
static void find_ways(const dn_unigram *u, dn_span word, cell *c) {
    const char *end = word.ptr + word.len;
    c[0].score = 0;
    for (size_t i = 1; i <= word.len; i++) {
        c[i].from = -1;
    }
    int length;
    for (const char *at = word.ptr; at < end; at += length) {
        dn_utf8_decode(at, &length);
        int32_t from = (int32_t)(at - word.ptr);
        double score = c[from].score;
        bool single = false;
        uint32_t node = 0;
        for (const char *p = at; p < end; p++) {
            node = dn_token_trie_step(&u->trie, node, (unsigned char)*p);
            if (!node) {
                break;
            }
            int32_t id = u->trie.unit[node].id;
            if (id >= 0) {
                offer(&c[p + 1 - word.ptr], score + u->score[id], from, id);
                single |= p + 1 - at == length;
            }
        }
        if (!single) {
            offer(&c[from + length], score + u->unknown_score, from, u->unknown);
        }
    }
}

/* Unknown neighbours are one token: its own, should the vocabulary have it after all. */
static void emit_way(const dn_unigram *u, dn_span word, const cell *c, dn_id_sink *sink) {
    int32_t size = (int32_t)word.len;
    for (int32_t at = 0, to; at < size && !sink->cut; at = to) {
        to = c[at].to;
        int32_t id = c[to].id;
        if (id == u->unknown) {
            while (to < size && c[c[to].to].id == u->unknown) {
                to = c[to].to;
            }
            int32_t whole =
                dn_token_trie_find(&u->trie, (dn_span){word.ptr + at, (size_t)(to - at)});
            id = whole >= 0 ? whole : u->unknown;
        }
        dn_id_emit(sink, &id, 1);
    }
}

static void cut_word(const dn_unigram *u, dn_token_cache *cache, dn_span word, dn_id_sink *sink) {
    cell few[FEW + 1], *c = few;
    if (word.len > FEW) {
        c = dn_scratch_take(cache, SCRATCH_CELLS, (word.len + 1) * sizeof *c);
    }
    find_ways(u, word, c);
    for (int32_t to = (int32_t)word.len; to > 0; to = c[to].from) {
        c[c[to].from].to = to;
    }
    emit_way(u, word, c, sink);
}

/* The ids of a marked word. */
static void word_ids(const dn_unigram *u, dn_token_cache *cache, dn_span word, dn_id_sink *sink) {
    if (word.len > DN_WORD_BYTES) {
        cut_word(u, cache, word, sink);
        return;
    }
    uint64_t hash = dn_word_hash(word.ptr, word.len);
    int32_t n, id[DN_WORD_IDS];
    const int32_t *known = dn_word_cache_find(&cache->forms, hash, word, &n);
    if (!known) {
        dn_id_sink all = {id, 0, DN_WORD_IDS, false};
        cut_word(u, cache, word, &all);
        dn_word_cache_put(&cache->forms, hash, word, id, all.n);
        known = id;
        n = all.n;
    }
    dn_id_emit(sink, known, n);
}

static bool has_mark(const dn_unigram *u, const char *at, const char *end) {
    return (size_t)(end - at) >= u->mark_size && memcmp(at, u->mark, u->mark_size) == 0;
}

/* Blanks become marks, one is put in front, and each mark begins a word. */
static void mark_words(const dn_unigram *u, dn_token_cache *cache, dn_span text, dn_id_sink *sink) {
    char *out = dn_scratch_take(cache, SCRATCH_MARKED, (text.len + 1) * u->mark_size), *to = out;
    const char *end = text.ptr + text.len;
    if (u->prepend && text.ptr[0] != ' ' && !has_mark(u, text.ptr, end)) {
        memcpy(to, u->mark, u->mark_size);
        to += u->mark_size;
    }
    for (const char *at = text.ptr; at < end; at++) {
        size_t size = *at == ' ' ? u->mark_size : 1;
        memcpy(to, *at == ' ' ? u->mark : at, size);
        to += size;
    }
    for (const char *at = out; at < to && !sink->cut;) {
        const char *stop = u->split_marks ? at + 1 : to;
        while (stop < to && !has_mark(u, stop, to)) {
            stop++;
        }
        word_ids(u, cache, (dn_span){at, (size_t)(stop - at)}, sink);
        at = stop;
    }
}

static void split_white(const dn_unigram *u, dn_token_cache *cache, dn_span text,
                        dn_id_sink *sink) {
    const char *end = text.ptr + text.len;
    for (const char *at = dn_white_after(text.ptr, end), *stop; at < end && !sink->cut;
         at = dn_white_after(stop, end)) {
        int length;
        for (stop = at; stop < end && !dn_is_white(dn_utf8_decode(stop, &length)); stop += length) {
        }
        mark_words(u, cache, (dn_span){at, (size_t)(stop - at)}, sink);
    }
}

static void form_ids(const dn_unigram *u, dn_token_cache *cache, dn_span form, dn_id_sink *sink) {
    if (form.len && u->split_white) {
        split_white(u, cache, form, sink);
    } else if (form.len) {
        mark_words(u, cache, form, sink);
    }
}

static void encode_whole(const dn_token_table *about, dn_token_cache *cache, dn_span text,
                         dn_id_sink *sink) {
    const dn_unigram *u = about->table;
    dn_added_match match;
    dn_span form = dn_form_apply(&u->form, cache, text);
    while (!sink->cut && dn_added_tokens_find(&about->added, true, form, &match)) {
        form_ids(u, cache, (dn_span){form.ptr, (size_t)(match.begin - form.ptr)}, sink);
        dn_id_emit(sink, &match.id, 1);
        form = (dn_span){match.end, (size_t)(form.ptr + form.len - match.end)};
    }
    if (!sink->cut) {
        form_ids(u, cache, form, sink);
    }
}

/* ---- piece by piece: what stands between blanks, where neighbours do not matter ---- */

/* Whether the ids of all texts are those of their pieces, as far as a piece can tell: white space
 * must go, and nothing but the charsmap may change a text. */
static bool is_piecewise(const dn_unigram *u) {
    if (!u->split_white || !u->split_marks || u->form.n > 1) {
        return false;
    }
    return u->form.n == 0 ||
           (u->form.step[0].kind == DN_FORM_CHARSMAP && u->form.step[0].charsmap.plain_ascii[' ']);
}

/* A blank can share its grapheme with the code points beside it. */
static bool blank_joins(const dn_unigram *u, dn_span text, const char *blank) {
    const dn_charsmap *map = &u->form.step[0].charsmap;
    int length;
    if (blank > text.ptr && (unsigned char)blank[-1] >= 0x80 &&
        dn_charsmap_joins_behind(map, dn_utf8_decode(dn_utf8_before(blank), &length))) {
        return true;
    }
    return blank + 1 < text.ptr + text.len && (unsigned char)blank[1] >= 0x80 &&
           dn_charsmap_joins_before(map, dn_utf8_decode(blank + 1, &length));
}

/* The ids of a piece that is not known; false when it depends on what is around it. */
static bool new_piece(const dn_token_table *about, dn_token_cache *cache, dn_span piece,
                      dn_id_sink *sink) {
    dn_added_match match;
    dn_span form = dn_form_apply(&((const dn_unigram *)about->table)->form, cache, piece);
    if (dn_added_tokens_find(&about->added, true, form, &match)) {
        return false;
    }
    form_ids(about->table, cache, form, sink);
    return true;
}

static bool piece_ids(const dn_token_table *about, dn_token_cache *cache, dn_span piece,
                      dn_id_sink *sink) {
    if (piece.len > DN_WORD_BYTES) {
        return new_piece(about, cache, piece, sink);
    }
    uint64_t hash = dn_word_hash(piece.ptr, piece.len);
    int32_t n;
    const int32_t *known = dn_word_cache_find(&cache->words, hash, piece, &n);
    if (!known) {
        int32_t id[DN_WORD_IDS];
        dn_id_sink all = {id, 0, DN_WORD_IDS, false};
        bool alone = new_piece(about, cache, piece, &all);
        if (all.cut) { /* its normal form is long: not kept */
            return new_piece(about, cache, piece, sink);
        }
        dn_word_cache_put(&cache->words, hash, piece, alone ? id : &depends, alone ? all.n : 1);
        dn_id_emit(sink, id, alone ? all.n : 0);
        return alone;
    }
    if (n == 1 && known[0] == depends) {
        return false;
    }
    dn_id_emit(sink, known, n);
    return true;
}

static bool encode_pieces(const dn_token_table *about, dn_token_cache *cache, dn_span text,
                          dn_id_sink *sink) {
    const dn_unigram *u = about->table;
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end && !sink->cut; at++) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        const char *stop = blank ? blank : end;
        if (blank && u->form.n && blank_joins(u, text, blank)) {
            return false;
        }
        if (stop > at && !piece_ids(about, cache, (dn_span){at, (size_t)(stop - at)}, sink)) {
            return false;
        }
        at = stop;
    }
    return true;
}

static void unigram_encode(const dn_token_table *about, dn_token_cache *cache, dn_span text,
                           dn_id_sink *sink) {
    int32_t n = sink->n;
    if (!is_piecewise(about->table) || !encode_pieces(about, cache, text, sink)) {
        sink->n = n;
        sink->cut = false;
        encode_whole(about, cache, text, sink);
    }
}

static void unigram_close(void *table) {
    dn_unigram *u = table;
    if (u) {
        dn_form_free(&u->form);
        dn_token_trie_free(&u->trie);
        free(u->score);
        free(u);
    }
}

const dn_token_kind dn_kind_unigram = {
    .name = "unigram",
    .close = unigram_close,
    .encode = unigram_encode,
};
