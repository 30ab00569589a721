#include "kernels/cuda/variants.h"

#include <string.h>

const dn_cuda_variant dn_cuda_variants[] = {
    {"norm", "warp",
     "one warp a row in registers; width a multiple of 16 bytes, at most 4 pieces a lane"},
    {"norm", "block",
     "one block a row in shared memory; any width; more threads where tokens are few"},
    {"gelu", "rational", "erfc by Abramowitz and Stegun 7.1.26: one exp2, one reciprocal"},
    {"gelu", "erff", "the compiler's erff"},
    {"launch", "in turn", "a kernel begins when the one before it has ended"},
    {"launch", "early", "sm_90 on: a kernel sets up while the one before it ends"},
    {"attention", "direct", "a warp per 16 queries and head, operands straight into registers"},
    {"attention", "staged", "64 queries a block share keys through shared memory: long rows"},
    {"attention", "plain", "a warp per query and head, no tensor cores: any type and head size"},
};
const int dn_n_cuda_variants = sizeof dn_cuda_variants / sizeof *dn_cuda_variants;

static bool forced[sizeof dn_cuda_variants / sizeof *dn_cuda_variants];

static int index_of(const char *operation, const char *name) {
    for (int i = 0; i < dn_n_cuda_variants; i++) {
        if (strcmp(dn_cuda_variants[i].operation, operation) == 0 &&
            strcmp(dn_cuda_variants[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int dn_cuda_force(const char *operation, const char *name) {
    int wanted = name ? index_of(operation, name) : -1;
    if (name && wanted < 0) {
        return -1;
    }
    for (int i = 0; i < dn_n_cuda_variants; i++) {
        if (strcmp(dn_cuda_variants[i].operation, operation) == 0) {
            forced[i] = i == wanted;
        }
    }
    return 0;
}

int dn_cuda_is_forced(const char *operation, const char *name) {
    int i = index_of(operation, name);
    return i >= 0 && forced[i];
}
