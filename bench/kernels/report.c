#include "report.h"

#include "base/clock.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/** "model name" of the first processor, or "unknown". */
static void cpu_model(char *out, size_t size) {
    char line[512];
    snprintf(out, size, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (value && strncmp(line, "model name", 10) == 0) {
            snprintf(out, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
            break;
        }
    }
    if (file) {
        fclose(file);
    }
}

void report_begin(FILE *out, bool json, int n_runs) {
    char cpu[256], date[21];
    struct utsname host;
    uname(&host);
    cpu_model(cpu, sizeof cpu);
    dn_wall_format(dn_wall_ns(), date);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (json) {
        fprintf(out,
                "{\"program\": \"dunlin bench kernels\", \"version\": \"%s\", \"date\": \"%s\", "
                "\"cpu\": \"%s\", "
                "\"cores\": %ld, \"system\": \"%s %s\", \"compiler\": \"%s\", \"runs\": %d, "
                "\"rows\": [",
                DUNLIN_VERSION, date, cpu, cores, host.sysname, host.release, __VERSION__, n_runs);
        return;
    }
    fprintf(out, "# dunlin %s bench kernels, %s\n# %s, %ld cores, one used; %s %s; compiler %s\n",
            DUNLIN_VERSION, date, cpu, cores, host.sysname, host.release, __VERSION__);
    fprintf(out,
            "# MiniLM-L6-H384 shapes, rows of 8 to 48 tokens; CPU time; %d runs after a warm-up, "
            "FMA peak between them\n",
            n_runs);
    fprintf(out, "#\n# %-20s %5s %-11s %10s %8s %7s %6s %7s %7s %6s\n", "operation", "T", "backend",
            "time", "rate", "peak", "share", "spread", "memory", "error");
    fprintf(out, "# %-20s %5s %-11s %10s %8s %7s %6s %7s %7s %6s\n", "", "", "", "us", "GFLOP/s",
            "GFLOP/s", "%", "%", "GB/s", "tol");
}

void report_row(FILE *out, bool json, const measurement *m, bool is_first) {
    if (json) {
        fprintf(out,
                "%s\n  {\"operation\": \"%s\", \"tokens\": %d, \"backend\": \"%s\", \"runs\": %d, "
                "\"time_us\": %.3f, "
                "\"gflops\": %.3f, \"peak_gflops\": %.3f, \"peak_share\": %.4f, \"spread\": %.4f, "
                "\"gigabytes_per_s\": %.3f, \"error\": %.4f, \"correct\": %s}",
                is_first ? "" : ",", m->name, m->n_tokens, m->backend, m->n_runs, m->time_us,
                m->gflops, m->peak_gflops, m->peak_share, m->spread, m->gigabytes, m->error,
                m->correct ? "true" : "false");
        return;
    }
    fprintf(out, "  %-20s %5d %-11s %10.1f %8.1f %7.1f %6.1f %7.1f %7.1f %6.2f%s\n", m->name,
            m->n_tokens, m->backend, m->time_us, m->gflops, m->peak_gflops, 100 * m->peak_share,
            100 * m->spread, m->gigabytes, m->error, m->correct ? "" : " WRONG");
    fflush(out);
}

void report_end(FILE *out, bool json) {
    if (json) {
        fprintf(out, "\n]}\n");
    }
}
