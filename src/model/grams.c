#include "model/grams.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG_BYTES = 4 << 20 };
static const char model_type[] = "dunlin-ngrams";

struct dn_gram_model {
    dn_json *doc; /**< keeps the names alive */
    dn_safetensors *file;
    dn_model_head head;
    int n_columns;
    int32_t *column;      /**< [DN_NGRAM_BUCKETS]: + 1; 0: none */
    float *weight, *bias; /**< [n_columns][n_labels], [n_labels] */
};

/* ---- config.json ---- */

static dn_status read_labels(const dn_json_at *list, dn_gram_model *model) {
    size_t n = dn_json_count(list);
    if (n < 2 || n > DN_MAX_LABELS) {
        return dn_json_fail(list, "has %zu labels, expected 2 to %d", n, DN_MAX_LABELS);
    }
    const char **labels = dn_alloc_array(n + 1, sizeof *labels);
    labels[n] = DN_UNDECIDED;
    model->head.labels = labels;
    model->head.n_labels = (int)n;
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(list, i);
        DN_TRY(dn_json_text(&item, &labels[i]));
    }
    return DN_OK;
}

static dn_status read_config(dn_gram_model *model) {
    dn_json_at root = dn_json_root(model->doc), at, dunlin, heads;
    const char *type;
    DN_TRY(dn_json_need(&root, "model_type", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &type));
    if (strcmp(type, model_type) != 0) {
        return dn_json_fail(&at,
                            "\"%s\" is no model on n-grams (\"%s\"): an encoder stands under "
                            "`model`, not among the stages",
                            type, model_type);
    }
    DN_TRY(dn_json_need(&root, "dunlin", DN_JSON_OBJECT, &dunlin));
    DN_TRY(dn_json_need(&dunlin, "heads", DN_JSON_ARRAY, &heads));
    if (dn_json_count(&heads) != 1) {
        return dn_json_fail(&heads, "has %zu heads, expected 1", dn_json_count(&heads));
    }
    dn_json_at head = dn_json_item(&heads, 0);
    DN_TRY(dn_json_need(&head, "name", DN_JSON_TEXT, &at));
    DN_TRY(dn_json_text(&at, &model->head.name));
    DN_TRY(dn_json_need(&head, "labels", DN_JSON_ARRAY, &at));
    return read_labels(&at, model);
}

/* ---- model.safetensors ---- */

/** Whatever stands in the file: buckets are within the table, no two columns share one. */
static dn_status read_buckets(dn_gram_model *model) {
    const dn_tensor *tensor = dn_safetensors_find(model->file, "ngrams.bucket");
    const char *path = dn_safetensors_path(model->file);
    if (!tensor || tensor->dtype != DN_DT_I32 || tensor->n_dims != 1 ||
        tensor->n_elements > DN_NGRAM_BUCKETS) {
        return DN_FAIL(MODEL, "%s: ngrams.bucket is not there as a list of at most %d I32", path,
                       DN_NGRAM_BUCKETS);
    }
    model->n_columns = (int)tensor->n_elements;
    model->column = dn_alloc_array(DN_NGRAM_BUCKETS, sizeof *model->column);
    for (int i = 0; i < model->n_columns; i++) {
        int32_t bucket;
        memcpy(&bucket, (const char *)tensor->data + (size_t)i * sizeof bucket, sizeof bucket);
        if (bucket < 0 || bucket >= DN_NGRAM_BUCKETS || model->column[bucket]) {
            return DN_FAIL(MODEL, "%s: ngrams.bucket[%d] is %d: twice there, or not below %d", path,
                           i, bucket, DN_NGRAM_BUCKETS);
        }
        model->column[bucket] = i + 1;
    }
    return DN_OK;
}

static dn_status read_floats(dn_gram_model *model, const char *what, int n_dims,
                             const uint64_t *dim, float **out) {
    char name[256];
    const dn_tensor *tensor;
    snprintf(name, sizeof name, "heads.%s.%s", model->head.name, what);
    DN_TRY(dn_safetensors_need(model->file, name, n_dims, dim, &tensor));
    *out = dn_alloc_array(tensor->n_elements, sizeof **out);
    return dn_tensor_floats(model->file, tensor, 0, tensor->n_elements, *out);
}

static dn_status read_weights(dn_gram_model *model) {
    uint64_t n_labels = (uint64_t)model->head.n_labels;
    DN_TRY(read_buckets(model));
    DN_TRY(read_floats(model, "bias", 1, &n_labels, &model->bias));
    return read_floats(model, "weight", 2, (uint64_t[]){(uint64_t)model->n_columns, n_labels},
                       &model->weight);
}

dn_status dn_gram_model_open(const char *dir, dn_gram_model **out) {
    dn_gram_model *model = dn_alloc(sizeof *model);
    char *config = dn_format("%s/config.json", dir),
         *weights = dn_format("%s/model.safetensors", dir);
    dn_status status;
    model->head = (dn_model_head){.kind = DN_HEAD_SOFTMAX, .temperature = 1};
    DN_TRY_GO(dn_json_load(config, MAX_CONFIG_BYTES, DN_E_MODEL, &model->doc), done);
    DN_TRY_GO(read_config(model), done);
    DN_TRY_GO(dn_safetensors_open(weights, &model->file), done);
    status = read_weights(model);
done:
    free(config);
    free(weights);
    if (status != DN_OK) {
        dn_gram_model_close(model);
        return status;
    }
    *out = model;
    return DN_OK;
}

void dn_gram_model_close(dn_gram_model *model) {
    if (model) {
        free((void *)(uintptr_t)model->head.labels);
        free(model->column);
        free(model->weight);
        free(model->bias);
        dn_safetensors_close(model->file);
        dn_json_free(model->doc);
        free(model);
    }
}

const dn_model_head *dn_gram_model_head(const dn_gram_model *model) {
    return &model->head;
}

/* ---- scores ---- */

static void softmax(int n, float *x) {
    float most = x[0], sum = 0;
    for (int k = 1; k < n; k++) {
        most = x[k] > most ? x[k] : most;
    }
    for (int k = 0; k < n; k++) {
        x[k] = expf(x[k] - most);
        sum += x[k];
    }
    for (int k = 0; k < n; k++) {
        x[k] /= sum;
    }
}

void dn_gram_model_score(const dn_gram_model *model, dn_ngrams *ngrams, dn_span text,
                         float *score) {
    const dn_ngram *gram;
    int n = dn_ngrams_of(ngrams, text, &gram), n_labels = model->head.n_labels;
    memcpy(score, model->bias, (size_t)n_labels * sizeof *score);
    for (int i = 0; i < n; i++) {
        int32_t column = model->column[gram[i].bucket] - 1;
        const float *w = model->weight + (size_t)(column < 0 ? 0 : column) * (size_t)n_labels;
        for (int k = 0; column >= 0 && k < n_labels; k++) {
            score[k] += gram[i].value * w[k];
        }
    }
    softmax(n_labels, score);
}
