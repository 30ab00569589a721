#ifndef DN_TEXT_TIMESTAMP_H
#define DN_TEXT_TIMESTAMP_H
/** Times in records. */
#include "base/span.h"

#include <stdint.h>

/** Reads an RFC 3339 time such as "2017-08-15T00:01:00Z", "2017-08-15 02:01:00.25+02:00":
 * milliseconds since 1970-01-01 UTC, digits beyond the millisecond cut off, a leap second (:60) as
 * the second after it. The offset may be absent and then is UTC.     returns  false when it is
 * anything else */
bool dn_timestamp_parse(dn_span text, int64_t *out_ms);

#endif
