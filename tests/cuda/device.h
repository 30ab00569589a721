#ifndef DN_TEST_DEVICE_H
#define DN_TEST_DEVICE_H
/** Operands of the device's kernels, on the host: elements of a type made of floats, and outputs
 * that start as NaN between guards. run_all_orders() runs a launch with the emulated threads in
 * three orders and wants the same bytes each time. */
#include "kernels/buffers.h"

#include "emulate/control.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/variants.h"
#include "kernels/ops.h"

enum { N_TYPES = 3, GUARD_BYTES = 64 };
static const dn_cuda_type all_types[N_TYPES] = {DN_CUDA_F32, DN_CUDA_BF16, DN_CUDA_F16};

static inline size_t size_of(dn_cuda_type type) {
    return type == DN_CUDA_F32 ? 4 : type == DN_CUDA_E4M3 ? 1 : 2;
}

/** How far an element may be from the same number as a float: half a unit of its last place, and a
 * little for the sum that was rounded. */
static inline double rounding_of(dn_cuda_type type) {
    return type == DN_CUDA_F32 ? 0 : type == DN_CUDA_BF16 ? 0x1.02p-8 : 0x1.02p-11;
}

/** The floats at x as elements; x becomes what they are after rounding. ownership  the caller */
static inline void *elements_of(dn_cuda_type type, float *x, size_t n) {
    void *out = NULL;
    if (posix_memalign(&out, 64, n * size_of(type)) != 0) {
        abort();
    }
    EXPECT_INT(dn_cuda_round(&(dn_cuda_round_args){type, n, x, 1, out}, NULL), 0);
    EXPECT_INT(dn_cuda_widen(&(dn_cuda_widen_args){type, n, out, x}, NULL), 0);
    return out;
}

typedef struct device_output {
    dn_cuda_type type;
    unsigned char *at;
    size_t n;
} device_output;

static inline void device_output_clear(device_output *out) {
    size_t bytes = out->n * size_of(out->type);
    memset(out->at - GUARD_BYTES, 0xa5, GUARD_BYTES);
    memset(out->at, 0xff, bytes); /* NaN in every type */
    memset(out->at + bytes, 0xa5, GUARD_BYTES);
}

static inline device_output device_output_new(dn_cuda_type type, size_t n) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, n * size_of(type) + 2 * (size_t)GUARD_BYTES) != 0) {
        abort();
    }
    device_output out = {type, (unsigned char *)memory + GUARD_BYTES, n};
    device_output_clear(&out);
    return out;
}

static inline void device_output_free(device_output *out) {
    free(out->at - GUARD_BYTES);
}

static inline float e4m3_float(uint8_t bits) {
    int exponent = bits >> 3 & 15, digits = bits & 7;
    float x = (bits & 0x7f) == 0x7f ? NAN
              : exponent == 0       ? ldexpf((float)digits, -9)
                                    : ldexpf((float)(digits | 8), exponent - 10);
    return bits & 0x80 ? -x : x;
}

/** The output as floats.   ownership  the caller */
static inline float *device_output_floats(const device_output *out) {
    float *x = floats_of(out->n);
    for (size_t i = 0; i < out->n && out->type == DN_CUDA_E4M3; i++) {
        x[i] = e4m3_float(out->at[i]);
    }
    if (out->type != DN_CUDA_E4M3) {
        dn_cuda_widen(&(dn_cuda_widen_args){out->type, out->n, out->at, x}, NULL);
    }
    return x;
}

static inline bool guards_stand(const device_output *out) {
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        if (out->at[(ptrdiff_t)i - GUARD_BYTES] != 0xa5 ||
            out->at[out->n * size_of(out->type) + i] != 0xa5) {
            return false;
        }
    }
    return true;
}

/** Every element within absolute + relative |want|, nothing beside the output touched. */
static inline void expect_output(const char *what, const device_output *got, const float *want,
                                 double absolute, double relative) {
    double worst = 0;
    size_t place = 0;
    float *x = device_output_floats(got);
    for (size_t i = 0; i < got->n; i++) {
        double allowed = absolute + relative * fabs((double)want[i]);
        double excess = fabs((double)x[i] - (double)want[i]) / allowed;
        if (!(excess <= worst)) {
            worst = excess, place = i;
        }
    }
    if (!(worst <= 1) || !guards_stand(got)) {
        fprintf(stderr, "%s: element %zu of %zu is %.9g, want %.9g, %.2f times the tolerance%s\n",
                what, place, got->n, (double)x[place], (double)want[place], worst,
                guards_stand(got) ? "" : "; written beside the output");
    }
    EXPECT(worst <= 1 && guards_stand(got));
    free(x);
}

/** The fp8 copy: want * factor, saturated, within half a unit of e4m3. */
static inline void expect_fp8(const char *what, const device_output *got, const float *want,
                              float factor, double relative) {
    float *scaled = floats_of(got->n);
    for (size_t i = 0; i < got->n; i++) {
        scaled[i] = fmaxf(-448, fminf(448, want[i] * factor));
    }
    expect_output(what, got, scaled, 0x1.02p-10, 0x1.02p-4 + relative);
    free(scaled);
}

static inline float largest_of(const float *x, size_t n) {
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(x[i]));
    }
    return largest;
}

/** launch(context) in three orders of blocks and threads; `out` holds the same bytes each time, and
 * shared memory was passed between threads over barriers only. */
static inline void run_all_orders(int (*launch)(const void *context), const void *context,
                                  device_output *out) {
    size_t bytes = out->n * size_of(out->type);
    unsigned char *first = malloc(bytes ? bytes : 1);
    for (int order = DN_EMULATE_FORWARD; order <= DN_EMULATE_SHUFFLED; order++) {
        dn_emulate_order(order, dn_random());
        device_output_clear(out);
        EXPECT_INT(launch(context), 0);
        if (order == DN_EMULATE_FORWARD) {
            memcpy(first, out->at, bytes);
        }
        EXPECT(memcmp(first, out->at, bytes) == 0);
    }
    dn_emulate_order(DN_EMULATE_FORWARD, 0);
    EXPECT_INT(dn_emulate_races(), 0);
    free(first);
}

static inline const char *type_name(dn_cuda_type type) {
    static const char *const name[] = {"fp32", "bf16", "fp16", "e4m3"};
    return name[type];
}

#endif
