#include "base/log.h"

#include "base/clock.h"
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    dn_level level;
    int rank, size;
    char host[64];
} setup = {.level = DN_LOG_INFO, .size = 1};

static const char *const level_name[] = {"error", "warn", "info", "debug"};

void dn_log_setup(dn_level level, int rank, int size) {
    setup.level = level;
    setup.rank = rank;
    setup.size = size;
    gethostname(setup.host, sizeof setup.host - 1);
}

dn_level dn_log_level(void) {
    return setup.level;
}

void dn_log(dn_level level, const char *fmt, ...) {
    if (level > setup.level) {
        return;
    }
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char when[21];
    dn_wall_format(dn_wall_ns(), when);
    if (setup.size > 1) {
        fprintf(stderr, "%s %-5s r%04d@%s %s\n", when, level_name[level], setup.rank, setup.host,
                text);
    } else {
        fprintf(stderr, "%s %-5s %s\n", when, level_name[level], text);
    }
}

void dn_log_failure(void) {
    const dn_failure *failure = dn_failure_last();
    fprintf(stderr, "dunlin: E%d %s\n", dn_error_get(failure->error)->number, failure->text);
    if (setup.level >= DN_LOG_DEBUG && failure->file) {
        fprintf(stderr, "dunlin: decided at %s:%d\n", failure->file, failure->line);
    }
}
