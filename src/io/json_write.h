#ifndef DN_IO_JSON_WRITE_H
#define DN_IO_JSON_WRITE_H
/** Writes JSON into a buffer that grows, for sinks and commands.
 *
 *   dn_out_open(&out, '{');
 *   dn_out_key(&out, "id");
 *   dn_out_i64(&out, 7);
 *   dn_out_close(&out, '}');          {"id":7}
 *
 * Commas come by themselves: one is needed wherever a value does not follow '{' '[' ':' ',' or the
 * start of a line. What is written is valid whatever the input: bytes that are not UTF-8 become
 * U+FFFD, numbers that are not finite become null.
 *
 * thread  one at a time per buffer     blocks  never     errors  none (memory: see base/memory.h)
 */
#include "base/span.h"

#include <stdint.h>

/** Zeroed: an empty buffer. ownership: free with dn_out_free */
typedef struct dn_out {
    char *ptr;
    size_t len, room;
} dn_out;

/** Empties it; the memory stays, so that a warm buffer never allocates. */
void dn_out_reset(dn_out *out);
void dn_out_free(dn_out *out);

/** Bytes as they are. */
void dn_out_bytes(dn_out *out, const void *bytes, size_t size);

/** What is JSON already, such as a key or a value that was written before, with the comma that it
 * needs. */
void dn_out_value(dn_out *out, dn_span json);

void dn_out_open(dn_out *out, char bracket);  /**< '{' or '[' */
void dn_out_close(dn_out *out, char bracket); /**< '}' or ']' */
void dn_out_key(dn_out *out, const char *name);
void dn_out_string(dn_out *out, dn_span text); /**< ptr NULL: null */
void dn_out_i64(dn_out *out, int64_t number);
void dn_out_f32(dn_out *out,
                float number); /**< the fewest digits that read back as the same float */
void dn_out_f64(dn_out *out,
                double number); /**< the fewest digits that read back as the same double */
void dn_out_bool(dn_out *out, bool value);
void dn_out_null(dn_out *out);

/** Ends a line of JSON Lines. */
void dn_out_newline(dn_out *out);

#endif
