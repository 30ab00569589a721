#ifndef DN_BENCH_MODEL_REPORT_H
#define DN_BENCH_MODEL_REPORT_H
/** The two faces of the result: a table for people, JSON for programs. */
#include "model/measure.h"

#include <stdbool.h>
#include <stdio.h>

/** Largest difference of a probability from `ref` that counts as equal. */
#define REPORT_TOLERANCE        1e-5
#define REPORT_NARROW_TOLERANCE 5e-2

typedef struct header {
    const char *model, *backend, *isa;
    double open_ms; /**< reading, checking and packing the weights, and their checksum */
    const dn_model_info *info;
    int n_runs;
} header;

typedef struct measurement {
    dn_measurement speed;
    double difference; /**< worst, of a probability */
    bool correct;
} measurement;

void report_begin(FILE *out, bool json, const header *header);
void report_row(FILE *out, bool json, const measurement *row, bool is_first);
void report_end(FILE *out, bool json);

#endif
