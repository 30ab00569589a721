#ifndef DN_CMD_MODEL_PARTS_H
#define DN_CMD_MODEL_PARTS_H
/** The subcommands of `dunlin model`, a file each, and what they share. */
#include "cmd/cmd.h"
#include "io/json_write.h"
#include "model/model.h"
#include "text/normalise.h"
#include "text/tokeniser.h"

/** What the command line says; a NULL or 0 was not given. */
typedef struct dn_model_options {
    char *dir;
    const char *to; /**< import: the directory that is made; eval: the suite */
    const char *backend, *against, *texts;
    const char *normalise, *head, *type;
    int max_tokens, batch, threads, runs;
    dn_cmd_format format;
} dn_model_options;

dn_status dn_model_cmd_tokenize(const dn_model_options *options);
dn_status dn_model_cmd_score(const dn_model_options *options);
dn_status dn_model_cmd_describe(const dn_model_options *options);
dn_status dn_model_cmd_check(const dn_model_options *options);
dn_status dn_model_cmd_import(const dn_model_options *options);
dn_status dn_model_cmd_bench(const dn_model_options *options);
dn_status dn_model_cmd_compare(const dn_model_options *options);
dn_status dn_model_cmd_eval(const dn_model_options *options);
dn_status dn_model_cmd_outliers(const dn_model_options *options);

/** Text as a model reads it. */
typedef struct dn_model_texts {
    dn_tokeniser *tokeniser;
    dn_token_cache *cache;
    dn_convention convention;
    dn_normaliser normaliser;
    int max_tokens;
} dn_model_texts;

/** MODEL errors of the tokeniser's files, and when its vocabulary does not fit the embedding.
 *  ownership  the caller: dn_model_texts_close, also after an error */
dn_status dn_model_texts_open(const char *dir, const dn_model_info *info, dn_model_texts *out);
void dn_model_texts_close(dn_model_texts *texts);

/** Normalises, tokenises and cuts valid UTF-8; the number of ids, at most max_tokens. */
int32_t dn_model_texts_encode(dn_model_texts *texts, dn_span text, int32_t *ids);

/** The same with a second segment behind the first, between the same special tokens, where
 * second.ptr is not NULL; of a pair that is too long the first is cut. */
int32_t dn_model_texts_encode_pair(dn_model_texts *texts, dn_span text, dn_span second,
                                   int32_t *ids);

/** What a batch gave for one of its rows, as an object: "labels" (softmax: the most probable;
 * sigmoid: those above 0.5), "scores", and where the model has such heads "entities"
 * (model/spans.h) and "embeddings". `score` as dn_model_score made it. */
void dn_model_write_row(const dn_model_info *info, const dn_batch *batch, int row,
                        const float *score, dn_out *out);

#endif
