#include "text/wordpiece.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "io/json.h"
#include "text/charmap.h"
#include "text/token_kind.h"
#include "text/vocabulary.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_CONFIG_BYTES = 16 << 20 };

/* The special tokens, in the order of their ids here. All begin with a bracket, which is where
 * encode looks for them. */
enum { UNK, CLS, SEP, PAD, MASK, SPECIALS, REQUIRED = PAD };
static const char *const special_names[SPECIALS] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};

/* What a byte is to the quick run: only ASCII blanks and punctuation surely end a word and do
 * nothing else. Everything beyond ASCII, and the control characters that vanish, are looked at when
 * the piece they are in is not known. */
typedef enum byte_class { IN_WORD = 0, IS_BLANK, IS_PUNCTUATION } byte_class;

typedef struct wordpiece {
    dn_vocabulary vocabulary;
    dn_charmap *charmap;
    int32_t special[SPECIALS]; /* ids, -1 when the vocabulary has no such token */
    uint8_t byte_class[256];
    int32_t punctuation[128]; /* id of the word that the character is */
} wordpiece;

/* A word under construction: code points in canonical order. One more than the limit is kept, to
 * know that it is over. */
typedef struct word {
    int n;
    int barrier; /* marks are not sorted to before this */
    uint32_t code[DN_WORDPIECE_WORD + 1];
    uint8_t order[DN_WORDPIECE_WORD + 1];
} word;

/* Greedy longest match over the bytes of a word; the whole word is [UNK] when a part is not found.
 */
static void match_word(const wordpiece *t, dn_span text, dn_id_sink *sink) {
    int32_t id[4 * (DN_WORDPIECE_WORD + 1)], n = 0;
    bool inside = false;
    while (text.len) {
        size_t length;
        id[n] = dn_vocabulary_longest(&t->vocabulary, inside, text, &length);
        if (id[n++] < 0) {
            dn_id_emit(sink, &t->special[UNK], 1);
            return;
        }
        text = (dn_span){text.ptr + length, text.len - length};
        inside = true;
    }
    dn_id_emit(sink, id, n);
}

static void end_word(const wordpiece *t, word *w, dn_id_sink *sink) {
    char text[DN_UTF8_MAX * DN_WORDPIECE_WORD];
    size_t size = 0;
    if (w->n > DN_WORDPIECE_WORD) {
        dn_id_emit(sink, &t->special[UNK], 1);
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

static void apply(const wordpiece *t, uint32_t itself, uint32_t action, word *w, dn_id_sink *sink) {
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
static void encode_piece(const wordpiece *t, dn_span piece, dn_id_sink *sink) {
    word w = {.n = 0};
    int length;
    for (const char *at = piece.ptr, *end = at + piece.len; at < end && !sink->cut; at += length) {
        uint32_t code = dn_utf8_decode(at, &length);
        apply(t, code, dn_charmap_action(t->charmap, code), &w, sink);
    }
    end_word(t, &w, sink);
}

static inline void piece_ids(const wordpiece *t, dn_word_cache *words, dn_span piece,
                             dn_id_sink *sink) {
    if (piece.len > DN_WORD_BYTES) {
        encode_piece(t, piece, sink);
        return;
    }
    uint64_t hash = dn_word_hash(piece.ptr, piece.len);
    int32_t n;
    const int32_t *known = dn_word_cache_find(words, hash, piece, &n);
    if (known) {
        dn_id_emit(sink, known, n);
        return;
    }
    int32_t id[DN_WORD_IDS];
    dn_id_sink all = {id, 0, DN_WORD_IDS, false};
    encode_piece(t, piece, &all);
    dn_word_cache_put(words, hash, piece, id, all.n);
    dn_id_emit(sink, id, all.n);
}

/* The special token written at `at`, which is a bracket: its bytes, 0 for none. */
static size_t match_special(const wordpiece *t, const char *at, const char *end, int32_t *id) {
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

static void encode_text(const wordpiece *t, dn_word_cache *words, dn_span text, dn_id_sink *sink) {
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
            dn_id_emit(sink, &id, 1);
            at += size ? size : 1;
        } else {
            at++;
        }
    }
}

static void wordpiece_encode(const dn_token_table *about, dn_token_cache *cache, dn_span text,
                             dn_id_sink *sink) {
    encode_text(about->table, &cache->words, text, sink);
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

static dn_status find_specials(wordpiece *t) {
    for (int i = 0; i < SPECIALS; i++) {
        t->special[i] = dn_vocabulary_find(&t->vocabulary, dn_span_of(special_names[i]));
        if (t->special[i] < 0 && i < REQUIRED) {
            return DN_FAIL(MODEL, "%s: the token %s is missing in its %d lines", t->vocabulary.path,
                           special_names[i], t->vocabulary.n);
        }
    }
    return DN_OK;
}

static void classify_bytes(wordpiece *t) {
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

static void wordpiece_close(void *table) {
    wordpiece *t = table;
    if (t) {
        dn_vocabulary_free(&t->vocabulary);
        dn_charmap_free(t->charmap);
        free(t);
    }
}

/* What is left to do once vocabulary and options are known. */
static dn_status finish(wordpiece *t, dn_charmap_options options, dn_token_table *out) {
    DN_TRY(find_specials(t));
    t->charmap = dn_charmap_new(options);
    classify_bytes(t);
    out->size = t->vocabulary.n;
    out->unknown = t->special[UNK];
    out->frame = (dn_token_frame){{t->special[CLS]}, {t->special[SEP]}, 1, 1};
    return DN_OK;
}

dn_status dn_wordpiece_from_files(const char *dir, dn_token_table *out) {
    wordpiece *t = out->table = dn_alloc(sizeof *t);
    dn_charmap_options options;
    DN_TRY(dn_vocabulary_load(dir, &t->vocabulary));
    out->path = dn_strdup(t->vocabulary.path);
    DN_TRY(read_options(dir, &options));
    return finish(t, options, out);
}

/* "normalizer": {"type": "BertNormalizer", "clean_text": true, "lowercase": true, ...} */
static dn_status read_normalizer(const dn_json_at *root, dn_charmap_options *options) {
    dn_json_at normalizer;
    const char *type;
    bool clean = true;
    *options = (dn_charmap_options){.lower = true, .strip_accents = true, .split_cjk = true};
    DN_TRY(dn_json_need(root, "normalizer", DN_JSON_OBJECT, &normalizer));
    DN_TRY(dn_json_type(&normalizer, &type));
    if (strcmp(type, "BertNormalizer") != 0) {
        return dn_json_fail(&normalizer, "'%s' is not supported with WordPiece", type);
    }
    DN_TRY(read_flag(&normalizer, "clean_text", &clean));
    DN_TRY(read_flag(&normalizer, "lowercase", &options->lower));
    options->strip_accents = options->lower;
    DN_TRY(read_flag(&normalizer, "strip_accents", &options->strip_accents));
    DN_TRY(read_flag(&normalizer, "handle_chinese_chars", &options->split_cjk));
    return clean ? DN_OK : dn_json_fail(&normalizer, "clean_text is off, which is not supported");
}

static dn_status need_text(const dn_json_at *object, const char *key, const char *want) {
    dn_json_at at;
    const char *text;
    DN_TRY(dn_json_need(object, key, DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &text));
    return strcmp(text, want) == 0
               ? DN_OK
               : dn_json_fail(&at, "is '%s'; only '%s' is supported with WordPiece", text, want);
}

/* The shape that every BERT has: what differs would need another program. */
static dn_status check_shape(const dn_json_at *root, const dn_json_at *model) {
    dn_json_at at;
    int64_t longest;
    DN_TRY(need_text(model, "unk_token", special_names[UNK]));
    DN_TRY(need_text(model, "continuing_subword_prefix", "##"));
    DN_TRY(dn_json_need(model, "max_input_chars_per_word", DN_JSON_INT, &at));
    DN_TRY(dn_json_int(&at, DN_WORDPIECE_WORD, DN_WORDPIECE_WORD, &longest));
    DN_TRY(dn_json_need(root, "pre_tokenizer", DN_JSON_OBJECT, &at));
    return need_text(&at, "type", "BertPreTokenizer");
}

/* A special token is found where its bracket stands, as long as it is one of ours and plain. */
static dn_status check_added(const dn_json_at *root, const wordpiece *t, dn_added_tokens *added) {
    DN_TRY(dn_added_tokens_read(root, added));
    for (int i = 0; i < added->n; i++) {
        const dn_added_token *token = &added->token[i];
        bool ours = !token->eats_before && !token->eats_after && !token->normalised;
        int k = 0;
        while (k < SPECIALS && strcmp(special_names[k], token->text) != 0) {
            k++;
        }
        if (!ours || k == SPECIALS || t->special[k] != token->id) {
            dn_json_at list;
            DN_TRY(dn_json_need(root, "added_tokens", DN_JSON_ARRAY, &list));
            return dn_json_fail(&list, "'%.80s' is none of the five plain special tokens of BERT",
                                token->text);
        }
    }
    dn_added_tokens_free(added);
    return DN_OK;
}

static dn_status check_frame(const dn_json_at *root, const dn_token_frame *usual) {
    dn_token_frame frame;
    DN_TRY(dn_token_frame_read(root, &frame));
    if (frame.n_before != 1 || frame.n_after != 1 || frame.before[0] != usual->before[0] ||
        frame.after[0] != usual->after[0]) {
        return dn_json_fail(root, "post_processor does not give [CLS] text [SEP]");
    }
    return DN_OK;
}

dn_status dn_wordpiece_from_json(const dn_json_at *root, dn_token_table *out) {
    wordpiece *t = out->table = dn_alloc(sizeof *t);
    dn_charmap_options options;
    dn_json_at model, tokens;
    DN_TRY(dn_json_need(root, "model", DN_JSON_OBJECT, &model));
    DN_TRY(check_shape(root, &model));
    DN_TRY(read_normalizer(root, &options));
    DN_TRY(dn_json_need(&model, "vocab", DN_JSON_OBJECT, &tokens));
    DN_TRY(dn_vocabulary_from_json(&tokens, out->path, &t->vocabulary));
    DN_TRY(finish(t, options, out));
    DN_TRY(check_added(root, t, &out->added));
    return check_frame(root, &out->frame);
}

const dn_token_kind dn_kind_wordpiece = {
    .name = "wordpiece",
    .exact_rows = true,
    .close = wordpiece_close,
    .encode = wordpiece_encode,
};
