#include "text/word_cache.h"

#include "base/hash.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

void dn_word_cache_init(dn_word_cache *cache, uint32_t n_words, uint32_t store_bytes) {
    assert((n_words & (n_words - 1)) == 0);
    *cache = (dn_word_cache){.n_slots = 2 * n_words, .n_store = store_bytes / 4, .used_store = 1};
    cache->slot = dn_alloc_array(cache->n_slots, sizeof *cache->slot);
    cache->store = dn_alloc_array(cache->n_store, sizeof *cache->store);
}

void dn_word_cache_free(dn_word_cache *cache) {
    free(cache->slot);
    free(cache->store);
    *cache = (dn_word_cache){0};
}

static inline uint64_t load(const char *at, size_t size) {
    uint64_t word = 0;
    memcpy(&word, at, size);
    return word;
}

/* Most words have at most 16 bytes: two overlapping loads and one wide product, where a general
 * hash spends its time on its entry. */
uint64_t dn_word_hash(const char *bytes, size_t len) {
    uint64_t a, b;
    if (len > 16) {
        return dn_hash64((dn_span){bytes, len}, 0);
    }
    if (len >= 8) {
        a = load(bytes, 8);
        b = load(bytes + len - 8, 8);
    } else if (len >= 4) {
        a = load(bytes, 4);
        b = load(bytes + len - 4, 4);
    } else {
        a = (unsigned char)bytes[0] | (uint64_t)(unsigned char)bytes[len / 2] << 8;
        b = (unsigned char)bytes[len - 1];
    }
    unsigned __int128 product =
        (unsigned __int128)(a ^ (0x9e3779b97f4a7c15u + len)) * (b ^ 0xd6e8feb86659fd93u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t key_words(size_t len) {
    return (uint32_t)(len + 3) / 4;
}

/* The slot of the key, or the free one where it belongs. */
static inline dn_word_slot *find_slot(const dn_word_cache *cache, uint64_t hash, dn_span key) {
    uint32_t mask = cache->n_slots - 1, tag = (uint32_t)(hash >> 32);
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        dn_word_slot *slot = &cache->slot[i];
        if (!slot->at) {
            return slot;
        }
        const uint32_t *entry = cache->store + slot->at;
        if (slot->tag == tag && (entry[0] & 0xffff) == key.len &&
            memcmp(entry + 1, key.ptr, key.len) == 0) {
            return slot;
        }
    }
}

const int32_t *dn_word_cache_find(dn_word_cache *cache, uint64_t hash, dn_span key, int32_t *n) {
    const dn_word_slot *slot = find_slot(cache, hash, key);
    if (!slot->at) {
        cache->misses++;
        return NULL;
    }
    cache->hits++;
    const uint32_t *entry = cache->store + slot->at;
    *n = (int32_t)(entry[0] >> 16);
    return (const int32_t *)(entry + 1 + key_words(key.len));
}

static void forget_all(dn_word_cache *cache) {
    memset(cache->slot, 0, cache->n_slots * sizeof *cache->slot);
    cache->used_slots = 0;
    cache->used_store = 1;
    cache->floods++;
}

void dn_word_cache_put(dn_word_cache *cache, uint64_t hash, dn_span key, const int32_t *id,
                       int32_t n) {
    assert(key.len <= DN_WORD_BYTES && n <= DN_WORD_IDS);
    uint32_t size = 1 + key_words(key.len) + (uint32_t)n;
    if (2 * cache->used_slots >= cache->n_slots || cache->used_store + size > cache->n_store) {
        forget_all(cache);
    }
    uint32_t *entry = cache->store + cache->used_store;
    *find_slot(cache, hash, key) = (dn_word_slot){(uint32_t)(hash >> 32), cache->used_store};
    entry[0] = (uint32_t)key.len | (uint32_t)n << 16;
    memcpy(entry + 1, key.ptr, key.len);
    memcpy(entry + 1 + key_words(key.len), id, (size_t)n * sizeof *id);
    cache->used_slots++;
    cache->used_store += size;
}
