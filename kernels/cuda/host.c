/* The library's only way back into the program: errors are recorded there, once. */
#include "kernels/cuda/backend.h"

#include <stdarg.h>
#include <stdio.h>

static const dn_plugin_host *program;

dn_status dn_fail(dn_status status, dn_error error, const char *file, int line, const char *fmt,
                  ...) {
    char text[DN_FAILURE_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return program->fail(status, error, file, line, "%s", text);
}

const dn_failure *dn_failure_last(void) {
    return program->last();
}

void dn_failure_set(const dn_failure *failure) {
    program->set(failure);
}

__attribute__((visibility("default"))) dn_plugin_entry_fn dn_plugin_entry;

const dn_plugin *dn_plugin_entry(const dn_plugin_host *host) {
    if (host->version != DN_PLUGIN_VERSION) {
        return NULL;
    }
    program = host;
    return &dn_cuda_plugin;
}
