#include "model/scorer.h"

#include "base/log.h"
#include "base/memory.h"
#include "comm/comm.h"
#include "model/scorer_parts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A device computes, and a thread only fills its batches and takes their scores, while lanes keep
 * it busy. One thread would do for full batches of tweets; a second covers for it where texts are
 * short or the model small, and while it sleeps or delivers. More only hold open batches and
 * workspaces of their own: sixteen cost half as much CPU time again a text as one, in batches that
 * were 88 % full instead of 99 (1 M tweets on tests/gpu, kernels that take no time). */
enum { DEVICE_THREADS = 2 };

#define AT(field) offsetof(dn_scorer_conf, field)

/* The batching rules, the same for both scorers. 512 tokens: more of them fall out of a core's
 * second-level cache (with 2,048 the encoder ran 4 to 8 % slower and texts wait four times as
 * long), fewer pay more for the edges of the tiles (128: 12 % slower). AVX-512, 2 MiB; bench/model,
 * November 2026. */
#define TOKENS                                                                                     \
    {                                                                                              \
        "tokens", DN_P_COUNT, AT(max_tokens), "0", 0, 1 << 20, NULL,                               \
            "Tokens of a micro-batch; it closes when the next text does not fit. 0: 512, on a "    \
            "GPU as "                                                                              \
            "many as fill all of it (5,632 on 132 multiprocessors), or as the longest text has "   \
            "if "                                                                                  \
            "more."                                                                                \
    }
#define ROWS                                                                                       \
    {                                                                                              \
        "rows", DN_P_COUNT, AT(max_rows), "0", 0, 1 << 16, NULL,                                   \
            "Texts of a micro-batch at most. 0: 256, or an eighth of more than 2,048 tokens."      \
    }
#define DEADLINE                                                                                   \
    {                                                                                              \
        "deadline", DN_P_DURATION, AT(deadline_ns), "20ms", 0, 3600e9, NULL,                       \
            "For throughput: the oldest text of an open micro-batch waits no longer than this "    \
            "for "                                                                                 \
            "others."                                                                              \
    }
#define SLO                                                                                        \
    {                                                                                              \
        "slo", DN_P_GOAL, AT(slo_ns), "throughput", 0, 3600e9, NULL,                               \
            "What batches are for: `throughput`, or a time from a text's intended send time "      \
            "within which 95 % should be written (`{p95: 200ms}`, `200ms`): a batch closes when "  \
            "its oldest text, less the predicted time of scoring, is due, or earlier where "       \
            "waiting buys nothing. The summary says whether it held."                              \
    }

static const dn_prop model_props[] = {
    {"name", DN_P_TEXT, AT(name), "model", 0, 0, NULL,
     "What reports, traces and --set call it; models of one pipeline have different names."},
    {"path", DN_P_PATH, AT(path), NULL, 0, 0, NULL, "Model directory in Hugging Face layout."},
    {"ids", DN_P_TEXT, AT(ids), "ids", 0, 0, NULL,
     "The column of token ids that it reads: ids, or ids.NAME of `tokenise: {name: NAME}`."},
    {"prefix", DN_P_TEXT, AT(prefix), "", 0, 0, NULL,
     "Stands before the heads' names in the columns (score.PREFIX.HEAD), where heads of two models "
     "are called the same."},
    {"languages", DN_P_LIST, AT(languages), NULL, 0, 0, NULL,
     "Languages that it serves, as codes (en, de): texts of others get null scores and cost "
     "nothing; `any`: all. Empty: those that the model's config.json names."},
    {"language", DN_P_TEXT, AT(language), "label.language", 0, 0, NULL,
     "The column that says a text's language, as a stage `linear` makes it; without it, and where "
     "it says und, texts are scored."},
    TOKENS,
    ROWS,
    DEADLINE,
    SLO,
    {"reuse", DN_P_BYTES, AT(reuse_bytes), "32MiB", 0, 1e12, NULL,
     "Memory of a rank for the scores of earlier texts, so that equal ones are scored once; 0: "
     "off."},
    {"cascade", DN_P_PATH, AT(cascade_dir), "", 0, 0, NULL,
     "A linear model on n-grams that answers the texts that it is sure of, so that only the others "
     "reach the encoder; label.tier says who did. `dunlin model calibrate --cascade` chooses when "
     "it is sure. Empty: off."},
    {"text", DN_P_TEXT, AT(text), "clean", 0, 0, NULL,
     "The column of texts that the model of `cascade` reads."},
    {"backend", DN_P_TEXT, AT(backend), "", 0, 0, NULL,
     "Kernels to use (ref, cpu, cpu:avx2, cuda, cuda:fp8 ...); empty: the best of this machine, on "
     "a "
     "GPU where there is one."},
    {0},
};

static const dn_prop none_props[] = {TOKENS, ROWS, DEADLINE, SLO, {0}};

static const char *word_or_null(const char *word) {
    return word && *word ? word : NULL;
}

/* The longest text must fit a batch, and the model's positions. */
static dn_status check_longest(const dn_scorer_conf *conf, const dn_field *ids) {
    const dn_model_info *info = dn_model_describe(conf->model);
    int longest = ids->width > info->longest ? ids->width : info->longest;
    int most = info->windows > 1 ? info->longest : info->max_positions;
    if (ids->width > most) {
        return DN_FAIL(
            CONFIG,
            "the column '%s' has up to %d tokens a text, but %s reads %d: set max_tokens "
            "of `tokenise` lower",
            ids->name, ids->width, conf->path, most);
    }
    if (conf->max_tokens < longest) {
        return DN_FAIL(CONFIG, "tokens: %lld; the model's longest text has %d and must fit a batch",
                       (long long)conf->max_tokens, longest);
    }
    return DN_OK;
}

static void choose_sizes(dn_scorer_conf *conf, bool on_gpu) {
    enum { CPU_TOKENS = 512, LEAST_ROWS = 256, SHORT_ROW = 8 };
    if (conf->max_tokens == 0) {
        conf->max_tokens = on_gpu ? dn_kernels_gpu_tokens() : CPU_TOKENS;
    }
    if (conf->max_rows == 0) {
        int64_t rows = conf->max_tokens / SHORT_ROW;
        conf->max_rows = rows > LEAST_ROWS ? rows : LEAST_ROWS;
    }
}

/** A pass of the largest batch on each lane: what passes reserve is reserved at the first. Parts of
 * a model have not met yet, so theirs comes later. */
static dn_status try_passes(const dn_model *model, dn_workspace *space, int max_tokens,
                            int max_rows) {
    const dn_model_info *info = dn_model_describe(model);
    int wanted = (max_tokens + info->longest - 1) / info->longest;
    int n_rows = wanted < max_rows ? wanted : max_rows;
    int n_tokens = wanted <= max_rows ? max_tokens : n_rows * info->longest;
    int32_t *token = dn_alloc_array((size_t)n_tokens, sizeof *token);
    int32_t *row_start = dn_alloc_array((size_t)n_rows + 1, sizeof *row_start);
    float *score = dn_alloc_array(dn_model_score_floats(model, n_rows, n_tokens), sizeof *score);
    dn_batch batch = {n_rows, n_tokens, token, row_start};
    dn_status status = DN_OK;
    for (int i = 1; i <= n_rows; i++) {
        row_start[i] = i < n_rows ? i * info->longest : n_tokens;
    }
    for (int i = dn_workspace_depth(space); i > 0 && info->n_parts == 1 && status == DN_OK; i--) {
        status = dn_model_score(model, space, &batch, score);
    }
    free(token);
    free(row_start);
    free(score);
    return status;
}

static dn_status try_batches(dn_scorer_conf *conf, int n_threads) {
    dn_workspace *space[DEVICE_THREADS] = {0};
    int tokens = (int)conf->max_tokens, rows = (int)conf->max_rows;
    dn_status status = DN_OK;
    for (int i = 0; i < n_threads && status == DN_OK; i++) {
        status = dn_workspace_new(conf->model, tokens, rows, &space[i]);
        status = status == DN_OK ? try_passes(conf->model, space[i], tokens, rows) : status;
    }
    for (int i = 0; i < n_threads; i++) {
        dn_workspace_free(space[i]);
    }
    conf->device_threads = n_threads;
    return status;
}

/** Whether a device has room for the threads' batches; if not, for one thread's; if not, for one's
 * of half the size. */
static dn_status fit_device(dn_scorer_conf *conf) {
    dn_status status = DN_RETRY;
    for (int n = conf->group ? 1 : DEVICE_THREADS; n > 0 && status == DN_RETRY; n--) {
        status = try_batches(conf, n);
    }
    if (status == DN_RETRY) {
        conf->max_tokens /= 2;
        dn_log(DN_LOG_WARN, "micro-batches of %lld tokens instead of twice as many: %s",
               (long long)conf->max_tokens, dn_failure_last()->text);
        status = try_batches(conf, 1);
    }
    return status == DN_OK ? DN_OK : DN_FATAL;
}

static dn_status open_model(dn_scorer_conf *conf) {
    const dn_kernels *kernels;
    bool chosen = conf->max_tokens == 0;
    DN_TRY(dn_kernels_select(word_or_null(conf->backend), &kernels));
    choose_sizes(conf, kernels->device != NULL);
    DN_TRY(dn_model_open_part(conf->path, kernels, conf->group, &conf->model));
    int longest = dn_model_describe(conf->model)->longest;
    conf->max_tokens = chosen && conf->max_tokens < longest ? longest : conf->max_tokens;
    return kernels->device ? fit_device(conf) : DN_OK;
}

static dn_status bind_languages(dn_scorer_conf *conf, const dn_schema *schema) {
    conf->served = *dn_model_describe(conf->model)->languages;
    DN_TRY(dn_languages_set(&conf->languages, &conf->served));
    DN_TRY(dn_language_gate_bind(conf->path, &conf->served, conf->language, schema, &conf->gate));
    if (conf->served.n && conf->gate.field < 0) {
        char list[128];
        dn_languages_print(&conf->served, sizeof list, list);
        dn_log(DN_LOG_WARN,
               "%s is for %s, but no stage makes '%s': texts of all languages are scored (put "
               "`linear: {path: models/languages}` before it, or set `languages: any`)",
               conf->path, list, conf->language);
    }
    return DN_OK;
}

/** The column that says which tier answered: label.tier, or label.PREFIX.tier. */
static dn_status add_tier(dn_scorer_conf *conf, dn_schema *schema) {
    const char *prefix = word_or_null(conf->prefix);
    conf->tier_name = dn_format("label%s%s.tier", prefix ? "." : "", prefix ? prefix : "");
    dn_field field = {.name = conf->tier_name,
                      .type = DN_LABEL,
                      .width = 1,
                      .labels = dn_tier_names,
                      .n_labels = DN_TIERS,
                      .units = "",
                      .group = "labels",
                      .language = conf->language,
                      .long_name = "whose scores these are: the linear model's that was sure of "
                                   "the text, or the encoder's"};
    return dn_languages_add_column(conf->path, &conf->served, field, schema, &conf->tier_field);
}

static dn_status bind_cascade(dn_scorer_conf *conf, dn_schema *schema) {
    if (!word_or_null(conf->cascade_dir)) {
        return DN_OK;
    }
    DN_TRY(dn_schema_need(schema, "model", conf->text, DN_BYTES, &conf->text_field));
    DN_TRY(
        dn_cascade_open(conf->cascade_dir, dn_model_describe(conf->model), true, &conf->cascade));
    return add_tier(conf, schema);
}

static dn_status bind_model(void *conf_, const dn_bind *bind) {
    dn_scorer_conf *conf = conf_;
    DN_TRY(dn_schema_need(bind->schema, "model", conf->ids, DN_IDS, &conf->ids_field));
    conf->group = bind->group;
    DN_TRY(open_model(conf));
    DN_TRY(check_longest(conf, &bind->schema->field[conf->ids_field]));
    const dn_model_info *info = dn_model_describe(conf->model);
    conf->width = info->score_width;
    conf->token_width = info->token_width;
    DN_TRY(bind_languages(conf, bind->schema));
    const dn_columns_place place = {conf->path,     conf->prefix, &conf->served,
                                    conf->language, false,        bind->schema};
    for (int i = 0; i < info->n_model_heads; i++) {
        DN_TRY(dn_head_columns_add(&place, &info->model_head[i], &conf->head[conf->n_heads++]));
    }
    DN_TRY(bind_cascade(conf, bind->schema));
    return conf->reuse_bytes && info->part == 0
               ? dn_reuse_new((size_t)conf->reuse_bytes, conf->width, conf->token_width,
                              &conf->reuse)
               : DN_OK;
}

/** Batches that fit the smallest device, and the parts of the model joined. */
static dn_status connect_model(void *conf_) {
    dn_scorer_conf *conf = conf_;
    if (conf->group) {
        DN_TRY(dn_comm_reduce(conf->group, DN_N_I64, DN_FOLD_MIN, &conf->max_tokens, 1));
    }
    return dn_model_connect(conf->model);
}

/** A cascade is work of the threads, wherever the model is. */
static int threads_of_use(const void *conf_, int cores) {
    const dn_scorer_conf *conf = conf_;
    return conf->device_threads && !conf->cascade ? conf->device_threads : cores;
}

static dn_status bind_none(void *conf_, const dn_bind *bind) {
    dn_scorer_conf *conf = conf_;
    conf->gate.field = -1;
    choose_sizes(conf, false);
    conf->ids_field = dn_schema_find(bind->schema, "ids");
    return conf->ids_field < 0
               ? DN_OK
               : dn_schema_need(bind->schema, "none", "ids", DN_IDS, &conf->ids_field);
}

static void unbind(void *conf_) {
    dn_scorer_conf *conf = conf_;
    for (int i = 0; i < conf->n_heads; i++) {
        dn_head_columns_free(&conf->head[i]);
    }
    conf->n_heads = 0;
    dn_cascade_close(conf->cascade);
    free(conf->tier_name);
    conf->cascade = NULL;
    conf->tier_name = NULL;
    dn_reuse_free(conf->reuse);
    dn_model_close(conf->model);
    conf->reuse = NULL;
    conf->model = NULL;
}

const dn_model_info *dn_scorer_info(const void *conf_) {
    const dn_scorer_conf *conf = conf_;
    return conf->model ? dn_model_describe(conf->model) : NULL;
}

const dn_model_info *dn_scorer_cascade_info(const void *conf_) {
    const dn_scorer_conf *conf = conf_;
    return conf->cascade ? dn_cascade_describe(conf->cascade) : NULL;
}

const dn_scorer_ops dn_scorer_model = {
    .name = "model",
    .summary =
        "Scores texts by an encoder with any number of heads, in micro-batches of packed tokens.",
    .props = model_props,
    .conf_size = sizeof(dn_scorer_conf),
    .bind = bind_model,
    .connect = connect_model,
    .threads = threads_of_use,
    .open = dn_scoring_open,
    .put = dn_scoring_put,
    .take = dn_scoring_take,
    .flush = dn_scoring_flush,
    .under_way = dn_scoring_under_way,
    .wait = dn_scoring_wait,
    .deadline = dn_scoring_deadline,
    .end = dn_scoring_end,
    .follow = dn_scoring_follow,
    .close = dn_scoring_close,
    .unbind = unbind,
};

const dn_scorer_ops dn_scorer_none = {
    .name = "none",
    .summary =
        "Forms the same micro-batches and scores nothing: the pipeline without the model's cost.",
    .props = none_props,
    .conf_size = sizeof(dn_scorer_conf),
    .bind = bind_none,
    .open = dn_scoring_open,
    .put = dn_scoring_put,
    .take = dn_scoring_take,
    .flush = dn_scoring_flush,
    .under_way = dn_scoring_under_way,
    .wait = dn_scoring_wait,
    .deadline = dn_scoring_deadline,
    .close = dn_scoring_close,
    .unbind = unbind,
};
