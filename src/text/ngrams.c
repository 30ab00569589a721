#include "text/ngrams.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/charmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 2, MOST = 5, PER_CHARACTER = MOST - LEAST + 3, HALF = DN_NGRAM_BUCKETS / 2 };

/* A slot holds its bucket and the number of the text that it was taken for, so that the next text
 * finds all slots free: one round of numbers, then they are emptied. */
enum { ROUND = 1 << (32 - DN_NGRAM_BITS), SPREAD = 8, MOST_OFTEN = UINT8_MAX };

/** Odd numbers with bits all over: 2^64 / phi, and a prime of xxHash's. */
static const uint64_t step = 0x9e3779b97f4a7c15, pair = 0xc2b2ae3d27d4eb4f;

/** The text in lower case, words parted by one blank, with one before and behind all of it. */
struct dn_ngrams {
    dn_charmap *charmap;
    uint32_t *code; /**< [n] */
    uint32_t n, room;
    uint32_t *met; /**< [n_met]: the bucket of each n-gram of the text, first words, then runs */
    uint32_t n_met;
    dn_ngram *gram;
    uint8_t *often;
    uint32_t *slot, *place; /**< [n_slots]: round and bucket; which gram has it */
    uint32_t n_slots, round;
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
        free(g->met);
        free(g->gram);
        free(g->often);
        free(g->slot);
        free(g->place);
        free(g);
    }
}

/* ---- characters ---- */

static void part(dn_ngrams *g) {
    g->code[g->n] = ' ';
    g->n += g->code[g->n - 1] != ' ';
}

static void apply(dn_ngrams *g, uint32_t itself, uint32_t action) {
    uint32_t code = dn_charmap_code(action);
    switch (dn_charmap_kind_of(action)) {
    case DN_CHAR_KEEP:
        g->code[g->n++] = code ? code : itself;
        break;
    case DN_CHAR_BLANK:
        part(g);
        break;
    case DN_CHAR_ALONE:
        part(g);
        g->code[g->n++] = code ? code : itself;
        g->code[g->n++] = ' ';
        break;
    case DN_CHAR_MANY:
        for (uint32_t i = 1; i <= g->charmap->many[code]; i++) {
            apply(g, itself, g->charmap->many[code + i]);
        }
        break;
    default: /* nothing stays of it */
        break;
    }
}

/** Room for a text of so many bytes: a mark becomes three characters, a letter with its marks at
 * most as many as it decomposes into. */
static void make_room(dn_ngrams *g, size_t size) {
    enum { GROWTH = 4 };
    if (GROWTH * (size + 2) <= g->room) {
        return;
    }
    g->room = (uint32_t)(2 * GROWTH * (size + 2));
    g->code = dn_grow(g->code, (size_t)g->room + 2, sizeof *g->code);
    size_t most = (size_t)PER_CHARACTER * g->room;
    g->met = dn_grow(g->met, most + MOST, sizeof *g->met);
    g->gram = dn_grow(g->gram, most, sizeof *g->gram);
    g->often = dn_grow(g->often, most, 1);
    for (g->n_slots = 1; g->n_slots < SPREAD * most && g->n_slots < SPREAD * DN_NGRAM_BUCKETS;
         g->n_slots *= 2) {
    }
    free(g->slot);
    g->slot = dn_alloc_array(g->n_slots, sizeof *g->slot);
    g->place = dn_grow(g->place, g->n_slots, sizeof *g->place);
    g->round = 0;
}

static void read_text(dn_ngrams *g, dn_span text) {
    g->code[0] = ' ';
    g->n = 1;
    for (const char *at = text.ptr, *end = at + text.len; at < end;) {
        int length;
        uint32_t code = dn_utf8_decode(at, &length);
        apply(g, code, dn_charmap_action(g->charmap, code));
        at += length;
    }
    part(g);
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

/** The blank behind the word that begins behind the blank at `i`. */
static uint32_t word_end(const dn_ngrams *g, uint32_t i) {
    do {
        i++;
    } while (g->code[i] != ' ');
    return i;
}

/** Words, and pairs of words. */
static void meet_words(dn_ngrams *g) {
    uint64_t last = 0;
    for (uint32_t at = 0; at + 1 < g->n;) {
        uint64_t hash = step;
        uint32_t end = word_end(g, at);
        for (uint32_t i = at + 1; i < end; i++) {
            hash = grown(hash, g->code[i]);
        }
        g->met[g->n_met++] = bucket_of(hash);
        g->met[g->n_met] = bucket_of((last * pair + hash) * step);
        g->n_met += at > 0;
        last = hash;
        at = end;
    }
}

/** Runs of the word between the blanks at `begin` and `end`. All lengths are hashed, whether the
 * word has them or not: a wrong guess of a branch costs more. Behind the last character any will
 * do. */
static void meet_runs(dn_ngrams *g, uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; i++) {
        uint32_t *to = g->met + g->n_met, left = end - i;
        uint64_t hash = grown(step, g->code[i]);
        for (uint32_t k = 1; k < MOST; k++) {
            hash = grown(hash, g->code[i + k <= end ? i + k : end]);
            to[k - 1] = HALF + bucket_of(hash);
        }
        g->n_met += left < MOST - 1 ? left : MOST - 1;
    }
}

/* ---- each once ---- */

/** A text of `n_met` n-grams uses the first slots only, so that they stay in the nearest cache: the
 * last of them. */
static uint32_t last_slot(dn_ngrams *g) {
    uint32_t n = 1;
    while (n < SPREAD * g->n_met && n < g->n_slots) {
        n *= 2;
    }
    if (++g->round == ROUND) {
        memset(g->slot, 0, g->n_slots * sizeof *g->slot);
        g->round = 1;
    }
    return n - 1;
}

/** Of those met from `begin` to `end`: grams from number `n` on, and the square of their length
 * together. One that is known is written again, too, since a wrong guess of a branch costs more. */
static uint32_t count(dn_ngrams *g, uint32_t begin, uint32_t end, uint32_t mask, uint32_t n,
                      float *squares) {
    const uint32_t *restrict met = g->met, first = g->round << DN_NGRAM_BITS;
    const float *restrict growth = g->growth;
    uint32_t *restrict slot = g->slot, *restrict place = g->place;
    uint8_t *restrict often = g->often;
    dn_ngram *restrict gram = g->gram;
    float sum = 0;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t bucket = met[i], at = bucket & mask, own = first | bucket;
        while (slot[at] >= first && slot[at] != own) {
            at = (at + 1) & mask;
        }
        bool known = slot[at] == own;
        uint32_t to = known ? place[at] : n;
        uint8_t before = known ? often[to] : 0;
        slot[at] = own;
        place[at] = to;
        gram[to].bucket = (int32_t)bucket;
        often[to] = (uint8_t)(before + (before < MOST_OFTEN));
        sum += growth[before];
        n += !known;
    }
    *squares = sum;
    return n;
}

static void scale(dn_ngrams *g, uint32_t begin, uint32_t end, float squares) {
    float unit = 1 / sqrtf(squares);
    for (uint32_t i = begin; i < end; i++) {
        g->gram[i].value = g->weight[g->often[i]] * unit;
    }
}

int dn_ngrams_of(dn_ngrams *g, dn_span text, const dn_ngram **out) {
    float squares[2];
    make_room(g, text.len);
    read_text(g, text);
    g->n_met = 0;
    meet_words(g);
    uint32_t words = g->n_met;
    for (uint32_t at = 0, end; at + 1 < g->n; at = end) {
        end = word_end(g, at);
        meet_runs(g, at, end);
    }
    uint32_t mask = last_slot(g);
    uint32_t n_words = count(g, 0, words, mask, 0, &squares[0]);
    uint32_t n = count(g, words, g->n_met, mask, n_words, &squares[1]);
    scale(g, 0, n_words, squares[0]);
    scale(g, n_words, n, squares[1]);
    *out = g->gram;
    return (int)n;
}
