#include "text/ngrams.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/charmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 2, MOST = 5, PER_CHARACTER = MOST - LEAST + 3, HALF = DN_NGRAM_BUCKETS / 2 };

/* A slot holds the number of a gram of this text, above all numbers of the texts before it, so that
 * the next text finds all slots free. After some ten thousand texts they are emptied: an old number
 * would never be taken for a gram, whose bucket is compared, but make a free slot look full. */
enum { SPREAD = 8, MOST_TAKEN = 1 << 22, MOST_OFTEN = UINT8_MAX };

/** Odd numbers with bits all over: 2^64 / phi, and a prime of xxHash's. */
static const uint64_t step = 0x9e3779b97f4a7c15, pair = 0xc2b2ae3d27d4eb4f;

/** A gram while it is counted. */
typedef struct counted {
    uint32_t bucket, often;
} counted;

/** The text in lower case, words parted by one blank, with one before and behind all of it. */
struct dn_ngrams {
    dn_charmap *charmap;
    uint32_t *code; /**< [n] */
    uint32_t n, room;
    uint32_t *word, *run; /**< [n_words], [n_runs]: the bucket of each n-gram of the text */
    uint32_t n_words, n_runs;
    counted *counted;
    dn_ngram *gram;
    uint32_t *slot; /**< [n_slots]: `taken` + 1 + which gram has it; `taken` or less: free */
    uint32_t n_slots, taken;
    float weight[MOST_OFTEN + 1]; /**< 1 + log(how often), */
    float growth[MOST_OFTEN + 1]; /**< and what its square gains when the gram is met once more */
};

dn_ngrams *dn_ngrams_new(void) {
    dn_ngrams *g = dn_alloc(sizeof *g);
    g->charmap = dn_charmap_new((dn_charmap_options){.lower = true});
    for (int i = 1; i <= MOST_OFTEN; i++) {
        g->weight[i] = 1 + logf((float)i);
        g->growth[i - 1] = g->weight[i] * g->weight[i] - g->weight[i - 1] * g->weight[i - 1];
    }
    return g;
}

void dn_ngrams_free(dn_ngrams *g) {
    if (g) {
        dn_charmap_free(g->charmap);
        free(g->code);
        free(g->word);
        free(g->run);
        free(g->gram);
        free(g->counted);
        free(g->slot);
        free(g);
    }
}

/* ---- characters ---- */

/** Appends what is read to g->code. What may stay is written, and then stepped over or not: a
 * wrong guess of a branch costs more. */
typedef struct writer {
    uint32_t *to, parted; /**< 1: the character before `to` is a blank */
} writer;

/** Kinds of which something stays, as bits. */
enum {
    STAYS = 1 << DN_CHAR_KEEP | 1 << DN_CHAR_ALONE,
    PARTS = 1 << DN_CHAR_BLANK | 1 << DN_CHAR_ALONE,
    ALONE = 1 << DN_CHAR_ALONE
};

static inline bool is_put(dn_charmap_kind kind) {
    return (STAYS | PARTS) >> kind & 1;
}

static inline writer put(writer w, dn_charmap_kind kind, uint32_t code) {
    uint32_t parts = PARTS >> kind & 1;
    *w.to = ' ';
    w.to += parts & ~w.parted;
    *w.to = code;
    w.to += STAYS >> kind & 1;
    *w.to = ' ';
    w.to += ALONE >> kind & 1;
    w.parted = parts;
    return w;
}

static writer apply(writer w, const dn_charmap *charmap, uint32_t itself, uint32_t action) {
    uint32_t code = dn_charmap_code(action);
    dn_charmap_kind kind = dn_charmap_kind_of(action);
    if (is_put(kind)) {
        return put(w, kind, code ? code : itself);
    }
    for (uint32_t i = 1; kind == DN_CHAR_MANY && i <= charmap->many[code]; i++) {
        w = apply(w, charmap, itself, charmap->many[code + i]);
    }
    return w;
}

/** Room for a text of so many bytes: a mark becomes three characters, a letter with its marks at
 * most as many as it decomposes into. */
static void make_room(dn_ngrams *g, size_t size) {
    enum { GROWTH = 4 };
    if (GROWTH * (size + 2) <= g->room) {
        return;
    }
    g->room = (uint32_t)(2 * GROWTH * (size + 2));
    g->code = dn_grow(g->code, (size_t)g->room + MOST, sizeof *g->code);
    size_t most = (size_t)PER_CHARACTER * g->room;
    g->word = dn_grow(g->word, (size_t)g->room + MOST, sizeof *g->word);
    g->run = dn_grow(g->run, most + MOST, sizeof *g->run);
    g->gram = dn_grow(g->gram, most, sizeof *g->gram);
    g->counted = dn_grow(g->counted, most, sizeof *g->counted);
    for (g->n_slots = 1; g->n_slots < SPREAD * most && g->n_slots < SPREAD * DN_NGRAM_BUCKETS;
         g->n_slots *= 2) {
    }
    free(g->slot);
    g->slot = dn_alloc_array(g->n_slots, sizeof *g->slot);
    g->taken = 0;
}

static void read_text(dn_ngrams *g, dn_span text) {
    const dn_charmap *charmap = g->charmap;
    writer w = {.to = g->code};
    w = put(w, DN_CHAR_BLANK, ' ');
    for (const char *at = text.ptr, *end = at + text.len; at < end;) {
        int length;
        uint32_t itself = dn_utf8_decode(at, &length);
        uint32_t action = dn_charmap_action(charmap, itself), code = dn_charmap_code(action);
        dn_charmap_kind kind = dn_charmap_kind_of(action);
        if (is_put(kind)) {
            w = put(w, kind, code ? code : itself);
        } else {
            w = apply(w, charmap, itself, action);
        }
        at += length;
    }
    w = put(w, DN_CHAR_BLANK, ' ');
    g->n = (uint32_t)(w.to - g->code);
    for (int i = 0; i < MOST; i++) { /* runs are hashed beyond the last blank */
        w.to[i] = ' ';
    }
}

/* ---- what is met ---- */

/** A hash over characters grows by one at a time, so that a run costs a product more than the run
 * without its last character. Its upper bits depend on all characters. */
static uint64_t grown(uint64_t hash, uint32_t code) {
    return (hash + code) * step;
}

static uint32_t bucket_of(uint64_t hash) {
    return (uint32_t)(hash >> (65 - DN_NGRAM_BITS));
}

/** How many of the runs from a character on lie within its word: bit k - 1 of the index says that
 * the k-th character behind it is a blank. */
static const uint8_t runs_before_blank[1 << (MOST - 2)] = {4, 1, 2, 1, 3, 1, 2, 1};

/** Words, pairs of words, and the runs from each character on. Whatever may be one is hashed and
 * written, and then stepped over or not: a wrong guess of a branch costs more. Words wait for
 * products one after the other, runs use the time. */
static void meet(dn_ngrams *g) {
    const uint32_t *restrict code = g->code;
    uint32_t *restrict word = g->word, *restrict run = g->run;
    uint32_t n = g->n, n_words = 0, blanks = 0;
    uint64_t last = 0, own = step;
    for (uint32_t k = 1; k < MOST - 2; k++) { /* moved down by one at the first character */
        blanks |= (uint32_t)(code[k] == ' ') << k;
    }
    for (uint32_t i = 0; i + 1 < n; i++) {
        uint64_t inside = -(uint64_t)(code[i] != ' '), hash = grown(step, code[i]);
        for (uint32_t k = 1; k < MOST; k++) {
            hash = grown(hash, code[i + k]);
            run[k - 1] = HALF + bucket_of(hash);
        }
        blanks = blanks >> 1 | (uint32_t)(code[i + MOST - 2] == ' ') << (MOST - 3);
        run += runs_before_blank[blanks];
        own = (grown(own, code[i]) & inside) | (step & ~inside);
        word[n_words] = bucket_of(own);
        word[n_words + 1] = bucket_of((last * pair + own) * step);
        n_words += blanks & 1 ? 1 + (n_words > 0) : 0;
        last = blanks & 1 ? own : last;
    }
    g->n_words = n_words;
    g->n_runs = (uint32_t)(run - g->run);
}

/* ---- each once ---- */

/** A text of few n-grams uses the first slots only, so that they stay in the nearest cache: the
 * last of them. */
static uint32_t last_slot(dn_ngrams *g) {
    uint32_t n_met = g->n_words + g->n_runs, n = 1;
    while (n < SPREAD * n_met && n < g->n_slots) {
        n *= 2;
    }
    if (g->taken > MOST_TAKEN) {
        memset(g->slot, 0, g->n_slots * sizeof *g->slot);
        g->taken = 0;
    }
    return n - 1;
}

/** Of those met: grams from number `n` on, and the square of their length together. Each is written
 * as if it were new before the slots are asked: whether it is known is then no branch, and a wrong
 * guess of one costs more. */
static uint32_t count(dn_ngrams *g, const uint32_t *restrict met, uint32_t n_met, uint32_t mask,
                      uint32_t n, float *squares) {
    const uint32_t first = g->taken + 1;
    const float *restrict growth = g->growth;
    uint32_t *restrict slot = g->slot;
    counted *restrict gram = g->counted;
    float sum = 0;
    for (uint32_t i = 0; i < n_met; i++) {
        uint32_t bucket = met[i], at = bucket & mask, to;
        gram[n] = (counted){bucket, 0};
        while (to = slot[at] - first < n ? slot[at] - first : n, /* of a free one: far above n */
               gram[to].bucket != bucket) {
            at = (at + 1) & mask;
        }
        uint32_t before = gram[to].often;
        slot[at] = first + to;
        gram[to].often = before + (before < MOST_OFTEN);
        sum += growth[before];
        n += to == n;
    }
    *squares = sum;
    return n;
}

/** Grams from number `n` on: those counted from `begin` to `end` that are in the set. */
static uint32_t scale(dn_ngrams *g, const uint32_t *set, uint32_t begin, uint32_t end,
                      float squares, uint32_t n) {
    const counted *restrict from = g->counted;
    const float *restrict weight = g->weight;
    dn_ngram *restrict to = g->gram;
    float unit = 1 / sqrtf(squares);
    for (uint32_t i = begin; i < end; i++) {
        uint32_t bucket = from[i].bucket;
        to[n] = (dn_ngram){(int32_t)bucket, weight[from[i].often] * unit};
        n += set ? dn_bucket_set_has(set, bucket) : 1;
    }
    return n;
}

int dn_ngrams_among(dn_ngrams *g, dn_span text, const uint32_t *set, const dn_ngram **out) {
    float squares[2];
    make_room(g, text.len);
    read_text(g, text);
    meet(g);
    uint32_t mask = last_slot(g);
    uint32_t n_words = count(g, g->word, g->n_words, mask, 0, &squares[0]);
    uint32_t n = count(g, g->run, g->n_runs, mask, n_words, &squares[1]);
    g->taken += n;
    *out = g->gram;
    return (int)scale(g, set, n_words, n, squares[1], scale(g, set, 0, n_words, squares[0], 0));
}

int dn_ngrams_of(dn_ngrams *g, dn_span text, const dn_ngram **out) {
    return dn_ngrams_among(g, text, NULL, out);
}
