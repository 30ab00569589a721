/* What all kinds read from tokenizer.json. */
#include "text/token_kind.h"

dn_status dn_json_need_off(const dn_json_at *object, const char *key) {
    dn_json_at at;
    const char *text = "";
    bool on = false;
    if (!dn_json_find(object, key, &at)) {
        return DN_OK;
    }
    dn_json_kind kind = dn_json_kind_of(&at);
    if (kind == DN_JSON_BOOL) {
        DN_TRY(dn_json_bool(&at, &on));
    } else if (kind == DN_JSON_TEXT) {
        DN_TRY(dn_json_text(&at, &text));
        on = text[0] != '\0';
    } else {
        on = (kind != DN_JSON_OBJECT && kind != DN_JSON_ARRAY) || dn_json_count(&at) > 0;
    }
    return on ? dn_json_fail(&at, "is set, which is not supported") : DN_OK;
}

dn_status dn_json_type(const dn_json_at *object, const char **out) {
    dn_json_at at;
    DN_TRY(dn_json_need(object, "type", DN_JSON_TEXT, &at));
    return dn_json_text(&at, out);
}

static dn_status add_special(const dn_json_at *at, int64_t id, bool behind, dn_token_frame *frame) {
    if (frame->n_before + frame->n_after == DN_MAX_SPECIALS) {
        return dn_json_fail(at, "adds more than %d special tokens to a text", DN_MAX_SPECIALS);
    }
    if (behind) {
        frame->after[frame->n_after++] = (int32_t)id;
    } else {
        frame->before[frame->n_before++] = (int32_t)id;
    }
    return DN_OK;
}

/* special_tokens: {"<s>": {"ids": [0]}} */
static dn_status add_named(const dn_json_at *processor, const dn_json_at *special, bool behind,
                           dn_token_frame *frame) {
    dn_json_at at, table, entry, ids;
    const char *name;
    int64_t id;
    DN_TRY(dn_json_need(special, "id", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &name));
    DN_TRY(dn_json_need(processor, "special_tokens", DN_JSON_OBJECT, &table));
    DN_TRY(dn_json_need(&table, name, DN_JSON_OBJECT, &entry));
    DN_TRY(dn_json_need(&entry, "ids", DN_JSON_ARRAY, &ids));
    for (size_t i = 0; i < dn_json_count(&ids); i++) {
        dn_json_at item = dn_json_item(&ids, i);
        DN_TRY(dn_json_int(&item, 0, INT32_MAX, &id));
        DN_TRY(add_special(&item, id, behind, frame));
    }
    return DN_OK;
}

/* "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, ...] */
static dn_status read_template(const dn_json_at *processor, dn_token_frame *frame) {
    dn_json_at single, part;
    bool behind = false;
    DN_TRY(dn_json_need(processor, "single", DN_JSON_ARRAY, &single));
    for (size_t i = 0; i < dn_json_count(&single); i++) {
        dn_json_at item = dn_json_item(&single, i);
        if (dn_json_kind_of(&item) != DN_JSON_OBJECT) {
            return dn_json_fail(&item, "is no part of a template");
        }
        if (dn_json_find(&item, "SpecialToken", &part)) {
            DN_TRY(add_named(processor, &part, behind, frame));
        } else if (dn_json_find(&item, "Sequence", &part) && !behind) {
            behind = true;
        } else {
            return dn_json_fail(&item, "is neither a special token nor the one sequence");
        }
    }
    return behind ? DN_OK : dn_json_fail(&single, "has no place for the text");
}

/* "cls": ["<s>", 0], "sep": ["</s>", 2] */
static dn_status read_pair(const dn_json_at *processor, dn_token_frame *frame) {
    static const char *const keys[] = {"cls", "sep"};
    for (int i = 0; i < 2; i++) {
        dn_json_at at;
        int64_t id;
        DN_TRY(dn_json_need(processor, keys[i], DN_JSON_ARRAY, &at));
        if (dn_json_count(&at) != 2) {
            return dn_json_fail(&at, "is not a token and its id");
        }
        dn_json_at item = dn_json_item(&at, 1);
        DN_TRY(dn_json_int(&item, 0, INT32_MAX, &id));
        DN_TRY(add_special(&item, id, i == 1, frame));
    }
    return DN_OK;
}

static dn_status read_nothing(const dn_json_at *processor, dn_token_frame *frame) {
    (void)processor;
    (void)frame;
    return DN_OK;
}

static const struct {
    const char *type;
    dn_status (*read)(const dn_json_at *processor, dn_token_frame *frame);
} processors[] = {
    {"TemplateProcessing", read_template},
    {"RobertaProcessing", read_pair},
    {"BertProcessing", read_pair},
    {"ByteLevel", read_nothing}, /* trims offsets, which we do not have */
};

static dn_status read_processor(const dn_json_at *processor, dn_token_frame *frame) {
    const char *type;
    DN_TRY(dn_json_type(processor, &type));
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++) {
        if (strcmp(processors[i].type, type) == 0) {
            return processors[i].read(processor, frame);
        }
    }
    return dn_json_fail(processor, "'%s' is not supported", type);
}

dn_status dn_token_frame_read(const dn_json_at *root, dn_token_frame *out) {
    dn_json_at processor, list;
    const char *type;
    *out = (dn_token_frame){.n_before = 0};
    if (!dn_json_find(root, "post_processor", &processor)) {
        return DN_OK;
    }
    DN_TRY(dn_json_type(&processor, &type));
    if (strcmp(type, "Sequence") != 0) {
        return read_processor(&processor, out);
    }
    DN_TRY(dn_json_need(&processor, "processors", DN_JSON_ARRAY, &list));
    for (size_t i = 0; i < dn_json_count(&list); i++) {
        dn_json_at item = dn_json_item(&list, i);
        DN_TRY(read_processor(&item, out));
    }
    return DN_OK;
}
