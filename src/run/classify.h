#ifndef DN_RUN_CLASSIFY_H
#define DN_RUN_CLASSIFY_H
/** Texts in, scores out, without a job: normalised, tokenised and cut as the model was trained. For
 * `dunlin model score` and for foreign programs. */
#include "base/span.h"
#include "model/model.h"

typedef struct dn_classifier dn_classifier;

/** Loads the model directory `dir`, looked for in the working directory, then in dn_home. `backend`
 * names the kernels, NULL: the best of this machine. MODEL, NO_INPUT and CONFIG errors.
 *  ownership  the caller: dn_classifier_close     cost  about a second for 50 MB of weights */
dn_status dn_classifier_open(const char *dir, const char *backend, dn_classifier **out);

/** Heads, labels and their columns.     lends  until close */
const dn_model_info *dn_classifier_info(const dn_classifier *classifier);

/** score[n][info->score_width]: for each text, head after head (heads that label tokens are left
 * out: `dunlin model score` prints them). A text scores bit for bit the same
 * alone and among others; an empty one is scored too. DATA names the first text that is not UTF-8;
 * then no score is valid.
 *  thread  one per classifier     blocks  never     cost  no malloc once the longest text was seen
 */
dn_status dn_classifier_score(dn_classifier *classifier, const dn_span *text, int n, float *score);

/** NULL allowed */
void dn_classifier_close(dn_classifier *classifier);

#endif
