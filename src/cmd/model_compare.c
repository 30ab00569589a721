/** `dunlin model compare`: the same texts by two backends or precisions. */
#include "cmd/model_batches.h"
#include "model/compare.h"
#include "model/sample.h"

#include <stdio.h>

enum { SAMPLE_BATCHES = 8, SAMPLE_TOKENS = 2048 };

typedef struct comparing {
    const dn_kernels *kernels[2];
    dn_model *model[2];
    const dn_model_info *info;
    dn_comparison *comparison;
    int max_tokens;
    int64_t n_texts, n_bad;
} comparing;

static dn_status compare_sample(comparing *c) {
    dn_sample sample = dn_sample_new(SAMPLE_BATCHES, c->max_tokens, DN_LINES_ROWS, c->info->max_tokens,
                                     c->info->vocabulary);
    dn_status status = DN_OK;
    for (int i = 0; i < sample.n_batches && status == DN_OK; i++) {
        status = dn_comparison_add(c->comparison, &sample.batch[i]);
        c->n_texts += sample.batch[i].n_rows;
    }
    dn_sample_free(&sample);
    return status;
}

static dn_status add(void *ctx, const dn_batch *batch) {
    return dn_comparison_add(ctx, batch);
}

static dn_status compare_file(comparing *c, const char *path) {
    dn_lines lines = {
        .info = c->info, .max_tokens = c->max_tokens, .visit = add, .ctx = c->comparison};
    dn_status status = dn_lines_read(&lines, path);
    c->n_texts = lines.n_texts;
    c->n_bad = lines.n_bad;
    return status;
}

static void print_table(const comparing *c, const dn_head_difference *d) {
    printf("%s: %s %s against %s %s, %lld texts", c->info->dir, c->kernels[0]->isa,
           c->kernels[0]->precision, c->kernels[1]->isa, c->kernels[1]->precision,
           (long long)c->n_texts);
    printf(c->n_bad ? ", %lld lines left out that are not UTF-8\n" : "\n", (long long)c->n_bad);
    printf("%-14s %-9s %10s %8s %8s %12s %12s\n", "head", "kind", "decisions", "flips", "flips %",
           "at margins <", "logit diff");
    for (int h = 0; h < c->info->n_model_heads; h++) {
        const dn_model_head *head = &c->info->model_head[h];
        double share = d[h].n ? 100 * (double)d[h].flips / (double)d[h].n : 0;
        printf("%-14s %-9s %10lld %8lld %8.3f %12.3g %12.3g\n", head->name,
               dn_head_kind_names[head->kind], (long long)d[h].n, (long long)d[h].flips, share,
               d[h].flip_margin, d[h].logit);
    }
}

static void print_json(const comparing *c, const dn_head_difference *d) {
    dn_out out = {0};
    static const char *const sides[] = {"first", "second"};
    dn_out_open(&out, '{');
    for (int i = 0; i < 2; i++) {
        dn_out_key(&out, sides[i]);
        dn_out_open(&out, '{');
        dn_out_key(&out, "isa");
        dn_out_string(&out, dn_span_of(c->kernels[i]->isa));
        dn_out_key(&out, "precision");
        dn_out_string(&out, dn_span_of(c->kernels[i]->precision));
        dn_out_close(&out, '}');
    }
    dn_out_key(&out, "texts");
    dn_out_i64(&out, c->n_texts);
    dn_out_key(&out, "not_utf8");
    dn_out_i64(&out, c->n_bad);
    dn_out_key(&out, "heads");
    dn_out_open(&out, '{');
    for (int h = 0; h < c->info->n_model_heads; h++) {
        dn_out_key(&out, c->info->model_head[h].name);
        dn_out_open(&out, '{');
        dn_out_key(&out, "decisions");
        dn_out_i64(&out, d[h].n);
        dn_out_key(&out, "flips");
        dn_out_i64(&out, d[h].flips);
        dn_out_key(&out, "largest_flip_margin");
        dn_out_f64(&out, d[h].flip_margin);
        dn_out_key(&out, "largest_logit_difference");
        dn_out_f64(&out, d[h].logit);
        dn_out_close(&out, '}');
    }
    dn_out_close(&out, '}');
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, stdout);
    dn_out_free(&out);
}

static dn_status compare(comparing *c, const dn_model_options *options) {
    const char *names[] = {options->backend, options->against};
    for (int i = 0; i < 2; i++) {
        DN_TRY(dn_kernels_select(names[i], &c->kernels[i]));
        DN_TRY(dn_model_open(options->dir, c->kernels[i], &c->model[i]));
    }
    c->info = dn_model_describe(c->model[0]);
    c->max_tokens = c->info->max_tokens > SAMPLE_TOKENS ? c->info->max_tokens : SAMPLE_TOKENS;
    DN_TRY(dn_comparison_new(c->model[0], c->model[1], c->max_tokens, DN_LINES_ROWS, &c->comparison));
    DN_TRY(options->texts ? compare_file(c, options->texts) : compare_sample(c));
    (options->format == DN_FORMAT_JSON ? print_json
                                       : print_table)(c, dn_comparison_read(c->comparison));
    return DN_OK;
}

dn_status dn_model_cmd_compare(const dn_model_options *options) {
    comparing c = {0};
    if (!options->against) {
        return dn_cmd_usage("model", "compare needs --against NAME: the other kernels");
    }
    dn_status status = compare(&c, options);
    dn_comparison_free(c.comparison);
    dn_model_close(c.model[0]);
    dn_model_close(c.model[1]);
    return status;
}
