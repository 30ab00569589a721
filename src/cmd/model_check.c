/** `dunlin model check`: opens everything and scores a probe. */
#include "base/memory.h"
#include "cmd/model_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_NAMED = 8 };
static const char probe[] = "What a lovely morning in Lisbon! \xf0\x9f\x98\x80 #spring @user";

static void say_weights(const dn_model_info *info, const dn_kernels *kernels) {
    printf("weights     %.1f MB packed for %s (%s), all finite; sha256 %s\n",
           (double)info->weight_bytes / 1e6, kernels->isa, kernels->precision, info->sha256);
    printf("ignored     %d tensors that config.json does not ask for", info->n_ignored_tensors);
    for (int i = 0; i < info->n_ignored_tensors && i < MAX_NAMED; i++) {
        printf("%s %s", i ? "," : ":", info->ignored_tensor[i]);
    }
    printf("%s\n", info->n_ignored_tensors > MAX_NAMED ? ", ..." : "");
}

static void say_vocabulary(const dn_model_info *info, const dn_model_texts *texts) {
    int size = dn_tokeniser_size(texts->tokeniser);
    printf("vocabulary  %s, %d tokens for %d rows of the embedding%s\n",
           dn_tokeniser_kind(texts->tokeniser), size, info->vocabulary,
           size == info->vocabulary ? "" : " (the rest is never used)");
}

static dn_status score_with(const dn_model *model, const dn_batch *batch, float *score) {
    dn_workspace *space;
    DN_TRY(dn_workspace_new(model, batch->n_tokens, batch->n_rows, &space));
    dn_status status = dn_model_score(model, space, batch, score);
    dn_workspace_free(space);
    return status;
}

/** The probe by these kernels and by their oracle. */
static dn_status check_probe(const dn_model *model, const dn_model *oracle, dn_model_texts *texts) {
    const dn_model_info *info = dn_model_describe(model);
    int32_t *ids = dn_alloc_array((size_t)info->longest, sizeof *ids);
    int32_t row_start[2] = {0, dn_model_texts_encode(texts, dn_span_of(probe), ids)};
    dn_batch batch = {1, row_start[1], ids, row_start};
    size_t n = dn_model_score_floats(model, 1, batch.n_tokens);
    float *score = dn_alloc_array(n, sizeof *score), *want = dn_alloc_array(n, sizeof *want);
    double worst = 0;
    dn_status status;
    DN_TRY_GO(score_with(model, &batch, score), done);
    DN_TRY_GO(score_with(oracle, &batch, want), done);
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)score[i] - (double)want[i]));
    }
    dn_out out = {0};
    dn_model_write_row(info, &batch, 0, score, &out);
    printf("probe       %d tokens, largest difference from scalar fp32 %.2g: \"%s\"\n",
           batch.n_tokens, worst, probe);
    if (info->score_width + info->token_width <= MAX_NAMED * MAX_NAMED) {
        printf("            %.*s\n", (int)out.len, out.ptr);
    }
    dn_out_free(&out);
done:
    free(ids);
    free(score);
    free(want);
    return status;
}

static dn_status check(const dn_model *model, const dn_model *oracle, const dn_kernels *kernels) {
    const dn_model_info *info = dn_model_describe(model);
    dn_model_texts texts;
    printf("model       %s: %s, %d layers of %d, %d heads on it, texts of up to %d tokens\n",
           info->dir, info->architecture, info->layers, info->hidden, info->n_model_heads,
           info->max_tokens);
    say_weights(info, kernels);
    dn_status status = dn_model_texts_open(info->dir, info, &texts);
    if (status == DN_OK) {
        say_vocabulary(info, &texts);
        status = check_probe(model, oracle, &texts);
    }
    dn_model_texts_close(&texts);
    return status;
}

dn_status dn_model_cmd_check(const dn_model_options *options) {
    const dn_kernels *kernels, *ref;
    dn_model *model, *oracle;
    DN_TRY(dn_kernels_select(options->backend, &kernels));
    DN_TRY(dn_kernels_select("ref", &ref));
    DN_TRY(dn_model_open(options->dir, kernels, &model));
    dn_status status = dn_model_open(options->dir, ref, &oracle);
    if (status == DN_OK) {
        status = check(model, oracle, kernels);
        dn_model_close(oracle);
    }
    dn_model_close(model);
    return status;
}
