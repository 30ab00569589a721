/** `dunlin model fit`: a head of one's own, from labelled examples. */
#include "base/memory.h"
#include "cmd/fit.h"
#include "model/grams.h"
#include "model/import.h"
#include "model/new_head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PAIRS = 8 };
_Static_assert((int)DN_EXAMPLES_LABELS == (int)DN_MAX_LABELS, "as many labels as a head has");
_Static_assert((int)DN_EXAMPLES_LEAST >= (int)DN_FOLDS, "every part has every label");

/** A way to see texts, and what came of it. */
typedef struct way {
    const char *name;
    int *label;
    dn_labelled rows;
    dn_expected expected;
} way;

typedef struct fitting {
    const dn_model_options *options;
    const dn_kernels *kernels;
    dn_convention convention;
    dn_examples examples;
    dn_encoded encoded;
    dn_grams grams;
    way encoder, ngrams;
    const way *chosen;
    double undecided_below; /**< 0: every text has a label */
} fitting;

/* ---- before anything is read through the model ---- */

/** Said before minutes of fitting, not after. */
static dn_status check_out(const dn_model_options *o) {
    if (!o->out) {
        return DN_OK;
    }
    if (access(o->out, F_OK) == 0) {
        return DN_FAIL(CANT_CREATE, "%s: is there already; name a directory that is not", o->out);
    }
    const char *slash = strrchr(o->out, '/');
    char *parent = slash > o->out ? dn_format("%.*s", (int)(slash - o->out), o->out)
                                  : dn_strdup(slash ? "/" : ".");
    dn_status status = access(parent, W_OK) == 0
                           ? DN_OK
                           : DN_FAIL(CANT_CREATE, "%s: cannot be made, for %s: %s", o->out, parent,
                                     strerror(errno));
    free(parent);
    return status;
}

static dn_status check_suite_options(const dn_model_options *o) {
    if (o->head || o->examples || o->labels || o->text || o->label) {
        return dn_cmd_usage("model", "--suite SUITE: has the labels and the names of the heads");
    }
    if (o->kind && strcmp(o->kind, "ngrams") != 0) {
        return dn_cmd_usage("model", "--kind %s: --suite makes models on n-grams", o->kind);
    }
    if (o->keep) {
        return dn_cmd_usage("model", "--keep %d: is for --examples", o->keep);
    }
    return check_out(o);
}

static dn_status check_options(const dn_model_options *o) {
    if (o->suite) {
        return check_suite_options(o);
    }
    if (!o->head || !o->examples) {
        return dn_cmd_usage("model", "fit needs --head NAME and --examples FILE, or --suite SUITE");
    }
    if (o->labels && (o->text || o->label)) {
        return dn_cmd_usage("model", "--labels FILE: the files have no columns to name");
    }
    static const char *const kinds[] = {"auto", "encoder", "ngrams"};
    bool known = !o->kind;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        known = known || strcmp(o->kind, kinds[i]) == 0;
    }
    if (!known) {
        return dn_cmd_usage("model", "--kind %s: is none of auto, encoder, ngrams", o->kind);
    }
    DN_TRY(check_out(o));
    return dn_new_head_check(o->dir, o->head);
}

/** All of the model is looked at, its other heads too. */
static dn_status open_model(fitting *f) {
    dn_model *model;
    DN_TRY(dn_kernels_select(f->options->backend, &f->kernels));
    DN_TRY(dn_model_open(f->options->dir, f->kernels, &model));
    dn_status status = dn_convention_find(dn_model_describe(model)->normalise, &f->convention);
    dn_model_close(model);
    return status;
}

static dn_status read_examples(fitting *f) {
    const dn_model_options *o = f->options;
    dn_examples_from from = {o->examples, o->labels, o->text, o->label};
    return dn_examples_read(&from, &f->examples);
}

/* ---- both ways, or the one that is asked for ---- */

static dn_status expect_encoder(fitting *f) {
    size_t n = (size_t)f->examples.n;
    f->encoder = (way){.name = "encoder", .label = dn_alloc_array(n, sizeof(int))};
    DN_TRY(dn_encode_examples(f->options->dir, f->kernels, &f->examples, &f->encoded));
    dn_encoded_rows(&f->encoded, &f->examples, f->encoder.label, &f->encoder.rows);
    return dn_folds_expect(&f->encoder.rows, &f->encoder.expected);
}

static dn_status expect_ngrams(fitting *f) {
    size_t n = (size_t)f->examples.n;
    f->ngrams = (way){.name = "n-grams", .label = dn_alloc_array(n, sizeof(int))};
    dn_count_examples(&f->examples, f->convention, DN_NGRAM_BUCKETS, &f->grams);
    dn_grams_rows(&f->grams, &f->examples, f->ngrams.label, &f->ngrams.rows);
    return dn_folds_expect(&f->ngrams.rows, &f->ngrams.expected);
}

static bool is_asked(const fitting *f, const char *kind) {
    const char *asked = f->options->kind ? f->options->kind : "auto";
    return strcmp(asked, "auto") == 0 || strcmp(asked, kind) == 0;
}

static dn_status expect(fitting *f) {
    DN_TRY(is_asked(f, "encoder") ? expect_encoder(f) : DN_OK);
    return is_asked(f, "ngrams") ? expect_ngrams(f) : DN_OK;
}

/** How sure a decision is: of an encoder its likeness, of n-grams its probability. */
static double find_threshold(const fitting *f) {
    int n = f->examples.n;
    double share = f->options->keep / 100.0;
    if (f->chosen == &f->ngrams) {
        return dn_threshold_keeping(f->ngrams.expected.probability, n, share);
    }
    float *likeness = dn_alloc_array((size_t)n, sizeof *likeness);
    dn_encoded_likeness(&f->encoded, &f->encoder.rows, &f->encoder.expected, likeness);
    double threshold = dn_threshold_keeping(likeness, n, share);
    free(likeness);
    return threshold;
}

/** Equal ones: the encoder, whose pass is paid already. */
static void choose(fitting *f) {
    bool ngrams =
        !f->encoder.name || (f->ngrams.name && f->ngrams.expected.f1 > f->encoder.expected.f1);
    f->chosen = ngrams ? &f->ngrams : &f->encoder;
    if (f->options->keep) {
        f->undecided_below = find_threshold(f);
    }
}

/* ---- what is printed ---- */

static void print_way(const way *w) {
    const dn_expected *e = &w->expected;
    if (!w->name) {
        return;
    }
    printf("%-9s %6.1f (%.1f to %.1f) %8.1f (%.1f to %.1f) %12g\n", w->name, 100 * e->f1,
           100 * e->f1_interval.low, 100 * e->f1_interval.high, 100 * e->accuracy,
           100 * e->accuracy_interval.low, 100 * e->accuracy_interval.high, e->strength);
}

/** confused[right][decided] */
static int *count_confused(const fitting *f, const way *w) {
    size_t n = (size_t)f->examples.n_labels;
    int *confused = dn_alloc_array(n * n, sizeof *confused);
    for (int i = 0; i < f->examples.n; i++) {
        confused[(size_t)w->label[i] * n + (size_t)w->expected.decided[i]]++;
    }
    return confused;
}

static void print_labels(const dn_examples *e, const int *confused) {
    int n = e->n_labels;
    printf("\n%-24s %6s %6s %9s %6s\n", "label", "texts", "F1", "precision", "recall");
    for (int k = 0; k < n; k++) {
        int hits = confused[k * n + k], decided = 0;
        for (int i = 0; i < n; i++) {
            decided += confused[i * n + k];
        }
        printf("%-24s %6d %6.1f %9.1f %6.1f\n", e->name[k], e->count[k],
               200.0 * hits / (e->count[k] + decided), decided ? 100.0 * hits / decided : 0,
               100.0 * hits / e->count[k]);
    }
}

static void print_confused(const dn_examples *e, int *confused) {
    int n = e->n_labels;
    for (int printed = 0; printed < MOST_PAIRS; printed++) {
        int best = -1;
        for (int i = 0; i < n * n; i++) {
            bool wrong = i / n != i % n && confused[i] > 0;
            best = wrong && (best < 0 || confused[i] > confused[best]) ? i : best;
        }
        if (best < 0) {
            return;
        }
        printf("%s%s taken for %s: %d of %d\n", printed ? "" : "\nconfused most\n",
               e->name[best / n], e->name[best % n], confused[best], e->count[best / n]);
        confused[best] = 0;
    }
}

static void print(const fitting *f) {
    const dn_examples *e = &f->examples;
    printf("%d examples with %d labels", e->n, e->n_labels);
    printf(e->n_repeats ? ", %d repeats left out\n" : "\n", e->n_repeats);
    printf("expected on other texts, by %d-fold cross-validation, with 95 %% intervals:\n\n",
           DN_FOLDS);
    printf("%-9s %-24s %-24s %s\n", "", "macro F1", "accuracy", "strength");
    print_way(&f->encoder);
    print_way(&f->ngrams);
    printf("chosen: %s\n", f->chosen->name);
    if (f->undecided_below > 0) {
        printf("und below %g: %d %% of the examples would keep a label\n", f->undecided_below,
               f->options->keep);
    }
    int *confused = count_confused(f, f->chosen);
    print_labels(e, confused);
    print_confused(e, confused);
    free(confused);
}

/* ---- the new directory ---- */

static dn_status write_head(fitting *f) {
    dn_logistic logistic;
    dn_import_report report;
    DN_TRY(dn_folds_fit(&f->encoder.rows, f->encoder.expected.strength, &logistic));
    dn_encoded_restore(&f->encoded, &logistic);
    float *mean =
        dn_alloc_array((size_t)f->examples.n_labels * (size_t)f->encoded.width, sizeof *mean);
    dn_encoded_means(&f->encoded, &f->encoder.rows, NULL, 0, mean);
    dn_new_head head = {.name = f->options->head,
                        .n_labels = f->examples.n_labels,
                        .width = f->encoded.width,
                        .label = f->examples.name,
                        .weight = logistic.weight,
                        .bias = logistic.bias,
                        .mean = mean,
                        .undecided_below = f->undecided_below};
    dn_status status = dn_model_import(f->options->dir, f->options->out,
                                       &(dn_import_options){.added = &head}, &report);
    dn_logistic_free(&logistic);
    free(mean);
    DN_TRY(status);
    printf("\n%s: head %s beside what %s has, %.1f MB\n", f->options->out, head.name,
           f->options->dir, (double)report.bytes / 1e6);
    return DN_OK;
}

static dn_status write_grams(fitting *f) {
    static const char *const rules[] = {
        [DN_CONVENTION_TWEETEVAL] = "tweeteval", [DN_CONVENTION_NONE] = "none"};
    const dn_grams *grams = &f->grams;
    size_t n_labels = (size_t)f->examples.n_labels, n = (size_t)grams->x.n_columns;
    dn_logistic logistic;
    DN_TRY(dn_folds_fit(&f->ngrams.rows, f->ngrams.expected.strength, &logistic));
    for (size_t i = 0; i < n * n_labels; i++) {
        logistic.weight[i] *= grams->weight[i / n_labels];
    }
    int32_t *bucket = dn_alloc_array(n, sizeof *bucket);
    dn_grams_buckets(grams, bucket);
    dn_new_head head = {.name = f->options->head,
                        .n_labels = f->examples.n_labels,
                        .width = grams->x.n_columns,
                        .label = f->examples.name,
                        .weight = logistic.weight,
                        .bias = logistic.bias,
                        .undecided_below = f->undecided_below};
    dn_gram_parts parts = {.head = &head,
                           .n_heads = 1,
                           .n_columns = grams->x.n_columns,
                           .bucket = bucket,
                           .normalise = rules[f->convention]};
    dn_status status = dn_gram_model_write(f->options->out, &parts);
    free(bucket);
    dn_logistic_free(&logistic);
    DN_TRY(status);
    printf(
        "\n%s: a model on n-grams, %.1f MB, for `- linear: {path: %s}` behind `clean: {convention: "
        "%s}`\n",
        f->options->out, 4e-6 * (double)(n * (n_labels + 1)), f->options->out,
        rules[f->convention]);
    return DN_OK;
}

static dn_status fit(fitting *f) {
    DN_TRY(check_options(f->options));
    if (f->options->suite) {
        return dn_fit_suite(f->options);
    }
    DN_TRY(read_examples(f));
    DN_TRY(open_model(f));
    DN_TRY(expect(f));
    choose(f);
    print(f);
    if (!f->options->out) {
        return DN_OK;
    }
    return f->chosen == &f->encoder ? write_head(f) : write_grams(f);
}

dn_status dn_model_cmd_fit(const dn_model_options *options) {
    fitting f = {.options = options};
    dn_status status = fit(&f);
    dn_expected_free(&f.encoder.expected);
    dn_expected_free(&f.ngrams.expected);
    free(f.encoder.label);
    free(f.ngrams.label);
    dn_encoded_free(&f.encoded);
    dn_grams_free(&f.grams);
    dn_examples_free(&f.examples);
    return status;
}
