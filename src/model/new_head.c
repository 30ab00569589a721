#include "model/new_head.h"

#include "base/memory.h"
#include "model/safetensors_write.h"

#include <stdlib.h>
#include <string.h>

/* ---- config.json ---- */

static dn_status check_name(const char *dir, const dn_config *config, const char *name) {
    if (!*name || strpbrk(name, "/.")) {
        return DN_FAIL(CONFIG, "--head %s: a head needs a name without '/' and '.'", name);
    }
    for (int i = 0; i < config->n_model_heads && !config->own_head; i++) {
        if (strcmp(config->model_head[i].name, name) == 0) {
            return DN_FAIL(CONFIG, "%s: has a head \"%s\" already; choose another name", dir, name);
        }
    }
    if (config->n_model_heads == DN_MAX_HEADS) {
        return DN_FAIL(CONFIG, "%s: has %d heads, and a model has at most that many", dir,
                       DN_MAX_HEADS);
    }
    return DN_OK;
}

dn_status dn_new_head_check(const char *dir, const char *name) {
    dn_config config;
    DN_TRY(dn_config_load(dir, &config));
    dn_status status = check_name(dir, &config, name);
    dn_config_free(&config);
    return status;
}

void dn_new_head_print(const dn_new_head *head, dn_out *out) {
    dn_out_open(out, '{');
    dn_out_key(out, "name");
    dn_out_string(out, dn_span_of(head->name));
    dn_out_key(out, "kind");
    dn_out_string(out, dn_span_of(dn_head_kind_names[head->kind]));
    dn_out_key(out, "labels");
    dn_out_open(out, '[');
    for (int i = 0; i < head->n_labels; i++) {
        dn_out_string(out, dn_span_of(head->label[i]));
    }
    dn_out_close(out, ']');
    if (head->mean) {
        dn_out_key(out, "means");
        dn_out_bool(out, true);
    }
    if (head->undecided_below > 0) {
        dn_out_key(out, "undecided_below");
        dn_out_f64(out, head->undecided_below);
    }
    dn_out_close(out, '}');
}

static void put_pooling(const dn_json_at *dunlin, const dn_config *config) {
    dn_pooling part[2];
    int n = dn_config_features(config, part);
    char text[32] = "[";
    for (int i = 0; i < n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s\"%s\"", i ? ", " : "",
                 dn_pooling_names[part[i]]);
    }
    strcat(text, "]");
    dn_json_put(dunlin, "pooling", text);
}

static void add(const dn_json *doc, const dn_config *config, const dn_new_head *head) {
    dn_json_at root = dn_json_root(doc), dunlin, list;
    dn_out text = {0};
    dn_new_head_print(head, &text);
    dn_out_bytes(&text, "", 1);
    dn_json_find(&root, "dunlin", &dunlin);
    if (!dn_json_find(&dunlin, "heads", &list)) {
        dn_json_put(&dunlin, "heads", "[]");
        dn_json_find(&dunlin, "heads", &list);
    }
    dn_json_append(&list, text.ptr);
    dn_json_at pooling;
    if (!dn_json_find(&dunlin, "pooling", &pooling)) {
        put_pooling(&dunlin, config);
    }
    dn_out_free(&text);
}

dn_status dn_new_head_describe(const char *dir, const dn_config *config, const dn_new_head *head,
                               dn_out *text) {
    dn_json *doc;
    DN_TRY(check_name(dir, config, head->name));
    DN_TRY(dn_json_parse((dn_span){text->ptr, text->len}, dir, DN_E_MODEL, &doc));
    add(doc, config, head);
    char *printed = dn_json_print(doc);
    dn_out_reset(text);
    dn_out_bytes(text, printed, strlen(printed));
    free(printed);
    dn_json_free(doc);
    return DN_OK;
}

/* ---- model.safetensors ---- */

typedef struct writing {
    dn_tensor_header header;
    FILE *out;
    char weight[256], bias[256], mean[256]; /**< names; tensors of these that nobody asked for go */
} writing;

static bool stays(const writing *w, const dn_tensor *tensor) {
    return strcmp(tensor->name, w->weight) != 0 && strcmp(tensor->name, w->bias) != 0 &&
           strcmp(tensor->name, w->mean) != 0;
}

static dn_status add_entry(void *ctx, const dn_safetensors *file, const dn_tensor *tensor,
                           bool needed) {
    (void)file;
    (void)needed;
    writing *w = ctx;
    if (stays(w, tensor)) {
        dn_tensor_header_add(&w->header, tensor->name, tensor->dtype, tensor->n_dims, tensor->dim);
    }
    return DN_OK;
}

static dn_status write_data(void *ctx, const dn_safetensors *file, const dn_tensor *tensor,
                            bool needed) {
    (void)file;
    (void)needed;
    const writing *w = ctx;
    if (stays(w, tensor)) {
        fwrite(tensor->data, 1, tensor->end - tensor->begin, w->out);
    }
    return DN_OK;
}

/** Numbers are little endian in the file, as on every machine that this is built for. */
dn_status dn_new_head_write(const dn_checkpoint *checkpoint, const dn_new_head *head, FILE *out) {
    writing w = {.out = out};
    uint64_t dim[] = {(uint64_t)head->n_labels, (uint64_t)head->width};
    snprintf(w.weight, sizeof w.weight, "heads.%s.weight", head->name);
    snprintf(w.bias, sizeof w.bias, "heads.%s.bias", head->name);
    snprintf(w.mean, sizeof w.mean, "heads.%s.mean", head->name);
    dn_tensor_header_open(&w.header);
    dn_checkpoint_each(checkpoint, add_entry, &w);
    dn_tensor_header_add(&w.header, w.weight, DN_DT_F32, 2, dim);
    dn_tensor_header_add(&w.header, w.bias, DN_DT_F32, 1, dim);
    if (head->mean) {
        dn_tensor_header_add(&w.header, w.mean, DN_DT_F32, 2, dim);
    }
    dn_tensor_header_write(&w.header, out);
    dn_checkpoint_each(checkpoint, write_data, &w);
    fwrite(head->weight, sizeof *head->weight, dim[0] * dim[1], out);
    fwrite(head->bias, sizeof *head->bias, dim[0], out);
    if (head->mean) {
        fwrite(head->mean, sizeof *head->mean, dim[0] * dim[1], out);
    }
    return DN_OK;
}
