#include "base/hist.h"

enum { SUB = 1 << DN_HIST_SUB_BITS };

static uint32_t bucket_of(uint64_t value) {
    if (value < SUB) {
        return (uint32_t)value;
    }
    uint32_t exponent = 63u - (uint32_t)__builtin_clzll(value);
    uint32_t shift = exponent - DN_HIST_SUB_BITS;
    return ((shift + 1) << DN_HIST_SUB_BITS) + (uint32_t)((value >> shift) - SUB);
}

uint64_t dn_hist_lower(uint32_t bucket) {
    if (bucket < SUB) {
        return bucket;
    }
    uint32_t shift = (bucket >> DN_HIST_SUB_BITS) - 1;
    return ((uint64_t)(bucket & (SUB - 1)) + SUB) << shift;
}

void dn_hist_add(dn_hist *hist, uint64_t value, uint64_t times) {
    hist->count[bucket_of(value)] += times;
}

void dn_hist_add_shared(dn_hist *hist, uint64_t value) {
    __atomic_fetch_add(&hist->count[bucket_of(value)], 1, __ATOMIC_RELAXED);
}

void dn_hist_read_shared(const dn_hist *hist, dn_hist *out) {
    for (uint32_t i = 0; i < DN_HIST_BUCKETS; i++) {
        out->count[i] = __atomic_load_n(&hist->count[i], __ATOMIC_RELAXED);
    }
}

void dn_hist_merge(dn_hist *into, const dn_hist *from) {
    for (uint32_t i = 0; i < DN_HIST_BUCKETS; i++) {
        into->count[i] += from->count[i];
    }
}

uint64_t dn_hist_total(const dn_hist *hist) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < DN_HIST_BUCKETS; i++) {
        total += hist->count[i];
    }
    return total;
}

double dn_hist_quantile(const dn_hist *hist, double q) {
    uint64_t total = dn_hist_total(hist);
    if (!total) {
        return 0.0;
    }
    double wanted = q * (double)total;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < DN_HIST_BUCKETS; i++) {
        seen += hist->count[i];
        if (hist->count[i] && (double)seen >= wanted) {
            uint64_t width = i < SUB ? 1 : (uint64_t)1 << ((i >> DN_HIST_SUB_BITS) - 1);
            return (double)dn_hist_lower(i) + (double)(width - 1) / 2.0;
        }
    }
    return 0.0;
}
