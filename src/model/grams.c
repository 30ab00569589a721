#include "model/grams.h"

#include "base/memory.h"
#include "io/sha256.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG_BYTES = 4 << 20, ALIGN = 64, LANES = 16, AT_ONCE = 32 };
static const char model_type[] = "dunlin-ngrams";

struct dn_gram_model {
    dn_config config;
    dn_safetensors *file;
    char *dir, sha256[DN_SHA256_HEX];
    const char *cascade; /**< sum of the encoder's weights, NULL */
    dn_model_info info;
    int n_columns, lanes, stride; /**< floats: of a step, of a row */
    /** The buckets that have weights, a few of all, so that the set stays in the nearest caches,
     * which a number a bucket does not; and how many such are before each word of the set. */
    uint32_t *set, *n_before; /**< [DN_BUCKET_SET_WORDS] */
    float *weight;            /**< [n_columns][stride] */
    float *bias;              /**< [stride] */
};

/* ---- config.json ---- */

static char *config_path(const char *dir) {
    return dn_format("%s/config.json", dir);
}

bool dn_gram_model_found(const char *dir) {
    char *path = config_path(dir);
    const char *word = "";
    dn_json *doc = NULL;
    dn_json_at at;
    if (dn_json_load(path, MAX_CONFIG_BYTES, DN_E_MODEL, &doc) == DN_OK) {
        dn_json_at root = dn_json_root(doc);
        if (dn_json_find(&root, "model_type", &at) && dn_json_text(&at, &word) != DN_OK) {
            word = "";
        }
    }
    bool found = strcmp(word, model_type) == 0;
    dn_json_free(doc);
    free(path);
    return found;
}

static dn_status check_rule(const dn_json_at *dunlin) {
    dn_json_at at;
    int64_t rule;
    if (!dn_json_find(dunlin, "ngrams", &at)) {
        return dn_json_fail(dunlin,
                            "has no \"ngrams\": an older version made this model, whose n-grams "
                            "were numbered otherwise; fit it anew");
    }
    DN_TRY(dn_json_int(&at, 0, INT32_MAX, &rule));
    return rule == DN_NGRAMS_RULE
               ? DN_OK
               : dn_json_fail(&at, "is %lld: n-grams are numbered by rule %d here; fit it anew",
                              (long long)rule, DN_NGRAMS_RULE);
}

static dn_status check_heads(const dn_json_at *heads, const dn_config *config) {
    for (int i = 0; i < config->n_model_heads; i++) {
        const dn_model_head *head = &config->model_head[i];
        if (head->kind > DN_HEAD_SIGMOID) {
            return dn_json_fail(heads, "head %s is of kind %s; n-grams answer softmax and sigmoid",
                                head->name, dn_head_kind_names[head->kind]);
        }
    }
    return DN_OK;
}

static dn_status read_cascade(const dn_json_at *dunlin, dn_gram_model *model) {
    dn_json_at cascade, at;
    if (!dn_json_find(dunlin, "cascade", &cascade)) {
        return DN_OK;
    }
    DN_TRY(dn_json_need(dunlin, "cascade", DN_JSON_OBJECT, &cascade));
    DN_TRY(dn_json_need(&cascade, "encoder", DN_JSON_TEXT, &at));
    return dn_json_text(&at, &model->cascade);
}

static dn_status read_config(dn_gram_model *model) {
    dn_json_at root = dn_json_root(model->config.doc), at, dunlin, heads;
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
    DN_TRY(check_rule(&dunlin));
    DN_TRY(read_cascade(&dunlin, model));
    DN_TRY(dn_json_need(&dunlin, "heads", DN_JSON_ARRAY, &heads));
    DN_TRY(dn_config_read_heads(model->dir, &root, &model->config));
    return check_heads(&heads, &model->config);
}

/* ---- model.safetensors ---- */

/** The list of buckets that a head's weights are for: its own, or that of all heads. */
static const dn_tensor *buckets_of(const dn_gram_model *model, const dn_model_head *head) {
    char name[256], of_head[300];
    dn_config_head_tensor(&model->config, head, sizeof name, name);
    snprintf(of_head, sizeof of_head, "%s.bucket", name);
    const dn_tensor *own = dn_safetensors_find(model->file, of_head);
    return own ? own : dn_safetensors_find(model->file, "ngrams.bucket");
}

static int32_t bucket_at(const dn_tensor *tensor, uint64_t i) {
    int32_t bucket;
    memcpy(&bucket, (const char *)tensor->data + i * sizeof bucket, sizeof bucket);
    return bucket;
}

/** Whatever stands in the file: buckets are within the table, and rise. Puts them into the set. */
static dn_status mark_buckets(const dn_gram_model *model, const dn_tensor *tensor) {
    const char *path = dn_safetensors_path(model->file);
    if (!tensor || tensor->dtype != DN_DT_I32 || tensor->n_dims != 1 ||
        tensor->n_elements > DN_NGRAM_BUCKETS) {
        return DN_FAIL(MODEL,
                       "%s: ngrams.bucket, or heads.NAME.bucket of each head, is not there as a "
                       "list of at most %d I32",
                       path, DN_NGRAM_BUCKETS);
    }
    for (uint64_t i = 0; i < tensor->n_elements; i++) {
        int32_t bucket = bucket_at(tensor, i);
        if (bucket < 0 || bucket >= DN_NGRAM_BUCKETS ||
            (i > 0 && bucket <= bucket_at(tensor, i - 1))) {
            return DN_FAIL(MODEL,
                           "%s: ngrams.bucket[%d] is %d: not above the one before it, or "
                           "not below %d",
                           path, (int)i, bucket, DN_NGRAM_BUCKETS);
        }
        model->set[bucket / DN_BUCKET_SET_BITS] |= 1u << bucket % DN_BUCKET_SET_BITS;
    }
    return DN_OK;
}

static uint32_t ones(uint32_t bits) {
    bits -= bits >> 1 & 0x55555555u;
    bits = (bits & 0x33333333u) + (bits >> 2 & 0x33333333u);
    return ((bits + (bits >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;
}

/** The weights of a bucket in the set. */
static float *weights_of(const dn_gram_model *model, uint32_t bucket) {
    uint32_t word = bucket / DN_BUCKET_SET_BITS;
    uint32_t below = model->set[word] & ((1u << bucket % DN_BUCKET_SET_BITS) - 1);
    return model->weight + (size_t)(model->n_before[word] + ones(below)) * (size_t)model->stride;
}

/** A row of weights for each bucket of any head. */
static dn_status read_buckets(dn_gram_model *model) {
    model->set = dn_alloc_array(DN_BUCKET_SET_WORDS, sizeof *model->set);
    model->n_before = dn_alloc_array(DN_BUCKET_SET_WORDS, sizeof *model->n_before);
    for (int i = 0; i < model->config.n_model_heads; i++) {
        DN_TRY(mark_buckets(model, buckets_of(model, &model->config.model_head[i])));
    }
    for (int i = 0; i < DN_BUCKET_SET_WORDS; i++) {
        model->n_before[i] = (uint32_t)model->n_columns;
        model->n_columns += (int)ones(model->set[i]);
    }
    return DN_OK;
}

/** Tensor TENSOR.`what` of a head [n][n_labels], or [n_labels]. */
static dn_status need_floats(const dn_gram_model *model, const dn_model_head *head,
                             const char *what, int n_dims, const uint64_t *dim,
                             const dn_tensor **out) {
    char name[256], tensor[300];
    dn_config_head_tensor(&model->config, head, sizeof name, name);
    snprintf(tensor, sizeof tensor, "%s.%s", name, what);
    return dn_safetensors_need(model->file, tensor, n_dims, dim, out);
}

/** Row i of a head's tensor, scaled; a shift is for the bias alone. */
static dn_status read_row(const dn_gram_model *model, const dn_model_head *head,
                          const dn_tensor *tensor, uint64_t i, float shift, float *to) {
    uint64_t n = (uint64_t)head->n_labels;
    DN_TRY(dn_tensor_floats(model->file, tensor, i * n, n, to));
    for (uint64_t k = 0; k < n; k++) {
        to[k] = (to[k] + shift) / head->temperature;
    }
    return DN_OK;
}

static dn_status read_head_weights(dn_gram_model *model, const dn_model_head *head) {
    const dn_tensor *bucket = buckets_of(model, head), *weight, *bias;
    uint64_t dim[] = {bucket->n_elements, (uint64_t)head->n_labels};
    DN_TRY(need_floats(model, head, "bias", 1, dim + 1, &bias));
    DN_TRY(need_floats(model, head, "weight", 2, dim, &weight));
    DN_TRY(read_row(model, head, bias, 0, head->shift, model->bias + head->begin));
    for (uint64_t i = 0; i < bucket->n_elements; i++) {
        float *row = weights_of(model, (uint32_t)bucket_at(bucket, i));
        DN_TRY(read_row(model, head, weight, i, 0, row + head->begin));
    }
    return DN_OK;
}

static dn_status read_weights(dn_gram_model *model) {
    size_t stride = (size_t)model->stride;
    DN_TRY(read_buckets(model));
    size_t n = (size_t)model->n_columns * stride;
    model->weight = dn_alloc_aligned(ALIGN, n * sizeof *model->weight);
    model->bias = dn_alloc_aligned(ALIGN, stride * sizeof *model->bias);
    memset(model->weight, 0, n * sizeof *model->weight);
    memset(model->bias, 0, stride * sizeof *model->bias);
    for (int i = 0; i < model->config.n_model_heads; i++) {
        DN_TRY(read_head_weights(model, &model->config.model_head[i]));
    }
    return DN_OK;
}

/* ---- the model ---- */

/** Rows of 4, 8 or a multiple of 16 floats, so that they are added in steps of one size. */
static void choose_stride(dn_gram_model *model) {
    int width = model->config.score_width;
    model->lanes = width <= 4 ? 4 : width <= 8 ? 8 : LANES;
    model->stride = (width + model->lanes - 1) / model->lanes * model->lanes;
}

static void fill_info(dn_gram_model *model) {
    const dn_config *config = &model->config;
    model->info = (dn_model_info){
        .dir = model->dir,
        .architecture = model_type,
        .n_model_heads = config->n_model_heads,
        .model_head = config->model_head,
        .score_width = config->score_width,
        .sha256 = model->sha256,
        .normalise = config->normalise,
        .languages = &config->languages,
        .n_parts = 1,
        .weight_bytes = (int64_t)model->n_columns * model->stride * (int64_t)sizeof(float) +
                        2 * DN_BUCKET_SET_WORDS * (int64_t)sizeof *model->set,
    };
}

static dn_status open_files(dn_gram_model *model, const char *config, const char *weights) {
    dn_span all;
    DN_TRY(dn_json_load(config, MAX_CONFIG_BYTES, DN_E_MODEL, &model->config.doc));
    DN_TRY(read_config(model));
    choose_stride(model);
    DN_TRY(dn_safetensors_open(weights, &model->file));
    DN_TRY(read_weights(model));
    all.ptr = dn_safetensors_bytes(model->file, &all.len);
    return dn_sha256(all, model->sha256);
}

dn_status dn_gram_model_open(const char *dir, dn_gram_model **out) {
    dn_gram_model *model = dn_alloc(sizeof *model);
    model->dir = dn_strdup(dir);
    char *config = config_path(dir), *weights = dn_format("%s/model.safetensors", dir);
    dn_status status = open_files(model, config, weights);
    free(config);
    free(weights);
    if (status != DN_OK) {
        dn_gram_model_close(model);
        return status;
    }
    fill_info(model);
    *out = model;
    return DN_OK;
}

void dn_gram_model_close(dn_gram_model *model) {
    if (model) {
        free(model->set);
        free(model->n_before);
        free(model->weight);
        free(model->bias);
        dn_safetensors_close(model->file);
        dn_config_free(&model->config);
        free(model->dir);
        free(model);
    }
}

const dn_model_info *dn_gram_model_describe(const dn_gram_model *model) {
    return &model->info;
}

int dn_gram_model_columns(const dn_gram_model *model) {
    return model->n_columns;
}

const char *dn_gram_model_cascade(const dn_gram_model *model) {
    return model->cascade;
}

/* ---- scores ---- */

/** A few n-grams: where their weights stand, and their values. */
typedef struct terms {
    const float *row[AT_ONCE];
    float value[AT_ONCE];
    int n;
} terms;

/** sum[lanes] += the rows' columns from `first` on. `lanes` is known where this is inlined. */
static inline void add(const terms *t, int first, int lanes, float *sum) {
    float own[LANES];
    memcpy(own, sum, (size_t)lanes * sizeof *own);
    for (int i = 0; i < t->n; i++) {
        const float *row = t->row[i] + first;
        for (int k = 0; k < lanes; k++) {
            own[k] += t->value[i] * row[k];
        }
    }
    memcpy(sum, own, (size_t)lanes * sizeof *own);
}

static void add_terms(const dn_gram_model *model, const terms *t, int first, float *sum) {
    if (model->lanes == 4) {
        add(t, first, 4, sum);
    } else if (model->lanes == 8) {
        add(t, first, 8, sum);
    } else {
        add(t, first, LANES, sum);
    }
}

/** Up to AT_ONCE n-grams; their weights are announced to the caches. */
static void look_up(const dn_gram_model *model, const dn_ngram *gram, int n, terms *t) {
    size_t row_bytes = (size_t)model->stride * sizeof(float);
    t->n = n < AT_ONCE ? n : AT_ONCE;
    for (int i = 0; i < t->n; i++) {
        t->row[i] = weights_of(model, (uint32_t)gram[i].bucket);
        t->value[i] = gram[i].value;
        for (size_t byte = 0; byte < row_bytes; byte += ALIGN) {
            __builtin_prefetch((const char *)t->row[i] + byte);
        }
    }
}

/** A step of columns after the other for a few n-grams at a time: they are looked up once, and
 * while the ones before them are added their weights arrive. The last step may be wider than what
 * is left of `logit`. */
static void sum_up(const dn_gram_model *model, const dn_ngram *gram, int n, float *logit) {
    int last = model->stride - model->lanes;
    float tail[LANES];
    terms t[2];
    memcpy(logit, model->bias, (size_t)last * sizeof *logit);
    memcpy(tail, model->bias + last, (size_t)model->lanes * sizeof *tail);
    look_up(model, gram, n, &t[0]);
    for (int now = 0, at = 0; at < n; at += AT_ONCE, now = !now) {
        look_up(model, gram + at + t[now].n, n - at - t[now].n, &t[!now]);
        for (int first = 0; first < last; first += model->lanes) {
            add_terms(model, &t[now], first, logit + first);
        }
        add_terms(model, &t[now], last, tail);
    }
    memcpy(logit + last, tail, (size_t)(model->config.score_width - last) * sizeof *logit);
}

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

static void sigmoid(int n, float *x) {
    for (int k = 0; k < n; k++) {
        x[k] = 1 / (1 + expf(-x[k]));
    }
}

void dn_gram_model_logits(const dn_gram_model *model, dn_ngrams *ngrams, dn_span text,
                          float *logit) {
    const dn_ngram *gram;
    int n = dn_ngrams_among(ngrams, text, model->set, &gram);
    sum_up(model, gram, n, logit);
}

void dn_gram_model_score(const dn_gram_model *model, dn_ngrams *ngrams, dn_span text,
                         float *score) {
    dn_gram_model_logits(model, ngrams, text, score);
    for (int i = 0; i < model->config.n_model_heads; i++) {
        const dn_model_head *head = &model->config.model_head[i];
        (head->kind == DN_HEAD_SOFTMAX ? softmax : sigmoid)(head->n_labels, score + head->begin);
    }
}
