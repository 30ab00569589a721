/** Examples as rows of numbers: through an encoder, or as n-grams. */
#include "base/memory.h"
#include "cmd/fit.h"
#include "text/ngrams.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** Strengths that are tried, rising. Columns of an encoder have deviation 1, so that hundreds of
 * them speak at once; a text's n-grams are of length 1 together. */
static const double of_encoded[DN_STRENGTHS] = {1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1, 10};
static const double of_grams[DN_STRENGTHS] = {0.03, 0.1, 0.3, 1, 3, 10, 30, 100};

static void label_rows(const dn_examples *from, int *label, dn_labelled *out) {
    for (int i = 0; i < from->n; i++) {
        label[i] = from->example[i].label;
    }
    out->n_rows = from->n;
    out->n_labels = from->n_labels;
    out->label = label;
}

/* ---- encoder ---- */

static void keep_row(void *ctx, const dn_row_scores *row) {
    dn_encoded *e = ctx;
    size_t width = (size_t)e->width;
    memcpy(e->x + (size_t)row->number * width, row->score, width * sizeof *e->x);
}

static dn_status read_rows(dn_row_scorer *scorer, const dn_examples *from) {
    for (int i = 0; i < from->n; i++) {
        DN_TRY(dn_row_scorer_add(scorer, i, from->example[i].text, (dn_span){NULL, 0}));
    }
    return dn_row_scorer_flush(scorer);
}

/** A column that is the same for all texts says nothing: it stays 0. */
static void standardise(dn_encoded *e, int n) {
    size_t width = (size_t)e->width;
    for (size_t j = 0; j < width; j++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < n; i++) {
            sum += (double)e->x[(size_t)i * width + j];
        }
        double mean = sum / n;
        for (int i = 0; i < n; i++) {
            double off = (double)e->x[(size_t)i * width + j] - mean;
            squares += off * off;
        }
        double deviation = sqrt(squares / n);
        e->mean[j] = (float)mean;
        e->deviation[j] = deviation > 1e-6 ? (float)deviation : INFINITY;
        for (int i = 0; i < n; i++) {
            float *x = &e->x[(size_t)i * width + j];
            *x = (*x - e->mean[j]) / e->deviation[j];
        }
    }
}

dn_status dn_encode_examples(const char *dir, const dn_kernels *kernels, const dn_examples *from,
                             dn_encoded *out) {
    dn_row_scorer *scorer;
    *out = (dn_encoded){0};
    DN_TRY(dn_kernels_select("fp32", &out->fp32));
    dn_status status = dn_row_scorer_open_features(dir, kernels, keep_row, out, &scorer);
    if (status == DN_OK) {
        out->width = dn_row_scorer_info(scorer)->score_width;
        out->x = dn_alloc_array((size_t)from->n * (size_t)out->width, sizeof *out->x);
        out->mean = dn_alloc_array((size_t)out->width, sizeof *out->mean);
        out->deviation = dn_alloc_array((size_t)out->width, sizeof *out->deviation);
        status = read_rows(scorer, from);
    }
    if (status == DN_OK) {
        standardise(out, from->n);
    }
    dn_row_scorer_close(scorer);
    return status;
}

void dn_encoded_free(dn_encoded *e) {
    free(e->x);
    free(e->mean);
    free(e->deviation);
    *e = (dn_encoded){0};
}

static dn_status make_dense(const void *ctx, const int *row, int n_rows, dn_design **out) {
    const dn_encoded *e = ctx;
    return dn_design_dense(e->fp32, e->x, e->width, row, n_rows, out);
}

void dn_encoded_rows(const dn_encoded *e, const dn_examples *from, int *label, dn_labelled *out) {
    *out =
        (dn_labelled){.n_columns = e->width, .strength = of_encoded, .make = make_dense, .ctx = e};
    label_rows(from, label, out);
}

void dn_encoded_restore(const dn_encoded *e, dn_logistic *logistic) {
    for (int k = 0; k < logistic->n_labels; k++) {
        float *w = logistic->weight + (size_t)k * (size_t)e->width;
        double bias = (double)logistic->bias[k];
        for (int j = 0; j < e->width; j++) {
            w[j] /= e->deviation[j];
            bias -= (double)w[j] * (double)e->mean[j];
        }
        logistic->bias[k] = (float)bias;
    }
}

/* ---- n-grams ---- */

/** All n-grams of the examples: buckets in `column` for now. */
static void count_grams(const dn_examples *from, dn_convention convention, dn_sparse *x) {
    dn_ngrams *ngrams = dn_ngrams_new();
    dn_normaliser normaliser = {0};
    int64_t room = 0;
    for (int i = 0; i < from->n; i++) {
        const dn_ngram *gram;
        dn_span text = dn_normalise(&normaliser, convention, from->example[i].text);
        int n = dn_ngrams_of(ngrams, text, &gram);
        if (x->begin[i] + n > room) {
            room = 2 * (x->begin[i] + n);
            x->column = dn_grow(x->column, (size_t)room, sizeof *x->column);
            x->value = dn_grow(x->value, (size_t)room, sizeof *x->value);
        }
        for (int g = 0; g < n; g++) {
            x->column[x->begin[i] + g] = gram[g].bucket;
            x->value[x->begin[i] + g] = gram[g].value;
        }
        x->begin[i + 1] = x->begin[i] + n;
    }
    dn_normaliser_free(&normaliser);
    dn_ngrams_free(ngrams);
}

/** The fewest examples that a bucket must have, so that no more than `most` have as many. */
static int least_for(const int *n, int most) {
    enum { LEAST = 2 };
    int least = LEAST;
    for (int kept = most + 1; kept > most; least++) {
        kept = 0;
        for (int bucket = 0; bucket < DN_NGRAM_BUCKETS; bucket++) {
            kept += n[bucket] >= least;
        }
    }
    return least - 1;
}

/** Columns for the buckets of the most examples; their weights: how surprising one is. */
static void choose_columns(dn_grams *g, int most) {
    int *n = dn_alloc_array(DN_NGRAM_BUCKETS, sizeof *n);
    for (int64_t at = 0; at < g->x.begin[g->x.n_rows]; at++) {
        n[g->x.column[at]]++;
    }
    int least = least_for(n, most);
    for (int bucket = 0; bucket < DN_NGRAM_BUCKETS; bucket++) {
        if (n[bucket] >= least) {
            double share = (1.0 + g->x.n_rows) / (1.0 + n[bucket]);
            g->weight[g->x.n_columns] = (float)(1 + log(share));
            g->column[bucket] = ++g->x.n_columns;
        }
    }
    free(n);
}

/** Buckets become columns; those without one go. */
static void keep_columns(dn_grams *g) {
    int64_t n = 0, at = 0;
    for (int i = 0; i < g->x.n_rows; i++) {
        for (; at < g->x.begin[i + 1]; at++) {
            int32_t column = g->column[g->x.column[at]] - 1;
            if (column >= 0) {
                g->x.column[n] = column;
                g->x.value[n++] = g->x.value[at] * g->weight[column];
            }
        }
        g->x.begin[i + 1] = n;
    }
}

void dn_count_examples(const dn_examples *from, dn_convention convention, int most, dn_grams *out) {
    *out = (dn_grams){
        .x = {.n_rows = from->n,
              .begin = dn_alloc_array((size_t)from->n + 1, sizeof *out->x.begin)},
        .column = dn_alloc_array(DN_NGRAM_BUCKETS, sizeof *out->column),
        .weight = dn_alloc_array(DN_NGRAM_BUCKETS, sizeof *out->weight),
    };
    count_grams(from, convention, &out->x);
    choose_columns(out, most);
    keep_columns(out);
}

void dn_grams_free(dn_grams *g) {
    dn_sparse_free(&g->x);
    free(g->column);
    free(g->weight);
    *g = (dn_grams){0};
}

static dn_status make_sparse(const void *ctx, const int *row, int n_rows, dn_design **out) {
    const dn_grams *g = ctx;
    *out = dn_design_sparse(&g->x, row, n_rows);
    return DN_OK;
}

void dn_grams_labelled(const dn_grams *g, dn_labelled *out) {
    *out = (dn_labelled){
        .n_columns = g->x.n_columns, .strength = of_grams, .make = make_sparse, .ctx = g};
}

void dn_grams_rows(const dn_grams *g, const dn_examples *from, int *label, dn_labelled *out) {
    dn_grams_labelled(g, out);
    label_rows(from, label, out);
}

void dn_grams_buckets(const dn_grams *grams, int32_t *bucket) {
    for (int32_t b = 0; b < DN_NGRAM_BUCKETS; b++) {
        if (grams->column[b]) {
            bucket[grams->column[b] - 1] = b;
        }
    }
}
