/* A text scores bit for bit the same alone and in any batch: each operation over many tokens or
 * rows must give the bits that it gives over any part of them, on every backend. */
#include "buffers.h"

enum { HIDDEN = 48, HEADS = 2 };

/** linear() over tokens [begin, begin + n) of x. */
static void linear_part(const dn_kernels *kernels, const dn_weight *weight, const float *vectors,
                        const float *x, int begin, int n, bool norm, float *out) {
    size_t width = (size_t)weight->n;
    memcpy(out, vectors + 3 * width + (size_t)begin * width, (size_t)n * width * sizeof *out);
    kernels->linear(&(dn_linear_args){.n_tokens = n,
                                      .x = x + (size_t)begin * (size_t)weight->k,
                                      .weight = weight,
                                      .bias = vectors,
                                      .activation = norm ? DN_ACT_NONE : DN_ACT_GELU,
                                      .residual = norm ? out : NULL,
                                      .gamma = norm ? vectors + width : NULL,
                                      .beta = norm ? vectors + 2 * width : NULL,
                                      .epsilon = 1e-12f,
                                      .out = out});
}

static void check_linear(const dn_kernels *kernels, const char *name) {
    static const int sizes[][2] = {{7, 33}, {384, 384}, {1536, 47}, {385, 96}};
    enum { TOKENS = 200, FIRST_FEW = 64 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t k = (size_t)sizes[i][0], n = (size_t)sizes[i][1];
        float *x = random_floats(TOKENS * k, 1), *w = random_floats(n * k, 0.1f);
        float *vectors = random_floats((3 + TOKENS) * n, 1);
        float *whole = floats_of(TOKENS * n), *part = floats_of(TOKENS * n);
        dn_weight weight;
        EXPECT(kernels->pack(w, (int)n, (int)k, &weight) == DN_OK);
        for (int norm = 0; norm < 2; norm++) {
            linear_part(kernels, &weight, vectors, x, 0, TOKENS, norm, whole);
            for (int tokens = 1; tokens <= FIRST_FEW; tokens++) {
                int begin = random_below(TOKENS - tokens + 1);
                linear_part(kernels, &weight, vectors, x, begin, tokens, norm, part);
                bool same =
                    memcmp(part, whole + (size_t)begin * n, (size_t)tokens * n * sizeof *part) == 0;
                if (!same) {
                    fprintf(stderr, "%s: tokens [%d, %d) of K=%zu N=%zu differ from the whole\n",
                            name, begin, begin + tokens, k, n);
                }
                EXPECT(same);
            }
        }
        dn_weight_free(&weight);
        free(x), free(w), free(vectors), free(whole), free(part);
    }
}

static const int row_lengths[] = {30, 1, 2, 65, 14, 13, 128, 33, 5, 31, 32};
enum { N_ROWS = sizeof row_lengths / sizeof *row_lengths, LONGEST = 128 };

static void check_attention(const dn_kernels *kernels, const char *name) {
    int32_t *start = row_starts(row_lengths, N_ROWS);
    size_t tokens = (size_t)start[N_ROWS];
    float *qkv = random_floats(tokens * 3 * HIDDEN, 2);
    float *whole = floats_of(tokens * HIDDEN), *part = floats_of(tokens * HIDDEN);
    float *scratch = random_floats(kernels->attention_scratch(LONGEST, HIDDEN, HEADS), 9);
    dn_attention_args args = {.n_tokens = (int)tokens,
                              .n_rows = N_ROWS,
                              .hidden = HIDDEN,
                              .heads = HEADS,
                              .row_start = start,
                              .qkv = qkv,
                              .out = whole,
                              .scratch = scratch};
    kernels->attention(&args);
    for (int r = 0; r < N_ROWS; r++) {
        int32_t alone[] = {0, row_lengths[r]};
        size_t begin = (size_t)start[r];
        args = (dn_attention_args){.n_tokens = row_lengths[r],
                                   .n_rows = 1,
                                   .hidden = HIDDEN,
                                   .heads = HEADS,
                                   .row_start = alone,
                                   .qkv = qkv + begin * 3 * HIDDEN,
                                   .out = part,
                                   .scratch = scratch};
        kernels->attention(&args);
        bool same = memcmp(part, whole + begin * HIDDEN,
                           (size_t)row_lengths[r] * HIDDEN * sizeof *part) == 0;
        if (!same) {
            fprintf(stderr, "%s: a row of %d tokens differs alone and in the batch\n", name,
                    row_lengths[r]);
        }
        EXPECT(same);
    }
    free(start), free(qkv), free(whole), free(part), free(scratch);
}

static void check_pool_and_softmax(const dn_kernels *kernels, const char *name) {
    (void)name;
    int32_t *start = row_starts(row_lengths, N_ROWS);
    float *x = random_floats((size_t)start[N_ROWS] * HIDDEN, 2);
    float whole[N_ROWS * HIDDEN], part[HIDDEN];
    dn_pool_args args = {.n_rows = N_ROWS,
                         .hidden = HIDDEN,
                         .row_start = start,
                         .n_parts = 1,
                         .part = {DN_POOL_MEAN},
                         .x = x,
                         .out = whole};
    kernels->pool(&args);
    kernels->softmax(
        &(dn_softmax_args){.n_rows = N_ROWS, .stride = HIDDEN, .classes = HIDDEN, .x = whole});
    for (int r = 0; r < N_ROWS; r++) {
        int32_t alone[] = {0, row_lengths[r]};
        args.n_rows = 1, args.row_start = alone, args.x = x + (size_t)start[r] * HIDDEN,
        args.out = part;
        kernels->pool(&args);
        kernels->softmax(
            &(dn_softmax_args){.n_rows = 1, .stride = HIDDEN, .classes = HIDDEN, .x = part});
        EXPECT(memcmp(part, whole + (size_t)r * HIDDEN, sizeof part) == 0);
    }
    free(start), free(x);
}

CASE(linear_gives_equal_bits_for_any_number_of_tokens) {
    for_each_backend(check_linear, NULL);
}

CASE(attention_gives_equal_bits_alone_and_in_a_batch) {
    for_each_backend(check_attention, NULL);
}

CASE(pool_and_softmax_give_equal_bits_alone_and_in_a_batch) {
    for_each_backend(check_pool_and_softmax, NULL);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
