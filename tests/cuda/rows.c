/* Operations on one token at a time: embedding, LayerNorm, bias and activation, rounding. */
#include "device.h"

#include "kernels/linear.h"
#include "kernels/narrow.h"

static const int widths[] = {8, 15, 48, 256, 264, 384, 390, 768, 1024, 1032};
enum { N_WIDTHS = sizeof widths / sizeof *widths, TOKENS = 11 };

static int launch_embed(const void *args) {
    return dn_cuda_embed(args, NULL);
}
static int launch_norm(const void *args) {
    return dn_cuda_norm(args, NULL);
}
static int launch_activate(const void *args) {
    return dn_cuda_activate(args, NULL);
}

static double absolute_of(dn_op_id op) {
    return dn_ops[op].absolute;
}

enum { WORDS = 37, PLACES = 9, FIRST_WORD = 12, SOME_WORDS = 13 };

/** With LayerNorm over the whole vocabulary, or a part of it as it is. */
static void check_embed(dn_cuda_type type, int hidden, bool is_part) {
    size_t width = (size_t)hidden, n = TOKENS * width;
    int32_t row_start[] = {0, 1, 1, 10, TOKENS}, token[TOKENS], place[TOKENS];
    for (int t = 0; t < TOKENS; t++) {
        token[t] = random_below(WORDS);
        place[t] = t == 0 || t == 10 ? 0 : t - 1;
    }
    token[3] = FIRST_WORD - 1, token[4] = FIRST_WORD;
    token[5] = FIRST_WORD + SOME_WORDS - 1, token[6] = FIRST_WORD + SOME_WORDS;
    float *word = random_floats(WORDS * width, 1), *position = random_floats(PLACES * width, 0.5f);
    float *kind = random_floats(width, 0.2f), *gamma = random_floats(width, 1),
          *beta = random_floats(width, 1), *want = floats_of(n);
    void *words = elements_of(type, word, WORDS * width),
         *positions = elements_of(type, position, PLACES * width),
         *kinds = elements_of(type, kind, width);
    device_output out = device_output_new(type, n);
    size_t part = FIRST_WORD * width * size_of(type);
    dn_cuda_embed_args args = {.type = type,
                               .n_tokens = TOKENS,
                               .hidden = hidden,
                               .token = token,
                               .place = place,
                               .first_word = is_part ? FIRST_WORD : 0,
                               .n_words = is_part ? SOME_WORDS : 0,
                               .word = is_part ? (char *)words + part : words,
                               .position = positions,
                               .token_type = kinds,
                               .gamma = is_part ? NULL : gamma,
                               .beta = beta,
                               .epsilon = 1e-12f,
                               .out = out.at};
    run_all_orders(launch_embed, &args, &out);
    dn_embed_args plain = {.n_tokens = TOKENS,
                           .n_rows = 4,
                           .hidden = hidden,
                           .token = token,
                           .row_start = row_start,
                           .first_word = args.first_word,
                           .n_words = args.n_words,
                           .word = is_part ? word + FIRST_WORD * width : word,
                           .position = position,
                           .type = kind,
                           .gamma = args.gamma,
                           .beta = beta,
                           .epsilon = 1e-12f,
                           .out = want};
    ref()->embed(&plain);
    char what[64];
    snprintf(what, sizeof what, "embed %s H=%d%s", type_name(type), hidden, is_part ? " part" : "");
    expect_output(what, &out, want, absolute_of(DN_OP_embed), 3e-6 + rounding_of(type));
    device_output_free(&out);
    free(words), free(positions), free(kinds);
    free(word), free(position), free(kind), free(gamma), free(beta), free(want);
}

CASE(embed_agrees_with_ref) {
    for (int i = 0; i < N_WIDTHS * N_TYPES; i++) {
        check_embed(all_types[i % N_TYPES], widths[i / N_TYPES], false);
        check_embed(all_types[i % N_TYPES], widths[i / N_TYPES], true);
    }
}

static void norm_by_ref(const dn_cuda_norm_args *a, const float *in, const float *residual,
                        float *want) {
    ref()->add_norm(&(dn_add_norm_args){.n_tokens = a->n_tokens,
                                        .hidden = a->width,
                                        .x = in,
                                        .bias = a->bias,
                                        .residual = residual,
                                        .gamma = a->gamma,
                                        .beta = a->beta,
                                        .epsilon = a->epsilon,
                                        .out = want});
}

static void check_norm(dn_cuda_type type, int wide, bool with_residual, bool with_bias) {
    size_t width = (size_t)wide, n = TOKENS * width;
    float *in = random_floats(n, 2), *residual = random_floats(n, 2), *want = floats_of(n);
    float *vectors = random_floats(3 * width, 1), factor = 150, largest = 0.5f;
    void *ins = elements_of(type, in, n), *residuals = elements_of(type, residual, n);
    device_output out = device_output_new(type, n), fp8 = device_output_new(DN_CUDA_E4M3, n);
    float *bias = floats_of(width), *gamma = floats_of(width), *beta = floats_of(width);
    memcpy(bias, vectors, width * sizeof *bias);
    memcpy(gamma, vectors + width, width * sizeof *gamma);
    memcpy(beta, vectors + 2 * width, width * sizeof *beta);
    dn_cuda_norm_args args = {.type = type,
                              .n_tokens = TOKENS,
                              .width = wide,
                              .in = ins,
                              .residual = with_residual ? residuals : NULL,
                              .bias = with_bias ? bias : NULL,
                              .gamma = gamma,
                              .beta = beta,
                              .epsilon = 1e-12f,
                              .out = out.at,
                              .fp8 = {fp8.at, &factor, &largest}};
    run_all_orders(launch_norm, &args, &out);
    norm_by_ref(&args, in, with_residual ? residual : NULL, want);
    char what[96];
    snprintf(what, sizeof what, "norm %s W=%d%s%s", type_name(type), wide,
             with_residual ? " residual" : "", with_bias ? " bias" : "");
    expect_output(what, &out, want, absolute_of(DN_OP_linear_norm), 5e-6 + rounding_of(type));
    expect_fp8(what, &fp8, want, factor, 1e-5);
    EXPECT(fabsf(largest - fmaxf(0.5f, largest_of(want, n))) < 1e-4f);
    memcpy(residuals, ins, n * size_of(type)); /* all three in one place */
    args.in = args.out = residuals;
    args.residual = with_residual ? residuals : NULL;
    args.fp8 = (dn_cuda_fp8){0};
    norm_by_ref(&args, in, with_residual ? in : NULL, want);
    EXPECT_INT(launch_norm(&args), 0);
    memcpy(out.at, residuals, n * size_of(type));
    expect_output(what, &out, want, absolute_of(DN_OP_linear_norm), 5e-6 + rounding_of(type));
    device_output_free(&out), device_output_free(&fp8);
    free(in), free(residual), free(want), free(vectors), free(ins), free(residuals);
    free(bias), free(gamma), free(beta);
}

CASE(norm_agrees_with_ref) {
    for (int i = 0; i < N_WIDTHS * N_TYPES; i++) {
        check_norm(all_types[i % N_TYPES], widths[i / N_TYPES], i % 2 == 0, i % 4 < 2);
    }
}

CASE(norm_by_block_agrees_with_ref) {
    EXPECT_INT(dn_cuda_force("norm", "block"), 0);
    for (int i = 0; i < N_TYPES; i++) {
        check_norm(all_types[i], 384, true, true);
        check_norm(all_types[i], 2048, true, false);
    }
    EXPECT_INT(dn_cuda_force("norm", NULL), 0);
}

CASE(early_launches_give_the_same) {
    EXPECT_INT(dn_cuda_force("launch", "early"), 0);
    check_norm(DN_CUDA_BF16, 384, true, true);
    EXPECT_INT(dn_cuda_force("launch", NULL), 0);
}

static void check_activate(dn_cuda_type type, int wide, dn_cuda_activation activation,
                           bool with_bias) {
    size_t width = (size_t)wide, n = TOKENS * width;
    float *in = random_floats(n, 5), *bias = random_floats(width, 1), *want = floats_of(n);
    float one = 1, factor = 90, largest = 0;
    void *ins = elements_of(type, in, n);
    device_output out = device_output_new(type, n), fp8 = device_output_new(DN_CUDA_E4M3, n);
    dn_cuda_activate_args args = {.type = type,
                                  .n_tokens = TOKENS,
                                  .width = wide,
                                  .in = ins,
                                  .bias = with_bias ? bias : NULL,
                                  .activation = activation,
                                  .out = out.at,
                                  .fp8 = {fp8.at, &factor, &largest}};
    run_all_orders(launch_activate, &args, &out);
    for (size_t i = 0; i < n; i++) {
        in[i] += with_bias ? bias[i % width] : 0;
    }
    dn_weight weight;
    EXPECT(ref()->pack(&one, 1, 1, &weight) == DN_OK);
    ref()->linear(&(dn_linear_args){.n_tokens = (int)n,
                                    .x = in,
                                    .weight = &weight,
                                    .activation = (dn_activation)activation,
                                    .out = want});
    char what[64];
    snprintf(what, sizeof what, "activate %s W=%d activation %d", type_name(type), wide,
             activation);
    expect_output(what, &out, want, 2e-6, 1e-6 + rounding_of(type));
    expect_fp8(what, &fp8, want, factor, 1e-5);
    EXPECT(fabsf(largest - largest_of(want, n)) < 1e-5f);
    memset(fp8.at, 0xff, n);
    args.out = NULL;
    EXPECT_INT(launch_activate(&args), 0);
    expect_fp8(what, &fp8, want, factor, 1e-5);
    dn_weight_free(&weight);
    device_output_free(&out), device_output_free(&fp8);
    free(in), free(bias), free(want), free(ins);
}

CASE(activate_agrees_with_ref) {
    static const char *const gelu[] = {"rational", "erff"};
    for (int i = 0; i < 2 * N_TYPES; i++) {
        EXPECT_INT(dn_cuda_force("gelu", gelu[i % 2]), 0);
        for (int activation = DN_CUDA_ACT_NONE; activation <= DN_CUDA_ACT_RELU; activation++) {
            check_activate(all_types[i / 2], 64, (dn_cuda_activation)activation, true);
            check_activate(all_types[i / 2], 23, (dn_cuda_activation)activation, i % 2 != 0);
        }
    }
    EXPECT_INT(dn_cuda_force("gelu", NULL), 0);
}

CASE(no_token_is_no_launch) {
    char nothing[16] = {0};
    dn_cuda_activate_args activate = {
        .type = DN_CUDA_BF16, .width = 64, .in = nothing, .out = nothing};
    EXPECT_INT(launch_activate(&activate), 0);
    dn_cuda_norm_args norm = {.type = DN_CUDA_BF16, .width = 64, .in = nothing, .out = nothing};
    EXPECT_INT(launch_norm(&norm), 0);
    dn_cuda_embed_args embed = {.type = DN_CUDA_BF16, .hidden = 64, .out = nothing};
    EXPECT_INT(launch_embed(&embed), 0);
    norm.type = DN_CUDA_E4M3;
    EXPECT(launch_norm(&norm) != 0);
}

/** The bits that a correct rounding gives, worked out another way than the kernels do. */
static unsigned rounded(dn_cuda_type type, float x) {
    if (type == DN_CUDA_BF16) {
        return dn_bf16_of(x);
    }
#if defined(__FLT16_MAX__)
    if (type == DN_CUDA_F16) {
        _Float16 half = (_Float16)x;
        uint16_t bits;
        memcpy(&bits, &half, sizeof bits);
        return bits;
    }
#endif
    unsigned best = 0;
    for (unsigned bits = 0; bits < 256; bits++) {
        double distance = fabs((double)e4m3_float((uint8_t)bits) - (double)x),
               least = fabs((double)e4m3_float((uint8_t)best) - (double)x);
        bool is_closer = distance < least || (distance == least && bits % 2 < best % 2);
        bool has_sign = (bits >= 128) == (signbit(x) != 0);
        if (has_sign && (is_closer || (best >= 128) != (signbit(x) != 0))) {
            best = bits;
        }
    }
    return best;
}

CASE(rounding_is_to_nearest_even) {
    static const dn_cuda_type narrow[] = {DN_CUDA_BF16, DN_CUDA_F16, DN_CUDA_E4M3};
    static const float special[] = {0,        -0.0f,    1,       448,      449,      464,
                                    465,      1e6f,     -1e6f,   65504,    65519,    65520,
                                    0x1p-24f, 0x1p-25f, 0x1p-9f, 0x1p-10f, 0x3p-11f, 0x1.8p-10f,
                                    1.0625f,  1.1875f,  240};
    enum { SPECIAL = sizeof special / sizeof *special, N = SPECIAL + 2000 };
    for (int k = 0; k < 3; k++) {
        dn_cuda_type type = narrow[k];
#if !defined(__FLT16_MAX__)
        if (type == DN_CUDA_F16) {
            continue;
        }
#endif
        float *x = random_floats(N, 1);
        for (int i = 0; i < N; i++) {
            x[i] = i < SPECIAL ? special[i] : ldexpf(x[i], random_below(40) - 28);
        }
        device_output out = device_output_new(type, N);
        EXPECT_INT(dn_cuda_round(&(dn_cuda_round_args){type, N, x, 1, out.at}, NULL), 0);
        for (int i = 0; i < N; i++) {
            unsigned got = out.at[(size_t)i * size_of(type)];
            if (type != DN_CUDA_E4M3) {
                got |= (unsigned)out.at[(size_t)i * 2 + 1] << 8;
            }
            if (got != rounded(type, x[i])) {
                fprintf(stderr, "%s of %a: %x\n", type_name(type), (double)x[i], got);
            }
            EXPECT_INT(got, rounded(type, x[i]));
        }
        EXPECT(guards_stand(&out));
        device_output_free(&out);
        free(x);
    }
}

CASE(every_e4m3_widens) {
    uint8_t bits[256];
    float x[256];
    for (int i = 0; i < 256; i++) {
        bits[i] = (uint8_t)i;
    }
    EXPECT_INT(dn_cuda_widen(&(dn_cuda_widen_args){DN_CUDA_E4M3, 256, bits, x}, NULL), 0);
    for (int i = 0; i < 256; i++) {
        float want = e4m3_float((uint8_t)i);
        EXPECT(isnan(want) ? isnan(x[i]) : x[i] == want);
    }
}

CASE(variants_are_forced_by_name) {
    EXPECT(dn_n_cuda_variants >= 2);
    EXPECT_INT(dn_cuda_force("norm", "no such kernel"), -1);
    EXPECT_INT(dn_cuda_force("norm", "block"), 0);
    EXPECT(dn_cuda_is_forced("norm", "block") && !dn_cuda_is_forced("norm", "warp"));
    EXPECT_INT(dn_cuda_force("norm", NULL), 0);
    EXPECT(!dn_cuda_is_forced("norm", "block"));
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
