/* Attention: all kernels against ref, against one another, and a row against itself in other
 * company. */
#include "device.h"

#include "kernels/linear.h"

static int launch_attention(const void *args) {
    return dn_cuda_attention(args, NULL);
}

/** A batch of random rows: what the device sees, and the same numbers as floats. */
typedef struct batch {
    dn_cuda_attention_args args;
    float *qkv;
    int32_t *start;
    void *elements;
} batch;

static batch batch_new(dn_cuda_type type, int hidden, int heads, const int *length, int n_rows,
                       float scale) {
    batch b = {.start = row_starts(length, n_rows)};
    size_t n = (size_t)b.start[n_rows] * 3 * (size_t)hidden;
    b.qkv = random_floats(n, scale);
    b.elements = elements_of(type, b.qkv, n);
    b.args = (dn_cuda_attention_args){.type = type,
                                      .n_tokens = b.start[n_rows],
                                      .n_rows = n_rows,
                                      .hidden = hidden,
                                      .heads = heads,
                                      .longest = 1,
                                      .row_start = b.start,
                                      .qkv = b.elements};
    for (int r = 0; r < n_rows; r++) {
        b.args.longest = length[r] > b.args.longest ? length[r] : b.args.longest;
    }
    return b;
}

static void batch_free(batch *b) {
    free(b->qkv), free(b->start), free(b->elements);
}

static float *attend_by_ref(const batch *b) {
    const dn_cuda_attention_args *a = &b->args;
    float *out = floats_of((size_t)a->n_tokens * (size_t)a->hidden);
    float *scratch = floats_of(ref()->attention_scratch(a->longest, a->hidden, a->heads));
    ref()->attention(&(dn_attention_args){.n_tokens = a->n_tokens,
                                          .n_rows = a->n_rows,
                                          .hidden = a->hidden,
                                          .heads = a->heads,
                                          .row_start = b->start,
                                          .qkv = b->qkv,
                                          .out = out,
                                          .scratch = scratch});
    free(scratch);
    return out;
}

/** Weights are rounded to elements before they meet the values: half a unit of 1 times the largest
 * value, at worst; and the sum again. */
static double tolerance_of(dn_cuda_type type, float scale) {
    return type == DN_CUDA_F32 ? 4e-6 * (double)scale : rounding_of(type) * (double)scale;
}

static void check(dn_cuda_type type, int hidden, int heads, const int *length, int n_rows,
                  float scale) {
    batch b = batch_new(type, hidden, heads, length, n_rows, scale);
    size_t n = (size_t)b.args.n_tokens * (size_t)hidden;
    float factor = 100, largest = 0;
    device_output out = device_output_new(type, n), fp8 = device_output_new(DN_CUDA_E4M3, n);
    b.args.out = out.at;
    b.args.fp8 = (dn_cuda_fp8){fp8.at, &factor, &largest};
    run_all_orders(launch_attention, &b.args, &out);
    float *want = attend_by_ref(&b);
    char what[96];
    snprintf(what, sizeof what, "attention %s H=%d A=%d T=%d scale %g", type_name(type), hidden,
             heads, b.args.n_tokens, (double)scale);
    double tolerance = tolerance_of(type, scale);
    expect_output(what, &out, want, tolerance, rounding_of(type) + 4e-6);
    for (size_t i = 0; i < n; i++) {
        want[i] = fabsf(want[i]) < 0.05f ? 0 : want[i];
        fp8.at[i] = want[i] == 0 ? 0 : fp8.at[i];
    }
    expect_fp8(what, &fp8, want, factor, tolerance / 0.05);
    EXPECT(fabs((double)(largest - largest_of(want, n))) <= tolerance + 1e-5);
    device_output_free(&out), device_output_free(&fp8);
    free(want);
    batch_free(&b);
}

static const int mixed[] = {1, 2, 130, 1, 30, 16, 33, 0, 17, 32, 0, 0};
enum { N_MIXED = sizeof mixed / sizeof *mixed };
static const char *const kernels[] = {"direct", "staged", "plain"};
enum { N_KERNELS = sizeof kernels / sizeof *kernels };

static void check_all_shapes(const char *kernel) {
    static const int one[] = {1}, full[] = {128},
                     shapes[][2] = {{32, 1}, {96, 3}, {160, 5}, {64, 1}, {192, 3}};
    EXPECT_INT(dn_cuda_force("attention", kernel), 0);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        dn_cuda_type type = i % 2 ? DN_CUDA_BF16 : DN_CUDA_F16;
        check(type, shapes[i][0], shapes[i][1], one, 1, 1.5f);
        check(type, shapes[i][0], shapes[i][1], mixed, N_MIXED, 1.5f);
    }
    check(DN_CUDA_BF16, 32, 1, full, 1, 3.0f);
    check(DN_CUDA_F16, 64, 1, full, 1, 3.0f);
    EXPECT_INT(dn_cuda_force("attention", NULL), 0);
}

CASE(direct_agrees_with_ref) {
    check_all_shapes("direct");
}
CASE(staged_agrees_with_ref) {
    check_all_shapes("staged");
}
CASE(plain_agrees_with_ref) {
    check_all_shapes("plain");
}

CASE(other_types_and_head_sizes_agree_with_ref) {
    static const int shapes[][2] = {{1, 1}, {6, 2}, {32, 1}, {48, 4}, {66, 2}, {64, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check(DN_CUDA_F32, shapes[i][0], shapes[i][1], mixed, N_MIXED, 1.5f);
    }
    check(DN_CUDA_BF16, 48, 4, mixed, N_MIXED, 1.5f);
    check(DN_CUDA_F16, 66, 2, mixed, N_MIXED, 1.5f);
}

CASE(long_rows_agree_with_ref) {
    static const int rows[] = {5, 511, 512};
    check(DN_CUDA_BF16, 32, 1, rows, 3, 1.5f);
    check(DN_CUDA_F16, 64, 1, rows, 2, 1.5f);
}

/** Where one key's score towers over the rest, its value is the result: 2^x neither overflows nor
 * loses what came before. Keys grow along the row, so the maximum changes with every step. */
CASE(a_towering_score_takes_all) {
    static const int rows[] = {100};
    for (int k = 0; k < N_KERNELS; k++) {
        EXPECT_INT(dn_cuda_force("attention", kernels[k]), 0);
        batch b = batch_new(DN_CUDA_BF16, 32, 1, rows, 1, 1);
        for (int i = 0; i < 100 * 96; i++) {
            int token = i / 96, column = i % 96;
            b.qkv[i] = column < 32 ? 40 : column < 64 ? (float)token : (float)(token % 50);
        }
        dn_cuda_round(&(dn_cuda_round_args){DN_CUDA_BF16, 100 * 96, b.qkv, 1, b.elements}, NULL);
        device_output out = device_output_new(DN_CUDA_BF16, (size_t)100 * 32);
        b.args.out = out.at;
        EXPECT_INT(launch_attention(&b.args), 0);
        float *x = device_output_floats(&out);
        for (size_t i = 0; i < out.n; i++) {
            EXPECT(x[i] == 49);
        }
        free(x);
        device_output_free(&out);
        batch_free(&b);
    }
    EXPECT_INT(dn_cuda_force("attention", NULL), 0);
}

/** Copies row `from` of one batch to row `to` of another. */
static void copy_row(const batch *from, int i, batch *to, int j) {
    size_t bytes = 3 * (size_t)from->args.hidden * size_of(from->args.type);
    memcpy((char *)to->elements + (size_t)to->start[j] * bytes,
           (const char *)from->elements + (size_t)from->start[i] * bytes,
           (size_t)(from->start[i + 1] - from->start[i]) * bytes);
}

/** The same rows alone, and between others that begin elsewhere: by any kernel on tensor cores. */
static void check_company(int hidden, int heads) {
    static const int few[] = {37, 130}, many[] = {3, 130, 16, 1, 37, 300, 0};
    batch alone = batch_new(DN_CUDA_BF16, hidden, heads, few, 2, 2);
    batch among = batch_new(DN_CUDA_BF16, hidden, heads, many, 7, 2);
    copy_row(&alone, 0, &among, 4), copy_row(&alone, 1, &among, 1);
    size_t row_bytes = (size_t)hidden * 2;
    device_output out =
        device_output_new(DN_CUDA_BF16, (size_t)alone.args.n_tokens * (size_t)hidden);
    device_output more =
        device_output_new(DN_CUDA_BF16, (size_t)among.args.n_tokens * (size_t)hidden);
    alone.args.out = out.at, among.args.out = more.at;
    EXPECT_INT(dn_cuda_force("attention", "direct"), 0);
    EXPECT_INT(launch_attention(&alone.args), 0);
    for (int k = 0; k < 2; k++) {
        EXPECT_INT(dn_cuda_force("attention", kernels[k]), 0);
        device_output_clear(&more);
        EXPECT_INT(launch_attention(&among.args), 0);
        EXPECT(memcmp(out.at, more.at + (size_t)among.start[4] * row_bytes, 37 * row_bytes) == 0);
        EXPECT(memcmp(out.at + 37 * row_bytes, more.at + (size_t)among.start[1] * row_bytes,
                      130 * row_bytes) == 0);
    }
    EXPECT_INT(dn_cuda_force("attention", NULL), 0);
    device_output_free(&out), device_output_free(&more);
    batch_free(&alone), batch_free(&among);
}

CASE(a_row_is_the_same_in_any_company) {
    check_company(32, 1);
    check_company(128, 2);
}

CASE(no_row_is_no_launch) {
    int32_t start = 0;
    dn_cuda_attention_args args = {
        .type = DN_CUDA_BF16, .hidden = 64, .heads = 2, .longest = 1, .row_start = &start};
    EXPECT_INT(launch_attention(&args), 0);
    args.n_tokens = 32; /* of a bucket, all padding that no row holds */
    EXPECT_INT(launch_attention(&args), 0);
}

CASE(a_library_is_told_where_rows_are) {
    enum { ROWS = 300, HIDDEN = 48 };
    int length[ROWS];
    int32_t told[3 * ROWS + 3];
    for (int r = 0; r < ROWS; r++) {
        length[r] = r % 7 == 3 ? 0 : r % 41;
    }
    memset(told, 0xa5, sizeof told);
    int32_t *start = row_starts(length, ROWS);
    dn_cuda_starts_args args = {ROWS, HIDDEN, start, told, told + ROWS, told + 2 * ROWS + 1};
    EXPECT_INT(dn_cuda_starts(&args, NULL), 0);
    for (int r = 0; r <= ROWS; r++) {
        EXPECT(r == ROWS || args.length[r] == length[r]);
        EXPECT(args.qkv_start[r] == start[r] * 3 * HIDDEN && args.out_start[r] == start[r] * HIDDEN);
    }
    EXPECT_INT(told[3 * ROWS + 2], (int32_t)0xa5a5a5a5);
    free(start);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
