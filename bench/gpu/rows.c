#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

static struct {
    FILE *json;
    int n_rows;
} self;

void must(dn_status status) {
    if (status != DN_OK) {
        const dn_failure *failure = dn_failure_last();
        fprintf(stderr, "bench/gpu: E%d %s\n", dn_error_get(failure->error)->number, failure->text);
        exit(dn_error_get(failure->error)->exit_status);
    }
}

void must_run(int error, const char *what) {
    must(error ? dn_cuda_fault(error, what) : DN_OK);
}

void rows_open(const char *path) {
    self.json = fopen(path, "w");
    if (!self.json) {
        fprintf(stderr, "bench/gpu: cannot write %s\n", path);
        exit(73);
    }
    fprintf(self.json, "{");
}

void note(const char *key, const char *text) {
    fprintf(self.json, "\"%s\": \"%s\",\n", key, text);
}

static void begin_row(const char *group, const char *name) {
    fprintf(self.json, "%s\n{\"group\": \"%s\", \"name\": \"%s\"",
            self.n_rows++ ? "," : "\"rows\": [", group, name);
}

void row(const char *group, const char *name, double median, double spread, const char *unit,
         double share) {
    printf("%-12s %-52s %12.4g %-14s +-%4.1f %%", group, name, median, unit, 100 * spread);
    printf(share >= 0 ? "  %5.1f %% of the ceiling\n" : "\n", 100 * share);
    begin_row(group, name);
    fprintf(self.json, ", \"median\": %.6g, \"spread\": %.4g, \"unit\": \"%s\"", median, spread,
            unit);
    if (share >= 0) {
        fprintf(self.json, ", \"share\": %.4g", share);
    }
    fprintf(self.json, "}");
    fflush(stdout);
}

void operation_head(const char *what) {
    printf("\n%s\n\n| kernel | MB | MFLOP | floor, us | from memory, us (share) | from L2, us "
           "(share) |\n"
           "|---|--:|--:|--:|--:|--:|\n",
           what);
}

static void print_time(double seconds, double floor_s) {
    if (seconds > 0) {
        printf(" %.1f (%.0f %%) |", 1e6 * seconds, 100 * floor_s / seconds);
    } else {
        printf(" not here |");
    }
}

void operation_line(const operation_row *o) {
    printf("| %s | %.3g | %.4g | %.1f |", o->name, o->bytes / 1e6, o->flops / 1e6,
           1e6 * o->floor_s);
    print_time(o->memory_s, o->floor_s);
    print_time(o->cache_s, o->floor_s);
    printf("\n");
    begin_row("operation", o->name);
    fprintf(self.json, ", \"model\": \"%s\", \"MB\": %.4g, \"MFLOP\": %.5g, \"floor_us\": %.4g",
            o->model, o->bytes / 1e6, o->flops / 1e6, 1e6 * o->floor_s);
    if (o->memory_s > 0) {
        fprintf(self.json,
                ", \"memory_us\": %.5g, \"spread\": %.4g, \"share\": %.4g, \"cache_us\": %.5g",
                1e6 * o->memory_s, o->spread, o->floor_s / o->memory_s, 1e6 * o->cache_s);
    }
    fprintf(self.json, "}");
    fflush(stdout);
}

bool rows_close(double took_s) {
    fprintf(self.json, "%s],\n\"took_s\": %.1f}\n", self.n_rows ? "" : "\"rows\": [", took_s);
    return fclose(self.json) == 0;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median_of(double *x, int n, double *spread) {
    qsort(x, (size_t)n, sizeof *x, compare);
    *spread = (x[n - 1] - x[0]) / 2 / x[n / 2];
    return x[n / 2];
}
