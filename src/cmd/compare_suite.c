#include "cmd/compare_suite.h"

#include "base/memory.h"
#include "cmd/model_batches.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_TOKENS = 2048 };

static dn_status add(void *ctx, const dn_batch *batch) {
    return dn_comparison_add(ctx, batch);
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
static dn_status compare_texts(dn_suite_difference *d, int t, dn_model *const model[2],
                               dn_task_difference *task) {
    const dn_model_info *info = dn_model_describe(model[0]);
    dn_comparison *comparison;
    dn_lines lines = {.info = info, .visit = add};
    lines.max_tokens = info->longest > BATCH_TOKENS ? info->longest : BATCH_TOKENS;
    DN_TRY(dn_comparison_new(model[0], model[1], lines.max_tokens, DN_LINES_ROWS, &comparison));
    lines.ctx = comparison;
    dn_status status = dn_lines_read_task(&lines, &d->suite, t);
    if (status == DN_OK) {
        const dn_head_difference *part = dn_comparison_read(comparison);
        task->texts = part[task->head].texts;
        task->changed = part[task->head].changed;
        sum_up(info, part, d->head);
        d->n_texts += lines.n_texts;
    }
    dn_comparison_free(comparison);
    return status;
}

static void measure(dn_suite_difference *d, int t, dn_task_difference *task) {
    for (int i = 0; i < 2; i++) {
        const dn_judged *judged = &d->side[i].judged[t];
        dn_metric metric = {d->suite.task[t].metric, judged->of};
        task->value[i] = dn_outcomes_measure(judged->outcomes, metric,
                                             (dn_rows){NULL, dn_outcomes_count(judged->outcomes)});
    }
}

dn_status dn_suite_compare(const char *name, dn_model *const model[2],
                           const dn_kernels *const kernels[2], dn_suite_difference *out) {
    const dn_model_info *info = dn_model_describe(model[0]);
    DN_TRY(dn_suite_read(name, &out->suite));
    out->head = dn_alloc_array((size_t)info->n_model_heads, sizeof *out->head);
    out->task = dn_alloc_array((size_t)out->suite.n_tasks, sizeof *out->task);
    out->metric = dn_alloc_array((size_t)out->suite.n_tasks, sizeof *out->metric);
    for (int i = 0; i < 2; i++) {
        out->side[i].dir = dn_strdup(info->dir);
        out->side[i].kernels = kernels[i];
        out->side[i].name = dn_strdup(kernels[i]->isa);
        DN_TRY(dn_eval_judge(&out->suite, &out->side[i]));
    }
    for (int t = 0; t < out->suite.n_tasks; t++) {
        int head = head_of(info, out->suite.task[t].head);
        if (head >= 0) {
            dn_task_difference *task = &out->task[out->n_tasks];
            char *metric = out->metric[out->n_tasks++];
            dn_suite_metric_name(&out->suite, &out->suite.task[t], sizeof out->metric[0], metric);
            *task = (dn_task_difference){out->suite.task[t].name, metric, head, {0}, 0, 0};
            measure(out, t, task);
            DN_TRY(compare_texts(out, t, model, task));
        }
    }
    return DN_OK;
}

void dn_suite_difference_free(dn_suite_difference *d) {
    for (int i = 0; i < 2 && d->side[i].dir; i++) {
        dn_eval_side_free(&d->suite, &d->side[i]);
    }
    free(d->head);
    free(d->task);
    free(d->metric);
    dn_suite_free(&d->suite);
}
