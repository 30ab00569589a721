/** `dunlin model compare`: the same texts by two backends or precisions. */
#include "cmd/compare_suite.h"
#include "cmd/model_batches.h"
#include "model/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLE_BATCHES = 8, SAMPLE_TOKENS = 2048 };

typedef struct comparing {
    const dn_kernels *kernels[2];
    dn_model *model[2];
    const dn_model_info *info;
    dn_comparison *comparison;
    int max_tokens;
    int64_t n_texts, n_bad;
    double max_flips, max_points; /**< percent and points; infinite: no limit */
    dn_suite_difference suite;    /**< n_tasks 0: not asked for */
    const dn_head_difference *head;
} comparing;

static dn_status compare_sample(comparing *c) {
    dn_sample sample = dn_sample_new(SAMPLE_BATCHES, c->max_tokens, DN_LINES_ROWS,
                                     c->info->max_tokens, c->info->vocabulary);
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

static double percent(int64_t part, int64_t whole) {
    return whole ? 100 * (double)part / (double)whole : 0;
}

static double points_of(const dn_task_difference *task) {
    return 100 * (task->value[0] - task->value[1]);
}

static void print_tasks(const dn_suite_difference *d) {
    printf("%-14s %-22s %8s %8s %8s %8s %8s\n", "task", "metric", "first", "second", "points",
           "texts", "texts %");
    for (int t = 0; t < d->n_tasks; t++) {
        const dn_task_difference *task = &d->task[t];
        printf("%-14s %-22s %8.2f %8.2f %+8.2f %8lld %8.3f\n", task->task, task->metric,
               100 * task->value[0], 100 * task->value[1], points_of(task),
               (long long)task->changed, percent(task->changed, task->texts));
    }
}

static void print_table(const comparing *c, const dn_head_difference *d) {
    printf("%s: %s %s against %s %s, %lld texts", c->info->dir, c->kernels[0]->isa,
           c->kernels[0]->precision, c->kernels[1]->isa, c->kernels[1]->precision,
           (long long)c->n_texts);
    printf(c->n_bad ? ", %lld lines left out that are not UTF-8\n" : "\n", (long long)c->n_bad);
    printf("%-15s %-9s %9s %6s %7s %15s %7s %10s %10s\n", "head", "kind", "decisions", "flips",
           "flips %", "95 % interval", "texts %", "at margins", "logit diff");
    for (int h = 0; h < c->info->n_model_heads; h++) {
        const dn_model_head *head = &c->info->model_head[h];
        dn_interval interval = dn_share_interval(d[h].flips, d[h].n);
        printf("%-15s %-9s %9lld %6lld %7.3f %6.3f to %5.3f %7.3f %10.3g %10.3g\n", head->name,
               dn_head_kind_names[head->kind], (long long)d[h].n, (long long)d[h].flips,
               percent(d[h].flips, d[h].n), 100 * interval.low, 100 * interval.high,
               percent(d[h].changed, d[h].texts), d[h].flip_margin, d[h].logit);
    }
    printf("decisions: the best label of a text or token, each label's yes or no of a sigmoid "
           "head; texts %%: texts with a flip;\n"
           "at margins: by how much the largest logit that lost was ahead\n");
    if (c->suite.n_tasks > 0) {
        print_tasks(&c->suite);
    }
}

static void json_number(dn_out *out, const char *key, double value) {
    dn_out_key(out, key);
    dn_out_f64(out, value);
}

static void json_tasks(const dn_suite_difference *d, dn_out *out) {
    dn_out_key(out, "tasks");
    dn_out_open(out, '{');
    for (int t = 0; t < d->n_tasks; t++) {
        const dn_task_difference *task = &d->task[t];
        dn_out_key(out, task->task);
        dn_out_open(out, '{');
        dn_out_key(out, "metric");
        dn_out_string(out, dn_span_of(task->metric));
        json_number(out, "first", 100 * task->value[0]);
        json_number(out, "second", 100 * task->value[1]);
        json_number(out, "points", points_of(task));
        json_number(out, "texts", (double)task->texts);
        json_number(out, "texts_changed", (double)task->changed);
        dn_out_close(out, '}');
    }
    dn_out_close(out, '}');
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
        dn_interval interval = dn_share_interval(d[h].flips, d[h].n);
        dn_out_key(&out, c->info->model_head[h].name);
        dn_out_open(&out, '{');
        dn_out_key(&out, "decisions");
        dn_out_i64(&out, d[h].n);
        dn_out_key(&out, "flips");
        dn_out_i64(&out, d[h].flips);
        json_number(&out, "flip_percent_low", 100 * interval.low);
        json_number(&out, "flip_percent_high", 100 * interval.high);
        dn_out_key(&out, "texts_changed");
        dn_out_i64(&out, d[h].changed);
        dn_out_key(&out, "largest_flip_margin");
        dn_out_f64(&out, d[h].flip_margin);
        dn_out_key(&out, "largest_logit_difference");
        dn_out_f64(&out, d[h].logit);
        dn_out_close(&out, '}');
    }
    dn_out_close(&out, '}');
    if (c->suite.n_tasks > 0) {
        json_tasks(&c->suite, &out);
    }
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, stdout);
    dn_out_free(&out);
}

static dn_status compare_suite(comparing *c, const char *name) {
    DN_TRY(dn_suite_compare(name, c->model, &c->suite));
    c->n_texts = c->suite.n_texts;
    c->head = c->suite.head;
    return DN_OK;
}

static dn_status compare_texts(comparing *c, const char *path) {
    DN_TRY(
        dn_comparison_new(c->model[0], c->model[1], c->max_tokens, DN_LINES_ROWS, &c->comparison));
    DN_TRY(path ? compare_file(c, path) : compare_sample(c));
    c->head = dn_comparison_read(c->comparison);
    return DN_OK;
}

/** Everything was printed before; the first that is beyond its limit is named. */
static dn_status check_limits(const comparing *c) {
    for (int h = 0; h < c->info->n_model_heads; h++) {
        double flips = percent(c->head[h].flips, c->head[h].n);
        if (flips > c->max_flips) {
            return DN_FAIL(REGRESSION, "head %s: %.3f %% of the decisions differ, more than %g %%",
                           c->info->model_head[h].name, flips, c->max_flips);
        }
    }
    for (int t = 0; t < c->suite.n_tasks; t++) {
        const dn_task_difference *task = &c->suite.task[t];
        if (fabs(points_of(task)) > c->max_points) {
            return DN_FAIL(REGRESSION, "task %s: %s differs by %.2f points, more than %g",
                           task->task, task->metric, fabs(points_of(task)), c->max_points);
        }
    }
    return DN_OK;
}

static dn_status compare(comparing *c, const dn_model_options *options) {
    const char *names[] = {options->backend, options->against};
    for (int i = 0; i < 2; i++) {
        DN_TRY(dn_kernels_select(names[i], &c->kernels[i]));
        DN_TRY(dn_model_open(options->dir, c->kernels[i], &c->model[i]));
    }
    c->info = dn_model_describe(c->model[0]);
    c->max_tokens = c->info->max_tokens > SAMPLE_TOKENS ? c->info->max_tokens : SAMPLE_TOKENS;
    DN_TRY(options->suite ? compare_suite(c, options->suite) : compare_texts(c, options->texts));
    (options->format == DN_FORMAT_JSON ? print_json : print_table)(c, c->head);
    return check_limits(c);
}

dn_status dn_model_read_limit(const char *option, const char *text, double otherwise, double *out) {
    char *rest = NULL;
    *out = text ? strtod(text, &rest) : otherwise;
    if (text && (rest == text || *rest || !(*out >= 0 && *out <= 100))) {
        return dn_cmd_usage("model", "--%s %s: is not a number from 0 to 100", option, text);
    }
    return DN_OK;
}

dn_status dn_model_cmd_compare(const dn_model_options *options) {
    comparing c = {0};
    if (!options->against) {
        return dn_cmd_usage("model", "compare needs --against NAME: the other kernels");
    }
    if (options->suite ? options->texts != NULL : options->max_points != NULL) {
        return dn_cmd_usage("model", options->suite ? "--suite and --texts exclude each other"
                                                    : "--max-points needs --suite: labelled texts");
    }
    DN_TRY(dn_model_read_limit("max-flips", options->max_flips, options->suite ? 1 : INFINITY,
                               &c.max_flips));
    DN_TRY(dn_model_read_limit("max-points", options->max_points, 0.5, &c.max_points));
    dn_status status = compare(&c, options);
    dn_suite_difference_free(&c.suite);
    dn_comparison_free(c.comparison);
    dn_model_close(c.model[0]);
    dn_model_close(c.model[1]);
    return status;
}
