#ifndef DN_CUDA_LIBRARIES_H
#define DN_CUDA_LIBRARIES_H
/** NVIDIA's libraries at run time: where the loader finds them, in a toolkit (CUDA_HOME, CUDA_PATH,
 * /usr/local/cuda), or in the wheels that pip or PyTorch brought (nvidia/<part>/lib below a
 * site-packages of VIRTUAL_ENV, of the user or of the system). The wheels hold no plain .so
 * names, so a library is asked for by its version: libcublasLt.so.13. */
#include <stddef.h>

/** dlopen of the first that opens; NULL: `why` says where it was looked for. */
void *dn_cuda_library(const char *file, char *why, size_t why_bytes);

#endif
