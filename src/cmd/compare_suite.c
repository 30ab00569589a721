#include "cmd/compare_suite.h"

#include "base/memory.h"
#include "cmd/model_batches.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_TOKENS = 2048 };

/** The suite's texts on their way through both. */
typedef struct comparing {
    dn_model *const *model;
    const dn_model_info *info;
    dn_judging *judging[2];
    dn_suite_difference *d;
    dn_comparison *comparison; /**< of the texts of task */
    int task, next;            /**< and the suite's row where the next of them may be */
} comparing;

static int next_row(comparing *c) {
    while (c->d->suite.row[c->next].task != c->task) {
        c->next++;
    }
    return c->next++;
}

static void judge(const comparing *c, int row, int number, int n_tokens) {
    size_t begin = (size_t)row * (size_t)c->info->score_width;
    for (int i = 0; i < 2; i++) {
        const float *score = dn_comparison_scores(c->comparison, i) + begin;
        dn_judging_take(c->judging[i],
                        &(dn_row_scores){.number = number, .n_tokens = n_tokens, .score = score});
    }
}

static dn_status add(void *ctx, const dn_batch *batch) {
    comparing *c = ctx;
    DN_TRY(dn_comparison_add(c->comparison, batch));
    for (int row = 0; row < batch->n_rows; row++) {
        judge(c, row, next_row(c), batch->row_start[row + 1] - batch->row_start[row]);
    }
    return DN_OK;
}

static int head_of(const dn_model_info *info, const char *name) {
    for (int h = 0; h < info->n_model_heads; h++) {
        if (strcmp(info->model_head[h].name, name) == 0) {
            return h;
        }
    }
    return -1;
}

static void sum_up(const dn_model_info *info, const dn_head_difference *part,
                   dn_head_difference *sum) {
    for (int h = 0; h < info->n_model_heads; h++) {
        sum[h].n += part[h].n;
        sum[h].flips += part[h].flips;
        sum[h].texts += part[h].texts;
        sum[h].changed += part[h].changed;
        sum[h].logit = fmax(sum[h].logit, part[h].logit);
        sum[h].flip_margin = fmax(sum[h].flip_margin, part[h].flip_margin);
    }
}

/** The task's texts through all heads of both. */
static dn_status compare_texts(comparing *c, int t, dn_task_difference *task) {
    dn_lines lines = {.info = c->info, .visit = add, .ctx = c};
    lines.max_tokens = c->info->longest > BATCH_TOKENS ? c->info->longest : BATCH_TOKENS;
    c->task = t;
    c->next = 0;
    DN_TRY(dn_comparison_new(c->model[0], c->model[1], lines.max_tokens, DN_LINES_ROWS,
                             &c->comparison));
    dn_status status = dn_lines_read_task(&lines, &c->d->suite, t);
    if (status == DN_OK) {
        const dn_head_difference *part = dn_comparison_read(c->comparison);
        task->texts = part[task->head].texts;
        task->changed = part[task->head].changed;
        sum_up(c->info, part, c->d->head);
        c->d->n_texts += lines.n_texts;
    }
    dn_comparison_free(c->comparison);
    return status;
}

static void measure(const dn_suite_difference *d, int t, dn_task_difference *task) {
    for (int i = 0; i < 2; i++) {
        const dn_judged *judged = &d->side[i].judged[t];
        dn_metric metric = {d->suite.task[t].metric, judged->of};
        task->value[i] = dn_outcomes_measure(judged->outcomes, metric,
                                             (dn_rows){NULL, dn_outcomes_count(judged->outcomes)});
    }
}

static dn_status compare_task(comparing *c, int t, int head) {
    dn_suite_difference *d = c->d;
    dn_task_difference *task = &d->task[d->n_tasks];
    char *metric = d->metric[d->n_tasks++];
    dn_suite_metric_name(&d->suite, &d->suite.task[t], sizeof d->metric[0], metric);
    *task = (dn_task_difference){d->suite.task[t].name, metric, head, {0}, 0, 0};
    DN_TRY(compare_texts(c, t, task));
    measure(d, t, task);
    return DN_OK;
}

static dn_status compare_tasks(comparing *c) {
    dn_suite_difference *d = c->d;
    for (int i = 0; i < 2; i++) {
        DN_TRY(dn_judging_open(&d->suite, c->info, &d->side[i], &c->judging[i]));
    }
    for (int t = 0; t < d->suite.n_tasks; t++) {
        int head = head_of(c->info, d->suite.task[t].head);
        if (head >= 0) {
            DN_TRY(compare_task(c, t, head));
        }
    }
    for (int i = 0; i < 2; i++) {
        DN_TRY(dn_judging_end(c->judging[i]));
    }
    return DN_OK;
}

dn_status dn_suite_compare(const char *name, dn_model *const model[2], dn_suite_difference *out) {
    comparing c = {.model = model, .info = dn_model_describe(model[0]), .d = out};
    DN_TRY(dn_suite_read(name, &out->suite));
    out->head = dn_alloc_array((size_t)c.info->n_model_heads, sizeof *out->head);
    out->task = dn_alloc_array((size_t)out->suite.n_tasks, sizeof *out->task);
    out->metric = dn_alloc_array((size_t)out->suite.n_tasks, sizeof *out->metric);
    dn_status status = compare_tasks(&c);
    for (int i = 0; i < 2; i++) {
        dn_judging_close(c.judging[i]);
    }
    return status;
}

void dn_suite_difference_free(dn_suite_difference *d) {
    for (int i = 0; i < 2; i++) {
        dn_eval_side_free(&d->suite, &d->side[i]);
    }
    free(d->head);
    free(d->task);
    free(d->metric);
    dn_suite_free(&d->suite);
}
