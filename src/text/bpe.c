#include "text/bpe.h"

#include "base/memory.h"
#include "text/token_kind.h"

#include <stdlib.h>

enum { FEW = 64, SCRATCH_TEXT = 0, SCRATCH_SYMBOLS, SCRATCH_HEAP, SCRATCH_IDS };

/* A symbol of the word that is being merged, in a list. */
typedef struct symbol {
    int32_t id; /* -1: it went into the one before */
    int32_t before, behind;
} symbol;

/* Merges that were possible when they were noted: a heap, the lowest rank and then the leftmost on
 * top. */
typedef struct heap {
    uint64_t *item; /* rank << 32 | position */
    size_t n;
} heap;

void dn_bpe_reserve(dn_bpe *bpe, size_t n_merges) {
    bpe->merge_bits = 4;
    while ((size_t)1 << bpe->merge_bits < 2 * n_merges) {
        bpe->merge_bits++;
    }
    bpe->merge = dn_alloc_array((size_t)1 << bpe->merge_bits, sizeof *bpe->merge);
    bpe->merged = dn_alloc_array(n_merges + 1, sizeof *bpe->merged);
}

bool dn_bpe_add(dn_bpe *bpe, int32_t left, int32_t right, int32_t both) {
    const dn_bpe_merge *slot = dn_bpe_slot(bpe, left, right);
    if (slot->key) {
        return false;
    }
    bpe->merged[bpe->n_merges] = both;
    bpe->merge[slot - bpe->merge] =
        (dn_bpe_merge){.key = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1,
                       .rank = bpe->n_merges++,
                       .id = both};
    return true;
}

static void push(heap *h, uint64_t item) {
    size_t i = h->n++;
    for (; i && h->item[(i - 1) / 2] > item; i = (i - 1) / 2) {
        h->item[i] = h->item[(i - 1) / 2];
    }
    h->item[i] = item;
}

static uint64_t pop(heap *h) {
    uint64_t top = h->item[0], last = h->item[--h->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        child += child + 1 < h->n && h->item[child + 1] < h->item[child];
        if (h->item[child] >= last) {
            break;
        }
        h->item[i] = h->item[child];
    }
    h->item[i] = last;
    return top;
}

static inline void note(const dn_bpe *bpe, const symbol *s, int32_t left, heap *h) {
    const dn_bpe_merge *merge = dn_bpe_slot(bpe, s[left].id, s[s[left].behind].id);
    if (merge->key) {
        push(h, (uint64_t)(uint32_t)merge->rank << 32 | (uint32_t)left);
    }
}

/* Merges symbols 0 to n - 1. A note is out of date when its pair now makes another token; one that
 * makes the same token from other parts still counts at its old rank, as it does for the
 * reference. */
static void merge_all(const dn_bpe *bpe, symbol *s, int32_t n, heap *h) {
    for (int32_t i = 0; i + 1 < n; i++) {
        note(bpe, s, i, h);
    }
    while (h->n) {
        uint64_t top = pop(h);
        int32_t left = (int32_t)(uint32_t)top, id = bpe->merged[top >> 32];
        int32_t right = s[left].behind;
        if (s[left].id < 0 || right < 0) {
            continue;
        }
        const dn_bpe_merge *merge = dn_bpe_slot(bpe, s[left].id, s[right].id);
        if (!merge->key || merge->id != id) {
            continue;
        }
        s[left].id = id;
        s[left].behind = s[right].behind;
        s[right].id = -1;
        if (s[left].behind >= 0) {
            s[s[left].behind].before = left;
            note(bpe, s, left, h);
        }
        if (s[left].before >= 0) {
            note(bpe, s, s[left].before, h);
        }
    }
}

static int32_t split_bytes(const dn_bpe *bpe, dn_span word, symbol *s) {
    int32_t n = 0;
    for (size_t i = 0; i < word.len; i++) {
        int32_t id = bpe->byte_id[(unsigned char)word.ptr[i]];
        if (id >= 0) {
            s[n] = (symbol){id, n - 1, n + 1};
            n++;
        }
    }
    if (n) {
        s[n - 1].behind = -1;
    }
    return n;
}

/* The ids of a word into id[word.len]; their number. */
static int32_t encode_word(const dn_bpe *bpe, dn_token_cache *cache, dn_span word, int32_t *id) {
    symbol few_symbols[FEW], *s = few_symbols;
    uint64_t few_notes[3 * FEW];
    heap h = {few_notes, 0};
    if (word.len > FEW) {
        s = dn_scratch_take(cache, SCRATCH_SYMBOLS, word.len * sizeof *s);
        h.item = dn_scratch_take(cache, SCRATCH_HEAP, 3 * word.len * sizeof *h.item);
    }
    int32_t n = split_bytes(bpe, word, s), n_ids = 0;
    if (n > 1) {
        merge_all(bpe, s, n, &h);
    }
    for (int32_t i = 0; i < n; i++) {
        if (s[i].id >= 0) {
            id[n_ids++] = s[i].id;
        }
    }
    return n_ids;
}

static void long_word_ids(const dn_bpe *bpe, dn_token_cache *cache, dn_span word,
                          dn_id_sink *sink) {
    int32_t *id = dn_scratch_take(cache, SCRATCH_IDS, word.len * sizeof *id);
    dn_id_emit(sink, id, encode_word(bpe, cache, word, id));
}

static inline void word_ids(const dn_bpe *bpe, dn_token_cache *cache, dn_span word,
                            dn_id_sink *sink) {
    if (word.len > DN_WORD_BYTES) {
        long_word_ids(bpe, cache, word, sink);
        return;
    }
    uint64_t hash = dn_word_hash(word.ptr, word.len);
    int32_t n;
    const int32_t *known = dn_word_cache_find(&cache->words, hash, word, &n);
    if (known) {
        dn_id_emit(sink, known, n);
        return;
    }
    int32_t id[DN_WORD_IDS];
    n = encode_word(bpe, cache, word, id);
    dn_word_cache_put(&cache->words, hash, word, id, n);
    dn_id_emit(sink, id, n);
}

static void encode_stretch(const dn_bpe *bpe, dn_token_cache *cache, dn_span text,
                           dn_id_sink *sink) {
    if (!text.len) {
        return;
    }
    if (bpe->prefix_space && text.ptr[0] != ' ') {
        char *with = dn_scratch_take(cache, SCRATCH_TEXT, text.len + 1);
        with[0] = ' ';
        memcpy(with + 1, text.ptr, text.len);
        text = (dn_span){with, text.len + 1};
    }
    for (const char *at = text.ptr, *end = at + text.len; at < end && !sink->cut;) {
        const char *stop = dn_byte_word_end(&bpe->words, at, end);
        word_ids(bpe, cache, (dn_span){at, (size_t)(stop - at)}, sink);
        at = stop;
    }
}

/* There is no normaliser: tokens to be found in the normal form are found in what is left of the
 * text as it stands. */
static void bpe_encode(const dn_token_table *about, dn_token_cache *cache, dn_span text,
                       dn_id_sink *sink) {
    dn_added_match match;
    while (!sink->cut && dn_added_tokens_find(&about->added, true, text, &match)) {
        dn_span before = {text.ptr, (size_t)(match.begin - text.ptr)};
        encode_stretch(about->table, cache, before, sink);
        dn_id_emit(sink, &match.id, 1);
        text = (dn_span){match.end, (size_t)(text.ptr + text.len - match.end)};
    }
    encode_stretch(about->table, cache, text, sink);
}

static void bpe_close(void *table) {
    dn_bpe *bpe = table;
    if (bpe) {
        dn_byte_words_free(&bpe->words);
        free(bpe->merge);
        free(bpe->merged);
        free(bpe);
    }
}

const dn_token_kind dn_kind_bpe = {
    .name = "bpe",
    .close = bpe_close,
    .encode = bpe_encode,
};
