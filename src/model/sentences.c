#include "model/sentences.h"

#include "base/memory.h"
#include "io/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_JSON_BYTES = 1 << 20, MIN_TOKENS = 2 };

static dn_status load_json(const char *dir, const char *folder, const char *name, dn_json **out) {
    char *path = *folder ? dn_format("%s/%s/%s", dir, folder, name) : dn_format("%s/%s", dir, name);
    dn_status status = dn_json_load(path, MAX_JSON_BYTES, DN_E_MODEL, out);
    free(path);
    return status;
}

static bool has_file(const char *dir, const char *name) {
    char *path = dn_format("%s/%s", dir, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/** Exactly one of the two poolings that are computed, and no other. */
static dn_status read_pooling_modes(const dn_json_at *root, dn_embedding_form *form) {
    static const char *const prefix = "pooling_mode_";
    int n = 0;
    dn_json_at at;
    for (void *cursor = NULL; dn_json_next(root, &cursor, &at);) {
        bool on = false;
        if (strncmp(at.key, prefix, strlen(prefix)) != 0) {
            continue;
        }
        DN_TRY(dn_json_bool(&at, &on));
        bool cls = strcmp(at.key, "pooling_mode_cls_token") == 0;
        if (on && !cls && strcmp(at.key, "pooling_mode_mean_tokens") != 0) {
            return dn_json_fail(&at, "is not supported; cls_token and mean_tokens are");
        }
        n += on;
        form->pooling = on ? (cls ? DN_POOL_CLS : DN_POOL_MEAN) : form->pooling;
    }
    return n == 1 ? DN_OK : dn_json_fail(root, "asks for %d poolings, expected 1", n);
}

/** A module's folder stands beside modules.json. */
static dn_status read_folder(const dn_json_at *module, const char **folder) {
    dn_json_at at;
    DN_TRY(dn_json_need(module, "path", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, folder));
    if (strchr(*folder, '/') || **folder == '.') {
        return dn_json_fail(&at, "\"%s\" is not the name of a folder in the model's", *folder);
    }
    return DN_OK;
}

static dn_status read_pooling_module(const char *dir, const dn_json_at *module,
                                     dn_embedding_form *form) {
    const char *folder;
    dn_json *doc;
    DN_TRY(read_folder(module, &folder));
    DN_TRY(load_json(dir, folder, "config.json", &doc));
    dn_json_at root = dn_json_root(doc);
    dn_status status = read_pooling_modes(&root, form);
    dn_json_free(doc);
    return status;
}

/** "sentence_transformers.models.Pooling" -> Pooling */
static const char *last_part(const char *type) {
    const char *dot = strrchr(type, '.');
    return dot ? dot + 1 : type;
}

static dn_status read_module(const char *dir, const dn_json_at *module, dn_embedding_form *form) {
    dn_json_at at;
    const char *type, *folder;
    DN_TRY(dn_json_need(module, "type", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &type));
    if (strcmp(last_part(type), "Transformer") == 0) {
        DN_TRY(read_folder(module, &folder));
        return *folder ? dn_json_fail(module, "its files are in a folder of their own; name that "
                                              "folder as the model or move them up")
                       : DN_OK;
    }
    if (strcmp(last_part(type), "Pooling") == 0) {
        return read_pooling_module(dir, module, form);
    }
    if (strcmp(last_part(type), "Normalize") == 0) {
        form->unit_length = true;
        return DN_OK;
    }
    return dn_json_fail(&at, "\"%s\" is not supported; Transformer, Pooling and Normalize are",
                        type);
}

static dn_status read_modules(const char *dir, const dn_json_at *modules, dn_embedding_form *form) {
    if (dn_json_kind_of(modules) != DN_JSON_ARRAY) {
        return dn_json_fail(modules, "is not a list of modules");
    }
    for (size_t i = 0; i < dn_json_count(modules); i++) {
        dn_json_at module = dn_json_item(modules, i);
        DN_TRY(read_module(dir, &module, form));
    }
    return form->pooling ? DN_OK : dn_json_fail(modules, "has no module that pools");
}

bool dn_sentences_found(const char *dir) {
    return has_file(dir, "modules.json");
}

dn_status dn_sentences_form(const char *dir, dn_embedding_form *out) {
    dn_json *doc;
    *out = (dn_embedding_form){0};
    DN_TRY(load_json(dir, "", "modules.json", &doc));
    dn_json_at root = dn_json_root(doc);
    dn_status status = read_modules(dir, &root, out);
    dn_json_free(doc);
    return status;
}

dn_status dn_sentences_limit(const char *dir, int max_positions, int *out) {
    dn_json *doc;
    dn_json_at at;
    int64_t limit = max_positions;
    dn_status status = DN_OK;
    if (has_file(dir, "sentence_bert_config.json")) {
        DN_TRY(load_json(dir, "", "sentence_bert_config.json", &doc));
        dn_json_at root = dn_json_root(doc);
        if (dn_json_find(&root, "max_seq_length", &at)) {
            status = dn_json_int(&at, MIN_TOKENS, max_positions, &limit);
        }
        dn_json_free(doc);
    }
    *out = (int)limit;
    return status;
}
