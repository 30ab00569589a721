#ifndef DN_TEXT_TRANSFER_H
#define DN_TEXT_TRANSFER_H
/** Content-Transfer-Encoding (RFC 2045) undone, as far as it can be: damage is skipped and counted,
 * never refused. */
#include "text/text_buffer.h"

#include <stdint.h>

/** Appends the bytes that base64 stands for; characters outside its alphabet are skipped, and a
 * rest of a single character too. Returns the number of such places, white space not counted. */
int64_t dn_base64_decode(dn_span text, dn_text_buffer *out);

/** Appends what quoted-printable stands for; an '=' that begins neither a byte nor a soft line end
 * stays. `header`: the Q encoding of RFC 2047, where '_' is a blank. Returns the number of such
 * places. */
int64_t dn_quoted_decode(dn_span text, bool header, dn_text_buffer *out);

#endif
