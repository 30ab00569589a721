#include "model/config.h"

#include "base/memory.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG_BYTES = 4 << 20 };

/** Whole numbers that must be there, and the range in which every product of two fits an int. */
static const struct {
    const char *key;
    int64_t max;
    size_t offset;
} shape_fields[] = {
    {"hidden_size", 16384, offsetof(dn_config, hidden)},
    {"num_hidden_layers", 256, offsetof(dn_config, layers)},
    {"num_attention_heads", 256, offsetof(dn_config, heads)},
    {"intermediate_size", 65536, offsetof(dn_config, intermediate)},
    {"vocab_size", 4 << 20, offsetof(dn_config, vocabulary)},
    {"max_position_embeddings", 65536, offsetof(dn_config, max_positions)},
    {"type_vocab_size", 1024, offsetof(dn_config, types)},
};

/** Fields of which only one value is computed; absent means that value, except where it is
 * required. */
static const struct {
    const char *key, *only;
    bool required;
} fixed_fields[] = {
    {"model_type", "bert", true},
    {"hidden_act", "gelu", true},
    {"position_embedding_type", "absolute", false},
    {"problem_type", "single_label_classification", false},
};

static dn_status read_shape(const dn_json_at *root, dn_config *config) {
    for (size_t i = 0; i < sizeof shape_fields / sizeof *shape_fields; i++) {
        dn_json_at at;
        int64_t value;
        DN_TRY(dn_json_need(root, shape_fields[i].key, DN_JSON_INT, &at));
        DN_TRY(dn_json_int(&at, 1, shape_fields[i].max, &value));
        *(int *)((char *)config + shape_fields[i].offset) = (int)value;
    }
    if (config->hidden % config->heads != 0) {
        return dn_json_fail(root, "hidden_size %d is not a multiple of num_attention_heads %d",
                            config->hidden, config->heads);
    }
    dn_json_at at;
    double epsilon = 1e-12;
    if (dn_json_find(root, "layer_norm_eps", &at)) {
        DN_TRY(dn_json_real(&at, 0, 1, &epsilon));
    }
    config->epsilon = (float)epsilon;
    return DN_OK;
}

static dn_status check_fixed(const dn_json_at *root) {
    for (size_t i = 0; i < sizeof fixed_fields / sizeof *fixed_fields; i++) {
        dn_json_at at;
        const char *value;
        if (!fixed_fields[i].required && !dn_json_find(root, fixed_fields[i].key, &at)) {
            continue;
        }
        DN_TRY(dn_json_need(root, fixed_fields[i].key, DN_JSON_TEXT, &at));
        DN_TRY(dn_json_text(&at, &value));
        if (strcmp(value, fixed_fields[i].only) != 0) {
            return dn_json_fail(&at, "\"%s\" is not supported; only \"%s\" is", value,
                                fixed_fields[i].only);
        }
    }
    return DN_OK;
}

/** The position of `word` in a NULL-terminated list; an error that names the field otherwise. */
static dn_status choose(const dn_json_at *at, const char *const *words, int *out) {
    const char *word;
    DN_TRY(dn_json_text(at, &word));
    for (*out = 0; words[*out]; ++*out) {
        if (strcmp(word, words[*out]) == 0) {
            return DN_OK;
        }
    }
    return dn_json_fail(at, "\"%s\" is not supported", word);
}

static dn_status read_pooling(const dn_json_at *dunlin, dn_config *config) {
    static const char *const words[] = {"cls", "mean", NULL};
    static const dn_pooling parts[] = {DN_POOL_CLS, DN_POOL_MEAN};
    dn_json_at pooling;
    DN_TRY(dn_json_need(dunlin, "pooling", DN_JSON_ARRAY, &pooling));
    size_t n = dn_json_count(&pooling);
    if (n < 1 || n > 2) {
        return dn_json_fail(&pooling, "has %zu parts, expected 1 or 2", n);
    }
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(&pooling, i);
        int choice;
        DN_TRY(choose(&item, words, &choice));
        config->part[i] = parts[choice];
    }
    config->n_parts = (int)n;
    return DN_OK;
}

static bool name_taken(const dn_config *config, const char *name) {
    for (int i = 0; i < config->n_model_heads; i++) {
        if (strcmp(config->model_head[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/** Adds the head; `labels` is owned by the config from here on. */
static void add_head(dn_config *config, const char *name, const char **labels, size_t n_labels) {
    config->model_head[config->n_model_heads++] = (dn_model_head){
        .name = name, .n_labels = (int)n_labels, .labels = labels, .begin = config->score_width};
    config->score_width += (int)n_labels;
}

static dn_status check_label_count(const dn_json_at *labels) {
    size_t n = dn_json_count(labels);
    if (n < 2 || n > DN_MAX_LABELS) {
        return dn_json_fail(labels, "has %zu labels, expected 2 to %d", n, DN_MAX_LABELS);
    }
    return DN_OK;
}

/** A label names a class in results, so it must name one only. */
static dn_status check_labels(const dn_json_at *at, const char *const *labels, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(labels[i], labels[j]) == 0) {
                return dn_json_fail(at, "\"%s\" stands there twice", labels[i]);
            }
        }
    }
    return DN_OK;
}

static dn_status read_head(const dn_json_at *head, dn_config *config) {
    static const char *const kinds[] = {"softmax", NULL};
    dn_json_at at, labels;
    const char *name;
    int kind;
    DN_TRY(dn_json_need(head, "kind", DN_JSON_TEXT, &at));
    DN_TRY(choose(&at, kinds, &kind));
    DN_TRY(dn_json_need(head, "labels", DN_JSON_ARRAY, &labels));
    DN_TRY(check_label_count(&labels));
    DN_TRY(dn_json_need(head, "name", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &name));
    if (!*name || strpbrk(name, "/.") || name_taken(config, name)) {
        return dn_json_fail(&at, "\"%s\": a head needs a name of its own, without '/' and '.'",
                            name);
    }
    size_t n = dn_json_count(&labels);
    const char **words = dn_alloc_array(n, sizeof *words);
    add_head(config, name, words, n);
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(&labels, i);
        DN_TRY(dn_json_text(&item, &words[i]));
    }
    return check_labels(&labels, words, n);
}

static dn_status read_dunlin(const dn_json_at *dunlin, dn_config *config) {
    static const char *const normalisations[] = {"none", "tweeteval", NULL};
    dn_json_at at;
    int64_t max_tokens = config->max_positions;
    int choice = 0;
    if (dn_json_find(dunlin, "normalise", &at)) {
        DN_TRY(choose(&at, normalisations, &choice));
    }
    config->normalise = normalisations[choice];
    if (dn_json_find(dunlin, "max_tokens", &at)) {
        DN_TRY(dn_json_int(&at, 2, config->max_positions, &max_tokens));
    }
    config->max_tokens = (int)max_tokens;
    DN_TRY(read_pooling(dunlin, config));
    DN_TRY(dn_json_need(dunlin, "heads", DN_JSON_ARRAY, &at));
    size_t n = dn_json_count(&at);
    if (n < 1 || n > DN_MAX_HEADS) {
        return dn_json_fail(&at, "has %zu heads, expected 1 to %d", n, DN_MAX_HEADS);
    }
    for (size_t i = 0; i < n; i++) {
        dn_json_at head = dn_json_item(&at, i);
        DN_TRY(read_head(&head, config));
    }
    return DN_OK;
}

/** id2label: {"0": "negative", "1": ...}, in any order but without a gap. */
static dn_status read_classifier(const dn_json_at *root, dn_config *config) {
    dn_json_at map;
    DN_TRY(dn_json_need(root, "id2label", DN_JSON_OBJECT, &map));
    DN_TRY(check_label_count(&map));
    size_t n = dn_json_count(&map);
    const char **words = dn_alloc_array(n, sizeof *words);
    add_head(config, "label", words, n);
    for (size_t i = 0; i < n; i++) {
        char key[24];
        dn_json_at label;
        snprintf(key, sizeof key, "%zu", i);
        DN_TRY(dn_json_need(&map, key, DN_JSON_TEXT, &label));
        DN_TRY(dn_json_text(&label, &words[i]));
    }
    DN_TRY(check_labels(&map, words, n));
    config->normalise = "none";
    config->max_tokens = config->max_positions;
    config->n_parts = 1;
    config->part[0] = DN_POOL_CLS;
    config->has_pooler = true;
    return DN_OK;
}

dn_status dn_config_load(const char *dir, dn_config *out) {
    dn_config config = {0};
    char *path = dn_format("%s/config.json", dir);
    dn_status status = dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &config.doc);
    free(path);
    DN_TRY(status);
    dn_json_at root = dn_json_root(config.doc), dunlin;
    DN_TRY_GO(check_fixed(&root), refused);
    DN_TRY_GO(read_shape(&root, &config), refused);
    DN_TRY_GO(dn_json_find(&root, "dunlin", &dunlin) ? read_dunlin(&dunlin, &config)
                                                     : read_classifier(&root, &config),
              refused);
    *out = config;
    return DN_OK;
refused:
    dn_config_free(&config);
    return status;
}

void dn_config_free(dn_config *config) {
    for (int i = 0; i < config->n_model_heads; i++) {
        free((void *)(uintptr_t)config->model_head[i].labels);
    }
    dn_json_free(config->doc);
    *config = (dn_config){0};
}
