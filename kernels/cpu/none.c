/* A processor without kernels of its own: select.c is left with `ref`. */
#include "kernels/backend.h"

const dn_backend dn_cpu_backends[] = {{0}};
const int dn_n_cpu_backends = 0;
