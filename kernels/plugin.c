#include "kernels/plugin.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, MAX_GPUS = 64, N_TABLES = 3 };

/* The rows as they are before the library was looked for: names and precisions are known. */
static const dn_kernels closed[N_TABLES] = {{.name = "cuda", .isa = "-", .precision = "bf16"},
                                            {.name = "cuda", .isa = "-", .precision = "fp16"},
                                            {.name = "cuda", .isa = "-", .precision = "fp8"}};

static bool bf16_usable(void);
static bool fp16_usable(void);
static bool fp8_usable(void);

static dn_backend backends[N_TABLES] = {{"cuda:bf16", bf16_usable, &closed[0]},
                                        {"cuda:fp16", fp16_usable, &closed[1]},
                                        {"cuda:fp8", fp8_usable, &closed[2]}};

static struct {
    pthread_once_t found, opened;
    const dn_plugin *plugin; /**< NULL: there is nothing to open */
    dn_plugin_state state;
    int wanted_gpu, n_gpus;
    dn_gpu gpu[MAX_GPUS];
    char note[DN_FAILURE_TEXT];
} self = {.found = PTHREAD_ONCE_INIT, .opened = PTHREAD_ONCE_INIT};

static const dn_plugin_host host = {
    .version = DN_PLUGIN_VERSION, .fail = dn_fail, .last = dn_failure_last, .set = dn_failure_set};

static void note(dn_plugin_state state, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(dn_plugin_state state, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    self.state = state;
    vsnprintf(self.note, sizeof self.note, fmt, args);
    va_end(args);
}

/** libdunlin_cuda.so in the folder of the file at `path`, or in one near it. */
static bool beside(const char *path, const char *folder, char out[PATH_BYTES]) {
    const char *slash = strrchr(path, '/');
    int n = snprintf(out, PATH_BYTES, "%.*s/%slibdunlin_cuda.so", slash ? (int)(slash - path) : 0,
                     path, folder);
    return slash && n < PATH_BYTES && access(out, R_OK) == 0;
}

/** Where this code is: the program, or libdunlin. */
static void own_path(char out[PATH_BYTES]) {
    Dl_info info;
    const char *path =
        dladdr((const void *)&host, &info) && info.dli_fname ? info.dli_fname : "/proc/self/exe";
    if (!strchr(path, '/')) {
        path = "/proc/self/exe";
    }
    char *real = realpath(path, NULL);
    snprintf(out, PATH_BYTES, "%s", real ? real : path);
    free(real);
}

static bool find_library(char path[PATH_BYTES]) {
    const char *named = getenv("DN_CUDA_LIBRARY");
    if (named && *named) {
        snprintf(path, PATH_BYTES, "%s", named);
        return true;
    }
    char own[PATH_BYTES];
    own_path(own);
    return beside(own, "", path) || beside(own, "../lib/", path) ||
           beside(own, "../lib/dunlin/", path);
}

static const dn_plugin *load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        note(DN_PLUGIN_BROKEN, "%s cannot be opened: %s", path, dlerror());
        return NULL;
    }
    dn_plugin_entry_fn *entry = NULL;
    void *symbol = dlsym(library, DN_PLUGIN_ENTRY);
    memcpy(&entry, &symbol, sizeof entry);
    const dn_plugin *plugin = entry ? entry(&host) : NULL;
    if (!plugin || plugin->version != DN_PLUGIN_VERSION) {
        note(DN_PLUGIN_BROKEN, "%s belongs to another version of Dunlin", path);
        return NULL;
    }
    return plugin;
}

static void find_gpus(const dn_plugin *plugin) {
    if (plugin->find(self.gpu, MAX_GPUS, &self.n_gpus) != DN_OK) {
        note(DN_PLUGIN_BROKEN, "%s", dn_failure_last()->text);
    } else if (self.n_gpus == 0) {
        note(DN_PLUGIN_ABSENT, "no GPU: the CUDA backend found no NVIDIA driver or no device");
    } else {
        self.plugin = plugin;
    }
}

/* What goes wrong in the next two is told by the note; it is no failure of the caller's. */

static void find(void) {
    char path[PATH_BYTES];
    dn_failure before = *dn_failure_last();
    if (find_library(path)) {
        const dn_plugin *plugin = load(path);
        if (plugin) {
            find_gpus(plugin);
        }
    } else {
        note(DN_PLUGIN_ABSENT, "no GPU: there is no libdunlin_cuda.so beside the program (build "
                               "with -DDUNLIN_CUDA=ON)");
    }
    dn_failure_set(&before);
}

static void fill_rows(const dn_plugin *plugin) {
    for (int i = 0; i < N_TABLES; i++) {
        for (int j = 0; j < plugin->n_tables; j++) {
            if (strcmp(backends[i].name, plugin->names[j]) == 0) {
                backends[i].kernels = plugin->table[j];
            }
        }
    }
}

static void open_gpu(void) {
    if (!self.plugin) {
        return;
    }
    dn_failure before = *dn_failure_last();
    if (self.plugin->open(self.wanted_gpu % self.n_gpus) == DN_OK) {
        note(DN_PLUGIN_OPEN, "%s", self.plugin->describe());
        fill_rows(self.plugin);
    } else {
        note(DN_PLUGIN_BROKEN, "%s", dn_failure_last()->text);
    }
    dn_failure_set(&before);
}

dn_plugin_state dn_plugin_get(void) {
    pthread_once(&self.found, find);
    pthread_once(&self.opened, open_gpu);
    return self.state;
}

const char *dn_plugin_note(void) {
    dn_plugin_get();
    return self.note;
}

const dn_backend *dn_plugin_backend(int i) {
    return i < N_TABLES ? &backends[i] : NULL;
}

static bool is_usable(int row) {
    if (dn_plugin_get() != DN_PLUGIN_OPEN) {
        return false;
    }
    for (int j = 0; j < self.plugin->n_tables; j++) {
        if (strcmp(backends[row].name, self.plugin->names[j]) == 0) {
            return self.plugin->usable(j);
        }
    }
    return false;
}

static bool bf16_usable(void) {
    return is_usable(0);
}

static bool fp16_usable(void) {
    return is_usable(1);
}

static bool fp8_usable(void) {
    return is_usable(2);
}

int dn_kernels_gpus(dn_gpu *list, int max) {
    pthread_once(&self.found, find);
    int n = self.n_gpus < max ? self.n_gpus : max;
    memcpy(list, self.gpu, (size_t)n * sizeof *list);
    return n;
}

void dn_kernels_use_gpu(int index) {
    self.wanted_gpu = index;
}

const char *dn_kernels_gpu_note(void) {
    return dn_plugin_note();
}

int dn_kernels_gpu_tokens(void) {
    /* Tiles of 128 x 128; a hidden size of 384 is three of them wide, and all other products of a
     * layer a multiple of that. */
    enum { TILE = 128, TILES_WIDE = 3 };
    if (dn_plugin_get() != DN_PLUGIN_OPEN) {
        return 0;
    }
    return self.gpu[self.wanted_gpu % self.n_gpus].n_multiprocessors / TILES_WIDE * TILE;
}
