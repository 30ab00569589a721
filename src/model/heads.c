/** The heads of a model, from the "dunlin" object, from sentence-transformers' files or from the
 * checkpoint's own architecture. */
#include "model/config.h"

#include "base/memory.h"
#include "model/scaling.h"
#include "model/sentences.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_TOKENS = 2, MIN_WINDOW = 8 };

const char *const dn_head_kind_names[DN_HEAD_KINDS] = {[DN_HEAD_SOFTMAX] = "softmax",
                                                       [DN_HEAD_SIGMOID] = "sigmoid",
                                                       [DN_HEAD_TOKENS] = "tokens",
                                                       [DN_HEAD_EMBEDDING] = "embedding"};

const char *const dn_pooling_names[] = {[DN_POOL_CLS] = "cls", [DN_POOL_MEAN] = "mean"};

/** The position of a word in a list; an error that names the field otherwise. */
static dn_status choose(const dn_json_at *at, const char *const *words, int n, int *out) {
    const char *word;
    DN_TRY(dn_json_text(at, &word));
    for (*out = 0; *out < n; ++*out) {
        if (strcmp(word, words[*out]) == 0) {
            return DN_OK;
        }
    }
    return dn_json_fail(at, "\"%s\" is not supported", word);
}

static dn_status choose_pooling(const dn_json_at *at, dn_pooling *out) {
    int choice;
    DN_TRY(choose(at, dn_pooling_names + DN_POOL_CLS, 2, &choice));
    *out = (dn_pooling)(DN_POOL_CLS + choice);
    return DN_OK;
}

static int best_label(const dn_model_head *head, const float *row) {
    const float *score = row + head->begin;
    int best = 0;
    for (int i = 1; i < head->n_labels; i++) {
        best = score[i] > score[best] ? i : best;
    }
    return best;
}

static float likeness_to(const dn_model_head *head, const float *row, int best) {
    float probability = row[head->begin + best];
    if (head->means_begin < 0) {
        return probability;
    }
    float cosine = row[head->means_begin + best];
    return cosine > 0 ? probability * cosine * cosine : 0;
}

float dn_head_likeness(const dn_model_head *head, const float *row) {
    return likeness_to(head, row, best_label(head, row));
}

int dn_head_decide(const dn_model_head *head, const float *row) {
    int best = best_label(head, row);
    bool undecided =
        head->undecided_below > 0 && likeness_to(head, row, best) < head->undecided_below;
    return undecided ? head->n_labels : best;
}

/** Room for n labels and the one behind them. */
static const char **new_labels(size_t n) {
    const char **words = dn_alloc_array(n + 1, sizeof *words);
    words[n] = DN_UNDECIDED;
    return words;
}

/** Adds the head; `labels` is owned by the config from here on. Its columns come with
 * place_heads. */
static void add_head(dn_config *config, const char *name, dn_head_kind kind, const char **labels,
                     size_t n) {
    config->model_head[config->n_model_heads++] = (dn_model_head){.name = name,
                                                                  .kind = kind,
                                                                  .labels = labels,
                                                                  .n_labels = (int)n,
                                                                  .means_begin = -1,
                                                                  .temperature = 1,
                                                                  .said_above = 0.5f,
                                                                  .sure_above = 1};
}

/** Columns: heads on pooled texts first, so that one matrix product makes them; then cosines, which
 * another makes; then embeddings. Those of token heads are counted apart. */
static void place_heads(dn_config *config) {
    for (int i = 0; i < config->n_model_heads; i++) {
        dn_model_head *head = &config->model_head[i];
        int *end = head->kind == DN_HEAD_TOKENS ? &config->token_width : &config->text_width;
        if (head->kind != DN_HEAD_EMBEDDING) {
            head->begin = *end;
            *end += head->n_labels;
        }
    }
    config->score_width = config->text_width;
    for (int i = 0; i < config->n_model_heads; i++) {
        dn_model_head *head = &config->model_head[i];
        if (head->means_begin >= 0) {
            head->means_begin = config->score_width;
            config->score_width += head->n_labels;
        }
    }
    config->mean_width = config->score_width - config->text_width;
    for (int i = 0; i < config->n_model_heads; i++) {
        dn_model_head *head = &config->model_head[i];
        if (head->kind == DN_HEAD_EMBEDDING) {
            head->begin = config->score_width;
            config->score_width += head->n_labels;
        }
    }
}

/* ---- labels ---- */

static dn_status check_label_count(const dn_json_at *labels, dn_head_kind kind) {
    size_t n = dn_json_count(labels), least = kind == DN_HEAD_SIGMOID ? 1 : 2;
    if (n < least || n > DN_MAX_LABELS) {
        return dn_json_fail(labels, "has %zu labels, expected %zu to %d", n, least, DN_MAX_LABELS);
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

/** ["negative", "positive"] */
static dn_status add_listed(dn_config *config, const char *name, dn_head_kind kind,
                            const dn_json_at *list) {
    DN_TRY(check_label_count(list, kind));
    size_t n = dn_json_count(list);
    const char **words = new_labels(n);
    add_head(config, name, kind, words, n);
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(list, i);
        DN_TRY(dn_json_text(&item, &words[i]));
    }
    return check_labels(list, words, n);
}

/** {"0": "negative", "1": ...}, in any order but without a gap. */
static dn_status add_mapped(dn_config *config, const char *name, dn_head_kind kind,
                            const dn_json_at *map) {
    DN_TRY(check_label_count(map, kind));
    size_t n = dn_json_count(map);
    const char **words = new_labels(n);
    add_head(config, name, kind, words, n);
    for (size_t i = 0; i < n; i++) {
        char key[24];
        dn_json_at label;
        snprintf(key, sizeof key, "%zu", i);
        DN_TRY(dn_json_need(map, key, DN_JSON_TEXT, &label));
        DN_TRY(dn_json_text(&label, &words[i]));
    }
    return check_labels(map, words, n);
}

/* ---- "dunlin" ---- */

/** Whether an earlier head has the name; for a head of one language, if it answers for that too. */
static bool is_taken(const dn_config *config, const char *name, const char *language) {
    bool taken = false;
    for (int i = 0; i < config->n_model_heads; i++) {
        const dn_model_head *head = &config->model_head[i];
        bool apart = language && head->language && strcmp(language, head->language) != 0;
        taken = taken || (strcmp(head->name, name) == 0 && !apart);
    }
    return taken;
}

static dn_status read_name(const dn_json_at *at, const dn_config *config, const char *language,
                           const char **name) {
    DN_TRY(dn_json_text(at, name));
    bool taken = is_taken(config, *name, language);
    if (!**name || strpbrk(*name, "/.") || taken) {
        return dn_json_fail(at, "\"%s\": a head needs a name of its own, without '/' and '.'",
                            *name);
    }
    return DN_OK;
}

static void add_embedding(dn_config *config, const char *name, dn_embedding_form form) {
    add_head(config, name, DN_HEAD_EMBEDDING, NULL, (size_t)config->hidden);
    config->form[config->n_model_heads - 1] = form;
}

static dn_status read_embedding(const dn_json_at *head, dn_config *config, const char *name) {
    dn_embedding_form form = {.pooling = DN_POOL_MEAN};
    dn_json_at at;
    DN_TRY(dn_json_need(head, "pooling", DN_JSON_TEXT, &at));
    DN_TRY(choose_pooling(&at, &form.pooling));
    if (dn_json_find(head, "l2", &at)) {
        DN_TRY(dn_json_bool(&at, &form.unit_length));
    }
    add_embedding(config, name, form);
    return DN_OK;
}

/** How the newest head's scores become labels: the same keys in its own object, or in "dunlin" for
 * the checkpoint's head. */
static dn_status read_decision(const dn_json_at *object, dn_config *config) {
    dn_model_head *head = &config->model_head[config->n_model_heads - 1];
    double temperature = 1, shift = 0, below = 0, above = 1;
    dn_json_at at;
    if (dn_json_find(object, "temperature", &at)) {
        if (head->kind > DN_HEAD_SIGMOID) {
            return dn_json_fail(&at, "is for heads of kind softmax and sigmoid");
        }
        DN_TRY(dn_json_real(&at, DN_TEMPERATURE_MIN, DN_TEMPERATURE_MAX, &temperature));
    }
    if (dn_json_find(object, "shift", &at)) {
        if (head->kind != DN_HEAD_SIGMOID) {
            return dn_json_fail(&at, "is for heads of kind sigmoid");
        }
        DN_TRY(dn_json_real(&at, -DN_SHIFT_MAX, DN_SHIFT_MAX, &shift));
    }
    if (dn_json_find(object, "undecided_below", &at)) {
        if (head->kind > DN_HEAD_SIGMOID) {
            return dn_json_fail(&at, "is for heads of kind softmax and sigmoid");
        }
        DN_TRY(dn_json_real(&at, 0, 1, &below));
    }
    for (int i = 0; below > 0 && i < head->n_labels; i++) {
        if (strcmp(head->labels[i], DN_UNDECIDED) == 0) {
            return dn_json_fail(&at, "the head has a label \"" DN_UNDECIDED "\" of its own");
        }
    }
    if (!config->family && dn_json_find(object, "sure_above", &at)) {
        DN_TRY(dn_json_real(&at, 0, 1, &above));
    }
    head->sure_above = (float)above;
    head->temperature = (float)temperature;
    head->shift = (float)shift;
    head->said_above = (float)(1 / (1 + exp(-shift / temperature)));
    head->undecided_below = (float)below;
    return DN_OK;
}

/** One of those that the model names. */
static dn_status read_language(const dn_json_at *head, const dn_config *config, const char **out) {
    dn_json_at at;
    *out = NULL;
    if (!dn_json_find(head, "language", &at)) {
        return DN_OK;
    }
    if (config->family) {
        return dn_json_fail(&at, "is for heads of models on n-grams");
    }
    DN_TRY(dn_json_text(&at, out));
    return dn_languages_have(&config->languages, *out)
               ? DN_OK
               : dn_json_fail(&at, "\"%s\" is not among the model's languages", *out);
}

/** Whether the newest head has means; place_heads says where their cosines are. */
static dn_status read_means(const dn_json_at *object, dn_config *config) {
    dn_model_head *head = &config->model_head[config->n_model_heads - 1];
    dn_json_at at;
    bool means = false;
    if (dn_json_find(object, "means", &at)) {
        DN_TRY(dn_json_bool(&at, &means));
        if (means && (!config->family || head->kind != DN_HEAD_SOFTMAX)) {
            return dn_json_fail(&at, "is for heads of kind softmax on an encoder");
        }
    }
    head->means_begin = means ? 0 : -1;
    return DN_OK;
}

static dn_status read_head(const dn_json_at *head, dn_config *config) {
    dn_json_at at;
    const char *name, *language;
    int kind;
    DN_TRY(dn_json_need(head, "kind", DN_JSON_TEXT, &at));
    DN_TRY(choose(&at, dn_head_kind_names, DN_HEAD_KINDS, &kind));
    DN_TRY(read_language(head, config, &language));
    DN_TRY(dn_json_need(head, "name", DN_JSON_TEXT, &at));
    DN_TRY(read_name(&at, config, language, &name));
    if (kind == DN_HEAD_EMBEDDING) {
        return read_embedding(head, config, name);
    }
    DN_TRY(dn_json_need(head, "labels", DN_JSON_ARRAY, &at));
    DN_TRY(add_listed(config, name, (dn_head_kind)kind, &at));
    config->model_head[config->n_model_heads - 1].language = language;
    DN_TRY(read_means(head, config));
    return read_decision(head, config);
}

static dn_status read_pooling(const dn_json_at *dunlin, dn_config *config) {
    dn_json_at pooling;
    DN_TRY(dn_json_need(dunlin, "pooling", DN_JSON_ARRAY, &pooling));
    size_t n = dn_json_count(&pooling);
    if (n < 1 || n > 2) {
        return dn_json_fail(&pooling, "has %zu parts, expected 1 or 2", n);
    }
    for (size_t i = 0; i < n; i++) {
        dn_json_at item = dn_json_item(&pooling, i);
        DN_TRY(choose_pooling(&item, &config->part[i]));
    }
    config->n_parts = (int)n;
    return DN_OK;
}

static dn_status read_listed_heads(const dn_json_at *dunlin, const dn_json_at *heads,
                                   dn_config *config) {
    size_t n = dn_json_count(heads);
    bool pooled = false;
    if (n < 1 || n > DN_MAX_HEADS) {
        return dn_json_fail(heads, "has %zu heads, expected 1 to %d", n, DN_MAX_HEADS);
    }
    for (size_t i = 0; i < n; i++) {
        dn_json_at head = dn_json_item(heads, i);
        DN_TRY(read_head(&head, config));
        pooled = pooled || config->model_head[i].kind <= DN_HEAD_SIGMOID;
    }
    return pooled && config->family ? read_pooling(dunlin, config) : DN_OK;
}

/** How texts are prepared. */
static dn_status read_preparation(const dn_json_at *dunlin, dn_config *config) {
    static const char *const normalisations[] = {"none", "tweeteval"};
    dn_json_at at;
    int64_t max_tokens = config->max_tokens, windows = 1, overlap = 0;
    int choice = 0;
    if (dn_json_find(dunlin, "normalise", &at)) {
        DN_TRY(choose(&at, normalisations, 2, &choice));
    }
    config->normalise = normalisations[choice];
    DN_TRY(dn_languages_read(dunlin, &config->languages));
    if (config->family && dn_json_find(dunlin, "max_tokens", &at)) {
        DN_TRY(dn_json_int(&at, MIN_TOKENS, config->max_positions, &max_tokens));
    }
    config->max_tokens = (int)max_tokens;
    if (config->family && dn_json_find(dunlin, "windows", &at)) {
        DN_TRY(dn_json_int(&at, 1, DN_MAX_WINDOWS, &windows));
    }
    if (config->family && dn_json_find(dunlin, "overlap", &at)) {
        DN_TRY(dn_json_int(&at, 0, (max_tokens - MIN_TOKENS) / 2, &overlap));
    }
    config->windows = (int)windows;
    config->overlap = (int)overlap;
    return DN_OK;
}

/** Spans count the tokens of a text, and those of windows stand there twice. */
static dn_status check_windows(const dn_json_at *dunlin, const dn_config *config) {
    dn_json_at at;
    if (config->windows == 1 || !dn_json_find(dunlin, "windows", &at)) {
        return DN_OK;
    }
    if (config->token_width > 0) {
        return dn_json_fail(&at, "is for heads of texts, and this model labels tokens");
    }
    return config->max_tokens >= MIN_WINDOW
               ? DN_OK
               : dn_json_fail(&at, "of %d tokens (max_tokens): at least %d are needed",
                              config->max_tokens, MIN_WINDOW);
}

/* ---- the checkpoint's own head ---- */

static dn_status read_problem(const dn_json_at *root, dn_head_kind *kind) {
    static const char *const words[] = {"single_label_classification",
                                        "multi_label_classification"};
    dn_json_at at;
    int choice = 0;
    if (dn_json_find(root, "problem_type", &at)) {
        DN_TRY(choose(&at, words, 2, &choice));
    }
    *kind = choice == 0 ? DN_HEAD_SOFTMAX : DN_HEAD_SIGMOID;
    return DN_OK;
}

/** Two unnamed labels are what transformers leaves out of config.json. */
static dn_status add_classifier(const dn_json_at *root, dn_config *config, const char *name,
                                dn_head_kind kind) {
    dn_json_at map;
    if (dn_json_find(root, "id2label", &map)) {
        DN_TRY(dn_json_need(root, "id2label", DN_JSON_OBJECT, &map));
        return add_mapped(config, name, kind, &map);
    }
    const char **words = new_labels(2);
    words[0] = "LABEL_0";
    words[1] = "LABEL_1";
    add_head(config, name, kind, words, 2);
    return DN_OK;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static dn_status read_text_classifier(const dn_json_at *root, dn_config *config, const char *name) {
    dn_head_kind kind;
    DN_TRY(read_problem(root, &kind));
    DN_TRY(add_classifier(root, config, name ? name : "label", kind));
    config->own_head = config->has_dense = true;
    config->n_parts = 1;
    config->part[0] = DN_POOL_CLS;
    return DN_OK;
}

static dn_status read_token_classifier(const dn_json_at *root, dn_config *config,
                                       const char *name) {
    DN_TRY(add_classifier(root, config, name ? name : "entities", DN_HEAD_TOKENS));
    config->own_head = true;
    return DN_OK;
}

static dn_status read_own_head(const dn_json_at *root, dn_config *config, const char *name) {
    dn_json_at list, at;
    const char *architecture = "ForSequenceClassification";
    if (dn_json_find(root, "architectures", &list) && dn_json_count(&list) > 0) {
        at = dn_json_item(&list, 0);
        DN_TRY(dn_json_text(&at, &architecture));
    }
    if (ends_with(architecture, "ForSequenceClassification")) {
        return read_text_classifier(root, config, name);
    }
    if (ends_with(architecture, "ForTokenClassification")) {
        return read_token_classifier(root, config, name);
    }
    return dn_json_fail(&list,
                        "\"%s\" has no head that is supported: ...ForSequenceClassification and "
                        "...ForTokenClassification have; name others in \"dunlin\".\"heads\"",
                        architecture);
}

dn_status dn_config_read_heads(const char *dir, const dn_json_at *root, dn_config *config) {
    dn_json_at dunlin, at;
    const char *name = NULL;
    bool has_dunlin = dn_json_find(root, "dunlin", &dunlin), listed = false;
    config->normalise = "none";
    config->max_tokens = config->max_positions;
    config->windows = 1;
    bool sentences = dn_sentences_found(dir);
    dn_embedding_form form = {0};
    if (sentences) {
        DN_TRY(dn_sentences_limit(dir, config->max_positions, &config->max_tokens));
    }
    if (has_dunlin) {
        DN_TRY(read_preparation(&dunlin, config));
        listed = dn_json_find(&dunlin, "heads", &at);
        if (listed) {
            DN_TRY(dn_json_need(&dunlin, "heads", DN_JSON_ARRAY, &at));
            DN_TRY(read_listed_heads(&dunlin, &at, config));
        } else if (dn_json_find(&dunlin, "head", &at)) {
            DN_TRY(read_name(&at, config, NULL, &name));
        }
    }
    if (!listed && sentences) {
        DN_TRY(dn_sentences_form(dir, &form));
        add_embedding(config, name ? name : "embedding", form);
    } else if (!listed) {
        DN_TRY(read_own_head(root, config, name));
        DN_TRY(has_dunlin ? read_decision(&dunlin, config) : DN_OK);
    }
    place_heads(config);
    return has_dunlin ? check_windows(&dunlin, config) : DN_OK;
}

int dn_config_features(const dn_config *config, dn_pooling part[2]) {
    if (config->n_parts > 0 && !config->own_head) {
        memcpy(part, config->part, sizeof config->part);
        return config->n_parts;
    }
    if (config->n_model_heads > 0 && config->model_head[0].kind == DN_HEAD_EMBEDDING) {
        part[0] = config->form[0].pooling;
        return 1;
    }
    part[0] = DN_POOL_CLS;
    part[1] = DN_POOL_MEAN;
    return 2;
}

void dn_config_want_features(dn_config *config) {
    dn_pooling part[2];
    int n = dn_config_features(config, part);
    for (int i = 0; i < config->n_model_heads; i++) {
        free((void *)(uintptr_t)config->model_head[i].labels);
    }
    config->n_model_heads = config->n_parts = config->text_width = config->token_width = 0;
    config->own_head = config->has_dense = false;
    for (int i = 0; i < n; i++) {
        add_embedding(config, dn_pooling_names[part[i]], (dn_embedding_form){.pooling = part[i]});
    }
    place_heads(config);
}

void dn_config_head_tensor(const dn_config *config, const dn_model_head *head, size_t room,
                           char *out) {
    if (!config->own_head) {
        snprintf(out, room, head->language ? "heads.%s.%s" : "heads.%s", head->name,
                 head->language);
    } else {
        bool tokens = head->kind == DN_HEAD_TOKENS;
        snprintf(out, room, "%s", tokens ? "classifier" : config->family->classifier);
    }
}
