#include "text/wordpiece.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "io/json.h"
#include "text/charmap.h"
#include "text/vocabulary.h"
#include "text/word_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { CACHE_WORDS = 1 << 16, CACHE_STORE_BYTES = 5 << 19, MAX_CONFIG_BYTES = 16 << 20 };

/* The special tokens, in the order of their ids here. All begin with a bracket, which is where
 * encode looks for them. */
enum { UNK, CLS, SEP, PAD, MASK, SPECIALS, REQUIRED = PAD };
static const char *const special_names[SPECIALS] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};

/* What a byte is to the quick run: only ASCII blanks and punctuation surely end a word and do
 * nothing else. Everything beyond ASCII, and the control characters that vanish, are looked at when
 * the piece they are in is not known. */
typedef enum byte_class { IN_WORD = 0, IS_BLANK, IS_PUNCTUATION } byte_class;

struct dn_wordpiece {
    dn_vocabulary vocabulary;
    dn_charmap *charmap;
    int32_t special[SPECIALS]; /* ids, -1 when the vocabulary has no such token */
    uint8_t byte_class[256];
    int32_t punctuation[128]; /* id of the word that the character is */
};

struct dn_wordpiece_cache {
    dn_word_cache words;
    int64_t texts, cut;
};

/* Where ids go. */
typedef struct id_sink {
    int32_t *id;
    int32_t n, room;
    bool cut;
} id_sink;

/* A word under construction: code points in canonical order. One more than the limit is kept, to
 * know that it is over. */
typedef struct word {
    int n;
    int barrier; /* marks are not sorted to before this */
    uint32_t code[DN_WORDPIECE_WORD + 1];
    uint8_t order[DN_WORDPIECE_WORD + 1];
} word;

static inline void emit(id_sink *sink, const int32_t *id, int32_t n) {
    int32_t left = sink->room - sink->n;
    if (n > left) {
        sink->cut = true;
        n = left;
    }
    memcpy(sink->id + sink->n, id, (size_t)n * sizeof *id);
    sink->n += n;
}

/* Greedy longest match over the bytes of a word; the whole word is [UNK] when a part is not found.
 */
static void match_word(const dn_wordpiece *t, dn_span text, id_sink *sink) {
    int32_t id[4 * (DN_WORDPIECE_WORD + 1)], n = 0;
    uint32_t root = 0;
    while (text.len) {
        size_t length;
        id[n] = dn_vocabulary_longest(&t->vocabulary, root, text, &length);
        if (id[n++] < 0) {
            emit(sink, &t->special[UNK], 1);
            return;
        }
        text = (dn_span){text.ptr + length, text.len - length};
        root = t->vocabulary.go_on;
    }
    emit(sink, id, n);
}

static void end_word(const dn_wordpiece *t, word *w, id_sink *sink) {
    char text[DN_UTF8_MAX * DN_WORDPIECE_WORD];
    size_t size = 0;
    if (w->n > DN_WORDPIECE_WORD) {
        emit(sink, &t->special[UNK], 1);
    } else if (w->n) {
        for (int i = 0; i < w->n; i++) {
            size += (size_t)dn_utf8_encode(w->code[i], text + size);
        }
        match_word(t, (dn_span){text, size}, sink);
    }
    w->n = w->barrier = 0;
}

/* A mark goes before the marks of a higher class that stand at the end; letters have class 0 and
 * stay where they are. */
static void add_code(word *w, uint32_t code, uint8_t order) {
    if (w->n > DN_WORDPIECE_WORD) {
        return;
    }
    int place = w->n++;
    for (; order && place > w->barrier && w->order[place - 1] > order; place--) {
        w->code[place] = w->code[place - 1];
        w->order[place] = w->order[place - 1];
    }
    w->code[place] = code;
    w->order[place] = order;
}

static void apply(const dn_wordpiece *t, uint32_t itself, uint32_t action, word *w, id_sink *sink) {
    uint32_t code = dn_charmap_code(action);
    switch (dn_charmap_kind_of(action)) {
    case DN_CHAR_KEEP:
        add_code(w, code ? code : itself, dn_charmap_class(action));
        break;
    case DN_CHAR_DROP:
        break;
    case DN_CHAR_STARTER:
        w->barrier = w->n;
        break;
    case DN_CHAR_BLANK:
        end_word(t, w, sink);
        break;
    case DN_CHAR_ALONE:
        end_word(t, w, sink);
        add_code(w, code ? code : itself, 0);
        end_word(t, w, sink);
        break;
    case DN_CHAR_MANY: {
        const uint32_t *many = t->charmap->many + code;
        for (uint32_t i = 1; i <= many[0]; i++) {
            apply(t, itself, many[i], w, sink);
        }
    }
    }
}

/* A piece that is not in the cache: code point by code point. */
static void encode_piece(const dn_wordpiece *t, dn_span piece, id_sink *sink) {
    word w = {.n = 0};
    int length;
    for (const char *at = piece.ptr, *end = at + piece.len; at < end && !sink->cut; at += length) {
        uint32_t code = dn_utf8_decode(at, &length);
        apply(t, code, dn_charmap_action(t->charmap, code), &w, sink);
    }
    end_word(t, &w, sink);
}

static inline void piece_ids(const dn_wordpiece *t, dn_word_cache *words, dn_span piece,
                             id_sink *sink) {
    if (piece.len > DN_WORD_BYTES) {
        encode_piece(t, piece, sink);
        return;
    }
    uint64_t hash = dn_word_hash(piece.ptr, piece.len);
    int32_t n;
    const int32_t *known = dn_word_cache_find(words, hash, piece, &n);
    if (known) {
        emit(sink, known, n);
        return;
    }
    int32_t id[DN_WORD_IDS];
    id_sink all = {id, 0, DN_WORD_IDS, false};
    encode_piece(t, piece, &all);
    dn_word_cache_put(words, hash, piece, id, all.n);
    emit(sink, id, all.n);
}

/* The special token written at `at`, which is a bracket: its bytes, 0 for none. */
static size_t match_special(const dn_wordpiece *t, const char *at, const char *end, int32_t *id) {
    for (int i = 0; i < SPECIALS; i++) {
        size_t size = strlen(special_names[i]);
        if (t->special[i] >= 0 && (size_t)(end - at) >= size &&
            memcmp(at, special_names[i], size) == 0) {
            *id = t->special[i];
            return size;
        }
    }
    return 0;
}

static void encode_text(const dn_wordpiece *t, dn_word_cache *words, dn_span text, id_sink *sink) {
    const unsigned char *at = (const unsigned char *)text.ptr, *end = at + text.len;
    while (at < end && !sink->cut) {
        byte_class class = (byte_class)t->byte_class[*at];
        if (class == IN_WORD) {
            const unsigned char *first = at++;
            while (at < end && t->byte_class[*at] == IN_WORD) {
                at++;
            }
            piece_ids(t, words, (dn_span){(const char *)first, (size_t)(at - first)}, sink);
        } else if (class == IS_PUNCTUATION) {
            int32_t id = t->punctuation[*at];
            size_t size =
                *at == '[' ? match_special(t, (const char *)at, (const char *)end, &id) : 0;
            emit(sink, &id, 1);
            at += size ? size : 1;
        } else {
            at++;
        }
    }
}

int32_t dn_wordpiece_encode(const dn_wordpiece *tokeniser, dn_wordpiece_cache *cache, dn_span text,
                            int32_t max_tokens, int32_t *ids) {
    assert(max_tokens >= 2);
    id_sink sink = {ids + 1, 0, max_tokens - 2, false};
    encode_text(tokeniser, &cache->words, text, &sink);
    cache->texts++;
    cache->cut += sink.cut;
    ids[0] = tokeniser->special[CLS];
    ids[sink.n + 1] = tokeniser->special[SEP];
    return sink.n + 2;
}

static dn_status read_flag(const dn_json_at *root, const char *key, bool *flag) {
    dn_json_at at;
    return dn_json_find(root, key, &at) ? dn_json_bool(&at, flag) : DN_OK;
}

/* The defaults are those of an uncased BERT; accents follow lower case unless they are set on their
 * own. */
static dn_status read_options(const char *dir, dn_charmap_options *options) {
    *options = (dn_charmap_options){.lower = true, .strip_accents = true, .split_cjk = true};
    char *path = dn_format("%s/tokenizer_config.json", dir);
    dn_json *doc = NULL;
    dn_status status = DN_OK;
    if (access(path, F_OK) == 0) {
        DN_TRY_GO(dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &doc), done);
        dn_json_at root = dn_json_root(doc);
        DN_TRY_GO(read_flag(&root, "do_lower_case", &options->lower), done);
        options->strip_accents = options->lower;
        DN_TRY_GO(read_flag(&root, "strip_accents", &options->strip_accents), done);
        DN_TRY_GO(read_flag(&root, "tokenize_chinese_chars", &options->split_cjk), done);
    }
done:
    dn_json_free(doc);
    free(path);
    return status;
}

static dn_status find_specials(dn_wordpiece *t) {
    for (int i = 0; i < SPECIALS; i++) {
        t->special[i] = dn_vocabulary_find(&t->vocabulary, dn_span_of(special_names[i]));
        if (t->special[i] < 0 && i < REQUIRED) {
            return DN_FAIL(MODEL, "%s: the token %s is missing in its %d lines", t->vocabulary.path,
                           special_names[i], t->vocabulary.n);
        }
    }
    return DN_OK;
}

static void classify_bytes(dn_wordpiece *t) {
    for (int c = 0; c < 128; c++) {
        dn_charmap_kind kind = dn_charmap_kind_of(dn_charmap_action(t->charmap, (uint32_t)c));
        char text = (char)c;
        if (kind == DN_CHAR_BLANK) {
            t->byte_class[c] = IS_BLANK;
        } else if (kind == DN_CHAR_ALONE) {
            int32_t id = dn_vocabulary_find(&t->vocabulary, (dn_span){&text, 1});
            t->byte_class[c] = IS_PUNCTUATION;
            t->punctuation[c] = id >= 0 ? id : t->special[UNK];
        }
    }
}

dn_status dn_wordpiece_open(const char *dir, dn_wordpiece **out) {
    dn_wordpiece *t = dn_alloc(sizeof *t);
    dn_charmap_options options;
    dn_status status;
    DN_TRY_GO(dn_vocabulary_load(dir, &t->vocabulary), err_close);
    DN_TRY_GO(find_specials(t), err_close);
    DN_TRY_GO(read_options(dir, &options), err_close);
    t->charmap = dn_charmap_new(options);
    classify_bytes(t);
    *out = t;
    return DN_OK;
err_close:
    dn_wordpiece_close(t);
    return status;
}

void dn_wordpiece_close(dn_wordpiece *tokeniser) {
    if (tokeniser) {
        dn_vocabulary_free(&tokeniser->vocabulary);
        dn_charmap_free(tokeniser->charmap);
        free(tokeniser);
    }
}

int32_t dn_wordpiece_size(const dn_wordpiece *tokeniser) {
    return tokeniser->vocabulary.n;
}

dn_status dn_wordpiece_check(const dn_wordpiece *tokeniser, const char *model, int64_t n_rows) {
    if (n_rows == tokeniser->vocabulary.n) {
        return DN_OK;
    }
    return DN_FAIL(
        MODEL, "%s: %d tokens, but the embedding of %s has %lld rows; they must be of one model",
        tokeniser->vocabulary.path, tokeniser->vocabulary.n, model, (long long)n_rows);
}

dn_span dn_wordpiece_token(const dn_wordpiece *tokeniser, int32_t id) {
    return tokeniser->vocabulary.token[id];
}

dn_wordpiece_cache *dn_wordpiece_cache_new(void) {
    dn_wordpiece_cache *cache = dn_alloc(sizeof *cache);
    dn_word_cache_init(&cache->words, CACHE_WORDS, CACHE_STORE_BYTES);
    return cache;
}

void dn_wordpiece_cache_free(dn_wordpiece_cache *cache) {
    if (cache) {
        dn_word_cache_free(&cache->words);
        free(cache);
    }
}

dn_wordpiece_stats dn_wordpiece_stats_of(const dn_wordpiece_cache *cache) {
    return (dn_wordpiece_stats){.texts = cache->texts,
                                .cut = cache->cut,
                                .hits = cache->words.hits,
                                .misses = cache->words.misses,
                                .floods = cache->words.floods};
}
