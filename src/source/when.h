#ifndef DN_SOURCE_WHEN_H
#define DN_SOURCE_WHEN_H
/** Event times as corpora write them. */
#include "base/span.h"

#include <stdint.h>

/** Milliseconds since 1970-01-01 UTC from one of
 *
 *    1502755440000                    an integer: milliseconds
 *    2017-08-15T00:04:00.250Z         ISO 8601; blank for T, no seconds, no zone (UTC), +02:00 and
 * +0200 too 10/1/2017 19:58                  month/day/year, UTC Tue Aug 15 00:04:00 +0000 2017
 * Twitter's API
 *
 *  false when it is none of them or no possible date.     units  ms */
bool dn_when_parse(dn_span text, int64_t *ms);

#endif
