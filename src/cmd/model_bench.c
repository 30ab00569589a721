/** `dunlin model bench`: the speed of a model on this machine. */
#include "cmd/model_parts.h"
#include "model/measure.h"

#include <stdio.h>

enum { BATCH = 512, RUNS = 7, MIN_BATCH = 64 };

static void print_table(const dn_model_info *info, const dn_kernels *kernels,
                        const dn_measurement *m) {
    printf("%s on %s (%s, %s)\n", info->dir, kernels->name, kernels->isa, kernels->precision);
    printf("rate     %.0f tokens/s, %.0f tweets/s, %d thread%s, micro-batches of %d tokens (spread "
           "%.1f %%)\n",
           m->tokens_per_s, m->tweets_per_s, m->n_threads, m->n_threads == 1 ? "" : "s", m->budget,
           100 * m->spread);
    if (kernels->device) {
        printf("speed    %.1f TFLOP/s = %.0f %% of the GPU's measured peak (%.1f)\n",
               m->gflops / 1e3, 100 * m->peak_share, m->peak_gflops / 1e3);
    } else {
        printf("speed    %.1f GFLOP/s a thread = %.0f %% of the peak measured beside it (%.1f)\n",
               m->gflops, 100 * m->peak_share, m->peak_gflops);
    }
}

static void number(dn_out *out, const char *key, double value) {
    dn_out_key(out, key);
    dn_out_f64(out, value);
}

static void word(dn_out *out, const char *key, const char *value) {
    dn_out_key(out, key);
    dn_out_string(out, dn_span_of(value));
}

static void print_json(const dn_model_info *info, const dn_kernels *kernels,
                       const dn_measurement *m) {
    dn_out out = {0};
    dn_out_open(&out, '{');
    word(&out, "model", info->dir);
    word(&out, "sha256", info->sha256);
    word(&out, "isa", kernels->isa);
    word(&out, "precision", kernels->precision);
    number(&out, "threads", m->n_threads);
    number(&out, "batch_tokens", m->budget);
    number(&out, "tokens_per_s", m->tokens_per_s);
    number(&out, "tweets_per_s", m->tweets_per_s);
    number(&out, "spread", m->spread);
    number(&out, "gflops", m->gflops);
    number(&out, "peak_gflops", m->peak_gflops);
    number(&out, "peak_share", m->peak_share);
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    fwrite(out.ptr, 1, out.len, stdout);
    dn_out_free(&out);
}

dn_status dn_model_cmd_bench(const dn_model_options *options) {
    const dn_kernels *kernels;
    dn_model *model;
    dn_measuring *measuring = NULL;
    int n_runs = options->runs ? options->runs : RUNS;
    if (options->batch && options->batch < MIN_BATCH) {
        return dn_cmd_usage("model", "--batch %d: at least %d tokens", options->batch, MIN_BATCH);
    }
    DN_TRY(dn_kernels_select(options->backend, &kernels));
    int batch = options->batch ? options->batch : kernels->device ? dn_kernels_gpu_tokens() : BATCH;
    DN_TRY(dn_model_open(options->dir, kernels, &model));
    dn_status status = dn_measuring_new(
        model, kernels, batch, options->threads ? options->threads : 1, n_runs, &measuring);
    for (int run = 0; run < n_runs && status == DN_OK; run++) {
        status = dn_measuring_run(measuring);
    }
    if (status == DN_OK) {
        dn_measurement m = dn_measuring_read(measuring);
        (options->format == DN_FORMAT_JSON ? print_json : print_table)(dn_model_describe(model),
                                                                       kernels, &m);
    }
    dn_measuring_free(measuring);
    dn_model_close(model);
    return status;
}
