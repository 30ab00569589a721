#ifndef DN_BENCH_GPU_BENCH_H
#define DN_BENCH_GPU_BENCH_H
/** What the parts of the program share: how long each may take, what the ceilings of this run are,
 * and where rows go. Every part ends the program where the backend fails. */
#include "net.h"

#include "kernels/cuda/backend.h"

/** The sizes of a run. A brief one shows on any GPU, a made-up one too, that all of it works. */
typedef struct effort {
    bool brief;
    int n_runs;
    int64_t run_ns;
    int n_calls;     /**< of a kernel in one recorded launch */
    int wave_tokens; /**< of a batch; 0: what fills the multiprocessors once */
    int long_tokens;
    size_t copy_bytes;
    int peak_ms, narrow_side, latency_calls;
    net_shape minilm, bert;
} effort;

/** Most that the GPU gave in this run. */
typedef struct ceilings {
    double product; /**< bf16, FLOP/s */
    double narrow;  /**< e4m3, FLOP/s; 0: not on this GPU */
    double copy;    /**< bytes read and written per second */
    double named;   /**< bf16, FLOP/s, by the datasheet; 0: not known */
} ceilings;

/** What gave right results; the rest has no figures. */
typedef struct verdicts {
    bool bf16, fp16, fp8; /**< also where the GPU has it not */
    bool product;         /**< dn_cuda_product */
} verdicts;

void must(dn_status status);
/** 0, or the program ends: `what` failed with this cudaError_t. */
void must_run(int error, const char *what);

/* ---- rows.c: one table on standard output, the same as JSON ---- */

void rows_open(const char *path);
/** Whether all of it was written. */
bool rows_close(double took_s);
/** `share` of a ceiling, below 0: none. */
void row(const char *group, const char *name, double median, double spread, const char *unit,
         double share);
void note(const char *key, const char *text);

/** A kernel by itself: a line of the table in kernels/cuda/README.md. */
typedef struct operation_row {
    const char *model, *name;
    double bytes, flops, floor_s;
    double memory_s, cache_s; /**< operands from memory, and from L2; below 0: refused here */
    double spread;            /**< of memory_s */
} operation_row;
void operation_head(const char *what);
void operation_line(const operation_row *o);

/** Median, and half the distance of the extremes as a share of it. */
double median_of(double *x, int n, double *spread);

/* ---- batches and nets ---- */

typedef struct texts {
    dn_batch batch;
    int32_t *token, *row_start;
} texts;

/** Rows of 12 to 44 tokens, 28 in the mean as tweets have, or all of `length`; at most n_tokens. */
texts make_texts(int n_tokens, int length, uint32_t seed, int vocabulary);
void free_texts(texts *t);
/** Scales of what fp8 products read, from one batch. Nothing where the table needs none. */
void calibrate(net *n, const dn_batch *batch);

/* ---- the parts ---- */

/** Results against `ref`, with a line each. */
void check_encoder(const effort *e, verdicts *v);
bool check_product(const effort *e);
void bench_operations(const effort *e, const verdicts *v, const net_shape *shape, int n_tokens,
                      const ceilings *c);
/** A square product in e4m3, FLOP/s; 0 where the GPU has none. */
double measure_narrow(const effort *e);

void bench_encoder(const effort *e, const dn_kernels *kernels, const net_shape *shape, int n_tokens,
                   int length, const char *name, const ceilings *c);
void bench_variants(const effort *e, const dn_kernels *kernels, int n_tokens);
void bench_latency(const effort *e, const dn_kernels *kernels);

/** ||got - want|| / ||want|| */
double relative_error(const float *got, const float *want, size_t n);

/** NULL where this GPU cannot compute so. */
const dn_kernels *table(const char *name);

#endif
