#ifndef DN_CMD_MODEL_PARTS_H
#define DN_CMD_MODEL_PARTS_H
/** The subcommands of `dunlin model`, a file each, and what they share. */
#include "cmd/cmd.h"
#include "io/json_write.h"
#include "run/rows.h"

/** What the command line says; a NULL or 0 was not given. */
typedef struct dn_model_options {
    char *dir;
    const char *to; /**< import: the directory that is made; eval, calibrate: the suite */
    const char *backend, *against, *texts, *suite;
    const char *cascade; /**< eval: the linear model before DIR; calibrate: the encoder behind it */
    const char *max_flips, *max_points; /**< limits, in percent and points */
    const char *normalise, *head, *type;
    const char *examples, *labels, *text, *label, *out, *kind; /**< fit */
    int max_tokens, windows, batch, threads, runs;
    int keep; /**< fit: percent */
    dn_cmd_format format;
} dn_model_options;

/** A limit of the command line, `otherwise` where it is not given. USAGE */
dn_status dn_model_read_limit(const char *option, const char *text, double otherwise, double *out);

dn_status dn_model_cmd_tokenize(const dn_model_options *options);
dn_status dn_model_cmd_score(const dn_model_options *options);
dn_status dn_model_cmd_describe(const dn_model_options *options);
dn_status dn_model_cmd_check(const dn_model_options *options);
dn_status dn_model_cmd_import(const dn_model_options *options);
dn_status dn_model_cmd_bench(const dn_model_options *options);
dn_status dn_model_cmd_compare(const dn_model_options *options);
dn_status dn_model_cmd_eval(const dn_model_options *options);
dn_status dn_model_cmd_outliers(const dn_model_options *options);
dn_status dn_model_cmd_calibrate(const dn_model_options *options);
dn_status dn_model_cmd_fit(const dn_model_options *options);

/** The same of a model on n-grams. */
dn_status dn_grams_cmd_describe(const dn_model_options *options);
dn_status dn_grams_cmd_check(const dn_model_options *options);
dn_status dn_grams_cmd_bench(const dn_model_options *options);

/** `calibrate --cascade`: chooses when the linear model `options->dir` is sure, before the encoder
 * of that directory. */
dn_status dn_calibrate_cascade(const dn_model_options *options, const char *encoder, double points);

/** A line of `describe`. */
void dn_model_print_head(const dn_model_head *head);

/** What a batch gave for one of its rows, as an object: "labels" (softmax: the most probable;
 * sigmoid: those above 0.5), "scores", and where the model has such heads "entities"
 * (model/spans.h) and "embeddings". `score` as dn_model_score made it. */
void dn_model_write_row(const dn_model_info *info, const dn_batch *batch, int row,
                        const float *score, dn_out *out);

#endif
