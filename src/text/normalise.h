#ifndef DN_TEXT_NORMALISE_H
#define DN_TEXT_NORMALISE_H
/** The form in which a model saw its training texts. The rule of "tweeteval" is written down in
 * models/tweets/normalisation.md, and normalise_vectors.json fixes it byte by byte. */
#include "base/span.h"
#include "base/status.h"

typedef enum dn_convention {
    DN_CONVENTION_TWEETEVAL, /**< entities decoded once, @names -> @user, URLs -> http, white space
                                folded */
    DN_CONVENTION_NONE,      /**< as it is */
} dn_convention;

/** Room that grows with the longest text seen; zeroed at first, freed with dn_normaliser_free. One
 * per thread. */
typedef struct dn_normaliser {
    char *decoded, *folded;
    size_t room; /**< longest text that fits */
} dn_normaliser;

/** The convention of that name ("tweeteval", "none"); CONFIG otherwise. */
dn_status dn_convention_find(const char *name, dn_convention *out);

/** Normalises valid UTF-8 of any length.
 *  lends   the result until the next call on the same normaliser; it is `text` itself where nothing
 * changes cost    O(text), no malloc once the longest text has been seen */
dn_span dn_normalise(dn_normaliser *normaliser, dn_convention convention, dn_span text);

void dn_normaliser_free(dn_normaliser *normaliser);

#endif
