#ifndef DN_TEXT_MIME_HEADER_H
#define DN_TEXT_MIME_HEADER_H
/** Header fields of a message or part: views into it, folded as they stand. */
#include "base/span.h"

typedef struct dn_mime_header {
    dn_span subject, type, encoding, disposition; /**< the first of each; ptr NULL: none */
    const char *body;                             /**< behind the blank line */
    int n_fields, n_known;                        /**< known: names that only mail has */
    bool broken; /**< a line that is no field ended the header without a blank line */
} dn_mime_header;

/** Reads the header at the beginning of `entity`; a first line "From ..." of a mailbox file is
 * skipped.     cost  O(header) */
void dn_mime_header_read(dn_span entity, dn_mime_header *header);

/** The word before the first ';' of a value ("text/plain"), and a parameter of it ("charset"),
 * without quotes; len 0 when there is none. */
dn_span dn_mime_value(dn_span value);
dn_span dn_mime_parameter(dn_span value, const char *name);

/** Equal but for the case of ASCII letters. */
bool dn_mime_is(dn_span value, const char *word);
bool dn_mime_begins(dn_span value, const char *word);

#endif
