/* clean -> ids, tokens: what the model's encoder reads. */
#include "base/memory.h"
#include "io/json.h"
#include "text/stages.h"
#include "text/tokeniser.h"

#include <stdlib.h>
#include <unistd.h>

enum { DEFAULT_MAX_TOKENS = 128, MAX_CONFIG_BYTES = 16 << 20, MOST_TOKENS = 1 << 20 };

typedef struct tokenise_conf {
    char *from, *vocabulary;
    int64_t max_tokens;
    int text, ids, tokens;
    dn_tokeniser *tokeniser;
} tokenise_conf;

typedef struct tokenise_worker {
    dn_token_cache *cache;
    int32_t *ids; /* [max_tokens] */
} tokenise_worker;

static const dn_prop props[] = {
    {.name = "from",
     .type = DN_P_TEXT,
     .offset = offsetof(tokenise_conf, from),
     .initial = "clean",
     .text = "The column to tokenise."},
    {.name = "vocabulary",
     .type = DN_P_PATH,
     .offset = offsetof(tokenise_conf, vocabulary),
     .initial = "",
     .text =
         "Directory with the vocabulary (tokenizer.json, vocab.txt, vocab.json and merges.txt, or "
         "sentencepiece.bpe.model); the pipeline's model where it is not set."},
    {.name = "max_tokens",
     .type = DN_P_COUNT,
     .offset = offsetof(tokenise_conf, max_tokens),
     .initial = "0",
     .max = MOST_TOKENS,
     .text = "Longer texts are cut to this, [CLS] and [SEP] included; 0: as the model was trained "
             "(dunlin.max_tokens of "
             "its config.json), else 128."},
    {0},
};

/* What the model was trained with, and no more than its positions. */
static dn_status read_max_tokens(const char *dir, int64_t *max_tokens) {
    char *path = dn_format("%s/config.json", dir);
    dn_json *doc = NULL;
    dn_json_at root, dunlin, at;
    dn_status status = DN_OK;
    *max_tokens = DEFAULT_MAX_TOKENS;
    if (access(path, F_OK) == 0) {
        DN_TRY_GO(dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &doc), done);
        root = dn_json_root(doc);
        if (dn_json_find(&root, "dunlin", &dunlin) && dn_json_find(&dunlin, "max_tokens", &at)) {
            DN_TRY_GO(dn_json_int(&at, 2, MOST_TOKENS, max_tokens), done);
        } else if (dn_json_find(&root, "max_position_embeddings", &at)) {
            DN_TRY_GO(dn_json_int(&at, 2, INT32_MAX, max_tokens), done);
            *max_tokens = *max_tokens < DEFAULT_MAX_TOKENS ? *max_tokens : DEFAULT_MAX_TOKENS;
        }
    }
done:
    dn_json_free(doc);
    free(path);
    return status;
}

/* Ids beyond the model's embedding would read what is not there. */
static dn_status check_vocabulary(const dn_tokeniser *tokeniser, const char *model_dir) {
    char *path = dn_format("%s/config.json", model_dir);
    dn_json *doc = NULL;
    dn_json_at root, at;
    int64_t n_rows;
    dn_status status = DN_OK;
    if (access(path, F_OK) == 0) {
        DN_TRY_GO(dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &doc), done);
        root = dn_json_root(doc);
        if (dn_json_find(&root, "vocab_size", &at)) {
            DN_TRY_GO(dn_json_int(&at, 1, INT32_MAX, &n_rows), done);
            status = dn_tokeniser_check(tokeniser, model_dir, n_rows);
        }
    }
done:
    dn_json_free(doc);
    free(path);
    return status;
}

static dn_status add_columns(tokenise_conf *c, dn_schema *schema) {
    dn_field ids = {.name = "ids",
                    .type = DN_IDS,
                    .width = 1,
                    .units = "",
                    .long_name = "token ids",
                    .group = "records",
                    .transient = true};
    dn_field tokens = {.name = "tokens",
                       .type = DN_I64,
                       .width = 1,
                       .units = "1",
                       .long_name = "number of tokens the model reads",
                       .group = "records"};
    DN_TRY(dn_schema_add(schema, ids, &c->ids));
    return dn_schema_add(schema, tokens, &c->tokens);
}

static dn_status tokenise_bind(void *conf, const dn_bind *bind) {
    tokenise_conf *c = conf;
    const char *dir = c->vocabulary && c->vocabulary[0] ? c->vocabulary : bind->model_dir;
    if (!dir) {
        return DN_FAIL(
            CONFIG,
            "tokenise: the pipeline has no model to take the vocabulary from; set vocabulary");
    }
    if (c->max_tokens == 1) {
        return DN_FAIL(CONFIG, "tokenise: max_tokens is 1, but [CLS] and [SEP] are two");
    }
    if (c->max_tokens == 0) {
        DN_TRY(read_max_tokens(dir, &c->max_tokens));
    }
    DN_TRY(dn_schema_need(bind->schema, "tokenise", c->from, DN_BYTES, &c->text));
    DN_TRY(add_columns(c, bind->schema));
    DN_TRY(dn_tokeniser_open(dir, &c->tokeniser));
    return bind->model_dir ? check_vocabulary(c->tokeniser, bind->model_dir) : DN_OK;
}

static dn_status tokenise_open(const void *conf, void **worker) {
    const tokenise_conf *c = conf;
    tokenise_worker *w = dn_alloc(sizeof *w);
    w->cache = dn_token_cache_new();
    w->ids = dn_alloc_array((size_t)c->max_tokens, sizeof *w->ids);
    *worker = w;
    return DN_OK;
}

static dn_status tokenise_run(const void *conf, void *worker, dn_chunk *chunk) {
    const tokenise_conf *c = conf;
    tokenise_worker *w = worker;
    const dn_span *text = dn_chunk_bytes(chunk, c->text);
    int64_t cut = dn_token_stats_of(w->cache).cut;
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint16_t row = chunk->sel[i];
        if (!text[row].ptr) {
            continue;
        }
        int32_t n =
            dn_tokeniser_encode(c->tokeniser, w->cache, text[row], (int32_t)c->max_tokens, w->ids);
        int32_t *id = dn_arena_take(&chunk->arena, (size_t)n * sizeof *id);
        memcpy(id, w->ids, (size_t)n * sizeof *id);
        dn_chunk_ids(chunk, c->ids)[row] = (dn_ids){id, n};
        dn_chunk_i64(chunk, c->tokens)[row] = n;
    }
    chunk->n_cut += (uint32_t)(dn_token_stats_of(w->cache).cut - cut);
    return DN_OK;
}

static void tokenise_close(void *worker) {
    tokenise_worker *w = worker;
    dn_token_cache_free(w->cache);
    free(w->ids);
    free(w);
}

static void tokenise_unbind(void *conf) {
    tokenise_conf *c = conf;
    dn_tokeniser_close(c->tokeniser);
    c->tokeniser = NULL;
}

const dn_stage_ops dn_stage_tokenise = {
    .name = "tokenise",
    .summary = "Makes the token ids that the model reads: WordPiece, BPE or unigram, as the "
               "reference has them.",
    .order = DN_PURE,
    .props = props,
    .conf_size = sizeof(tokenise_conf),
    .bind = tokenise_bind,
    .open = tokenise_open,
    .run = tokenise_run,
    .close = tokenise_close,
    .unbind = tokenise_unbind,
};
