#ifndef DN_TEST_BUFFERS_H
#define DN_TEST_BUFFERS_H
/** Inputs of exact size (so that AddressSanitizer sees the first float behind them) and outputs
 * that start as NaN between two guards: an element that nobody wrote stays NaN, a write beside the
 * output breaks a guard. */
#include "test.h"

#include "kernels/kernels.h"

enum { GUARD = 64, MAX_KERNELS = 16 };
static const float guard_value = -12345.0f;

typedef struct output {
    float *at;
    size_t n;
} output;

static inline float *floats_of(size_t n) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, (n ? n : 1) * sizeof(float)) != 0) {
        abort();
    }
    return memory;
}

static inline output output_new(size_t n) {
    output out = {floats_of(n + 2 * GUARD) + GUARD, n};
    for (size_t i = 0; i < n + 2 * GUARD; i++) {
        out.at[(ptrdiff_t)i - GUARD] = i < GUARD || i >= n + GUARD ? guard_value : NAN;
    }
    return out;
}

static inline void output_free(output *out) {
    free(out->at - GUARD);
}

/** Every element written, no guard touched. */
static inline bool output_is_whole(const output *out) {
    for (size_t i = 0; i < GUARD; i++) {
        if (out->at[(ptrdiff_t)i - GUARD] != guard_value || out->at[out->n + i] != guard_value) {
            return false;
        }
    }
    for (size_t i = 0; i < out->n; i++) {
        if (isnan(out->at[i])) {
            return false;
        }
    }
    return true;
}

/** Uniform in [-scale, scale]. */
static inline float random_float(float scale) {
    return scale * ((float)(dn_random() >> 40) / (float)(1 << 23) - 1.0f);
}

static inline int random_below(int n) {
    return (int)(dn_random() % (uint64_t)n);
}

static inline float *random_floats(size_t n, float scale) {
    float *x = floats_of(n);
    for (size_t i = 0; i < n; i++) {
        x[i] = random_float(scale);
    }
    return x;
}

/** Starts of rows of the given lengths, one more than there are rows. ownership  the caller */
static inline int32_t *row_starts(const int *length, int n_rows) {
    int32_t *start = malloc(((size_t)n_rows + 1) * sizeof *start);
    start[0] = 0;
    for (int r = 0; r < n_rows; r++) {
        start[r + 1] = start[r] + length[r];
    }
    return start;
}

typedef void kernels_check(const dn_kernels *kernels, const char *name);

/** Runs the check on every backend but those named `but` and those that this machine lacks. */
static inline void for_each_backend(kernels_check *check, const char *but) {
    const dn_kernels *table[MAX_KERNELS];
    const char *name[MAX_KERNELS];
    int n = dn_kernels_list(table, name, MAX_KERNELS);
    for (int i = 0; i < n; i++) {
        if (but && strcmp(name[i], but) == 0) {
            continue;
        }
        if (table[i]) {
            check(table[i], name[i]);
        } else {
            printf("    skipped: this machine lacks %s\n", name[i]);
        }
    }
}

#endif
