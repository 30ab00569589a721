/* Where cuDNN's headers were not there when this was built. */
#include "kernels/cuda/fused.h"

static const char *absent(void) {
    return "this build was made without cuDNN's headers (9.15 or later)";
}

const dn_fused_ops dn_fused_cudnn = {.open = absent};
