#ifndef DN_RUN_ROWS_H
#define DN_RUN_ROWS_H
/** Texts through a model, in batches, as a job's stages and scorer take them: normalised,
 * tokenised, cut. */
#include "run/model_texts.h"

/** What came of a text: the number that it was added with, its scores (dn_model_score's columns of
 * a row) or logits, how many tokens it had (of a model on n-grams: words between blanks), and the
 * batch that it was row `row` of. */
typedef struct dn_row_scores {
    int number, n_tokens;
    const float *score;
    const dn_batch *batch;
    int row;
    const float *batch_score; /**< as dn_model_score made it */
    bool by_linear;           /**< of a cascade: no batch of the encoder */
} dn_row_scores;
typedef void dn_row_visit(void *ctx, const dn_row_scores *row);

typedef struct dn_row_scorer dn_row_scorer;

/** An encoder, or a model on n-grams, which has no use for `kernels`.
 * `visit` is called for every text, in the order in which they were added, some time before flush
 * returns. `logits`: what stands before softmax and sigmoid, in place of scores.
 *  ownership  the caller: dn_row_scorer_close, also after an error */
dn_status dn_row_scorer_open(const char *dir, const dn_kernels *kernels, bool logits,
                             dn_row_visit *visit, void *ctx, dn_row_scorer **out);

/** The same with a linear model before the encoder (model/cascade.h), whose thresholds must have
 * been chosen: `by_linear` says whose scores a text has. */
dn_status dn_row_scorer_open_cascade(const char *dir, const char *cascade,
                                     const dn_kernels *kernels, dn_row_visit *visit, void *ctx,
                                     dn_row_scorer **out);

/** The same, with what a new head would see of each text in place of scores. */
dn_status dn_row_scorer_open_features(const char *dir, const dn_kernels *kernels,
                                      dn_row_visit *visit, void *ctx, dn_row_scorer **out);
void dn_row_scorer_close(dn_row_scorer *scorer);
const dn_model_info *dn_row_scorer_info(const dn_row_scorer *scorer);

/** Valid UTF-8; `second`: ptr NULL where there is none. */
dn_status dn_row_scorer_add(dn_row_scorer *scorer, int number, dn_span text, dn_span second);
dn_status dn_row_scorer_flush(dn_row_scorer *scorer);

#endif
