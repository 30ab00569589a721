#ifndef DN_TEXT_SPM_MODEL_H
#define DN_TEXT_SPM_MODEL_H
/** What SentencePiece's model file (a protocol buffer, sentencepiece_model.proto) says about a
 * unigram model: pieces and their scores, and the compiled normalisation. */
#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

typedef struct dn_spm_piece {
    dn_span text;
    double score;
    int64_t type;
} dn_spm_piece;

typedef struct dn_spm_model {
    char *bytes; /**< the file; texts and charsmap are views into it */
    dn_spm_piece *piece;
    int32_t n;
    dn_span charsmap;
} dn_spm_model;

/** Reads it. MODEL errors name the file and the byte: damage, another algorithm than unigram, bytes
 * for unknown characters, a file whose first three pieces are not <unk>, <s> and </s>.
 *  ownership  the caller: dn_spm_model_free */
dn_status dn_spm_model_load(const char *path, dn_spm_model *out);
void dn_spm_model_free(dn_spm_model *model);

#endif
