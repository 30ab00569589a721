/* Every operation of ops.def on every backend against its oracle (`ref`, or the scalar form of its
 * rounding), at the shapes where kernels go wrong: one token, one column, one input, sizes beside
 * multiples of every vector and tile, rows of one token and of 511. */
#include "linear.h"

#include "kernels/ops.h"

/** Reports the worst element when it is beyond the operation's tolerance. */
static void expect_close(dn_op_id id, const char *backend, const char *shape, const output *got,
                         const output *want) {
    const dn_op *op = &dn_ops[id];
    double worst = 0;
    size_t place = 0;
    for (size_t i = 0; i < want->n; i++) {
        double allowed = op->absolute + op->relative * fabs((double)want->at[i]);
        double excess = fabs((double)got->at[i] - (double)want->at[i]) / allowed;
        if (!(excess <= worst)) {
            worst = excess, place = i;
        }
    }
    bool whole = output_is_whole(got) && output_is_whole(want);
    if (!whole || !(worst <= 1)) {
        fprintf(stderr,
                "%s %s %s: %s, element %zu of %zu is %.9g, ref %.9g, %.2f times the tolerance\n",
                backend, op->name, shape,
                whole ? "written in full" : "not written in full, or beside itself", place, want->n,
                (double)got->at[place], (double)want->at[place], worst);
    }
    EXPECT(whole && worst <= 1);
}

static void compare_linear(dn_op_id op, const dn_kernels *kernels, const char *name,
                           const linear_shape *s) {
    size_t inputs = (size_t)s->tokens * (size_t)s->k, outputs = (size_t)s->tokens * (size_t)s->n;
    float *x = random_floats(inputs, 1.7f);
    float *w = random_floats((size_t)s->n * (size_t)s->k, 1.7f / sqrtf((float)s->k));
    float *vectors = random_floats(3 * (size_t)s->n, 1.0f),
          *residual = random_floats(outputs, 2.0f);
    output got = output_new(outputs), want = output_new(outputs);
    char shape[96];
    snprintf(shape, sizeof shape, "T=%d K=%d N=%d activation=%d%s%s", s->tokens, s->k, s->n,
             s->activation, s->no_bias ? " without bias" : "", s->in_place ? " in place" : "");
    if (s->n_kept) {
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), ", %d kept", s->n_kept);
    }
    run_linear(kernels, s, x, w, vectors, residual, &got);
    run_linear(kernels->oracle, s, x, w, vectors, residual, &want);
    expect_close(op, name, shape, &got, &want);
    output_free(&got), output_free(&want);
    free(x), free(w), free(vectors), free(residual);
}

static const int linear_sizes[][3] = {
    {1, 1, 1},      {1, 384, 384},  {2, 1, 33},      {3, 5, 1},     {7, 17, 31},
    {13, 384, 3},   {14, 64, 32},   {15, 383, 65},   {27, 385, 47}, {29, 48, 144},
    {64, 1536, 96}, {100, 769, 15}, {169, 100, 130}, {337, 33, 50},
};

/** Where a backend rounds it may be told to keep inputs apart. */
static void check_kept(const dn_kernels *kernels, const char *name, bool norm) {
    for (int i = 0; i < 24 && strcmp(kernels->precision, "fp32") != 0; i++) {
        compare_linear(norm ? DN_OP_linear_norm : DN_OP_linear, kernels, name,
                       &(linear_shape){1 + random_below(70), DN_MAX_KEPT + random_below(900),
                                       17 + random_below(200),
                                       norm ? DN_ACT_NONE : (dn_activation)random_below(4),
                                       i % 3 == 0, norm, norm && i % 2, 1 + i % DN_MAX_KEPT});
    }
}

static void check_linear(const dn_kernels *kernels, const char *name) {
    for (size_t i = 0; i < sizeof linear_sizes / sizeof *linear_sizes; i++) {
        for (int activation = DN_ACT_NONE; activation <= DN_ACT_RELU; activation++) {
            compare_linear(DN_OP_linear, kernels, name,
                           &(linear_shape){linear_sizes[i][0], linear_sizes[i][1],
                                           linear_sizes[i][2], (dn_activation)activation,
                                           i % 3 == 2, false, false, 0});
        }
    }
    for (int i = 0; i < 20; i++) {
        compare_linear(DN_OP_linear, kernels, name,
                       &(linear_shape){1 + random_below(70), 1 + random_below(900),
                                       1 + random_below(200), (dn_activation)random_below(4),
                                       random_below(2) == 0, false, false, 0});
    }
    check_kept(kernels, name, false);
}

static void check_linear_norm(const dn_kernels *kernels, const char *name) {
    for (size_t i = 0; i < sizeof linear_sizes / sizeof *linear_sizes; i++) {
        for (int in_place = 0; in_place < 2; in_place++) {
            int n = linear_sizes[i][2];
            if (n < 3) {
                continue; /* LayerNorm over one or two values is a sign: it blows rounding up
                             without bound */
            }
            compare_linear(DN_OP_linear_norm, kernels, name,
                           &(linear_shape){linear_sizes[i][0], linear_sizes[i][1], n, DN_ACT_NONE,
                                           i % 3 == 2, true, in_place != 0, 0});
        }
    }
    check_kept(kernels, name, true);
}

static const int row_lengths[] = {1, 2, 511, 1, 30, 14, 15, 33, 64, 7};
enum { N_ROWS = sizeof row_lengths / sizeof *row_lengths };

/** What add_norm makes where out is x, the residual, or neither. */
static void compare_add_norm(const dn_kernels *kernels, const char *name, int tokens, int width,
                             int form) {
    size_t n = (size_t)tokens * (size_t)width;
    float *x = random_floats(n, 2), *residual = random_floats(n, 2);
    float *bias = random_floats((size_t)width, 1), *gamma = random_floats((size_t)width, 1),
          *beta = random_floats((size_t)width, 1);
    output got = output_new(n), want = output_new(n);
    memcpy(got.at, form == 1 ? residual : x, form ? n * sizeof *x : 0);
    dn_add_norm_args args = {.n_tokens = tokens,
                             .hidden = width,
                             .x = form == 2 ? got.at : x,
                             .bias = form == 3 ? NULL : bias,
                             .residual = form == 1 ? got.at : residual,
                             .gamma = gamma,
                             .beta = beta,
                             .epsilon = 1e-5f,
                             .out = got.at};
    args.residual = form == 4 ? NULL : args.residual;
    kernels->add_norm(&args);
    args.x = x, args.residual = form == 4 ? NULL : residual, args.out = want.at;
    ref()->add_norm(&args);
    char shape[64];
    snprintf(shape, sizeof shape, "T=%d H=%d form %d", tokens, width, form);
    expect_close(DN_OP_add_norm, name, shape, &got, &want);
    output_free(&got), output_free(&want);
    free(x), free(residual), free(bias), free(gamma), free(beta);
}

static void check_add_norm(const dn_kernels *kernels, const char *name) {
    static const int widths[] = {4, 15, 16, 33, 48, 384, 390, 1024};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        for (int form = 0; form < 5; form++) {
            compare_add_norm(kernels, name, 1 + random_below(40), widths[i], form);
        }
    }
}

/** A vocabulary split in three: the parts add up to the bit to the whole, before LayerNorm. */
static void expect_parts_add_up(const dn_kernels *kernels, dn_embed_args args, int words) {
    static const int edge[] = {0, 1, 40, 0};
    size_t n = (size_t)args.n_tokens * (size_t)args.hidden;
    output whole = output_new(n), sum = output_new(n), part = output_new(n);
    const float *word = args.word;
    args.gamma = args.beta = NULL, args.out = whole.at;
    kernels->embed(&args);
    for (size_t j = 0; j < n; j++) {
        sum.at[j] = 0;
    }
    for (int i = 0; i < 3; i++) {
        args.first_word = edge[i];
        args.n_words = i == 2 ? words - edge[i] : edge[i + 1] - edge[i];
        args.word = word + edge[i] * args.hidden;
        args.out = part.at;
        kernels->embed(&args);
        for (size_t j = 0; j < n; j++) {
            sum.at[j] += part.at[j];
        }
    }
    EXPECT(output_is_whole(&part) && memcmp(sum.at, whole.at, n * sizeof *sum.at) == 0);
    output_free(&whole), output_free(&sum), output_free(&part);
}

static void check_embed(const dn_kernels *kernels, const char *name) {
    static const int widths[] = {4, 15, 16, 33, 48, 384, 390};
    enum { WORDS = 97, PLACES = 511 };
    int32_t *start = row_starts(row_lengths, N_ROWS);
    size_t tokens = (size_t)start[N_ROWS];
    int32_t *token = malloc(tokens * sizeof *token);
    for (size_t t = 0; t < tokens; t++) {
        token[t] = random_below(WORDS);
    }
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        size_t width = (size_t)widths[i];
        float *word = random_floats(WORDS * width, 1),
              *position = random_floats(PLACES * width, 0.5f);
        float *type = random_floats(width, 0.2f), *gamma = random_floats(width, 1),
              *beta = random_floats(width, 1);
        output got = output_new(tokens * width), want = output_new(tokens * width);
        dn_embed_args args = {.n_tokens = (int)tokens,
                              .n_rows = N_ROWS,
                              .hidden = widths[i],
                              .token = token,
                              .row_start = start,
                              .word = word,
                              .position = position,
                              .type = type,
                              .gamma = gamma,
                              .beta = beta,
                              .epsilon = 1e-12f,
                              .out = got.at};
        kernels->embed(&args);
        args.out = want.at;
        ref()->embed(&args);
        expect_close(DN_OP_embed, name, "all rows", &got, &want);
        expect_parts_add_up(kernels, args, WORDS);
        output_free(&got), output_free(&want);
        free(word), free(position), free(type), free(gamma), free(beta);
    }
    free(start), free(token);
}

static void compare_attention(const dn_kernels *kernels, const char *name, int hidden, int heads,
                              float scale) {
    int32_t *start = row_starts(row_lengths, N_ROWS);
    size_t tokens = (size_t)start[N_ROWS], width = (size_t)hidden;
    float *qkv = random_floats(tokens * 3 * width, scale);
    output got = output_new(tokens * width), want = output_new(tokens * width);
    float *scratch = floats_of(kernels->attention_scratch(511, hidden, heads));
    float *ref_scratch = floats_of(ref()->attention_scratch(511, hidden, heads));
    dn_attention_args args = {.n_tokens = (int)tokens,
                              .n_rows = N_ROWS,
                              .hidden = hidden,
                              .heads = heads,
                              .row_start = start,
                              .qkv = qkv,
                              .out = got.at,
                              .scratch = scratch};
    kernels->attention(&args);
    args.out = want.at, args.scratch = ref_scratch;
    ref()->attention(&args);
    char shape[64];
    snprintf(shape, sizeof shape, "H=%d A=%d scale %g", hidden, heads, (double)scale);
    expect_close(DN_OP_attention, name, shape, &got, &want);
    output_free(&got), output_free(&want);
    free(scratch), free(ref_scratch), free(qkv), free(start);
}

static void check_attention(const dn_kernels *kernels, const char *name) {
    static const int shapes[][2] = {{1, 1},  {6, 2},  {32, 1}, {64, 2},
                                    {48, 4}, {96, 2}, {66, 2}, {128, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        compare_attention(kernels, name, shapes[i][0], shapes[i][1], 1.5f);
    }
    compare_attention(kernels, name, 32, 1, 3.0f);
}

static void check_pool(const dn_kernels *kernels, const char *name) {
    static const int widths[] = {1, 15, 48, 384, 397};
    int32_t *start = row_starts(row_lengths, N_ROWS);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        for (int parts = 1; parts <= 2; parts++) {
            size_t width = (size_t)widths[i], n = N_ROWS * (size_t)parts * width;
            float *x = random_floats((size_t)start[N_ROWS] * width, 2);
            output got = output_new(n), want = output_new(n);
            dn_pool_args args = {
                .n_rows = N_ROWS,
                .hidden = widths[i],
                .row_start = start,
                .n_parts = parts,
                .part = {i % 2 ? DN_POOL_CLS : DN_POOL_MEAN, i % 2 ? DN_POOL_MEAN : DN_POOL_CLS},
                .x = x,
                .out = got.at};
            kernels->pool(&args);
            args.out = want.at;
            ref()->pool(&args);
            expect_close(DN_OP_pool, name, "all rows", &got, &want);
            output_free(&got), output_free(&want);
            free(x);
        }
    }
    free(start);
}

/** Rows of five columns before, `classes`, three behind; what stands beside the classes must stay.
 */
static void check_softmax(const dn_kernels *kernels, const char *name) {
    static const int classes[] = {1, 2, 3, 8, 15, 16, 17, 33, 100};
    enum { ROWS = 9, BEFORE = 5, BEHIND = 3 };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        int stride = BEFORE + classes[i] + BEHIND;
        size_t n = ROWS * (size_t)stride;
        float *x = random_floats(n, i % 2 ? 90.0f : 2.0f);
        output got = output_new(n), want = output_new(n);
        memcpy(got.at, x, n * sizeof *x);
        memcpy(want.at, x, n * sizeof *x);
        dn_softmax_args args = {
            .n_rows = ROWS, .stride = stride, .begin = BEFORE, .classes = classes[i], .x = got.at};
        kernels->softmax(&args);
        args.x = want.at;
        ref()->softmax(&args);
        expect_close(DN_OP_softmax, name, "nine rows", &got, &want);
        for (size_t j = 0; j < n; j++) {
            int column = (int)(j % (size_t)stride) - BEFORE;
            EXPECT(got.at[j] == x[j] || (column >= 0 && column < classes[i]));
        }
        output_free(&got), output_free(&want);
        free(x);
    }
}

/* A row of ops.def without a check does not compile. */
#define DN_OP(op, flops, bytes, absolute, relative)                                                \
    CASE(op##_agrees_with_ref) {                                                                   \
        for_each_backend(check_##op, "ref");                                                       \
    }
#include "kernels/ops.def"
#undef DN_OP

/** Activations over their whole range through linear() with one input and one output. */
static void check_activations(const dn_kernels *kernels, const char *name) {
    enum { N = 200001 };
    float *x = floats_of(N), one = 1;
    for (int i = 0; i < N; i++) {
        x[i] = ((float)i - N / 2) * (24.0f / N);
    }
    dn_weight weight;
    EXPECT(kernels->pack(&one, 1, 1, &weight) == DN_OK);
    double worst[2] = {0, 0};
    for (int tanh_too = 0; tanh_too < 2; tanh_too++) {
        output out = output_new(N);
        kernels->linear(&(dn_linear_args){.n_tokens = N,
                                          .x = x,
                                          .weight = &weight,
                                          .out = out.at,
                                          .activation = tanh_too ? DN_ACT_TANH : DN_ACT_GELU});
        EXPECT(output_is_whole(&out));
        for (int i = 0; i < N; i++) {
            double v = (double)x[i], gelu = 0.5 * v * (1 + erf(v * 0.70710678118654752));
            /* beyond 1 a GELU's error grows with x, as float itself does */
            double error = tanh_too ? fabs((double)out.at[i] - tanh(v))
                                    : fabs((double)out.at[i] - gelu) / fmax(fabs(v), 1);
            worst[tanh_too] = fmax(worst[tanh_too], error);
        }
        output_free(&out);
    }
    printf("    %-10s gelu within %.2g, tanh within %.2g\n", name, worst[0], worst[1]);
    EXPECT(worst[0] < 5e-7);
    EXPECT(worst[1] < 3e-7);
    dn_weight_free(&weight);
    free(x);
}

CASE(activations_hold_their_bounds) {
    for_each_backend(check_activations, NULL);
}

CASE(ref_gives_known_values) {
    float w[] = {1, 0, 0, 1}, x[] = {1, -2}, out[2], gamma[] = {1, 1}, beta[] = {0, 0},
          zero[] = {0, 0};
    dn_weight weight;
    EXPECT(ref()->pack(w, 2, 2, &weight) == DN_OK);
    ref()->linear(&(dn_linear_args){
        .n_tokens = 1, .x = x, .weight = &weight, .activation = DN_ACT_GELU, .out = out});
    EXPECT(fabsf(out[0] - 0.84134475f) < 1e-7f && fabsf(out[1] + 0.04550026f) < 1e-7f);
    ref()->linear(&(dn_linear_args){.n_tokens = 1,
                                    .x = x,
                                    .weight = &weight,
                                    .residual = zero,
                                    .gamma = gamma,
                                    .beta = beta,
                                    .epsilon = 0.75f,
                                    .out = out});
    EXPECT(fabsf(out[0] - 0.8660254f) < 1e-6f && fabsf(out[1] + 0.8660254f) < 1e-6f);
    float y[] = {0, logf(3)};
    ref()->softmax(&(dn_softmax_args){.n_rows = 1, .stride = 2, .classes = 2, .x = y});
    EXPECT(fabsf(y[0] - 0.25f) < 1e-7f && fabsf(y[1] - 0.75f) < 1e-7f);
    dn_weight_free(&weight);
}

CASE(formulas_count_what_they_say) {
    dn_shape shape = {.T = 10, .R = 2, .S2 = 50, .H = 4, .A = 2, .K = 3, .N = 5, .C = 7};
    EXPECT(dn_ops[DN_OP_linear].flops(&shape) == 2 * 10 * 3 * 5 + 10 * 5);
    EXPECT(dn_ops[DN_OP_linear].bytes(&shape) == 4 * (10 * 3 + 3 * 5 + 5 + 10 * 5));
    EXPECT_TEXT(dn_ops[DN_OP_softmax].name, "softmax");
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
