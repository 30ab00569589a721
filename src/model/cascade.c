#include "model/cascade.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const dn_tier_names[DN_TIERS] = {
    [DN_TIER_LINEAR] = "linear", [DN_TIER_ENCODER] = "encoder"};

struct dn_cascade {
    dn_gram_model *model;
    const dn_model_info *own, *encoder;
    const dn_model_head *of[DN_MAX_HEADS]; /**< the linear head for each of the encoder's */
};

float dn_head_certainty(const dn_model_head *head, const float *score) {
    bool sigmoid = head->kind == DN_HEAD_SIGMOID;
    float most = score[0], least = 1;
    for (int k = 0; k < head->n_labels; k++) {
        most = fmaxf(most, score[k]);
        least = fminf(least, fmaxf(score[k], 1 - score[k]));
    }
    return sigmoid ? least : most;
}

static const dn_model_head *find_head(const dn_model_info *info, const char *name) {
    for (int i = 0; i < info->n_model_heads; i++) {
        if (strcmp(info->model_head[i].name, name) == 0) {
            return &info->model_head[i];
        }
    }
    return NULL;
}

static bool same_labels(const dn_model_head *a, const dn_model_head *b) {
    bool same = a->kind == b->kind && a->n_labels == b->n_labels;
    for (int k = 0; same && k < a->n_labels; k++) {
        same = strcmp(a->labels[k], b->labels[k]) == 0;
    }
    return same;
}

static dn_status match(dn_cascade *c, const char *dir) {
    for (int i = 0; i < c->encoder->n_model_heads; i++) {
        const dn_model_head *head = &c->encoder->model_head[i];
        if (head->kind > DN_HEAD_SIGMOID) {
            return DN_FAIL(CONFIG, "%s: head %s of %s is of kind %s, which n-grams cannot answer",
                           dir, head->name, c->encoder->dir, dn_head_kind_names[head->kind]);
        }
        c->of[i] = find_head(c->own, head->name);
        if (!c->of[i]) {
            return DN_FAIL(CONFIG, "%s: has no head %s, which %s has: a text is answered whole",
                           dir, head->name, c->encoder->dir);
        }
        if (!same_labels(c->of[i], head)) {
            return DN_FAIL(CONFIG, "%s: head %s has other labels than that of %s", dir, head->name,
                           c->encoder->dir);
        }
    }
    return DN_OK;
}

/** Thresholds are those of one encoder: another is sure, and wrong, elsewhere. */
static dn_status check_chosen(const dn_cascade *c, const char *dir) {
    const char *of = dn_gram_model_cascade(c->model);
    return of && strcmp(of, c->encoder->sha256) == 0
               ? DN_OK
               : DN_FAIL(CONFIG,
                         "%s: %s: `dunlin model calibrate %s SUITE --cascade %s` chooses them", dir,
                         of ? "its thresholds were chosen for other weights"
                            : "says of no head above which score it is sure",
                         dir, c->encoder->dir);
}

dn_status dn_cascade_open(const char *dir, const dn_model_info *encoder, bool chosen,
                          dn_cascade **out) {
    dn_cascade *c = dn_alloc(sizeof *c);
    c->encoder = encoder;
    dn_status status;
    DN_TRY_GO(dn_gram_model_open(dir, &c->model), refused);
    c->own = dn_gram_model_describe(c->model);
    DN_TRY_GO(match(c, dir), refused);
    DN_TRY_GO(chosen ? check_chosen(c, dir) : DN_OK, refused);
    *out = c;
    return DN_OK;
refused:
    dn_cascade_close(c);
    return status;
}

void dn_cascade_close(dn_cascade *cascade) {
    if (cascade) {
        dn_gram_model_close(cascade->model);
        free(cascade);
    }
}

const dn_model_info *dn_cascade_describe(const dn_cascade *cascade) {
    return cascade->own;
}

void dn_cascade_scratch_new(const dn_cascade *cascade, dn_cascade_scratch *out) {
    out->ngrams = dn_ngrams_new();
    out->own = dn_alloc_array((size_t)cascade->own->score_width, sizeof *out->own);
}

void dn_cascade_scratch_free(dn_cascade_scratch *scratch) {
    dn_ngrams_free(scratch->ngrams);
    free(scratch->own);
    *scratch = (dn_cascade_scratch){0};
}

bool dn_cascade_answer(const dn_cascade *c, dn_cascade_scratch *scratch, dn_span text,
                       float *score) {
    bool sure = true;
    dn_gram_model_score(c->model, scratch->ngrams, text, scratch->own);
    for (int i = 0; i < c->encoder->n_model_heads; i++) {
        const dn_model_head *from = c->of[i], *to = &c->encoder->model_head[i];
        const float *own = scratch->own + from->begin;
        memcpy(score + to->begin, own, (size_t)from->n_labels * sizeof *score);
        for (int k = 0; to->means_begin >= 0 && k < to->n_labels; k++) {
            score[to->means_begin + k] = 1; /* n-grams have no means: the probability alone */
        }
        sure = sure && dn_head_certainty(from, own) > from->sure_above;
    }
    return sure;
}
