/* The product of our own: against ref, and a row against itself at another place. */
#include "device.h"

#include "kernels/cuda/product.h"
#include "kernels/linear.h"

static int launch_product(const void *args) {
    return dn_cuda_product(args, NULL);
}

typedef struct operands {
    dn_cuda_product_args args;
    float *x, *w, *bias;
    void *xs, *ws;
} operands;

static operands operands_new(dn_cuda_type type, int tokens, int n, int k,
                             dn_cuda_activation activation) {
    size_t inputs = (size_t)tokens * (size_t)k, weights = (size_t)n * (size_t)k;
    operands o = {.x = random_floats(inputs, 1.7f),
                  .w = random_floats(weights, 1.7f / sqrtf((float)k)),
                  .bias = random_floats((size_t)n, 1)};
    o.xs = elements_of(type, o.x, inputs), o.ws = elements_of(type, o.w, weights);
    o.args = (dn_cuda_product_args){.type = type,
                                    .n_tokens = tokens,
                                    .n = n,
                                    .k = k,
                                    .x = o.xs,
                                    .w = o.ws,
                                    .bias = o.bias,
                                    .activation = activation};
    return o;
}

static void operands_free(operands *o) {
    free(o->x), free(o->w), free(o->bias), free(o->xs), free(o->ws);
}

static float *multiply_by_ref(const operands *o) {
    const dn_cuda_product_args *a = &o->args;
    float *want = floats_of((size_t)a->n_tokens * (size_t)a->n);
    dn_weight weight;
    EXPECT(ref()->pack(o->w, a->n, a->k, &weight) == DN_OK);
    ref()->linear(&(dn_linear_args){.n_tokens = a->n_tokens,
                                    .x = o->x,
                                    .weight = &weight,
                                    .bias = a->bias,
                                    .activation = (dn_activation)a->activation,
                                    .out = want});
    dn_weight_free(&weight);
    return want;
}

static void check(dn_cuda_type type, int tokens, int n, int k, dn_cuda_activation activation,
                  bool with_bias) {
    operands o = operands_new(type, tokens, n, k, activation);
    size_t outputs = (size_t)tokens * (size_t)n;
    float factor = 60, largest = 0;
    device_output out = device_output_new(type, outputs),
                  fp8 = device_output_new(DN_CUDA_E4M3, outputs);
    o.args.out = out.at;
    o.args.bias = with_bias ? o.bias : NULL;
    o.args.fp8 = (dn_cuda_fp8){fp8.at, &factor, &largest};
    run_all_orders(launch_product, &o.args, &out);
    float *want = multiply_by_ref(&o);
    char what[64];
    snprintf(what, sizeof what, "product %s T=%d N=%d K=%d activation %d", type_name(type), tokens,
             n, k, activation);
    expect_output(what, &out, want, 1e-5, 4e-6 + rounding_of(type));
    expect_fp8(what, &fp8, want, factor, 2 * rounding_of(type));
    EXPECT(fabsf(largest - largest_of(want, outputs)) <=
           (float)rounding_of(type) * largest_of(want, outputs) + 1e-5f);
    device_output_free(&out), device_output_free(&fp8);
    free(want);
    operands_free(&o);
}

CASE(product_agrees_with_ref) {
    static const int sizes[][3] = {{1, 8, 8},      {128, 128, 64}, {129, 136, 72},
                                   {200, 64, 384}, {64, 248, 128}, {3, 16, 200}};
    for (int i = 0; i < 6; i++) {
        check(i % 2 ? DN_CUDA_F16 : DN_CUDA_BF16, sizes[i][0], sizes[i][1], sizes[i][2],
              (dn_cuda_activation)(i % 4), i % 3 != 2);
    }
    check(DN_CUDA_BF16, 70, 128, 192, DN_CUDA_ACT_GELU, true);
}

/** Token 150 of 160 moved to the first place: other rows, another warp, the same bits. */
CASE(a_token_is_the_same_at_any_place) {
    enum { TOKENS = 160, N = 136, K = 200 };
    operands o = operands_new(DN_CUDA_BF16, TOKENS, N, K, DN_CUDA_ACT_GELU);
    device_output out = device_output_new(DN_CUDA_BF16, (size_t)TOKENS * N);
    device_output alone = device_output_new(DN_CUDA_BF16, N);
    o.args.out = out.at;
    EXPECT_INT(launch_product(&o.args), 0);
    dn_cuda_product_args one = o.args;
    one.n_tokens = 1, one.out = alone.at;
    one.x = (const char *)o.xs + (size_t)150 * K * 2;
    EXPECT_INT(launch_product(&one), 0);
    EXPECT(memcmp(alone.at, out.at + (size_t)150 * N * 2, (size_t)N * 2) == 0);
    device_output_free(&out), device_output_free(&alone);
    operands_free(&o);
}

CASE(what_it_cannot_do_is_refused) {
    dn_cuda_product_args args = {.type = DN_CUDA_BF16, .n = 8, .k = 8};
    EXPECT_INT(launch_product(&args), 0); /* no token is no launch */
    args.n = 12;
    EXPECT(launch_product(&args) != 0);
    args.n = 8, args.k = 4;
    EXPECT(launch_product(&args) != 0);
    args.k = 8, args.type = DN_CUDA_F32;
    EXPECT(launch_product(&args) != 0);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
