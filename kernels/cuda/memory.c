#include "kernels/cuda/backend.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 256, FP8_LARGEST = 448 };

size_t dn_cuda_element_bytes(dn_cuda_type type) {
    static const size_t bytes[] = {
        [DN_CUDA_F32] = 4, [DN_CUDA_BF16] = 2, [DN_CUDA_F16] = 2, [DN_CUDA_E4M3] = 1};
    return bytes[type];
}

static size_t round_up(size_t bytes) {
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

dn_status dn_cuda_alloc(size_t bytes, const char *what, void **out) {
    const dn_cuda_api *api = dn_cuda.api;
    *out = NULL;
    DN_TRY(dn_cuda_enter());
    int error = api->alloc(out, round_up(bytes ? bytes : 1));
    if (error == DN_CUDA_NO_MEMORY) {
        size_t left = 0, total = 0;
        (void)api->free_memory(&left, &total);
        return DN_FAIL_AS(DN_RETRY, MEMORY,
                          "GPU %d (%s at %s) has no room for %zu MiB of %s: %zu of %zu MiB are "
                          "free; set `tokens` lower, or end what else runs there",
                          dn_cuda.device, dn_cuda.properties.name, dn_cuda.properties.pci,
                          (bytes >> 20) + 1, what, left >> 20, total >> 20);
    }
    return error ? dn_cuda_fault(error, "reserving memory") : DN_OK;
}

/** Where the elements behind n floats begin. */
static size_t elements_at(size_t n) {
    return round_up(n * sizeof(float));
}

const void *dn_cuda_elements_of(const float *floats, int n) {
    return floats ? (const char *)floats + elements_at((size_t)n) : NULL;
}

dn_status dn_cuda_reserve(dn_cuda_type type, dn_numbers kind, size_t n, float **out) {
    size_t bytes = n * dn_cuda_element_bytes(type);
    if (kind == DN_FLOATS) {
        bytes += elements_at(n);
    }
    void *memory;
    dn_status status = dn_cuda_alloc(bytes, kind == DN_FLOATS ? "scores" : "activations", &memory);
    *out = memory;
    return status;
}

void dn_cuda_release(float *numbers) {
    if (numbers) {
        (void)dn_cuda.api->release(numbers);
    }
}

/** Rounds device floats to another type on the device: the same rounding as the kernels'. */
static dn_status round_floats(dn_cuda_type type, const float *x, size_t n, float factor,
                              void *out) {
    int error = dn_cuda.api->round(
        &(dn_cuda_round_args){.type = type, .n = n, .x = x, .factor = factor, .out = out}, NULL);
    error = error ? error : dn_cuda.api->stream_finish(NULL);
    return error ? dn_cuda_fault(error, "rounding weights") : DN_OK;
}

static dn_status send(void *to, const void *from, size_t bytes) {
    int error = dn_cuda.api->copy(to, from, bytes, NULL);
    error = error ? error : dn_cuda.api->stream_finish(NULL);
    return error ? dn_cuda_fault(error, "copying to the device") : DN_OK;
}

/** Through floats on the device that are gone afterwards. */
static dn_status send_rounded(dn_cuda_type type, const float *host, size_t n, float factor,
                              void *out) {
    void *floats;
    DN_TRY(dn_cuda_alloc(n * sizeof *host, "weights", &floats));
    dn_status status = send(floats, host, n * sizeof *host);
    if (status == DN_OK) {
        status = round_floats(type, floats, n, factor, out);
    }
    dn_cuda_release(floats);
    return status;
}

dn_status dn_cuda_upload(dn_cuda_type type, dn_numbers kind, const float *host, size_t n,
                         float *out) {
    DN_TRY(dn_cuda_enter());
    if (kind == DN_ELEMENTS) {
        return send_rounded(type, host, n, 1, out);
    }
    DN_TRY(send(out, host, n * sizeof *host));
    return round_floats(type, out, n, 1, (char *)out + elements_at(n));
}

static dn_status fetch(const void *from, size_t bytes, cudaStream_t stream, void *to) {
    int error = dn_cuda.api->copy(to, from, bytes, stream);
    error = error ? error : dn_cuda.api->stream_finish(stream);
    return error ? dn_cuda_fault(error, "copying from the device") : DN_OK;
}

dn_status dn_cuda_download(dn_cuda_type type, dn_numbers kind, const float *numbers, size_t n,
                           cudaStream_t stream, float *host) {
    DN_TRY(dn_cuda_enter());
    if (kind == DN_FLOATS) {
        return fetch(numbers, n * sizeof *host, stream, host);
    }
    void *floats;
    DN_TRY(dn_cuda_alloc(n * sizeof *host, "activations", &floats));
    int error = dn_cuda.api->widen(
        &(dn_cuda_widen_args){.type = type, .n = n, .x = numbers, .out = floats}, stream);
    dn_status status = error ? dn_cuda_fault(error, "widening activations")
                             : fetch(floats, n * sizeof *host, stream, host);
    dn_cuda_release(floats);
    return status;
}

static void release_matrix(void *packed) {
    dn_cuda_matrix *matrix = packed;
    if (matrix) {
        dn_cuda_release(matrix->elements);
        dn_cuda_release(matrix->fp8);
        dn_cuda_release(matrix->scales);
        free(matrix);
    }
}

static float largest_of(const float *w, size_t n) {
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(w[i]));
    }
    return largest;
}

/** fp8 products want all sizes to be multiples of 16; others stay in the wide type. */
static bool can_be_narrow(int n, int k) {
    return n % 16 == 0 && k % 16 == 0;
}

static dn_status pack_narrow(const float *w, dn_cuda_matrix *matrix) {
    size_t n = (size_t)matrix->n * (size_t)matrix->k;
    float largest = largest_of(w, n), factor = largest > 0 ? FP8_LARGEST / largest : 1;
    float scales[DN_SCALES] = {[DN_SCALE_W] = 1 / factor, [DN_SCALE_X] = 1, [DN_FACTOR_X] = 1};
    void *memory;
    DN_TRY(dn_cuda_alloc(n, "weights", &matrix->fp8));
    DN_TRY(send_rounded(DN_CUDA_E4M3, w, n, factor, matrix->fp8));
    DN_TRY(dn_cuda_alloc(sizeof scales, "weights", &memory));
    matrix->scales = memory;
    return send(matrix->scales, scales, sizeof scales);
}

dn_status dn_cuda_pack(const dn_cuda_mode *mode, const float *w, int n, int k, dn_weight *out) {
    size_t count = (size_t)n * (size_t)k, bytes = count * dn_cuda_element_bytes(mode->type);
    dn_cuda_matrix *matrix = dn_alloc(sizeof *matrix);
    *matrix = (dn_cuda_matrix){.n = n, .k = k};
    dn_status status;
    DN_TRY_GO(dn_cuda_alloc(bytes, "weights", &matrix->elements), refused);
    DN_TRY_GO(send_rounded(mode->type, w, count, 1, matrix->elements), refused);
    if (mode->fp8 && can_be_narrow(n, k)) {
        DN_TRY_GO(pack_narrow(w, matrix), refused);
        bytes += count;
    }
    *out = (dn_weight){.n = n,
                       .k = k,
                       .layout = "cuda",
                       .bytes = bytes,
                       .packed = matrix,
                       .release = release_matrix};
    return DN_OK;
refused:
    release_matrix(matrix);
    return status;
}

dn_status dn_cuda_calibrate(dn_cuda_matrix *matrix) {
    /* e4m3 keeps its relative precision over 15 octaves, so room above the largest value that was
     * seen costs nothing (the logits' noise is the same from 1 to 32); a value beyond it is cut
     * without a word. Tweets reach 1.6 times what random ids do. */
    const float room = 8;
    float scales[DN_SCALES];
    if (!matrix->fp8 || matrix->calibrated) {
        return DN_OK;
    }
    DN_TRY(fetch(matrix->scales, sizeof scales, NULL, scales));
    if (!(scales[DN_LARGEST_X] > 0)) {
        return DN_OK; /* not behind a step that could look: it stays wide */
    }
    scales[DN_SCALE_X] = room * scales[DN_LARGEST_X] / FP8_LARGEST;
    scales[DN_FACTOR_X] = 1 / scales[DN_SCALE_X];
    DN_TRY(send(matrix->scales, scales, sizeof scales));
    matrix->calibrated = true;
    return DN_OK;
}
