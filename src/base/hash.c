#include "base/hash.h"

#include "base/memory.h"

#include <stdlib.h>
#include <xxhash.h>

struct dn_hasher {
    XXH3_state_t *state;
};

uint64_t dn_hash64(dn_span bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

dn_hasher *dn_hasher_new(void) {
    dn_hasher *hasher = dn_alloc(sizeof *hasher);
    hasher->state = XXH3_createState();
    dn_hasher_reset(hasher);
    return hasher;
}

void dn_hasher_reset(dn_hasher *hasher) {
    XXH3_64bits_reset(hasher->state);
}

void dn_hasher_add(dn_hasher *hasher, const void *bytes, size_t size) {
    if (size) {
        XXH3_64bits_update(hasher->state, bytes, size);
    }
}

uint64_t dn_hasher_value(const dn_hasher *hasher) {
    return XXH3_64bits_digest(hasher->state);
}

void dn_hasher_free(dn_hasher *hasher) {
    if (hasher) {
        XXH3_freeState(hasher->state);
        free(hasher);
    }
}
