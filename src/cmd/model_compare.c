/** `dunlin model compare`: the same texts by two backends or precisions. */
#include "base/memory.h"
#include "base/utf8.h"
#include "cmd/model_parts.h"
#include "model/compare.h"
#include "model/sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, SAMPLE_BATCHES = 8, SAMPLE_TOKENS = 2048 };

typedef struct comparing {
    const dn_kernels *kernels[2];
    dn_model *model[2];
    const dn_model_info *info;
    dn_comparison *comparison;
    int max_tokens;
    int64_t n_texts, n_bad;
} comparing;

/** Lines gathered into a batch. */
typedef struct gathering {
    dn_model_texts texts;
    int32_t *token, row_start[ROWS + 1];
    int n_rows;
} gathering;

static dn_status compare_sample(comparing *c) {
    dn_sample sample = dn_sample_new(SAMPLE_BATCHES, c->max_tokens, ROWS, c->info->max_tokens,
                                     c->info->vocabulary);
    dn_status status = DN_OK;
    for (int i = 0; i < sample.n_batches && status == DN_OK; i++) {
        status = dn_comparison_add(c->comparison, &sample.batch[i]);
        c->n_texts += sample.batch[i].n_rows;
    }
    dn_sample_free(&sample);
    return status;
}

static dn_status flush(comparing *c, gathering *g) {
    dn_batch batch = {g->n_rows, g->row_start[g->n_rows], g->token, g->row_start};
    c->n_texts += g->n_rows;
    g->n_rows = 0;
    return batch.n_rows ? dn_comparison_add(c->comparison, &batch) : DN_OK;
}

static dn_status add_line(comparing *c, gathering *g, dn_span line) {
    if (dn_utf8_valid_prefix(line) != line.len) {
        c->n_bad++;
        return DN_OK;
    }
    if (g->n_rows == ROWS || g->row_start[g->n_rows] + c->info->max_tokens > c->max_tokens) {
        DN_TRY(flush(c, g));
    }
    int32_t begin = g->row_start[g->n_rows];
    g->row_start[++g->n_rows] = begin + dn_model_texts_encode(&g->texts, line, g->token + begin);
    return DN_OK;
}

static dn_status compare_lines(comparing *c, FILE *file) {
    gathering g = {.token = dn_alloc_array((size_t)c->max_tokens, sizeof *g.token)};
    char *line = NULL;
    size_t room = 0;
    dn_status status = dn_model_texts_open(c->info->dir, c->info, &g.texts);
    for (ssize_t n; status == DN_OK && (n = getline(&line, &room, file)) >= 0;) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) {
            n--;
        }
        status = add_line(c, &g, (dn_span){line, (size_t)n});
    }
    if (status == DN_OK) {
        status = flush(c, &g);
    }
    free(line);
    free(g.token);
    dn_model_texts_close(&g.texts);
    return status;
}

static dn_status compare_file(comparing *c, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) {
        return DN_FAIL(NO_INPUT, "--texts %s: %s", path, strerror(errno));
    }
    dn_status status = compare_lines(c, file);
    if (status == DN_OK && ferror(file)) {
        status = DN_FAIL(IO, "--texts %s: cannot be read", path);
    }
    fclose(file);
    if (status == DN_OK && c->n_texts == 0) {
        return DN_FAIL(DATA, "--texts %s: has no line that is UTF-8", path);
    }
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
    DN_TRY(dn_comparison_new(c->model[0], c->model[1], c->max_tokens, ROWS, &c->comparison));
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
