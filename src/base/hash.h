#ifndef DN_BASE_HASH_H
#define DN_BASE_HASH_H
/** Hashing, through xxHash (XXH3). The 64-bit value of equal bytes is equal on every machine. */
#include "base/span.h"

#include <stdint.h>

uint64_t dn_hash64(dn_span bytes, uint64_t seed);

/** A running XXH3-64 over pieces, equal to the hash of their concatenation. */
typedef struct dn_hasher dn_hasher;
dn_hasher *dn_hasher_new(void);
void dn_hasher_reset(dn_hasher *hasher);
void dn_hasher_add(dn_hasher *hasher, const void *bytes, size_t size);
uint64_t dn_hasher_value(const dn_hasher *hasher);
void dn_hasher_free(dn_hasher *hasher);

#endif
