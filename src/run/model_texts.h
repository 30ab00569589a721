#ifndef DN_RUN_MODEL_TEXTS_H
#define DN_RUN_MODEL_TEXTS_H
/** Text as a model reads it: normalised, tokenised and cut as it was trained. */
#include "model/model.h"
#include "text/normalise.h"
#include "text/tokeniser.h"

typedef struct dn_model_texts {
    dn_tokeniser *tokeniser;
    dn_token_cache *cache;
    dn_convention convention;
    dn_normaliser normaliser;
    dn_windows windows;
} dn_model_texts;

/** MODEL errors of the tokeniser's files, and when its vocabulary does not fit the embedding.
 *  ownership  the caller: dn_model_texts_close, also after an error */
dn_status dn_model_texts_open(const char *dir, const dn_model_info *info, dn_model_texts *out);
void dn_model_texts_close(dn_model_texts *texts);

/** Normalises and tokenises valid UTF-8, in windows where the model has them, and cuts it; the
 * number of ids, at most info->longest. */
int32_t dn_model_texts_encode(dn_model_texts *texts, dn_span text, int32_t *ids);

/** The same with a second segment behind the first, between the same special tokens, where
 * second.ptr is not NULL; of a pair that is too long for one window the first is cut. */
int32_t dn_model_texts_encode_pair(dn_model_texts *texts, dn_span text, dn_span second,
                                   int32_t *ids);

#endif
