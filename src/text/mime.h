#ifndef DN_TEXT_MIME_H
#define DN_TEXT_MIME_H
/** The subject and the text of a mail (RFC 5322, MIME), as UTF-8.
 *
 *    multipart/alternative   the plainest part that has text: text/plain, then multipart, then HTML
 *    other multiparts        the text parts one after the other, attachments left out
 *    message/rfc822          an attached mail is not the writer's own: left out unless asked for
 *
 * A parser of our own and not GMime, because that allocates every object and string it reads, and
 * nothing may from chunk to model; and because what is damaged must give the same text on every
 * machine. Damage is read as far as it goes and counted. Refused is only what passes the limits. */
#include "text/text_buffer.h"

#include <stdint.h>

enum {
    DN_MIME_HEADER_BYTES = 1 << 20, /**< of a message or part */
    DN_MIME_PARTS = 1000,
    DN_MIME_DEPTH = 50,
};

typedef struct dn_mime {
    bool attached; /**< set before: attached mails are read too */
    dn_text_buffer subject, text;
    int64_t n_damaged; /**< places read in spite of damage: base64, quoted-printable, boundaries,
                          bytes of no character */
    int64_t n_lost;    /**< of these, bytes that are no character of their set */
    size_t lost_at;    /**< where the first part that has such bytes begins in the message */
    int n_parts;
    const char *fault, *detail; /**< why it was refused; literals */
    size_t fault_at;            /**< and where in the message */
    const char *begin;
    dn_text_buffer bytes, decoded; /**< scratch */
} dn_mime;

/** Whether `text` begins as a message does: header lines, one of them of a name that mail has. */
bool dn_mime_is_message(dn_span text);

/** Reads a message into subject and text; false and `fault` when it passes a limit. No malloc but
 * for messages larger than all before.     cost  O(message x depth) */
bool dn_mime_read(dn_mime *mime, dn_span message);

/** Appends an unfolded header text with its encoded words (RFC 2047) decoded; white space at the
 * ends goes. */
void dn_mime_header_text(dn_mime *mime, dn_span value, dn_text_buffer *out);

void dn_mime_free(dn_mime *mime);

#endif
