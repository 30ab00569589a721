#include "kernels/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_BYTES = 256 };

static bool always(void) {
    return true;
}

static const dn_backend ref = {"ref", always, &dn_kernels_ref};

/** Best first: the GPU's, the cpu's instruction sets, then the oracle. */
static const dn_backend *backend_at(int i) {
    for (int j = 0; dn_plugin_backend(j); j++, i--) {
        if (i == 0) {
            return dn_plugin_backend(j);
        }
    }
    return i < dn_n_cpu_backends ? &dn_cpu_backends[i] : i == dn_n_cpu_backends ? &ref : NULL;
}

/** "cpu" names the best of cpu:*, "int8" the best of that precision: a name matches in full, up to
 * a colon, or as the precision. */
static bool is_named(const dn_backend *backend, const char *name) {
    size_t length = strlen(name);
    if (strcmp(backend->kernels->precision, name) == 0) {
        return true;
    }
    return strncmp(backend->name, name, length) == 0 &&
           (backend->name[length] == '\0' || backend->name[length] == ':');
}

static void list_usable(char names[NAMES_BYTES]) {
    size_t used = 0;
    names[0] = '\0';
    for (int i = 0; backend_at(i); i++) {
        if (backend_at(i)->usable() && used < NAMES_BYTES) {
            int n = snprintf(names + used, NAMES_BYTES - used, "%s%s", used ? ", " : "",
                             backend_at(i)->name);
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

static bool is_gpu(const dn_backend *backend) {
    return strncmp(backend->name, "cuda", strlen("cuda")) == 0;
}

/** A GPU that cannot be used is an error: computing without it is for the user to ask for. */
static dn_status refuse_gpu(const char *name) {
    return DN_FAIL(DEVICE, "backend \"%s\": %s", name, dn_plugin_note());
}

dn_status dn_kernels_select(const char *force, const dn_kernels **out) {
    const char *name = force ? force : getenv("DN_BACKEND");
    const dn_backend *known = NULL;
    bool any = !name || !*name;
    if (any && dn_plugin_get() == DN_PLUGIN_BROKEN) {
        return DN_FAIL(DEVICE, "%s; DN_BACKEND=cpu or the setting backend: cpu computes without it",
                       dn_plugin_note());
    }
    for (int i = 0; backend_at(i); i++) {
        const dn_backend *backend = backend_at(i);
        if (!any && !is_named(backend, name)) {
            continue;
        }
        if (backend->usable()) {
            *out = backend->kernels; /* that of a GPU is there once usable() has looked */
            return DN_OK;
        }
        known = backend;
    }
    if (known && is_gpu(known)) {
        return refuse_gpu(name);
    }
    char names[NAMES_BYTES];
    list_usable(names);
    if (known) {
        return DN_FAIL(CONFIG, "backend \"%s\": this machine lacks its instructions; it can run %s",
                       name, names);
    }
    return DN_FAIL(
        CONFIG,
        "backend \"%s\" (%s) is not known; this machine can run %s, or \"cpu\" for the best", name,
        force ? "from the settings" : "from DN_BACKEND", names);
}

int dn_kernels_list(const dn_kernels **table, const char **names, int max) {
    int n = 0;
    for (; n < max && backend_at(n); n++) {
        const dn_backend *backend = backend_at(n);
        table[n] = backend->usable() ? backend->kernels : NULL;
        names[n] = backend->name;
    }
    return n;
}

void dn_weight_free(dn_weight *weight) {
    if (weight) {
        (weight->release ? weight->release : free)(weight->packed);
        *weight = (dn_weight){0};
    }
}
