#include "model/columns.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/** "score.HEAD" or "score.PREFIX.HEAD"; without the head where it is called as the word before. */
static char *column_name(const dn_columns_place *at, const char *word, const char *head) {
    const char *prefix = at->prefix && *at->prefix ? at->prefix : NULL;
    const char *own = strcmp(word, head) == 0 ? NULL : head;
    return dn_format("%s%s%s%s%s", word, prefix ? "." : "", prefix ? prefix : "", own ? "." : "",
                     own ? own : "");
}

static dn_status add_column(const dn_columns_place *at, dn_field field, int *index) {
    field.language = at->language;
    return dn_languages_add_column(at->path, at->languages, field, at->schema, index);
}

static dn_status add_scores(const dn_columns_place *at, dn_head_columns *to) {
    const dn_model_head *head = to->head;
    bool embedding = head->kind == DN_HEAD_EMBEDDING;
    to->score_name = column_name(at, embedding ? "embedding" : "score", head->name);
    dn_field field = {.name = to->score_name,
                      .type = DN_F32,
                      .width = head->n_labels,
                      .labels = head->labels,
                      .n_labels = embedding ? 0 : head->n_labels,
                      .units = "1",
                      .group = embedding ? "embeddings" : "scores",
                      .long_name = embedding ? "the text as a vector, by the model's encoder"
                                   : head->kind == DN_HEAD_SIGMOID
                                       ? "probability of each class by itself, by a sigmoid"
                                       : "probability of each class, by the model's softmax"};
    return add_column(at, field, &to->score_field);
}

static dn_status add_label(const dn_columns_place *at, dn_head_columns *to) {
    to->label_name = column_name(at, "label", to->head->name);
    dn_field field = {.name = to->label_name,
                      .type = DN_LABEL,
                      .width = 1,
                      .labels = to->head->labels,
                      .n_labels = to->head->n_labels + (to->head->undecided_below > 0),
                      .units = "",
                      .group = "labels",
                      .long_name = to->head->undecided_below > 0
                                       ? "the most probable class, und where its likeness is "
                                         "below the head's threshold"
                                       : "the most probable class"};
    return add_column(at, field, &to->label_field);
}

static dn_status add_likeness(const dn_columns_place *at, dn_head_columns *to) {
    to->likeness_name = column_name(at, "likeness", to->head->name);
    dn_field field = {.name = to->likeness_name,
                      .type = DN_F32,
                      .width = 1,
                      .units = "1",
                      .group = "likeness",
                      .long_name = "probability of the most probable class, times the squared "
                                   "cosine between the text and the mean of its examples"};
    return add_column(at, field, &to->likeness_field);
}

static dn_status add_spans(const dn_columns_place *at, dn_head_columns *to) {
    to->spans_name = column_name(at, "entities", to->head->name);
    dn_field field = {.name = to->spans_name,
                      .type = DN_BYTES,
                      .width = 1,
                      .units = "",
                      .group = "entities",
                      .long_name = "labelled spans of tokens, as JSON: label, first token, number "
                                   "of tokens, mean probability"};
    return add_column(at, field, &to->spans_field);
}

dn_status dn_head_columns_add(const dn_columns_place *place, const dn_model_head *head,
                              dn_head_columns *out) {
    *out = (dn_head_columns){.head = head,
                             .score_field = -1,
                             .label_field = -1,
                             .likeness_field = -1,
                             .spans_field = -1};
    if (head->kind == DN_HEAD_TOKENS) {
        return add_spans(place, out);
    }
    if (place->labels_only && head->kind == DN_HEAD_SOFTMAX) {
        return add_label(place, out);
    }
    DN_TRY(add_scores(place, out));
    if (head->means_begin >= 0) {
        DN_TRY(add_likeness(place, out));
    }
    return head->kind <= DN_HEAD_SIGMOID ? add_label(place, out) : DN_OK;
}

void dn_head_columns_free(dn_head_columns *columns) {
    free(columns->score_name);
    free(columns->label_name);
    free(columns->likeness_name);
    free(columns->spans_name);
    *columns = (dn_head_columns){0};
}

/** Most heads have two to four classes: a call of memcpy costs more than their copy. */
static void copy_scores(float *to, const float *from, size_t n) {
    enum { PAIR = 2 };
    if (n >= PAIR && n <= 2 * PAIR) { /* two pairs that may overlap */
        memcpy(to, from, PAIR * sizeof *from);
        memcpy(to + n - PAIR, from + n - PAIR, PAIR * sizeof *from);
    } else {
        memcpy(to, from, n * sizeof *from);
    }
}

void dn_head_columns_write(const dn_head_columns *to, dn_chunk *chunk, uint32_t row,
                           const float *scores) {
    const dn_model_head *head = to->head;
    const float *from = scores + head->begin;
    size_t n = (size_t)head->n_labels;
    if (to->score_field >= 0) {
        copy_scores(dn_chunk_f32(chunk, to->score_field) + row * n, from, n);
    }
    if (to->likeness_field >= 0) {
        dn_chunk_f32(chunk, to->likeness_field)[row] = dn_head_likeness(head, scores);
    }
    if (to->label_field >= 0) {
        int label = dn_head_decide(head, scores);
        dn_chunk_label(chunk, to->label_field)[row] = (uint8_t)label;
        chunk->n_undecided += label == head->n_labels;
    }
}
