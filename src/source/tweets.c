#include "source/tweets.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "source/words.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TONGUES_MAX = 16,
    AUTHOR_BUCKETS = 12,
    EXACT_PPM = 234000, /* repeats of the real corpus, and those that only folding shows */
    VARIANT_PPM = 62000,
    NEAR_PPM = 31000,
    WORD_MAX = 64,
    BLOCK = 1024,  /* records that share a tempo */
    GAP_MS = 1000, /* mean time between records */
    RETWEET_TRIES = 24,
};

static const int64_t FIRST_MS = INT64_C(1483228800000); /* 2017-01-01 */

/** Streams of random numbers of one record; each question has its own, so that answers do not
 * depend on each other. */
enum salt {
    ASK_BAD = 1,
    ASK_KIND,
    ASK_PARENT,
    ASK_AUTHOR,
    ASK_TEXT,
    ASK_CHANGE,
    ASK_TIME,
    ASK_TEMPO
};

typedef struct words {
    int n;
    dn_span *word;
    char *text;
} words;

struct dn_tweets {
    uint64_t seed;
    uint32_t bad_ppm;
    words common[TONGUES_MAX], stems[TONGUES_MAX], endings[TONGUES_MAX];
};

const char *const dn_tweet_kind_names[] = {"original", "exact", "variant", "near", "bad"};

/** Authors by rank, per mille of the records in [2^k - 1, 2^(k+1) - 1): the 100 busiest write 39 %.
 */
static const uint16_t author_weight[AUTHOR_BUCKETS] = {12,  20,  35,  55,  80, 105,
                                                       150, 160, 170, 120, 70, 23};

/** SplitMix64. */
static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t draw(uint64_t *state) {
    return mix(*state += 0x9e3779b97f4a7c15u);
}

/** A number below n, n < 2^32. */
static uint32_t below(uint64_t *state, uint32_t n) {
    return (uint32_t)(((draw(state) >> 32) * n) >> 32);
}

static bool chance(uint64_t *state, uint32_t per_mille) {
    return below(state, 1000) < per_mille;
}

static uint64_t stream(const dn_tweets *tweets, int64_t n, enum salt salt) {
    return mix(tweets->seed * 0x9e3779b97f4a7c15u + mix((uint64_t)n * 16 + salt));
}

static words split(const char *text) {
    words list = {.text = dn_strdup(text)};
    size_t room = strlen(text) / 2 + 2;
    list.word = dn_alloc_array(room, sizeof *list.word);
    for (char *p = list.text; *p;) {
        size_t size = strcspn(p, " ");
        list.word[list.n++] = (dn_span){p, size};
        p += size + (p[size] == ' ');
    }
    return list;
}

static void words_free(words *list) {
    free(list->word);
    free(list->text);
}

dn_tweets *dn_tweets_new(uint64_t seed, uint32_t bad_ppm) {
    dn_tweets *tweets = dn_alloc(sizeof *tweets);
    tweets->seed = seed;
    tweets->bad_ppm = bad_ppm;
    for (int i = 0; i < dn_n_tongues; i++) {
        tweets->common[i] = split(dn_tongues[i].common);
        tweets->stems[i] = split(dn_tongues[i].stems);
        tweets->endings[i] = split(dn_tongues[i].endings);
    }
    return tweets;
}

void dn_tweets_free(dn_tweets *tweets) {
    if (!tweets) {
        return;
    }
    for (int i = 0; i < dn_n_tongues; i++) {
        words_free(&tweets->common[i]);
        words_free(&tweets->stems[i]);
        words_free(&tweets->endings[i]);
    }
    free(tweets);
}

/** A rank: a bucket by weight, then evenly inside it. Zipf's law in powers of two, without a
 * logarithm. */
static uint32_t draw_rank(uint64_t *state, const uint16_t *weight, int n_buckets) {
    uint32_t at = below(state, 1000);
    int k = 0;
    while (k + 1 < n_buckets && at >= weight[k]) {
        at -= weight[k++];
    }
    return ((uint32_t)1 << k) - 1 + below(state, (uint32_t)1 << k);
}

/** Languages are dealt to the ranks of authors by the golden ratio, so that every stretch of ranks
 * has its shares. */
static int tongue_of(uint32_t author) {
    uint32_t at = (uint32_t)(((uint64_t)(author * 2654435769u) * 1000) >> 32);
    int tongue = 0;
    while (tongue + 1 < dn_n_tongues && at >= dn_tongues[tongue].per_mille) {
        at -= dn_tongues[tongue++].per_mille;
    }
    return tongue;
}

static uint32_t author_of(const dn_tweets *tweets, int64_t n) {
    uint64_t state = stream(tweets, n, ASK_AUTHOR);
    return draw_rank(&state, author_weight, AUTHOR_BUCKETS);
}

static bool is_bad(const dn_tweets *tweets, int64_t n) {
    uint64_t state = stream(tweets, n, ASK_BAD);
    return n > 0 && below(&state, 1000000) < tweets->bad_ppm;
}

static dn_tweet_kind kind_of(const dn_tweets *tweets, int64_t n) {
    uint64_t state = stream(tweets, n, ASK_KIND);
    uint32_t at = below(&state, 1000000);
    if (is_bad(tweets, n)) {
        return DN_TWEET_BAD;
    }
    if (n == 0 || at >= EXACT_PPM + VARIANT_PPM + NEAR_PPM) {
        return DN_TWEET_ORIGINAL;
    }
    return at < EXACT_PPM                 ? DN_TWEET_EXACT
           : at < EXACT_PPM + VARIANT_PPM ? DN_TWEET_VARIANT
                                          : DN_TWEET_NEAR;
}

/** An earlier record: half of them within the last 256, the farthest 64 Ki back, as repeats come in
 * the real corpus. */
static int64_t parent_of(const dn_tweets *tweets, int64_t n) {
    enum { FARTHEST_BITS = 15 };
    uint64_t state = stream(tweets, n, ASK_PARENT);
    uint32_t bits = 0;
    while (bits < FARTHEST_BITS && (int64_t)2 << (bits + 1) <= n) {
        bits++;
    }
    uint32_t k = below(&state, bits + 1);
    int64_t distance = ((int64_t)1 << k) + below(&state, (uint32_t)1 << k);
    return distance <= n ? n - distance : n - 1;
}

/** The original that a record goes back to. */
static int64_t original_of(const dn_tweets *tweets, int64_t n) {
    dn_tweet_kind kind = kind_of(tweets, n);
    while (kind != DN_TWEET_ORIGINAL) {
        n = kind == DN_TWEET_BAD ? n - 1 : parent_of(tweets, n);
        kind = kind_of(tweets, n);
    }
    return n;
}

/** Text under construction. */
typedef struct text_pen {
    char *at, *end;
} text_pen;

static void put(text_pen *pen, dn_span bytes) {
    size_t room = (size_t)(pen->end - pen->at);
    size_t n = bytes.len < room ? bytes.len : 0;
    memcpy(pen->at, bytes.ptr, n);
    pen->at += n;
}

static void put_text(text_pen *pen, const char *text) {
    put(pen, dn_span_of(text));
}

static dn_span pick(const words *list, uint64_t *state) {
    return list->word[below(state, (uint32_t)list->n)];
}

/** The word of a rank: a common one, else a stem with an ending, else, from rank 4,095 on, two
 * stems. */
static void put_word(const dn_tweets *tweets, int tongue, uint32_t rank, text_pen *pen) {
    const words *common = &tweets->common[tongue];
    enum { TWO_STEMS = 4095 };
    if (rank < (uint32_t)common->n) {
        put(pen, common->word[rank]);
        return;
    }
    uint64_t state = mix(rank * 0x9e3779b97f4a7c15u + (uint64_t)tongue + 1);
    put(pen, pick(&tweets->stems[tongue], &state));
    if (rank >= TWO_STEMS) {
        put(pen, pick(&tweets->stems[tongue], &state));
    }
    if (rank < TWO_STEMS || chance(&state, 350)) {
        put(pen, pick(&tweets->endings[tongue], &state));
    }
}

/** Upper case for the first letter of what was written from `from` on, where ASCII or Cyrillic has
 * one. */
static void capitalise(char *from, const text_pen *pen) {
    int length = 0;
    if (from >= pen->at) {
        return;
    }
    uint32_t c = dn_utf8_decode(from, &length);
    bool latin = c >= 'a' && c <= 'z', cyrillic = c >= 0x430 && c <= 0x44f;
    if (latin || cyrillic) {
        dn_utf8_encode(c - 32, from);
    }
}

static void put_handle(uint32_t author, text_pen *pen) {
    static const char *const first[] = {"sunny", "north", "quiet", "river", "lucky", "old",
                                        "blue",  "iron",  "paper", "tiny",  "wild",  "late"};
    static const char *const second[] = {"otter", "baker", "lamp", "kite", "maple", "radio",
                                         "stone", "heron", "desk", "moss", "piano", "train"};
    char name[WORD_MAX];
    snprintf(name, sizeof name, "%s_%s%" PRIu32, first[author % 12], second[author / 12 % 12],
             author / 144);
    put_text(pen, name);
}

static void put_link(uint64_t *state, text_pen *pen) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char code[11];
    for (size_t i = 0; i < sizeof code - 1; i++) {
        code[i] = digits[below(state, sizeof digits - 1)];
    }
    code[10] = 0;
    put_text(pen, chance(state, 800) ? "https://t.co/" : "http://t.co/");
    put_text(pen, code);
}

static void put_emoji(uint64_t *state, text_pen *pen) {
    static const char *const emoji[] = {"😀", "😂", "❤️", "🔥",           "👍",  "🎉",
                                        "😢", "🙏", "☀️", "👩‍💻", "🇫🇷", "👋🏽"};
    put_text(pen, emoji[below(state, sizeof emoji / sizeof *emoji)]);
}

/** What a variant and a near repeat do otherwise than their original. */
typedef struct tweet_change {
    dn_tweet_kind kind;
    uint64_t state;
    uint32_t author; /**< who is retweeted */
} tweet_change;

static uint32_t word_rank(const dn_tongue *tongue, uint64_t *state) {
    return draw_rank(state, tongue->rank_weight, DN_RANK_BUCKETS);
}

static int draw_tags(const dn_tongue *tongue, uint64_t *state) {
    if (!chance(state, tongue->hashtag)) {
        return 0;
    }
    int tags = 1 + (int)below(state, 2);
    return tags + chance(state, 150);
}

/** Words, some of them tags, with the punctuation between them. */
static void put_words(const dn_tweets *tweets, int t, uint64_t *state, tweet_change *change,
                      text_pen *pen) {
    const dn_tongue *tongue = &dn_tongues[t];
    int n = tongue->n_words[below(state, 16)];
    int tags = draw_tags(tongue, state);
    bool headline = chance(state, 200);
    int other = change->kind == DN_TWEET_NEAR ? (int)below(&change->state, (uint32_t)n) : -1;
    for (int i = 0; i < n; i++) {
        uint32_t rank = word_rank(tongue, state);
        bool is_tag = tags > 0 && below(state, (uint32_t)(n - i)) < (uint32_t)tags;
        tags -= is_tag;
        if (i == other) {
            uint32_t instead = word_rank(tongue, &change->state);
            rank = instead == rank ? rank + 1 : instead;
        }
        put_text(pen, is_tag ? (i && !*tongue->join ? " #" : "#") : "");
        char *from = pen->at;
        put_word(tweets, t, rank, pen);
        if (i == 0 || headline || chance(state, 60)) {
            capitalise(from, pen);
        }
        bool last = i + 1 == n;
        uint32_t mark = below(state, 1000);
        put_text(pen, last        ? (mark < 350   ? "."
                                     : mark < 450 ? "!"
                                     : mark < 520 ? "?"
                                     : mark < 600 ? "…"
                                                  : "")
                      : mark < 50 ? ","
                      : mark < 62 ? ":"
                      : mark < 70 ? " –"
                      : mark < 78 ? "'s"
                      : mark < 82 ? " &amp;"
                                  : "");
        put_text(pen, last ? "" : is_tag && !*tongue->join ? " " : tongue->join);
    }
}

static void put_mentions(uint64_t *state, text_pen *pen) {
    for (uint32_t n = 1 + below(state, 2); n > 0; n--) {
        put_text(pen, "@");
        put_handle(draw_rank(state, author_weight, AUTHOR_BUCKETS), pen);
        put_text(pen, " ");
    }
}

static size_t compose(const dn_tweets *tweets, int64_t original, tweet_change *change, char *out) {
    text_pen pen = {out, out + DN_TWEET_MAX};
    uint64_t state = stream(tweets, original, ASK_TEXT);
    int t = tongue_of(author_of(tweets, original));
    const dn_tongue *tongue = &dn_tongues[t];
    bool variant = change->kind == DN_TWEET_VARIANT;
    if (variant && chance(&change->state, 60)) {
        put_text(&pen, "RT @");
        put_handle(change->author, &pen);
        put_text(&pen, ": ");
    }
    if (chance(&state, tongue->mention)) {
        put_mentions(&state, &pen);
    }
    put_words(tweets, t, &state, change, &pen);
    if (chance(&state, 25)) {
        put_text(&pen, " ");
        put_emoji(&state, &pen);
    }
    int links = chance(&state, tongue->url) ? 1 + chance(&state, 250) : 0;
    /* A variant without a link to exchange gets one. */
    for (int i = 0; i < links + (variant && links == 0); i++) {
        put_text(&pen, " ");
        put_link(variant ? &change->state : &state, &pen);
    }
    return (size_t)(pen.at - out);
}

/** Who writes a repeat: somebody else of the same language where a few tries find one. */
static uint32_t repeater_of(const dn_tweets *tweets, int64_t n, uint32_t original_author) {
    uint64_t state = stream(tweets, n, ASK_AUTHOR);
    int tongue = tongue_of(original_author);
    for (int i = 0; i < RETWEET_TRIES; i++) {
        uint32_t author = draw_rank(&state, author_weight, AUTHOR_BUCKETS);
        if (tongue_of(author) == tongue) {
            return author;
        }
    }
    return original_author;
}

/** A block of records is calm, or in a burst: seven eighths of it within a sixteenth of its time.
 * Times never fall. */
static int64_t time_of(const dn_tweets *tweets, int64_t n) {
    enum { BURST_RECORDS = BLOCK / 8 * 7, BURST_MS = BLOCK * GAP_MS / 16 };
    int64_t block = n / BLOCK, i = n % BLOCK, begin = FIRST_MS + block * BLOCK * GAP_MS;
    uint64_t tempo = stream(tweets, block, ASK_TEMPO), jitter = stream(tweets, n, ASK_TIME);
    if (!chance(&tempo, 125)) {
        return begin + i * GAP_MS + below(&jitter, GAP_MS);
    }
    if (i < BURST_RECORDS) {
        return begin + i * BURST_MS / BURST_RECORDS;
    }
    int64_t gap = (BLOCK * GAP_MS - BURST_MS) / (BLOCK - BURST_RECORDS);
    return begin + BURST_MS + (i - BURST_RECORDS) * gap + below(&jitter, (uint32_t)gap);
}

static size_t escape(const char *text, size_t size, char *out) {
    char *to = out;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            *to++ = '\\';
        }
        *to++ = text[i];
    }
    return (size_t)(to - out);
}

static size_t put_line(int64_t n, int64_t created_ms, uint32_t author, const char *language,
                       const char *text, size_t text_size, char *out) {
    char user[WORD_MAX];
    text_pen pen = {user, user + sizeof user - 1};
    put_handle(author, &pen);
    *pen.at = 0;
    char *at = out;
    at += sprintf(at, "{\"id\":%" PRId64 ",\"created_at\":%" PRId64 ",\"user\":\"%s\",\"text\":\"",
                  n, created_ms, user);
    at += escape(text, text_size, at);
    at += sprintf(at, "\",\"lang\":\"%s\"}\n", language);
    return (size_t)(at - out);
}

/** The ways to be bad: what the text or the line becomes, and what a reader must say. */
static const struct {
    const char *reason;
    const char *line; /**< the whole line, NULL: made by rule */
    const char *text; /**< inside the line's string */
} flaws[] = {
    {"bad JSON", NULL, NULL},
    {"bad UTF-8", NULL, "caf\xe9 \xc3("},
    {"NUL", NULL, "zero \\u0000 byte"},
    {"no text", "{\"id\":0,\"user\":\"nobody\",\"lang\":\"en\"}\n", NULL},
    {"empty text", NULL, ""},
    {"bad text", "{\"id\":0,\"text\":[\"a\",\"list\"]}\n", NULL},
    {"bad time", "{\"id\":0,\"created_at\":\"yesterday\",\"text\":\"when?\"}\n", NULL},
    {"not an object", "just a line of words\n", NULL},
};

static size_t bad_line(uint64_t *state, size_t size, char *out, const char **reason) {
    enum { N_FLAWS = sizeof flaws / sizeof *flaws, OVERSIZE_ONE_IN = 64 };
    if (below(state, OVERSIZE_ONE_IN) == 0) {
        *reason = "oversize";
        memset(out, 'o', DN_TWEET_OVERSIZE);
        out[DN_TWEET_OVERSIZE - 1] = '\n';
        return DN_TWEET_OVERSIZE;
    }
    uint32_t flaw = below(state, N_FLAWS);
    *reason = flaws[flaw].reason;
    if (flaws[flaw].line) {
        return (size_t)sprintf(out, "%s", flaws[flaw].line);
    }
    if (flaws[flaw].text) {
        return (size_t)sprintf(out, "{\"id\":0,\"text\":\"%s\"}\n", flaws[flaw].text);
    }
    /* A sound line that ends inside `","lang":"en"}`. */
    size -= 2 + below(state, 12);
    out[size] = '\n';
    return size + 1;
}

size_t dn_tweet_line(const dn_tweets *tweets, int64_t n, char *out, dn_tweet_truth *truth) {
    char text[DN_TWEET_MAX];
    dn_tweet_kind kind = kind_of(tweets, n);
    int64_t original = original_of(tweets, n);
    uint32_t author = author_of(tweets, original);
    tweet_change change = {kind, stream(tweets, n, ASK_CHANGE), author};
    bool repeats = kind == DN_TWEET_EXACT || kind == DN_TWEET_VARIANT || kind == DN_TWEET_NEAR;
    *truth =
        (dn_tweet_truth){kind, repeats ? original : -1, dn_tongues[tongue_of(author)].code, NULL};
    size_t size = compose(tweets, original, &change, text);
    author = repeats ? repeater_of(tweets, n, author) : author;
    size = put_line(n, time_of(tweets, n), author, truth->language, text, size, out);
    if (kind == DN_TWEET_BAD) {
        uint64_t state = stream(tweets, n, ASK_CHANGE);
        size = bad_line(&state, size, out, &truth->reason);
    }
    return size;
}
