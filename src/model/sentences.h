#ifndef DN_MODEL_SENTENCES_H
#define DN_MODEL_SENTENCES_H
/** The layout of sentence-transformers: how texts become vectors stands in files of its own.
 *
 *    modules.json               Transformer, Pooling, Normalize: no other module is computed
 *    1_Pooling/config.json      pooling_mode_cls_token or pooling_mode_mean_tokens
 *    sentence_bert_config.json  max_seq_length, where texts are cut */
#include "model/config.h"

/** Whether the directory has a modules.json. */
bool dn_sentences_found(const char *dir);

/** MODEL errors name the file and the module or mode that is not computed. */
dn_status dn_sentences_form(const char *dir, dn_embedding_form *out);

/** Longest text, at most max_positions, which it also is where nothing is said. */
dn_status dn_sentences_limit(const char *dir, int max_positions, int *out);

#endif
