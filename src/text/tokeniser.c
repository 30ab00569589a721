#include "text/tokeniser.h"

#include "base/memory.h"
#include "text/token_kind.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MAX_FILE_BYTES = 128 << 20,
    CACHE_WORDS = 1 << 16,
    CACHE_STORE_BYTES = 5 << 19,
    KEPT_SCRATCH_BYTES = 1 << 20,
};

struct dn_tokeniser {
    const dn_token_kind *kind;
    dn_token_table about;
};

/* By "model.type" of tokenizer.json, and by the older files in the order in which they are looked
 * for. */
static const struct {
    const char *type;
    const dn_token_kind *kind;
    dn_status (*load)(const dn_json_at *root, dn_token_table *out);
} models[] = {
    {"WordPiece", &dn_kind_wordpiece, dn_wordpiece_from_json},
    {"BPE", &dn_kind_bpe, dn_bpe_from_json},
    {"Unigram", &dn_kind_unigram, dn_unigram_from_json},
};
static const struct {
    const char *file;
    const dn_token_kind *kind;
    dn_status (*load)(const char *dir, dn_token_table *out);
} files[] = {
    {"vocab.txt", &dn_kind_wordpiece, dn_wordpiece_from_files},
    {"merges.txt", &dn_kind_bpe, dn_bpe_from_files},
    {"vocab.json", &dn_kind_bpe, dn_bpe_from_files},
    {"sentencepiece.bpe.model", &dn_kind_unigram, dn_unigram_from_files},
};

static bool has_file(const char *dir, const char *name) {
    char *path = dn_format("%s/%s", dir, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static dn_status load_model(const dn_json_at *root, dn_tokeniser *t) {
    dn_json_at model;
    const char *type;
    DN_TRY(dn_json_need(root, "model", DN_JSON_OBJECT, &model));
    DN_TRY(dn_json_type(&model, &type));
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        if (strcmp(models[i].type, type) == 0) {
            t->kind = models[i].kind;
            return models[i].load(root, &t->about);
        }
    }
    return dn_json_fail(&model, "is of the type '%s'; WordPiece, BPE and Unigram are supported",
                        type);
}

static dn_status load_json(const char *dir, dn_tokeniser *t) {
    t->about.path = dn_format("%s/tokenizer.json", dir);
    dn_json *doc;
    DN_TRY(dn_json_load(t->about.path, MAX_FILE_BYTES, DN_E_MODEL, &doc));
    dn_json_at root = dn_json_root(doc);
    dn_status status = load_model(&root, t);
    dn_json_free(doc);
    return status;
}

static dn_status load_files(const char *dir, dn_tokeniser *t) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (has_file(dir, files[i].file)) {
            t->kind = files[i].kind;
            return files[i].load(dir, &t->about);
        }
    }
    return DN_FAIL(NO_INPUT,
                   "%s: there is no tokenizer.json, vocab.txt, vocab.json with merges.txt or "
                   "sentencepiece.bpe.model; a model directory holds its vocabulary there",
                   dir);
}

/* An id of the frame or of an added token that the vocabulary does not reach. */
static dn_status check_ids(dn_token_table *about) {
    if (about->added.top >= about->size) {
        about->size = about->added.top + 1;
    }
    for (int i = 0; i < about->frame.n_before + about->frame.n_after; i++) {
        int32_t id = i < about->frame.n_before ? about->frame.before[i]
                                               : about->frame.after[i - about->frame.n_before];
        if (id >= about->size) {
            return DN_FAIL(MODEL,
                           "%s: the special token %d of post_processor is not in the "
                           "vocabulary of %d tokens",
                           about->path, id, about->size);
        }
    }
    return DN_OK;
}

dn_status dn_tokeniser_open(const char *dir, dn_tokeniser **out) {
    dn_tokeniser *t = dn_alloc(sizeof *t);
    dn_added_tokens_init(&t->about.added);
    t->about.most_per_byte = 1;
    t->about.unknown = -1;
    dn_status status;
    DN_TRY_GO(has_file(dir, "tokenizer.json") ? load_json(dir, t) : load_files(dir, t), err_close);
    DN_TRY_GO(check_ids(&t->about), err_close);
    *out = t;
    return DN_OK;
err_close:
    dn_tokeniser_close(t);
    return status;
}

void dn_tokeniser_close(dn_tokeniser *tokeniser) {
    if (tokeniser) {
        if (tokeniser->kind) {
            tokeniser->kind->close(tokeniser->about.table);
        }
        dn_added_tokens_free(&tokeniser->about.added);
        free(tokeniser->about.path);
        free(tokeniser);
    }
}

const char *dn_tokeniser_kind(const dn_tokeniser *tokeniser) {
    return tokeniser->kind->name;
}

int32_t dn_tokeniser_size(const dn_tokeniser *tokeniser) {
    return tokeniser->about.size;
}

int32_t dn_tokeniser_unknown(const dn_tokeniser *tokeniser) {
    return tokeniser->about.unknown;
}

dn_status dn_tokeniser_check(const dn_tokeniser *tokeniser, const char *model, int64_t n_rows) {
    const dn_token_table *about = &tokeniser->about;
    if (n_rows == about->size || (n_rows > about->size && !tokeniser->kind->exact_rows)) {
        return DN_OK;
    }
    return DN_FAIL(
        MODEL, "%s: %d tokens, but the embedding of %s has %lld rows; they must be of one model",
        about->path, about->size, model, (long long)n_rows);
}

int64_t dn_tokeniser_room(const dn_tokeniser *tokeniser, size_t size_bytes) {
    return (int64_t)size_bytes * tokeniser->about.most_per_byte + DN_MAX_SPECIALS;
}

dn_token_cache *dn_token_cache_new(void) {
    dn_token_cache *cache = dn_alloc(sizeof *cache);
    dn_word_cache_init(&cache->words, CACHE_WORDS, CACHE_STORE_BYTES);
    dn_word_cache_init(&cache->forms, CACHE_WORDS, CACHE_STORE_BYTES);
    return cache;
}

void dn_token_cache_free(dn_token_cache *cache) {
    if (cache) {
        dn_word_cache_free(&cache->words);
        dn_word_cache_free(&cache->forms);
        for (int i = 0; i < DN_SCRATCHES; i++) {
            free(cache->scratch[i].ptr);
        }
        free(cache);
    }
}

dn_token_stats dn_token_stats_of(const dn_token_cache *cache) {
    return (dn_token_stats){.texts = cache->texts,
                            .cut = cache->cut,
                            .hits = cache->words.hits,
                            .misses = cache->words.misses,
                            .floods = cache->words.floods};
}

void *dn_scratch_take(dn_token_cache *cache, int which, size_t size) {
    dn_scratch *s = &cache->scratch[which];
    if (s->size < size) {
        free(s->ptr);
        s->size = 2 * size;
        s->ptr = dn_alloc(s->size);
    }
    return s->ptr;
}

static void give_back_scratch(dn_token_cache *cache) {
    for (int i = 0; i < DN_SCRATCHES; i++) {
        if (cache->scratch[i].size > KEPT_SCRATCH_BYTES) {
            free(cache->scratch[i].ptr);
            cache->scratch[i] = (dn_scratch){NULL, 0};
        }
    }
}

static void encode_stretches(const dn_tokeniser *t, dn_token_cache *cache, dn_span text,
                             dn_id_sink *sink) {
    dn_added_match match;
    while (!sink->cut && dn_added_tokens_find(&t->about.added, false, text, &match)) {
        if (match.begin > text.ptr) {
            dn_span before = {text.ptr, (size_t)(match.begin - text.ptr)};
            t->kind->encode(&t->about, cache, before, sink);
        }
        dn_id_emit(sink, &match.id, 1);
        text = (dn_span){match.end, (size_t)(text.ptr + text.len - match.end)};
    }
    if (text.len && !sink->cut) {
        t->kind->encode(&t->about, cache, text, sink);
    }
}

/** Puts n own tokens between the special ones, at `ids`; the own ones may lie there already. */
static int32_t put_frame(const dn_token_frame *frame, const int32_t *own, int32_t n, int32_t *ids) {
    memmove(ids + frame->n_before, own, (size_t)n * sizeof *ids);
    memcpy(ids, frame->before, (size_t)frame->n_before * sizeof *ids);
    memcpy(ids + frame->n_before + n, frame->after, (size_t)frame->n_after * sizeof *ids);
    return frame->n_before + n + frame->n_after;
}

/** The own tokens are written behind each other first. A window lies behind its tokens there, so
 * that the last is put in its place first. */
int32_t dn_tokeniser_encode_windows(const dn_tokeniser *tokeniser, dn_token_cache *cache,
                                    dn_span text, const dn_windows *windows, int32_t *ids) {
    const dn_token_frame *frame = &tokeniser->about.frame;
    int32_t own = windows->tokens - frame->n_before - frame->n_after;
    int32_t step = own - windows->overlap;
    assert(windows->tokens >= DN_MAX_SPECIALS && (windows->most == 1 || step > 0));
    dn_id_sink sink = {ids + frame->n_before, 0, own + (windows->most - 1) * step, false};
    encode_stretches(tokeniser, cache, text, &sink);
    give_back_scratch(cache);
    cache->texts++;
    cache->cut += sink.cut;
    int32_t last = sink.n <= own ? 0 : (sink.n - own + step - 1) / step;
    int32_t end = last * windows->tokens;
    end += put_frame(frame, sink.id + last * step, sink.n - last * step, ids + end);
    for (int32_t i = last - 1; i >= 0; i--) {
        put_frame(frame, sink.id + i * step, own, ids + i * windows->tokens);
    }
    return end;
}

int32_t dn_tokeniser_encode(const dn_tokeniser *tokeniser, dn_token_cache *cache, dn_span text,
                            int32_t max_tokens, int32_t *ids) {
    dn_windows whole = {.tokens = max_tokens, .most = 1};
    return dn_tokeniser_encode_windows(tokeniser, cache, text, &whole, ids);
}
