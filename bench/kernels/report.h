#ifndef DN_BENCH_REPORT_H
#define DN_BENCH_REPORT_H
/** The two faces of the result: a table for people, JSON for programs. */
#include <stdbool.h>
#include <stdio.h>

typedef struct measurement {
    const char *name, *backend;
    int n_tokens, n_runs;
    double time_us;           /**< median CPU time of one call */
    double gflops, gigabytes; /**< per second, of the median time */
    double peak_gflops;       /**< median of the bursts beside the runs */
    double peak_share;        /**< median of the runs' own shares */
    double spread;            /**< (third quartile - first) / median of the times */
    double error;             /**< worst difference from `ref`, in units of the tolerance */
    bool correct;
} measurement;

void report_begin(FILE *out, bool json, int n_runs);
void report_row(FILE *out, bool json, const measurement *row, bool is_first);
void report_end(FILE *out, bool json);

#endif
