#include "run/classify.h"

#include "base/home.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "run/rows.h"

#include <stdlib.h>
#include <string.h>

struct dn_classifier {
    dn_row_scorer *rows;
    size_t width;
    float *score; /* the caller's */
};

static void keep_row(void *ctx, const dn_row_scores *scores) {
    dn_classifier *c = ctx;
    memcpy(c->score + (size_t)scores->number * c->width, scores->score,
           c->width * sizeof *c->score);
}

static dn_status open_rows(dn_classifier *c, const char *dir, const char *backend) {
    const dn_kernels *kernels;
    DN_TRY(dn_kernels_select(backend, &kernels));
    DN_TRY(dn_row_scorer_open(dir, kernels, false, keep_row, c, &c->rows));
    c->width = (size_t)dn_row_scorer_info(c->rows)->score_width;
    return DN_OK;
}

dn_status dn_classifier_open(const char *dir, const char *backend, dn_classifier **out) {
    dn_classifier *c = dn_alloc(sizeof *c);
    char *found = dn_home_find(dir);
    dn_status status = open_rows(c, found, backend);
    free(found);
    if (status != DN_OK) {
        dn_classifier_close(c);
        return status;
    }
    *out = c;
    return DN_OK;
}

const dn_model_info *dn_classifier_info(const dn_classifier *classifier) {
    return dn_row_scorer_info(classifier->rows);
}

dn_status dn_classifier_score(dn_classifier *c, const dn_span *text, int n, float *score) {
    for (int i = 0; i < n; i++) {
        size_t valid = dn_utf8_valid_prefix(text[i]);
        if (valid != text[i].len) {
            return DN_FAIL(DATA, "text %d of %d is not UTF-8 at byte %zu", i + 1, n, valid + 1);
        }
    }
    c->score = score;
    for (int i = 0; i < n; i++) {
        DN_TRY(dn_row_scorer_add(c->rows, i, text[i], (dn_span){0}));
    }
    return dn_row_scorer_flush(c->rows);
}

void dn_classifier_close(dn_classifier *c) {
    if (c) {
        dn_row_scorer_close(c->rows);
        free(c);
    }
}
