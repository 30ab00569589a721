#include "text/ngrams.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/charmap.h"

#include <math.h>
#include <stdlib.h>

enum { LEAST = 2, MOST = 5, PER_CHARACTER = MOST - LEAST + 3 };

/** First buckets: those of words and of characters do not meet. */
enum { OF_WORDS = 0, OF_CHARACTERS = DN_NGRAM_BUCKETS / 2 };

/** The text in lower case, words parted by one blank, with one before and behind all of it. */
struct dn_ngrams {
    dn_charmap *charmap;
    char *byte;
    uint32_t *begin; /**< [n + 1]: where each character begins in `byte` */
    uint32_t n, room;
    dn_ngram *gram;
    int n_grams;
    uint32_t *slot;   /**< [n_slots]: the gram's place + 1, 0: free */
    uint32_t n_slots; /**< a power of two, twice the grams that fit or one for each bucket */
};

dn_ngrams *dn_ngrams_new(void) {
    dn_ngrams *g = dn_alloc(sizeof *g);
    g->charmap = dn_charmap_new((dn_charmap_options){.lower = true});
    return g;
}

void dn_ngrams_free(dn_ngrams *g) {
    if (g) {
        dn_charmap_free(g->charmap);
        free(g->byte);
        free(g->begin);
        free(g->gram);
        free(g->slot);
        free(g);
    }
}

/* ---- characters ---- */

static void put(dn_ngrams *g, uint32_t code) {
    g->begin[g->n + 1] = g->begin[g->n] + (uint32_t)dn_utf8_encode(code, g->byte + g->begin[g->n]);
    g->n++;
}

static bool is_blank(const dn_ngrams *g, uint32_t i) {
    return g->byte[g->begin[i]] == ' ';
}

static void part(dn_ngrams *g) {
    if (!is_blank(g, g->n - 1)) {
        put(g, ' ');
    }
}

static void apply(dn_ngrams *g, uint32_t itself, uint32_t action) {
    uint32_t code = dn_charmap_code(action);
    switch (dn_charmap_kind_of(action)) {
    case DN_CHAR_KEEP:
        put(g, code ? code : itself);
        break;
    case DN_CHAR_BLANK:
        part(g);
        break;
    case DN_CHAR_ALONE:
        part(g);
        put(g, code ? code : itself);
        put(g, ' ');
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
    g->byte = dn_grow(g->byte, (size_t)g->room + DN_UTF8_MAX, 1);
    g->begin = dn_grow(g->begin, (size_t)g->room + 1, sizeof *g->begin);
    size_t most = (size_t)PER_CHARACTER * g->room;
    for (g->n_slots = 1; g->n_slots < 2 * most && g->n_slots < DN_NGRAM_BUCKETS; g->n_slots *= 2) {
    }
    free(g->slot);
    g->slot = dn_alloc_array(g->n_slots, sizeof *g->slot);
    g->gram = dn_grow(g->gram, most, sizeof *g->gram);
}

static void read_text(dn_ngrams *g, dn_span text) {
    g->n = 0;
    g->begin[0] = 0;
    put(g, ' ');
    for (const char *at = text.ptr, *end = at + text.len; at < end;) {
        int length;
        uint32_t code = dn_utf8_decode(at, &length);
        apply(g, code, dn_charmap_action(g->charmap, code));
        at += length;
    }
    part(g);
}

/* ---- grams ---- */

/** Counts the gram of characters [i, i + n), among the buckets from `first` on. */
static void count(dn_ngrams *g, uint32_t i, uint32_t n, int32_t first) {
    dn_span bytes = {g->byte + g->begin[i], g->begin[i + n] - g->begin[i]};
    int32_t bucket = (int32_t)(dn_hash64(bytes, 0) >> (65 - DN_NGRAM_BITS)) + first;
    uint32_t at = (uint32_t)bucket & (g->n_slots - 1);
    while (g->slot[at] && g->gram[g->slot[at] - 1].bucket != bucket) {
        at = (at + 1) & (g->n_slots - 1);
    }
    if (!g->slot[at]) {
        g->gram[g->n_grams] = (dn_ngram){bucket, 0};
        g->slot[at] = (uint32_t)++g->n_grams;
    }
    g->gram[g->slot[at] - 1].value++;
}

/** Empties the table: from each gram's first slot to the next free one. */
static void forget(dn_ngrams *g) {
    for (int i = 0; i < g->n_grams; i++) {
        uint32_t at = (uint32_t)g->gram[i].bucket & (g->n_slots - 1);
        while (g->slot[at]) {
            g->slot[at] = 0;
            at = (at + 1) & (g->n_slots - 1);
        }
    }
}

/** The blank behind the word that begins behind the blank at `i`. */
static uint32_t word_end(const dn_ngrams *g, uint32_t i) {
    do {
        i++;
    } while (!is_blank(g, i));
    return i;
}

/** Of the word between the blanks at `begin` and `end`. */
static void count_characters(dn_ngrams *g, uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; i++) {
        for (uint32_t n = LEAST; n <= MOST && i + n <= end + 1; n++) {
            count(g, i, n, OF_CHARACTERS);
        }
    }
}

static void count_all(dn_ngrams *g) {
    uint32_t before = 0; /* the blank before the last word; that of the first word before it */
    for (uint32_t at = 0, end; at + 1 < g->n; before = at, at = end) {
        end = word_end(g, at);
        count_characters(g, at, end);
        count(g, at + 1, end - at - 1, OF_WORDS);
        if (at > 0) {
            count(g, before + 1, end - before - 1, OF_WORDS);
        }
    }
}

static void scale(dn_ngrams *g) {
    double squares[2] = {0};
    for (int i = 0; i < g->n_grams; i++) {
        dn_ngram *gram = &g->gram[i];
        gram->value = 1 + logf(gram->value);
        squares[gram->bucket >= OF_CHARACTERS] += (double)gram->value * (double)gram->value;
    }
    for (int i = 0; i < g->n_grams; i++) {
        dn_ngram *gram = &g->gram[i];
        gram->value = (float)((double)gram->value / sqrt(squares[gram->bucket >= OF_CHARACTERS]));
    }
}

int dn_ngrams_of(dn_ngrams *g, dn_span text, const dn_ngram **out) {
    g->n_grams = 0;
    make_room(g, text.len);
    read_text(g, text);
    count_all(g);
    forget(g);
    scale(g);
    *out = g->gram;
    return g->n_grams;
}
