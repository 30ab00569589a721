#ifndef DN_KERNELS_PLUGIN_H
#define DN_KERNELS_PLUGIN_H
/** A family of backends in a library of its own, opened at run time, so that one program runs with
 * and without a GPU; internal to kernels/.
 *
 *    plugin.c ── dlopen ──▶ libdunlin_cuda.so: dn_plugin_entry(host) ──▶ dn_plugin
 *
 * The library is looked for where DN_CUDA_LIBRARY says, beside the program and in ../lib of it. */
#include "kernels/backend.h"

enum { DN_PLUGIN_VERSION = 2 };

/** What the library needs of the program: errors are recorded in one place. */
typedef struct dn_plugin_host {
    int version;
    dn_status (*fail)(dn_status status, dn_error error, const char *file, int line, const char *fmt,
                      ...) __attribute__((format(printf, 5, 6)));
    const dn_failure *(*last)(void);
    void (*set)(const dn_failure *failure);
} dn_plugin_host;

typedef struct dn_plugin {
    int version;
    int n_tables;
    const char *const *names;       /**< "cuda:bf16": as `force` and DN_BACKEND spell them */
    const dn_kernels *const *table; /**< in the order of names */
    /** Devices of this machine, in CUDA's order; *n may be 0.   errors  DEVICE: there is a driver,
     * but it cannot be used */
    dn_status (*find)(dn_gpu *list, int max, int *n);
    /** Makes the device that of all tables, for good.   errors  DEVICE: no code for it, a library
     * is missing    blocks  about a second */
    dn_status (*open)(int device);
    bool (*usable)(int table); /**< on the device that was opened */
    /** One line about what was opened: device, driver, libraries.    lends  for ever */
    const char *(*describe)(void);
} dn_plugin;

/** The library's one symbol; NULL when it was built for another version of the program. */
typedef const dn_plugin *dn_plugin_entry_fn(const dn_plugin_host *host);
#define DN_PLUGIN_ENTRY "dn_plugin_entry"

/** How it went. */
typedef enum dn_plugin_state {
    DN_PLUGIN_ABSENT, /**< no library, no driver or no device: the machine computes without */
    DN_PLUGIN_BROKEN, /**< there is a device, and something keeps it from being used */
    DN_PLUGIN_OPEN
} dn_plugin_state;

/** Opens library and device at the first call.   thread  main first, then any */
dn_plugin_state dn_plugin_get(void);
/** Why, or what was opened. */
const char *dn_plugin_note(void);
/** The rows of the table of backends, open or not; NULL behind the last. */
const dn_backend *dn_plugin_backend(int i);

#endif
