#ifndef DN_BASE_TIME_TEXT_H
#define DN_BASE_TIME_TEXT_H
/** Times as records and corpora write them, to milliseconds since 1970-01-01 UTC. Digits beyond the
 * millisecond are cut off; a leap second (:60) is the second after it; no offset means UTC. What
 * reads returns false when the text is anything else or no possible date. */
#include "base/span.h"

#include <stdint.h>

/** RFC 3339, as records have it: "2017-08-15T00:01:00Z", "2017-08-15 02:01:00.25+02:00". */
bool dn_time_rfc3339(dn_span text, int64_t *ms);

/** Whatever corpora have:
 *
 *    1502755440000                    an integer: milliseconds
 *    2017-08-15T00:04:00.250Z         ISO 8601; blank for T, no seconds, no time, +0200 too
 *    10/1/2017 19:58                  month/day/year, UTC
 *    Tue Aug 15 00:04:00 +0000 2017   Twitter's API */
bool dn_time_any(dn_span text, int64_t *ms);

enum { DN_TIME_TEXT_MAX = 24 };

/** RFC 3339 in UTC, with milliseconds where there are some: "2017-08-15T00:01:00Z",
 * "2017-08-15T00:01:00.250Z". Its length, without a NUL; 0 outside the years 1 to 9999, which is
 * what the format can say. */
int dn_time_write(int64_t ms, char out[DN_TIME_TEXT_MAX]);

#endif
