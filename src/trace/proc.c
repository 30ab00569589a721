#include "trace/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t read_number(const char *path, int which) {
    char text[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0) {
        return INT64_MIN;
    }
    text[n] = '\0';
    char *at = text;
    int64_t value = strtoll(at, &at, 10);
    for (int i = 0; i < which; i++) {
        value = strtoll(at, &at, 10);
    }
    return value;
}

static int64_t nanoseconds(struct timeval t) {
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

/* Packages are intel-rapl:0, :1 ... (AMD too); their parts, such as intel-rapl:0:0, are counted in
 * them. */
static int64_t read_energy(void) {
    int64_t sum = INT64_MIN;
    for (int package = 0; package < 16; package++) {
        char path[64];
        snprintf(path, sizeof path, "/sys/class/powercap/intel-rapl:%d/energy_uj", package);
        int64_t energy = read_number(path, 0);
        if (energy == INT64_MIN) {
            break;
        }
        sum = (sum == INT64_MIN ? 0 : sum) + energy;
    }
    return sum;
}

void dn_proc_read(dn_proc_sample *sample) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t pages = read_number("/proc/self/statm", 1);
    *sample = (dn_proc_sample){
        .cpu_user_ns = nanoseconds(usage.ru_utime),
        .cpu_system_ns = nanoseconds(usage.ru_stime),
        .rss_bytes = pages == INT64_MIN ? INT64_MIN : pages * sysconf(_SC_PAGESIZE),
        .energy_uj = read_energy(),
    };
}
