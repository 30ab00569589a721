#include "kernels/narrow.h"

#include "kernels/backend.h"

dn_status dn_narrow_check(const float *w, int n, int k) {
    if (k > DN_NARROW_MAX_INPUTS) {
        return DN_FAIL(
            MODEL,
            "a matrix of %d outputs has %d inputs; int8 and bf16 take at most %d: choose "
            "precision fp32",
            n, k, DN_NARROW_MAX_INPUTS);
    }
    for (size_t i = 0; i < (size_t)n * (size_t)k; i++) {
        if (!isfinite(w[i])) {
            return DN_FAIL(MODEL, "weight [%zu][%zu] of a [%d][%d] matrix is not finite",
                           i / (size_t)k, i % (size_t)k, n, k);
        }
    }
    return DN_OK;
}
