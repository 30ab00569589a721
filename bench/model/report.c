#include "report.h"

#include "base/clock.h"

#include <string.h>
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

void report_begin(FILE *out, bool json, const header *h) {
    char cpu[256], date[21];
    cpu_model(cpu, sizeof cpu);
    dn_wall_format(dn_wall_ns(), date);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (json) {
        fprintf(out,
                "{\"program\": \"dunlin bench model\", \"version\": \"%s\", \"date\": \"%s\", "
                "\"cpu\": \"%s\", "
                "\"cores\": %ld, \"compiler\": \"%s\", \"model\": \"%s\", \"sha256\": \"%s\", "
                "\"backend\": \"%s:%s\", "
                "\"open_ms\": %.1f, \"weight_bytes\": %lld, \"runs\": %d, \"rows\": [",
                DUNLIN_VERSION, date, cpu, cores, __VERSION__, h->model, h->info->sha256,
                h->backend, h->isa, h->open_ms, (long long)h->info->weight_bytes, h->n_runs);
        return;
    }
    fprintf(out, "# dunlin %s bench model, %s\n# %s, %ld cores; compiler %s; backend %s:%s\n",
            DUNLIN_VERSION, date, cpu, cores, __VERSION__, h->backend, h->isa);
    fprintf(out, "# %s: opened in %.0f ms, %.1f MB in memory; %d runs, FMA peak in each\n",
            h->model, h->open_ms, (double)h->info->weight_bytes / 1e6, h->n_runs);
    fprintf(out, "#\n# %7s %7s %10s %9s %7s %8s %8s %6s %9s\n", "threads", "batch", "rate", "rate",
            "spread", "speed", "peak", "share", "error");
    fprintf(out, "# %7s %7s %10s %9s %7s %8s %8s %6s %9s\n", "", "tokens", "tokens/s", "tweets/s",
            "%", "GFLOP/s", "GFLOP/s", "%", "");
}

void report_row(FILE *out, bool json, const measurement *m, bool is_first) {
    if (json) {
        fprintf(out,
                "%s\n  {\"threads\": %d, \"batch_tokens\": %d, \"tokens_per_s\": %.1f, "
                "\"tweets_per_s\": %.1f, "
                "\"spread\": %.4f, \"gflops\": %.3f, \"peak_gflops\": %.3f, \"peak_share\": %.4f, "
                "\"error\": %.3g, \"correct\": %s}",
                is_first ? "" : ",", m->speed.n_threads, m->speed.budget, m->speed.tokens_per_s,
                m->speed.tweets_per_s, m->speed.spread, m->speed.gflops, m->speed.peak_gflops,
                m->speed.peak_share, m->difference, m->correct ? "true" : "false");
        return;
    }
    fprintf(out, "  %7d %7d %10.0f %9.1f %7.1f %8.1f %8.1f %6.1f %9.1e%s\n", m->speed.n_threads,
            m->speed.budget, m->speed.tokens_per_s, m->speed.tweets_per_s, 100 * m->speed.spread,
            m->speed.gflops, m->speed.peak_gflops, 100 * m->speed.peak_share, m->difference,
            m->correct ? "" : "  WRONG");
}

void report_end(FILE *out, bool json) {
    if (json) {
        fputs("\n]}\n", out);
    }
}
