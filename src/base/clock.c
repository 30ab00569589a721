#include "base/clock.h"

#include <time.h>

enum { NS = 1000000000 };

static int64_t read_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

int64_t dn_mono_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t dn_wall_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

int64_t dn_thread_cpu_ns(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void dn_sleep_until_ns(int64_t mono_ns) {
    struct timespec t = {.tv_sec = mono_ns / NS, .tv_nsec = mono_ns % NS};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

void dn_wall_format(int64_t wall_ns, char out[21]) {
    time_t seconds = (time_t)(wall_ns / NS);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
