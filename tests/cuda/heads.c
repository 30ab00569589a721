/* What is made of rows at the end: pooling, heads, probabilities. */
#include "device.h"

#include "kernels/linear.h"

static int launch_pool(const void *args) {
    return dn_cuda_pool(args, NULL);
}
static int launch_heads(const void *args) {
    return dn_cuda_heads(args, NULL);
}
static int launch_score(const void *args) {
    return dn_cuda_score(args, NULL);
}

static const int row_lengths[] = {1, 2, 129, 1, 30, 7};
enum { N_ROWS = sizeof row_lengths / sizeof *row_lengths, N_EMPTY = 2 };

static void check_pool(dn_cuda_type type, int hidden, int n_parts, int first, int second) {
    int lengths[N_ROWS + N_EMPTY] = {0};
    memcpy(lengths, row_lengths, sizeof row_lengths);
    int32_t *start = row_starts(lengths, N_ROWS + N_EMPTY);
    size_t width = (size_t)hidden * (size_t)n_parts, n = (N_ROWS + N_EMPTY) * width;
    size_t inputs = (size_t)start[N_ROWS] * (size_t)hidden;
    float *x = random_floats(inputs, 2), *want = floats_of(n);
    void *elements = elements_of(type, x, inputs);
    device_output out = device_output_new(DN_CUDA_F32, n);
    dn_cuda_pool_args args = {.type = type,
                              .n_rows = N_ROWS + N_EMPTY,
                              .hidden = hidden,
                              .row_start = start,
                              .n_parts = n_parts,
                              .part = {first, second},
                              .x = elements,
                              .out = (float *)(void *)out.at};
    run_all_orders(launch_pool, &args, &out);
    memset(want, 0, n * sizeof *want);
    ref()->pool(&(dn_pool_args){.n_rows = N_ROWS,
                                .hidden = hidden,
                                .row_start = start,
                                .n_parts = n_parts,
                                .part = {(dn_pooling)first, (dn_pooling)second},
                                .x = x,
                                .out = want});
    char what[64];
    snprintf(what, sizeof what, "pool %s H=%d parts %d %d", type_name(type), hidden, first, second);
    expect_output(what, &out, want, dn_ops[DN_OP_pool].absolute, 1e-6);
    device_output_free(&out);
    free(start), free(x), free(want), free(elements);
}

CASE(pool_agrees_with_ref) {
    static const int widths[] = {1, 15, 48, 384, 397};
    for (int i = 0; i < 5 * N_TYPES; i++) {
        check_pool(all_types[i % N_TYPES], widths[i / N_TYPES], 1 + i % 2, 1 + i / 2 % 2,
                   2 - i / 2 % 2);
    }
}

static void check_heads(dn_cuda_type type, dn_cuda_type x_type, int n_rows, int n, int k,
                        dn_cuda_activation activation) {
    size_t inputs = (size_t)n_rows * (size_t)k, weights = (size_t)n * (size_t)k,
           outputs = (size_t)n_rows * (size_t)n;
    float *x = random_floats(inputs, 1.7f), *w = random_floats(weights, 1.7f / sqrtf((float)k));
    float *bias = random_floats((size_t)n, 1), *want = floats_of(outputs);
    void *xs = elements_of(x_type, x, inputs), *ws = elements_of(type, w, weights);
    device_output out = device_output_new(DN_CUDA_F32, outputs);
    dn_cuda_heads_args args = {.type = type,
                               .x_type = x_type,
                               .n_rows = n_rows,
                               .n = n,
                               .k = k,
                               .x = xs,
                               .w = ws,
                               .bias = n % 2 ? bias : NULL,
                               .activation = activation,
                               .out = (float *)(void *)out.at};
    run_all_orders(launch_heads, &args, &out);
    dn_weight weight;
    EXPECT(ref()->pack(w, n, k, &weight) == DN_OK);
    ref()->linear(&(dn_linear_args){.n_tokens = n_rows,
                                    .x = x,
                                    .weight = &weight,
                                    .bias = args.bias,
                                    .activation = (dn_activation)activation,
                                    .out = want});
    char what[64];
    snprintf(what, sizeof what, "heads %s R=%d N=%d K=%d", type_name(type), n_rows, n, k);
    expect_output(what, &out, want, 4e-6, 4e-6);
    dn_weight_free(&weight);
    device_output_free(&out);
    free(x), free(w), free(bias), free(want), free(xs), free(ws);
}

CASE(heads_agree_with_ref) {
    static const int sizes[][3] = {{1, 1, 1},    {1, 3, 384},   {8, 17, 768}, {9, 7, 48},
                                   {17, 33, 15}, {3, 64, 1000}, {200, 2, 64}};
    for (int i = 0; i < 7 * N_TYPES; i++) {
        dn_cuda_type type = all_types[i % N_TYPES];
        check_heads(type, i % 2 ? type : DN_CUDA_F32, sizes[i / N_TYPES][0], sizes[i / N_TYPES][1],
                    sizes[i / N_TYPES][2], (dn_cuda_activation)(i % 4));
    }
    dn_cuda_heads_args mixed = {
        .type = DN_CUDA_BF16, .x_type = DN_CUDA_F16, .n_rows = 1, .n = 1, .k = 1};
    EXPECT(launch_heads(&mixed) != 0);
}

/** Four heads side by side, one of each kind, into the middle of wider rows. */
CASE(score_finishes_each_group) {
    enum { ROWS = 9, WIDTH = 70 + 3 + 2 + 40, BEGIN = 4, STRIDE = BEGIN + WIDTH + 5 };
    dn_cuda_score_args args = {
        .n_rows = ROWS,
        .width = WIDTH,
        .n_groups = 4,
        .group = {{0, 70, DN_CUDA_SOFTMAX},
                  {70, 3, DN_CUDA_SIGMOID},
                  {73, 2, DN_CUDA_AS_IS},
                  {75, 40, DN_CUDA_UNIT_LENGTH}},
        .out_begin = BEGIN,
        .out_stride = STRIDE,
    };
    float *x = random_floats((size_t)ROWS * WIDTH, 20);
    memset(x + 75, 0, 40 * sizeof *x); /* a vector of no length stays one */
    device_output out = device_output_new(DN_CUDA_F32, (size_t)ROWS * STRIDE);
    args.x = x, args.out = (float *)(void *)out.at;
    run_all_orders(launch_score, &args, &out);
    float *got = device_output_floats(&out);
    for (int row = 0; row < ROWS; row++) {
        float want[WIDTH];
        memcpy(want, x + (size_t)row * WIDTH, sizeof want);
        ref()->softmax(&(dn_softmax_args){.n_rows = 1, .stride = WIDTH, .classes = 70, .x = want});
        double squares = 0;
        for (int i = 75; i < WIDTH; i++) {
            squares += (double)want[i] * (double)want[i];
        }
        for (int i = 70; i < WIDTH; i++) {
            double y = (double)want[i];
            want[i] = (float)(i < 73   ? 1 / (1 + exp(-y))
                              : i < 75 ? y
                                       : y / fmax(sqrt(squares), 1e-12));
        }
        for (int i = 0; i < STRIDE; i++) {
            float y = got[row * STRIDE + i];
            bool is_score = i >= BEGIN && i < BEGIN + WIDTH;
            EXPECT(is_score ? fabsf(y - want[i - BEGIN]) <= 1e-6f + 2e-6f * fabsf(want[i - BEGIN])
                            : isnan(y));
        }
    }
    EXPECT(guards_stand(&out));
    memcpy(out.at, x, sizeof(float) * WIDTH); /* the first row once more, onto itself */
    args.n_rows = 1, args.out_begin = 0, args.out_stride = WIDTH;
    args.x = args.out;
    EXPECT_INT(launch_score(&args), 0);
    EXPECT(memcmp(out.at, got + BEGIN, sizeof(float) * WIDTH) == 0);
    device_output_free(&out);
    free(x), free(got);
}

CASE(no_row_is_no_launch) {
    EXPECT_INT(launch_pool(&(dn_cuda_pool_args){.type = DN_CUDA_BF16, .hidden = 64}), 0);
    EXPECT_INT(launch_heads(&(dn_cuda_heads_args){.n = 3, .k = 64}), 0);
    EXPECT_INT(launch_score(&(dn_cuda_score_args){.width = 3, .n_groups = 1}), 0);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
