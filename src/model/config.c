#include "model/config.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG_BYTES = 4 << 20, MIN_ROW = 2, DEFAULT_PADDING = 1 };

/** Whole numbers that must be there, and the range in which every product of two fits an int. */
typedef struct shape_field {
    const char *key;
    int64_t max;
    int *out;
} shape_field;

static dn_status read_whole(const dn_json_at *root, const shape_field *field) {
    dn_json_at at;
    int64_t value;
    DN_TRY(dn_json_need(root, field->key, DN_JSON_INT, &at));
    DN_TRY(dn_json_int(&at, 1, field->max, &value));
    *field->out = (int)value;
    return DN_OK;
}

static dn_status read_family(const dn_json_at *root, dn_config *config) {
    dn_json_at at;
    const char *model_type;
    DN_TRY(dn_json_need(root, "model_type", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &model_type));
    config->family = dn_family_find(model_type);
    return config->family ? DN_OK
                          : dn_json_fail(&at, "\"%s\" is not supported; these are: %s", model_type,
                                         dn_family_names());
}

static dn_status read_shape(const dn_json_at *root, dn_config *config) {
    const dn_family_keys *keys = &config->family->keys;
    const shape_field fields[] = {
        {keys->hidden, 16384, &config->hidden},
        {keys->layers, 256, &config->layers},
        {keys->heads, 256, &config->heads},
        {keys->intermediate, 65536, &config->intermediate},
        {"vocab_size", 4 << 20, &config->vocabulary},
        {"max_position_embeddings", 65536, &config->position_rows},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        DN_TRY(read_whole(root, &fields[i]));
    }
    if (config->family->type_table) {
        DN_TRY(read_whole(root, &(shape_field){"type_vocab_size", 1024, &config->types}));
    }
    if (config->hidden % config->heads != 0) {
        return dn_json_fail(root, "%s %d is not a multiple of %s %d", keys->hidden, config->hidden,
                            keys->heads, config->heads);
    }
    dn_json_at at;
    double epsilon = 1e-12;
    if (dn_json_find(root, "layer_norm_eps", &at)) {
        DN_TRY(dn_json_real(&at, 0, 1, &epsilon));
    }
    config->epsilon = (float)epsilon;
    return DN_OK;
}

/** An embedding narrower than the encoder, where the family has that. */
static dn_status read_embedding(const dn_json_at *root, dn_config *config) {
    dn_json_at at;
    int64_t width = config->hidden;
    if (config->family->projection && dn_json_find(root, "embedding_size", &at)) {
        DN_TRY(dn_json_int(&at, 1, 16384, &width));
    }
    config->embedding = (int)width;
    return DN_OK;
}

static dn_status read_positions(const dn_json_at *root, dn_config *config) {
    dn_json_at at;
    int64_t padding = DEFAULT_PADDING;
    if (config->family->behind_padding) {
        if (dn_json_find(root, "pad_token_id", &at)) {
            DN_TRY(dn_json_int(&at, 0, config->vocabulary - 1, &padding));
        }
        config->first_position = (int)padding + 1;
    }
    config->max_positions = config->position_rows - config->first_position;
    if (config->max_positions < MIN_ROW) {
        return dn_json_fail(root,
                            "max_position_embeddings %d leaves no room for a text: its positions "
                            "begin at %d",
                            config->position_rows, config->first_position);
    }
    return DN_OK;
}

/** Fields of which only one value is computed; absent means that value, except where it is
 * required. */
static dn_status check_word(const dn_json_at *root, const char *key, const char *only,
                            bool required) {
    dn_json_at at;
    const char *value;
    if (!required && !dn_json_find(root, key, &at)) {
        return DN_OK;
    }
    DN_TRY(dn_json_need(root, key, DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &value));
    return strcmp(value, only) == 0
               ? DN_OK
               : dn_json_fail(&at, "\"%s\" is not supported; only \"%s\" is", value, only);
}

static dn_status check_fixed(const dn_json_at *root, const dn_config *config) {
    static const char *const decoder_flags[] = {"is_decoder", "add_cross_attention"};
    DN_TRY(check_word(root, config->family->keys.activation, "gelu", true));
    DN_TRY(check_word(root, "position_embedding_type", "absolute", false));
    for (int i = 0; i < 2; i++) {
        dn_json_at at;
        bool set = false;
        if (dn_json_find(root, decoder_flags[i], &at)) {
            DN_TRY(dn_json_bool(&at, &set));
        }
        if (set) {
            return dn_json_fail(&at, "only encoders are supported, and this is a decoder");
        }
    }
    return DN_OK;
}

static dn_status read_config(const char *dir, dn_config *config) {
    dn_json_at root = dn_json_root(config->doc);
    DN_TRY(read_family(&root, config));
    DN_TRY(check_fixed(&root, config));
    DN_TRY(read_shape(&root, config));
    DN_TRY(read_embedding(&root, config));
    DN_TRY(read_positions(&root, config));
    return dn_config_read_heads(dir, &root, config);
}

dn_status dn_config_load(const char *dir, dn_config *out) {
    dn_config config = {0};
    char *path = dn_format("%s/config.json", dir);
    dn_status status = dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &config.doc);
    free(path);
    DN_TRY(status);
    status = read_config(dir, &config);
    if (status != DN_OK) {
        dn_config_free(&config);
        return status;
    }
    *out = config;
    return DN_OK;
}

void dn_config_free(dn_config *config) {
    for (int i = 0; i < config->n_model_heads; i++) {
        free((void *)(uintptr_t)config->model_head[i].labels);
    }
    dn_json_free(config->doc);
    *config = (dn_config){0};
}
