#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local dn_failure last;

static const dn_error_info table[DN_E_COUNT] = {
    [DN_E_NONE] = {"NONE", 0, 0, "No error.", "", ""},
#define DN_ERROR(name, number, exit, sentence, causes, remedy)                                     \
    [DN_E_##name] = {#name, number, exit, sentence, causes, remedy},
#include "base/errors.def"
#undef DN_ERROR
};

const dn_error_info *dn_error_get(dn_error error) {
    return &table[error < DN_E_COUNT ? error : DN_E_INTERNAL];
}

dn_status dn_fail(dn_status status, dn_error error, const char *file, int line, const char *fmt,
                  ...) {
    last.error = error;
    last.file = file;
    last.line = line;
    va_list args;
    va_start(args, fmt);
    vsnprintf(last.text, sizeof last.text, fmt, args);
    va_end(args);
    return status;
}

const dn_failure *dn_failure_last(void) {
    return &last;
}

void dn_failure_set(const dn_failure *failure) {
    last = *failure;
}
