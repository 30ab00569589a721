#include "kernels/cuda/libraries.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/** Folders with wildcards; a leading variable of the environment stands for its value. */
static const struct {
    const char *variable, *pattern;
} places[] = {
    {"DN_CUDA_LIBRARIES", ""},
    {"CUDA_HOME", "/lib64"},
    {"CUDA_PATH", "/lib64"},
    {NULL, "/usr/local/cuda/lib64"},
    {"VIRTUAL_ENV", "/lib/python3*/site-packages/nvidia/*/lib"},
    {"CONDA_PREFIX", "/lib"},
    {"CONDA_PREFIX", "/lib/python3*/site-packages/nvidia/*/lib"},
    {"HOME", "/.local/lib/python3*/site-packages/nvidia/*/lib"},
    {NULL, "/usr/local/lib/python3*/dist-packages/nvidia/*/lib"},
    {NULL, "/usr/lib/python3*/dist-packages/nvidia/*/lib"},
    {NULL, "/opt/*/lib/python3*/site-packages/nvidia/*/lib"},
};
enum { N_PLACES = sizeof places / sizeof *places, PATH_BYTES = 4096 };

static void *open_any(const char *pattern) {
    glob_t found;
    void *library = NULL;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && !library; i++) {
            library = dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
        }
        globfree(&found);
    }
    return library;
}

void *dn_cuda_library(const char *file, char *why, size_t why_bytes) {
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    for (int i = 0; i < N_PLACES && !library; i++) {
        char pattern[PATH_BYTES];
        const char *root = places[i].variable ? getenv(places[i].variable) : "";
        if (root && (*root || !places[i].variable)) {
            snprintf(pattern, sizeof pattern, "%s%s/%s", root, places[i].pattern, file);
            library = open_any(pattern);
        }
    }
    if (!library) {
        snprintf(why, why_bytes,
                 "%s is neither where the loader looks (LD_LIBRARY_PATH) nor in a CUDA toolkit "
                 "(CUDA_HOME) nor in NVIDIA's Python packages; DN_CUDA_LIBRARIES names its folder",
                 file);
    }
    return library;
}
