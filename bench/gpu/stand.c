/* Each kernel of a pass by itself, against the floor of the bytes and operations that it cannot do
 * without. Timed twice: over operands that were pushed out of L2 since they were touched last,
 * which is what the floor supposes, and over operands that the launch before it has just left
 * there, as most are in a pass. Of the smallest (heads, score) they stay there both times. */
#include "operations.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHECKED_TOKENS = 300 };

/* ---- operands ---- */

/** Of an operation, with room to align each operand. */
static size_t set_bytes(const stand *s, const operation *o) {
    double bytes, flops;
    o->cost(s, o, &bytes, &flops);
    return ((size_t)bytes / ALIGN + 4) * ALIGN;
}

/** What is more than twice L2 holds nothing that was touched a round ago. */
static size_t pool_bytes(const effort *e, const stand *s) {
    size_t most = 0;
    for (int i = 0; i < n_operations; i++) {
        size_t bytes = set_bytes(s, &operations[i]);
        most = bytes > most ? bytes : most;
    }
    return most + (e->brief ? most : 2 * (size_t)dn_cuda.properties.l2_bytes);
}

/** Random elements, between -1 and 1. */
static void *filled(size_t n) {
    float *there, *host = malloc(n * sizeof *host);
    uint32_t state = (uint32_t)n;
    must(dn_cuda_reserve(DN_CUDA_BF16, DN_ELEMENTS, n, &there));
    for (size_t i = 0; host && i < n; i++) {
        state = state * 1664525u + 1013904223u;
        host[i] = (float)(int32_t)state * 0x1p-31f;
    }
    must(host ? dn_cuda_upload(DN_CUDA_BF16, DN_ELEMENTS, host, n, there)
              : DN_FAIL(MEMORY, "no room for %zu numbers on the host", n));
    free(host);
    return there;
}

static int32_t *sent(const int32_t *host, size_t n, cudaStream_t stream) {
    void *there;
    must(dn_cuda_alloc(n * sizeof *host, "a measurement", &there));
    must_run(dn_cuda.api->copy(there, host, n * sizeof *host, stream), "copying a batch");
    must_run(dn_cuda.api->stream_finish(stream), "copying a batch");
    return there;
}

/** Random tokens in rows of ROW_TOKENS; the last row has what is left. */
static void send_rows(stand *s) {
    size_t n = (size_t)s->n_tokens;
    int32_t *token = calloc(n, sizeof *token), *place = calloc(n, sizeof *place);
    int32_t *row_start = calloc((size_t)s->n_rows + 1, sizeof *row_start);
    uint32_t state = 5;
    for (int i = 0; i < s->n_tokens; i++) {
        state = state * 1664525u + 1013904223u;
        token[i] = (int32_t)((uint64_t)state * (uint64_t)s->shape->vocabulary >> 32);
        place[i] = i % ROW_TOKENS;
    }
    for (int r = 1; r <= s->n_rows; r++) {
        row_start[r] = r < s->n_rows ? r * ROW_TOKENS : s->n_tokens;
    }
    s->token = sent(token, n, s->stream);
    s->place = sent(place, n, s->stream);
    s->row_start = sent(row_start, (size_t)s->n_rows + 1, s->stream);
    free(token);
    free(place);
    free(row_start);
}

static void stand_open(stand *s, const effort *e, const net_shape *shape, int n_tokens) {
    size_t hidden = (size_t)shape->hidden, inner = (size_t)shape->intermediate;
    *s = (stand){
        .shape = shape, .n_tokens = n_tokens, .n_rows = (n_tokens + ROW_TOKENS - 1) / ROW_TOKENS};
    must_run(dn_cuda.api->stream_new(&s->stream), "making a stream");
    s->pool_bytes = pool_bytes(e, s);
    s->pool = filled(s->pool_bytes / 2);
    s->word = filled((size_t)shape->vocabulary * hidden);
    s->position = filled(NET_POSITIONS * hidden);
    s->heads = filled(LABELS * hidden);
    must(dn_cuda_alloc(DN_BLAS_WORKSPACE, "workspace", &s->workspace));
    float *ones = malloc(inner * sizeof *ones);
    for (size_t i = 0; i < inner; i++) {
        ones[i] = 1;
    }
    must(dn_cuda_reserve(DN_CUDA_BF16, DN_FLOATS, inner, &s->ones));
    must(dn_cuda_upload(DN_CUDA_BF16, DN_FLOATS, ones, inner, s->ones));
    free(ones);
    send_rows(s);
}

static void stand_close(stand *s) {
    void *memory[] = {s->pool, s->token,    s->place, s->row_start, s->ones,
                      s->word, s->position, s->heads, s->workspace};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        dn_cuda_release(memory[i]);
    }
    dn_cuda.api->stream_free(s->stream);
}

/* ---- timing ---- */

/** n_calls launches in one recording: the host's pace does not count. NULL: refused. */
static dn_cuda_graph record(const stand *s, const operation *o, int n_calls, int n_sets) {
    const dn_cuda_api *api = dn_cuda.api;
    size_t one = set_bytes(s, o);
    dn_cuda_graph graph = NULL;
    must_run(api->capture_begin(s->stream), "recording a kernel");
    int error = 0;
    for (int i = 0; i < n_calls && !error; i++) {
        error = o->launch(s, o, s->pool + (size_t)(i % n_sets) * one);
    }
    must_run(api->capture_end(s->stream, &graph), "recording a kernel");
    if (error) {
        api->graph_free(graph);
        return NULL;
    }
    return graph;
}

/** Median seconds of a call over so many sets of operands; below 0 where the device refuses it. */
static double time_operation(const effort *e, const stand *s, const operation *o, int n_sets,
                             double *spread) {
    enum { MAX_RUNS = 16 };
    const dn_cuda_api *api = dn_cuda.api;
    dn_cuda_event begin, end;
    double seconds[MAX_RUNS];
    dn_cuda_graph graph = record(s, o, e->n_calls, n_sets);
    if (!graph) {
        return -1;
    }
    must_run(api->event_new(true, &begin), "making an event");
    must_run(api->event_new(true, &end), "making an event");
    for (int i = -1; i < e->n_runs; i++) { /* once for the instructions to be there */
        int64_t ns = 0;
        must_run(api->event_record(begin, s->stream, false), o->name);
        must_run(api->graph_launch(graph, s->stream), o->name);
        must_run(api->event_record(end, s->stream, false), o->name);
        must_run(api->event_finish(end), o->name);
        must_run(api->event_ns(begin, end, &ns), o->name);
        seconds[i < 0 ? 0 : i] = (double)(ns > 0 ? ns : 1) / 1e9 / e->n_calls;
    }
    api->event_free(begin);
    api->event_free(end);
    api->graph_free(graph);
    return median_of(seconds, e->n_runs, spread);
}

/** Whether this GPU can do it; a product's algorithm is known then. */
static bool is_here(const stand *s, const operation *o) {
    dn_gemm_shape shape = gemm_shape(s, o);
    dn_gemm_operands operands = gemm_operands(s, o, s->pool);
    if (o->by_library && o->narrow && !table("cuda:fp8")) {
        return false;
    }
    must(o->by_library ? dn_cuda_gemm_prepare(&shape, &operands, s->stream) : DN_OK);
    return true;
}

void bench_operations(const effort *e, const verdicts *v, const net_shape *shape, int n_tokens,
                      const ceilings *c) {
    stand s;
    char text[160];
    stand_open(&s, e, shape, n_tokens);
    snprintf(text, sizeof text, "%s: %d tokens in rows of %d (%d rows), H %d, I %d, %d heads, bf16",
             shape->name, n_tokens, ROW_TOKENS, s.n_rows, shape->hidden, shape->intermediate,
             shape->heads);
    operation_head(text);
    for (int i = 0; i < n_operations; i++) {
        const operation *o = &operations[i];
        double ignored, peak = o->by_library && o->narrow && c->narrow > 0 ? c->narrow : c->product;
        operation_row r = {.model = shape->name, .name = o->name, .memory_s = -1, .cache_s = -1};
        o->cost(&s, o, &r.bytes, &r.flops);
        r.floor_s = fmax(r.bytes / c->copy, r.flops / peak);
        if ((i != IN_ONE || v->product) && is_here(&s, o)) {
            r.memory_s =
                time_operation(e, &s, o, (int)(s.pool_bytes / set_bytes(&s, o)), &r.spread);
            r.cache_s = time_operation(e, &s, o, 1, &ignored);
        }
        operation_line(&r);
    }
    printf("\n");
    stand_close(&s);
}

double measure_narrow(const effort *e) {
    const net_shape square = {"", e->narrow_side, 1, 1, e->narrow_side, 64};
    const operation *product = &operations[FP8_SQUARE];
    stand s;
    double bytes, flops, spread, seconds = 0;
    if (!table("cuda:fp8")) {
        return 0;
    }
    effort few = *e;
    few.n_calls = few.n_calls < 10 ? few.n_calls : 10;
    stand_open(&s, e, &square, e->narrow_side);
    if (is_here(&s, product)) {
        seconds = time_operation(&few, &s, product, 1, &spread);
    }
    product->cost(&s, product, &bytes, &flops);
    stand_close(&s);
    return seconds > 0 ? flops / seconds : 0;
}

/* ---- right first ---- */

/** The first n elements of what the product left. */
static float *result_of(const stand *s, const operation *o, size_t n) {
    float *out = malloc(n * sizeof *out);
    must(dn_cuda_download(DN_CUDA_BF16, DN_ELEMENTS, gemm_operands(s, o, s->pool).out, n, s->stream,
                          out));
    return out;
}

/** Our own product with GELU behind it against the library's and `activate`: the one rounds once,
 * the other twice. The tokens are no whole number of tiles. */
bool check_product(const effort *e) {
    static const double allowed = 1e-2;
    const operation *two = &operations[IN_TWO], *one = &operations[IN_ONE];
    size_t n = (size_t)CHECKED_TOKENS * (size_t)e->minilm.intermediate;
    stand s;
    stand_open(&s, e, &e->minilm, CHECKED_TOKENS);
    (void)is_here(&s, two);
    must_run(two->launch(&s, two, s.pool), two->name);
    float *want = result_of(&s, two, n);
    must_run(dn_cuda.api->clear(gemm_operands(&s, one, s.pool).out, 2 * n, s.stream), "clearing");
    bool runs = one->launch(&s, one, s.pool) == 0;
    float *got = result_of(&s, one, n);
    double error = relative_error(got, want, n);
    const char *verdict = !runs ? "not on this GPU" : error <= allowed ? "right" : "WRONG";
    printf("%-12s %-52s %12.4g relative error, %g allowed: %s\n", "correctness",
           "dn_cuda_product against cuBLASLt and activate", error, allowed, verdict);
    free(want);
    free(got);
    stand_close(&s);
    return !runs || error <= allowed; /* NaN is not */
}
