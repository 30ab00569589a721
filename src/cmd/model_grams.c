/** `dunlin model describe`, `check` and `bench` of a model on n-grams. */
#include "base/clock.h"
#include "base/memory.h"
#include "cmd/model_parts.h"
#include "cmd/texts.h"
#include "model/grams.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void say_shape(const dn_gram_model *model) {
    const dn_model_info *info = dn_gram_model_describe(model);
    printf("%s: %s, %d of %d buckets, %d head%s with %d labels\n", info->dir, info->architecture,
           dn_gram_model_columns(model), DN_NGRAM_BUCKETS, info->n_model_heads,
           info->n_model_heads == 1 ? "" : "s", info->score_width);
    printf("weights  %.1f MB in memory, sha256 %s\n", (double)info->weight_bytes / 1e6,
           info->sha256);
}

dn_status dn_grams_cmd_describe(const dn_model_options *options) {
    dn_gram_model *model;
    DN_TRY(dn_gram_model_open(options->dir, &model));
    const dn_model_info *info = dn_gram_model_describe(model);
    say_shape(model);
    printf("texts    normalised as '%s'\n", info->normalise);
    for (int h = 0; h < info->n_model_heads; h++) {
        dn_model_print_head(&info->model_head[h]);
    }
    dn_gram_model_close(model);
    return DN_OK;
}

/* ---- check ---- */

static const char probe[] = "The quick brown fox jumps over the lazy dog, 13 times!";

static dn_status check_probe(const dn_gram_model *model, dn_ngrams *ngrams, float *score) {
    const dn_model_info *info = dn_gram_model_describe(model);
    const dn_ngram *gram;
    int32_t row_start[] = {0, dn_ngrams_of(ngrams, dn_span_of(probe), &gram)};
    dn_batch batch = {1, row_start[1], NULL, row_start};
    dn_gram_model_score(model, ngrams, dn_span_of(probe), score);
    for (int k = 0; k < info->score_width; k++) {
        if (!isfinite(score[k])) {
            return DN_FAIL(MODEL, "%s: score %d of the probe text is not finite", info->dir, k);
        }
    }
    dn_out out = {0};
    dn_model_write_row(info, &batch, 0, score, &out);
    printf("probe    %d n-grams: \"%s\"\n         %.*s\n", row_start[1], probe, (int)out.len,
           out.ptr);
    dn_out_free(&out);
    return DN_OK;
}

dn_status dn_grams_cmd_check(const dn_model_options *options) {
    dn_gram_model *model;
    DN_TRY(dn_gram_model_open(options->dir, &model));
    say_shape(model);
    dn_ngrams *ngrams = dn_ngrams_new();
    size_t width = (size_t)dn_gram_model_describe(model)->score_width;
    float *score = dn_alloc_array(width, sizeof *score);
    dn_status status = check_probe(model, ngrams, score);
    free(score);
    dn_ngrams_free(ngrams);
    dn_gram_model_close(model);
    return status;
}

/* ---- bench ---- */

enum { RUNS = 7, TEXTS = 20000, PERCENT = 100 };

/** What a run took, in ns of CPU time a text. */
typedef struct timing {
    double *all, *ngrams; /**< [n_runs] */
    int n;
} timing;

typedef struct benching {
    const dn_gram_model *model;
    dn_ngrams *ngrams;
    dn_texts texts;
    float *score;
    int64_t n_bytes, n_grams;
} benching;

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/** Both by turns: what finding the n-grams costs, and finding and adding them. */
static void run_once(benching *b, timing *t) {
    const dn_ngram *gram;
    double begin = cpu_ns();
    b->n_bytes = b->n_grams = 0;
    for (int i = 0; i < b->texts.n; i++) {
        b->n_grams += dn_ngrams_of(b->ngrams, b->texts.text[i], &gram);
        b->n_bytes += (int64_t)b->texts.text[i].len;
    }
    double middle = cpu_ns();
    for (int i = 0; i < b->texts.n; i++) {
        dn_gram_model_score(b->model, b->ngrams, b->texts.text[i], b->score);
    }
    t->ngrams[t->n] = (middle - begin) / b->texts.n;
    t->all[t->n++] = (cpu_ns() - middle) / b->texts.n;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *x, int n, double share) {
    qsort(x, (size_t)n, sizeof *x, by_value);
    return x[(int)(share * (n - 1) + 0.5)];
}

static void key_f64(dn_out *out, const char *key, double value) {
    dn_out_key(out, key);
    dn_out_f64(out, value);
}

static void print_json(const benching *b, double all_ns, double ngrams_ns, double spread) {
    const dn_model_info *info = dn_gram_model_describe(b->model);
    dn_out out = {0};
    dn_out_open(&out, '{');
    dn_out_key(&out, "model");
    dn_out_string(&out, dn_span_of(info->dir));
    dn_out_key(&out, "sha256");
    dn_out_string(&out, dn_span_of(info->sha256));
    key_f64(&out, "texts_per_s", 1e9 / all_ns);
    key_f64(&out, "ns_per_text", all_ns);
    key_f64(&out, "ngrams_ns_per_text", ngrams_ns);
    key_f64(&out, "bytes_per_text", (double)b->n_bytes / b->texts.n);
    key_f64(&out, "ngrams_per_text", (double)b->n_grams / b->texts.n);
    key_f64(&out, "spread", spread);
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, stdout);
    dn_out_free(&out);
}

static void print_table(const benching *b, double all_ns, double ngrams_ns, double spread) {
    say_shape(b->model);
    printf("texts    %d of %.0f bytes and %.0f different n-grams\n", b->texts.n,
           (double)b->n_bytes / b->texts.n, (double)b->n_grams / b->texts.n);
    printf("rate     %.0f texts/s a core, %.0f ns a text: %.0f for its n-grams, %.0f for their "
           "weights (spread %.1f %%)\n",
           1e9 / all_ns, all_ns, ngrams_ns, all_ns - ngrams_ns, PERCENT * spread);
}

static void bench(benching *b, const dn_model_options *options) {
    int n_runs = options->runs ? options->runs : RUNS;
    timing t = {.all = dn_alloc_array((size_t)n_runs, sizeof(double)),
                .ngrams = dn_alloc_array((size_t)n_runs, sizeof(double))};
    for (int run = 0; run < n_runs; run++) {
        run_once(b, &t);
    }
    double all_ns = quantile(t.all, t.n, 0.5), ngrams_ns = quantile(t.ngrams, t.n, 0.5);
    double spread = (quantile(t.all, t.n, 0.75) - quantile(t.all, t.n, 0.25)) / all_ns;
    (options->format == DN_FORMAT_JSON ? print_json : print_table)(b, all_ns, ngrams_ns, spread);
    free(t.all);
    free(t.ngrams);
}

dn_status dn_grams_cmd_bench(const dn_model_options *options) {
    dn_gram_model *model;
    benching b = {0};
    if (options->batch || options->threads) {
        return dn_cmd_usage("model", "--%s: n-grams are scored text by text, on one thread here",
                            options->batch ? "batch" : "threads");
    }
    DN_TRY(dn_gram_model_open(options->dir, &model));
    const dn_model_info *info = dn_gram_model_describe(model);
    dn_status status = options->texts
                           ? dn_texts_read(options->texts, info->normalise, TEXTS, &b.texts)
                           : dn_texts_make(info->normalise, TEXTS, &b.texts);
    if (status == DN_OK) {
        b.model = model;
        b.ngrams = dn_ngrams_new();
        b.score = dn_alloc_array((size_t)info->score_width, sizeof *b.score);
        bench(&b, options);
    }
    free(b.score);
    dn_ngrams_free(b.ngrams);
    dn_texts_free(&b.texts);
    dn_gram_model_close(model);
    return status;
}
