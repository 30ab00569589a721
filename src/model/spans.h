#ifndef DN_MODEL_SPANS_H
#define DN_MODEL_SPANS_H
/** Labels of tokens, joined into spans.
 *
 *    token    0 [CLS]  1 Ada   2 Love   3 ##lace  4 in  5 Rome  6 [SEP]
 *    label             B-PER   I-PER    I-PER     O     B-LOC
 *
 *    [{"label":"PER","first":1,"tokens":3,"score":0.98},{"label":"LOC","first":5,"tokens":1,...}]
 *
 * Each token has its most probable label. A span goes on while the name behind "B-" or "I-" is the
 * same and no "B-" begins a new one; labels without these prefixes join where they are equal. "O"
 * is no span; the score is the mean of the tokens' probabilities. The first and the last token of a
 * text are special tokens and have no label.
 *
 * Source: the "simple" aggregation of transformers' token-classification pipeline. */
#include "io/json_write.h"
#include "model/model.h"

/** Appends the spans of one text. token_score[n_tokens][stride]: its first token's columns. */
void dn_spans_write(const dn_model_head *head, const float *token_score, int stride, int n_tokens,
                    dn_out *out);

#endif
