#ifndef DN_CMD_TEXTS_H
#define DN_CMD_TEXTS_H
/** Texts in memory, normalised as a model wants them: the lines of a file, or made-up tweets
 * (source/tweets.h), always the same ones. */
#include "base/span.h"
#include "base/status.h"

typedef struct dn_texts {
    int n;
    dn_span *text; /**< [n], each its own memory */
} dn_texts;

/** At most so many lines that are UTF-8. NO_INPUT, IO; DATA where there is none.
 *  ownership  the caller: dn_texts_free, also after an error */
dn_status dn_texts_read(const char *path, const char *normalise, int most, dn_texts *out);
dn_status dn_texts_make(const char *normalise, int n, dn_texts *out);
void dn_texts_free(dn_texts *texts);

#endif
