#ifndef DN_IO_SHA256_H
#define DN_IO_SHA256_H
/** SHA-256, for provenance that others check with their own tools: the same digits as sha256sum. */
#include "base/span.h"
#include "base/status.h"

enum { DN_SHA256_HEX = 65 };

/** Lower-case digits and a NUL.     thread  any     cost  O(n), 0.5 to 2 GB/s */
dn_status dn_sha256(dn_span bytes, char hex[DN_SHA256_HEX]);

#endif
