/** `dunlin model outliers`: which inputs int8 should not round with the others. */
#include "base/memory.h"
#include "cmd/model_batches.h"
#include "model/outliers.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH_TOKENS = 2048 };

typedef struct searching {
    const dn_model *model;
    dn_workspace *space;
    float *score;
} searching;

static dn_status look(void *ctx, const dn_batch *batch) {
    searching *s = ctx;
    return dn_model_score(s->model, s->space, batch, s->score);
}

static dn_status search_texts(searching *s, const char *path, dn_outliers *found) {
    const dn_model_info *info = dn_model_describe(s->model);
    dn_lines lines = {.info = info, .visit = look, .ctx = s};
    lines.max_tokens = info->longest > BATCH_TOKENS ? info->longest : BATCH_TOKENS;
    DN_TRY(dn_workspace_new(s->model, lines.max_tokens, DN_LINES_ROWS, &s->space));
    size_t n_scores = dn_model_score_floats(s->model, DN_LINES_ROWS, lines.max_tokens);
    s->score = dn_alloc_array(n_scores, sizeof *s->score);
    dn_outlier_search *search = dn_outlier_search_new(info);
    dn_workspace_probe_inputs(s->space, dn_outlier_search_add, search);
    dn_status status = dn_lines_read(&lines, path);
    if (status == DN_OK) {
        dn_outlier_search_end(search, found);
    }
    dn_outlier_search_free(search);
    return status;
}

static void print(const dn_outliers *found) {
    dn_out out = {0};
    dn_outliers_write(found, &out);
    fwrite(out.ptr, 1, out.len, stdout);
    dn_out_free(&out);
}

dn_status dn_model_cmd_outliers(const dn_model_options *options) {
    const dn_kernels *kernels;
    dn_model *model;
    dn_outliers found = {0};
    if (!options->texts) {
        return dn_cmd_usage("model", "outliers needs --texts FILE: texts like those to come");
    }
    DN_TRY(dn_kernels_select(options->backend ? options->backend : "fp32", &kernels));
    DN_TRY(dn_model_open(options->dir, kernels, &model));
    searching s = {.model = model};
    dn_status status = search_texts(&s, options->texts, &found);
    if (status == DN_OK) {
        print(&found);
    }
    dn_outliers_free(&found);
    free(s.score);
    dn_workspace_free(s.space);
    dn_model_close(model);
    return status;
}
