/* clean -> ids, tokens: what a model's encoder reads. Twice in a pipeline under two names where its
 * models have two vocabularies. */
#include "base/memory.h"
#include "io/json.h"
#include "text/stages.h"
#include "text/tokeniser.h"

#include <stdlib.h>
#include <unistd.h>

enum { DEFAULT_MAX_TOKENS = 128, MOST_TOKENS = 1 << 20, MOST_WINDOWS = 64, LEAST_WINDOW = 8 };
enum { MAX_CONFIG_BYTES = 16 << 20 };

typedef struct tokenise_conf {
    char *name, *from, *vocabulary;
    int64_t max_tokens; /* of a text, all its windows */
    dn_windows windows;
    char *ids_name, *tokens_name;
    int text, ids, tokens;
    dn_tokeniser *tokeniser;
} tokenise_conf;

typedef struct tokenise_worker {
    dn_token_cache *cache;
    int32_t *ids; /* [max_tokens] */
} tokenise_worker;

static const dn_prop props[] = {
    {.name = "name",
     .type = DN_P_TEXT,
     .offset = offsetof(tokenise_conf, name),
     .initial = "",
     .text = "Makes ids.NAME and tokens.NAME instead of ids and tokens, for a model that reads its "
             "own vocabulary."},
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
         "sentencepiece.bpe.model); that of the model which reads these ids where it is not set."},
    {.name = "max_tokens",
     .type = DN_P_COUNT,
     .offset = offsetof(tokenise_conf, max_tokens),
     .initial = "0",
     .max = MOST_TOKENS,
     .text = "Longer texts are cut to this, [CLS] and [SEP] included; 0: as the model was trained "
             "(dunlin.max_tokens and windows of its config.json), else 128."},
    {0},
};

/* RoBERTa counts its positions from behind the padding id. */
static dn_status read_positions(const dn_json_at *root, const dn_json_at *positions, int64_t *own) {
    dn_json_at at;
    const char *family = "";
    int64_t padding = -1;
    DN_TRY(dn_json_int(positions, 2, INT32_MAX, own));
    if (dn_json_find(root, "model_type", &at)) {
        DN_TRY(dn_json_text(&at, &family));
    }
    if (strstr(family, "roberta") && dn_json_find(root, "pad_token_id", &at)) {
        DN_TRY(dn_json_int(&at, 0, *own - 3, &padding));
        *own -= padding + 1;
    }
    *own = *own < DEFAULT_MAX_TOKENS ? *own : DEFAULT_MAX_TOKENS;
    return DN_OK;
}

static dn_status read_number(const dn_json_at *object, const char *key, int64_t min, int64_t max,
                             int32_t *out) {
    dn_json_at at;
    int64_t value = *out;
    if (dn_json_find(object, key, &at)) {
        DN_TRY(dn_json_int(&at, min, max, &value));
    }
    *out = (int32_t)value;
    return DN_OK;
}

/* What the model was trained with, and no more than its positions. */
static dn_status read_windows(const char *dir, dn_windows *out) {
    char *path = dn_format("%s/config.json", dir);
    dn_json *doc = NULL;
    dn_json_at root, dunlin, at;
    dn_status status = DN_OK;
    int64_t own = DEFAULT_MAX_TOKENS;
    *out = (dn_windows){.most = 1};
    if (access(path, F_OK) == 0) {
        DN_TRY_GO(dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &doc), done);
        root = dn_json_root(doc);
        bool has_dunlin = dn_json_find(&root, "dunlin", &dunlin);
        if (has_dunlin) {
            DN_TRY_GO(read_number(&dunlin, "windows", 1, MOST_WINDOWS, &out->most), done);
        }
        if (has_dunlin && dn_json_find(&dunlin, "max_tokens", &at)) {
            DN_TRY_GO(dn_json_int(&at, out->most > 1 ? LEAST_WINDOW : 2, MOST_TOKENS, &own), done);
        } else if (dn_json_find(&root, "max_position_embeddings", &at)) {
            DN_TRY_GO(read_positions(&root, &at, &own), done);
        }
    }
    out->tokens = (int32_t)own;
    if (out->most > 1) {
        DN_TRY_GO(read_number(&dunlin, "overlap", 0, (own - 2) / 2, &out->overlap), done);
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
    dn_field ids = {.name = c->ids_name,
                    .type = DN_IDS,
                    .width = (int)c->max_tokens,
                    .units = "",
                    .long_name = "token ids",
                    .group = "records",
                    .transient = true};
    dn_field tokens = {.name = c->tokens_name,
                       .type = DN_I64,
                       .width = 1,
                       .units = "1",
                       .long_name = "number of tokens the model reads",
                       .group = "records"};
    if (dn_schema_find(schema, c->ids_name) >= 0) {
        return DN_FAIL(CONFIG,
                       "tokenise: the column '%s' is there already; give one of the two a name",
                       c->ids_name);
    }
    DN_TRY(dn_schema_add(schema, ids, &c->ids));
    return dn_schema_add(schema, tokens, &c->tokens);
}

static bool reads(const tokenise_conf *c, const dn_bind_model *model) {
    return model->dir && *model->dir && strcmp(model->ids, c->ids_name) == 0;
}

static bool same_bytes(const char *path, const char *other) {
    FILE *a = fopen(path, "rb"), *b = fopen(other, "rb");
    int x = 0, y = 0;
    while (a && b && x != EOF && x == y) {
        x = getc(a);
        y = getc(b);
    }
    bool same = x == y;
    if (a) {
        fclose(a);
    }
    if (b) {
        fclose(b);
    }
    return same;
}

/* Models may share these ids only if they share the vocabulary: of files that both have, the bytes.
 */
static dn_status check_shared(const tokenise_conf *c, const char *dir, const char *other) {
    static const char *const files[] = {"tokenizer.json", "vocab.txt", "vocab.json", "merges.txt",
                                        "sentencepiece.bpe.model"};
    dn_status status = DN_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && status == DN_OK; i++) {
        char *own = dn_format("%s/%s", dir, files[i]), *its = dn_format("%s/%s", other, files[i]);
        if (access(own, F_OK) == 0 && access(its, F_OK) == 0 && !same_bytes(own, its)) {
            status = DN_FAIL(CONFIG,
                             "tokenise: %s differs from %s, so the models cannot share the column "
                             "'%s'; add `tokenise: {name: NAME}` and let one read ids.NAME",
                             its, own, c->ids_name);
        }
        free(own);
        free(its);
    }
    return status;
}

/* Against every model that reads the ids. */
static dn_status check_models(const tokenise_conf *c, const char *dir, const dn_bind *bind) {
    for (int i = 0; i < bind->n_models; i++) {
        if (reads(c, &bind->model[i])) {
            DN_TRY(check_vocabulary(c->tokeniser, bind->model[i].dir));
            DN_TRY(check_shared(c, dir, bind->model[i].dir));
        }
    }
    return DN_OK;
}

/* As the model that reads least was trained; windows are the same for all or none. */
static dn_status join(tokenise_conf *c, const char *dir, const char *other) {
    dn_windows *own = &c->windows, its;
    DN_TRY(read_windows(other, &its));
    bool cut = own->most == 1 && its.most == 1;
    if (!cut && memcmp(own, &its, sizeof its) != 0) {
        return DN_FAIL(CONFIG,
                       "tokenise: %s and %s read long texts in different windows (max_tokens, "
                       "windows and overlap of config.json), so the column '%s' cannot serve both; "
                       "name the model's own directory as vocabulary, or let one read ids.NAME of "
                       "`tokenise: {name: NAME}`",
                       dir, other, c->ids_name);
    }
    own->tokens = its.tokens < own->tokens ? its.tokens : own->tokens;
    return DN_OK;
}

static dn_status find_windows(tokenise_conf *c, const char *dir, const dn_bind *bind) {
    dn_windows *w = &c->windows;
    DN_TRY(read_windows(dir, w));
    for (int i = 0; i < bind->n_models; i++) {
        if (reads(c, &bind->model[i])) {
            DN_TRY(join(c, dir, bind->model[i].dir));
        }
    }
    if (c->max_tokens > 0 && (w->most == 1 || c->max_tokens <= w->tokens)) {
        *w = (dn_windows){.tokens = (int32_t)c->max_tokens, .most = 1};
    } else if (c->max_tokens > 0 && c->max_tokens / w->tokens < w->most) {
        w->most = (int32_t)c->max_tokens / w->tokens;
    }
    c->max_tokens = (int64_t)w->tokens * w->most;
    return DN_OK;
}

static const char *find_vocabulary(const tokenise_conf *c, const dn_bind *bind) {
    const char *dir = c->vocabulary && c->vocabulary[0] ? c->vocabulary : NULL;
    for (int i = 0; i < bind->n_models && !dir; i++) {
        dir = reads(c, &bind->model[i]) ? bind->model[i].dir : NULL;
    }
    return dir;
}

static void name_columns(tokenise_conf *c) {
    const char *name = c->name && c->name[0] ? c->name : NULL;
    c->ids_name = dn_format("ids%s%s", name ? "." : "", name ? name : "");
    c->tokens_name = dn_format("tokens%s%s", name ? "." : "", name ? name : "");
}

static dn_status tokenise_bind(void *conf, const dn_bind *bind) {
    tokenise_conf *c = conf;
    name_columns(c);
    const char *dir = find_vocabulary(c, bind);
    if (!dir) {
        return DN_FAIL(
            CONFIG,
            "tokenise: no model of the pipeline reads '%s', so there is none to take the "
            "vocabulary from; set vocabulary",
            c->ids_name);
    }
    if (c->max_tokens == 1) {
        return DN_FAIL(CONFIG, "tokenise: max_tokens is 1, but [CLS] and [SEP] are two");
    }
    DN_TRY(find_windows(c, dir, bind));
    DN_TRY(dn_schema_need(bind->schema, "tokenise", c->from, DN_BYTES, &c->text));
    DN_TRY(add_columns(c, bind->schema));
    DN_TRY(dn_tokeniser_open(dir, &c->tokeniser));
    bind->schema->field[c->ids].unknown_id = dn_tokeniser_unknown(c->tokeniser);
    bind->schema->field[c->ids].has_unknown = dn_tokeniser_unknown(c->tokeniser) >= 0;
    return check_models(c, dir, bind);
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
            dn_tokeniser_encode_windows(c->tokeniser, w->cache, text[row], &c->windows, w->ids);
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
    free(c->ids_name);
    free(c->tokens_name);
    c->tokeniser = NULL;
    c->ids_name = c->tokens_name = NULL;
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
