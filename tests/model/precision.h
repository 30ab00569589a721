#ifndef DN_TEST_MODEL_PRECISION_H
#define DN_TEST_MODEL_PRECISION_H
/** How far from float64 a whole model may be, by the precision of its linear layers: relative
 * errors ||x - g|| / ||g|| of the small models, whose rows are too short to average rounding out.
 */
#include "kernels/kernels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/** All backends, or those whose names begin as DN_BACKEND says. */
static inline bool backend_is_wanted(const char *name) {
    const char *wanted = getenv("DN_BACKEND");
    return !wanted || strncmp(name, wanted, strlen(wanted)) == 0;
}

static inline double model_tolerance(const dn_kernels *kernels) {
    static const struct {
        const char *precision;
        double error;
    } table[] = {{"fp32", 1e-5}, {"bf16", 3e-2}, {"int8", 1e-1}, {"fp16", 4e-3}, {"fp8", 3e-1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].precision, kernels->precision) == 0) {
            return table[i].error;
        }
    }
    return 0;
}

#endif
