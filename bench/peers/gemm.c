/* One product of the model after another in oneDNN and in ours: weights packed once, one thread,
 * turns about. See README.md. */
#include "base/clock.h"
#include "base/memory.h"
#include "kernels/kernels.h"

#include <oneapi/dnnl/dnnl.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { N_TOKENS = 512, MAX_RUNS = 200, RUN_NS = 5000000 };

/** How a precision is called on both sides. */
typedef struct precision {
    const char *name;
    dnnl_data_type_t x, w;
    double tolerance; /**< of their result from ours, in units of the largest result */
    const char *backend[3];
} precision;

static const precision precisions[] = {
    {"fp32", dnnl_f32, dnnl_f32, 1e-5, {"cpu:avx512", "cpu:avx2"}},
    {"bf16", dnnl_bf16, dnnl_bf16, 1e-5, {"cpu:amx-bf16", "cpu:bf16"}},
    {"int8", dnnl_u8, dnnl_s8, 2e-2, {"cpu:amx", "cpu:vnni", "cpu:avxvnni"}},
};
static const int shapes[][2] = {{384, 1152}, {384, 384}, {384, 1536}, {1536, 384}};

static void must(dnnl_status_t status, const char *what) {
    if (status != dnnl_success) {
        fprintf(stderr, "peer_gemm: oneDNN's %s failed with status %d\n", what, (int)status);
        exit(EX_SOFTWARE);
    }
}

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static dnnl_memory_t memory(const dnnl_dims_t dims, int n_dims, dnnl_data_type_t type,
                            dnnl_format_tag_t tag) {
    dnnl_memory_desc_t desc;
    dnnl_memory_t made;
    must(dnnl_memory_desc_create_with_tag(&desc, n_dims, dims, type, tag), "description");
    must(dnnl_memory_create(&made, desc, engine, DNNL_MEMORY_ALLOCATE), "memory");
    dnnl_memory_desc_destroy(desc);
    return made;
}

static void *data_of(dnnl_memory_t memory) {
    void *data;
    must(dnnl_memory_get_data_handle(memory, &data), "handle");
    return data;
}

/** From one memory's form to the other's, values divided by the argument of the scale where
 * `is_scaled`. */
static dnnl_primitive_t reorder_new(dnnl_memory_t from, dnnl_memory_t to, bool is_scaled) {
    const_dnnl_memory_desc_t from_desc, to_desc;
    dnnl_primitive_attr_t attributes;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t reorder;
    must(dnnl_memory_get_memory_desc(from, &from_desc), "description");
    must(dnnl_memory_get_memory_desc(to, &to_desc), "description");
    must(dnnl_primitive_attr_create(&attributes), "attributes");
    if (is_scaled) {
        must(dnnl_primitive_attr_set_scales_mask(attributes, DNNL_ARG_DST, 0), "scales");
    }
    must(dnnl_reorder_primitive_desc_create(&pd, from_desc, engine, to_desc, engine, attributes),
         "reorder");
    must(dnnl_primitive_create(&reorder, pd), "reorder");
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attributes);
    return reorder;
}

/** `from` in the form of `desc`, which the primitive has chosen: its packed weights. */
static dnnl_memory_t reordered(dnnl_memory_t from, const_dnnl_memory_desc_t desc) {
    dnnl_memory_t made;
    must(dnnl_memory_create(&made, desc, engine, DNNL_MEMORY_ALLOCATE), "memory");
    dnnl_primitive_t reorder = reorder_new(from, made, false);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, made}};
    must(dnnl_primitive_execute(reorder, stream, 2, args), "reorder");
    must(dnnl_stream_wait(stream), "reorder");
    dnnl_primitive_destroy(reorder);
    return made;
}

/** A product ready to run, and what rounds its rows before. Their memories live as long as the
 * program. */
typedef struct theirs {
    dnnl_primitive_t rounding; /**< NULL in fp32 */
    dnnl_exec_arg_t rounding_args[3];
    dnnl_primitive_t matmul;
    dnnl_exec_arg_t args[6];
    int n_args;
    const float *out;
} theirs;

typedef struct ours {
    const dn_kernels *kernels;
    dn_weight weight;
    dn_linear_args args;
} ours;

static uint16_t half_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/** w[n][k] per output in 127 levels, transposed to [k][n] as the primitive reads it. */
static void fill_weights(void *to, dnnl_data_type_t type, const float *w, int n, int k,
                         float *scale) {
    for (int j = 0; j < n; j++) {
        const float *row = w + (size_t)j * (size_t)k;
        float largest = 0;
        for (int i = 0; i < k; i++) {
            largest = fmaxf(largest, fabsf(row[i]));
        }
        scale[j] = largest / 127;
        for (int i = 0; i < k; i++) {
            size_t place = (size_t)i * (size_t)n + (size_t)j;
            if (type == dnnl_s8) {
                ((int8_t *)to)[place] = (int8_t)lrintf(row[i] / scale[j]);
            } else if (type == dnnl_bf16) {
                ((uint16_t *)to)[place] = half_of(row[i]);
            } else {
                ((float *)to)[place] = row[i];
            }
        }
    }
}

/** oneDNN's product with bias, weights in the layout that it prefers, result in fp32. */
static theirs theirs_new(const precision *p, int k, int n, const float *x, const float *w,
                         const float *bias, float x_scale) {
    const dnnl_dims_t x_dims = {N_TOKENS, k}, w_dims = {k, n}, y_dims = {N_TOKENS, n},
                      bias_dims = {1, n}, one = {1}, columns = {n};
    dnnl_memory_t wide_memory = memory(x_dims, 2, dnnl_f32, dnnl_ab);
    dnnl_memory_t x_memory = p->x == dnnl_f32 ? wide_memory : memory(x_dims, 2, p->x, dnnl_ab);
    dnnl_memory_t w_memory = memory(w_dims, 2, p->w, dnnl_ab);
    dnnl_memory_t bias_memory = memory(bias_dims, 2, dnnl_f32, dnnl_ab);
    dnnl_memory_t y_memory = memory(y_dims, 2, dnnl_f32, dnnl_ab);
    dnnl_memory_t x_scales = memory(one, 1, dnnl_f32, dnnl_a);
    dnnl_memory_t w_scales = memory(columns, 1, dnnl_f32, dnnl_a);
    memcpy(data_of(wide_memory), x, (size_t)N_TOKENS * (size_t)k * sizeof *x);
    fill_weights(data_of(w_memory), p->w, w, n, k, data_of(w_scales));
    memcpy(data_of(bias_memory), bias, (size_t)n * sizeof *bias);
    *(float *)data_of(x_scales) = x_scale;

    dnnl_memory_desc_t x_desc, w_desc, bias_desc, y_desc;
    must(dnnl_memory_desc_create_with_tag(&x_desc, 2, x_dims, p->x, dnnl_ab), "description");
    must(dnnl_memory_desc_create_with_tag(&w_desc, 2, w_dims, p->w, dnnl_format_tag_any),
         "description");
    must(dnnl_memory_desc_create_with_tag(&bias_desc, 2, bias_dims, dnnl_f32, dnnl_ab),
         "description");
    must(dnnl_memory_desc_create_with_tag(&y_desc, 2, y_dims, dnnl_f32, dnnl_ab), "description");
    dnnl_primitive_attr_t attributes;
    must(dnnl_primitive_attr_create(&attributes), "attributes");
    if (p->x == dnnl_u8) {
        must(dnnl_primitive_attr_set_scales_mask(attributes, DNNL_ARG_SRC, 0), "scales");
        must(dnnl_primitive_attr_set_scales_mask(attributes, DNNL_ARG_WEIGHTS, 1 << 1), "scales");
    }
    dnnl_primitive_desc_t pd;
    must(dnnl_matmul_primitive_desc_create(&pd, engine, x_desc, w_desc, bias_desc, y_desc,
                                           attributes),
         "matmul");
    theirs t = {.n_args = p->x == dnnl_u8 ? 6 : 4, .out = data_of(y_memory)};
    must(dnnl_primitive_create(&t.matmul, pd), "matmul");
    dnnl_memory_t packed =
        reordered(w_memory, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, x_memory},
                                    {DNNL_ARG_WEIGHTS, packed},
                                    {DNNL_ARG_BIAS, bias_memory},
                                    {DNNL_ARG_DST, y_memory},
                                    {DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, x_scales},
                                    {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, w_scales}};
    memcpy(t.args, args, sizeof args);
    if (p->x != dnnl_f32) {
        t.rounding = reorder_new(wide_memory, x_memory, p->x == dnnl_u8);
        t.rounding_args[0] = (dnnl_exec_arg_t){DNNL_ARG_FROM, wide_memory};
        t.rounding_args[1] = (dnnl_exec_arg_t){DNNL_ARG_TO, x_memory};
        t.rounding_args[2] = (dnnl_exec_arg_t){DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, x_scales};
    }
    dnnl_memory_destroy(w_memory);
    return t;
}

/** Their product alone, of rows that are rounded already. */
static void run_matmul(const void *product) {
    const theirs *t = product;
    must(dnnl_primitive_execute(t->matmul, stream, t->n_args, t->args), "matmul");
    must(dnnl_stream_wait(stream), "matmul");
}

/** From fp32 rows to fp32 results. */
static void run_theirs(const void *product) {
    const theirs *t = product;
    if (t->rounding) {
        int n_args = t->n_args == 6 ? 3 : 2;
        must(dnnl_primitive_execute(t->rounding, stream, n_args, t->rounding_args), "rounding");
    }
    run_matmul(t);
}

static void run_ours(const void *product) {
    const ours *o = product;
    o->kernels->linear(&o->args);
}

static bool ours_new(ours *o, const char *backend, int k, int n, const float *x, const float *w,
                     const float *bias) {
    if (dn_kernels_select(backend, &o->kernels) != DN_OK ||
        o->kernels->pack(w, n, k, &o->weight) != DN_OK) {
        return false;
    }
    float *out = dn_alloc_aligned(64, (size_t)N_TOKENS * (size_t)n * sizeof *out);
    o->args = (dn_linear_args){
        .n_tokens = N_TOKENS, .x = x, .weight = &o->weight, .bias = bias, .out = out};
    return true;
}

/** CPU time of one call in nanoseconds, over calls of at least RUN_NS, caches as the call before
 * has left them. */
static double time_of(void (*run)(const void *), const void *product) {
    run(product);
    int64_t begin_ns = dn_thread_cpu_ns(), now_ns;
    int n = 0;
    do {
        run(product);
        n++;
    } while ((now_ns = dn_thread_cpu_ns()) - begin_ns < RUN_NS);
    return (double)(now_ns - begin_ns) / n;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *x, int n, double q) {
    qsort(x, (size_t)n, sizeof *x, compare_doubles);
    return x[(int)((n - 1) * q + 0.5)];
}

/** Rates and ratios of a line, a run after another. */
typedef struct runs {
    double own[MAX_RUNS], their[MAX_RUNS], alone[MAX_RUNS];
    double ratio[MAX_RUNS], ratio_alone[MAX_RUNS];
} runs;

static void measure(const ours *o, const theirs *t, double work, int n_runs, runs *r) {
    for (int i = 0; i < n_runs; i++) {
        double own_ns = time_of(run_ours, o), their_ns = time_of(run_theirs, t);
        double alone_ns = time_of(run_matmul, t);
        r->own[i] = work / own_ns, r->their[i] = work / their_ns, r->alone[i] = work / alone_ns;
        r->ratio[i] = their_ns / own_ns, r->ratio_alone[i] = alone_ns / own_ns;
    }
}

/** How far their results lie from ours, in units of the largest. */
static double distance(const float *own, const float *their, size_t n) {
    double largest = 0, error = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)their[i]));
        error = fmax(error, fabs((double)their[i] - (double)own[i]));
    }
    return error / largest;
}

/** A line: all by turns; false where their results disagree. */
static bool compare(const precision *p, const char *backend, int k, int n, const ours *o,
                    const theirs *t, int n_runs) {
    static runs r;
    run_ours(o), run_theirs(t);
    double apart = distance(o->args.out, t->out, (size_t)N_TOKENS * (size_t)n);
    measure(o, t, 2.0 * N_TOKENS * k * n, n_runs, &r);
    double spread = quantile(r.ratio, n_runs, 0.75) - quantile(r.ratio, n_runs, 0.25);
    bool agree = apart <= p->tolerance;
    printf("  %-5s %4d>%-5d %-13s %9.1f %9.1f %9.1f %7.2f %7.1f %7.2f %9.1e%s\n", p->name, k, n,
           backend, quantile(r.own, n_runs, 0.5), quantile(r.their, n_runs, 0.5),
           quantile(r.alone, n_runs, 0.5), quantile(r.ratio, n_runs, 0.5),
           100 * spread / quantile(r.ratio, n_runs, 0.5), quantile(r.ratio_alone, n_runs, 0.5),
           apart, agree ? "" : " WRONG");
    fflush(stdout);
    return agree;
}

static float *draw(size_t n, float low, float high) {
    float *x = dn_alloc_aligned(64, n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = low + (high - low) * (float)rand() / (float)RAND_MAX;
    }
    return x;
}

static bool compare_shape(const precision *p, int k, int n, int n_runs) {
    float *x = draw((size_t)N_TOKENS * (size_t)k, 0, 1), *bias = draw((size_t)n, -1, 1);
    float *w = draw((size_t)k * (size_t)n, -0.06f, 0.06f);
    theirs t = theirs_new(p, k, n, x, w, bias, 1.0f / 255);
    bool agree = true;
    for (size_t i = 0; i < sizeof p->backend / sizeof *p->backend && p->backend[i]; i++) {
        ours o;
        if (ours_new(&o, p->backend[i], k, n, x, w, bias)) {
            agree = compare(p, p->backend[i], k, n, &o, &t, n_runs) && agree;
            dn_weight_free(&o.weight);
            free(o.args.out);
        }
    }
    free(x), free(w), free(bias);
    return agree;
}

int main(int argc, char **argv) {
    int n_runs = argc == 2 ? atoi(argv[1]) : 15;
    const char *threads = getenv("OMP_NUM_THREADS");
    if (n_runs < 1 || n_runs > MAX_RUNS || !threads || strcmp(threads, "1") != 0) {
        fputs("usage: OMP_NUM_THREADS=1 peer_gemm [RUNS]\n"
              "  oneDNN would use all cores, and ours uses one\n",
              stderr);
        return EX_USAGE;
    }
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    const dnnl_version_t *version = dnnl_version();
    printf("# oneDNN %d.%d.%d, %d tokens, one thread, CPU time, %d runs by turns\n#\n",
           version->major, version->minor, version->patch, N_TOKENS, n_runs);
    printf("# %-4s %-11s %-13s %9s %9s %9s %7s %7s %7s %9s\n", "", "K>N", "ours", "Gop/s", "oneDNN",
           "alone", "ratio", "spread%", "r.alone", "apart");
    bool agree = true;
    for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            agree = compare_shape(&precisions[p], shapes[s][0], shapes[s][1], n_runs) && agree;
        }
    }
    return agree ? EX_OK : 1;
}
