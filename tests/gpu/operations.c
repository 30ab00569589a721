/* Each operation of the CUDA tables against `ref`, on whatever GPU DN_CUDA_LIBRARY gives: the one
 * of gpu.h, where it shows that the host side asks for the right thing, or a real one. Inputs are
 * numbers that the device's elements hold exactly, so only its results are rounded. */
#include "../kernels/buffers.h"

enum { MOST_BUFFERS = 24, MOST_TOKENS = 256, MOST_ROWS = 32, VOCABULARY = 100, LAYOUT_ROWS = 6 };
static const int lengths[LAYOUT_ROWS] = {1, 30, 5, 64, 15, 33};
enum { LONG_ROWS = 3 };
static const int long_lengths[LONG_ROWS] = {31, 149, 60};

/** One pass with one operation. */
typedef struct setting {
    const dn_kernels *kernels, *ref;
    int digits; /**< of an element's mantissa, the hidden one too */
    dn_lane *lane;
    dn_pass pass; /**< filled up */
    int32_t *row_start;
    int n_tokens, n_rows, n_buffers;
    float *buffer[MOST_BUFFERS];
} setting;

static float rounded(int digits, float x) {
    int exponent;
    frexpf(x, &exponent);
    float unit = ldexpf(1, exponent - digits);
    return nearbyintf(x / unit) * unit;
}

/** Without it there is nothing to compare. */
static void must(bool happened) {
    if (!happened) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        abort();
    }
}

/** Random elements. */
static float *elements_of(const setting *s, size_t n, float scale) {
    float *x = random_floats(n, scale);
    for (size_t i = 0; i < n; i++) {
        x[i] = rounded(s->digits, x[i]);
    }
    return x;
}

static float *room(setting *s, dn_numbers kind, size_t n) {
    must(s->n_buffers < MOST_BUFFERS);
    float **out = &s->buffer[s->n_buffers++];
    must(s->kernels->device->reserve(kind, n, out) == DN_OK);
    return *out;
}

static float *sent(setting *s, dn_numbers kind, const float *host, size_t n) {
    float *there = room(s, kind, n);
    must(s->kernels->device->upload(kind, host, n, there) == DN_OK);
    return there;
}

static setting begin_rows(const char *name, const int *length, int n_rows) {
    setting s = {.n_rows = n_rows};
    int32_t token[MOST_TOKENS];
    must(dn_kernels_select(name, &s.kernels) == DN_OK && s.kernels->device);
    must(dn_kernels_select("ref", &s.ref) == DN_OK);
    s.digits = strcmp(s.kernels->precision, "fp16") == 0 ? 11 : 8;
    s.row_start = row_starts(length, n_rows);
    s.n_tokens = s.row_start[n_rows];
    for (int t = 0; t < s.n_tokens; t++) {
        token[t] = (int32_t)(t * 37 % VOCABULARY);
    }
    dn_lane_conf conf = {.max_tokens = MOST_TOKENS, .max_rows = MOST_ROWS, .row_width = 1};
    must(s.kernels->device->lane_new(&conf, &s.lane) == DN_OK);
    s.pass = (dn_pass){.n_tokens = s.n_tokens,
                       .n_rows = n_rows,
                       .token = token,
                       .row_start = s.row_start,
                       .variant = -1};
    must(s.kernels->device->begin(s.lane, &s.pass) == DN_OK);
    return s;
}

static setting begin(const char *name) {
    return begin_rows(name, lengths, LAYOUT_ROWS);
}

static void end(setting *s) {
    dn_pass_times times;
    const float *score;
    EXPECT(s->kernels->device->end(s->lane) == DN_OK);
    EXPECT(s->kernels->device->wait(s->lane, &score, &times) == DN_OK);
    s->kernels->device->lane_free(s->lane);
    for (int i = 0; i < s->n_buffers; i++) {
        s->kernels->device->release(s->buffer[i]);
    }
    free(s->row_start);
}

/** Elements within `roundings` of a value about one: a product of up to 8 is rounded on its way to
 * what follows, which counts as two. Floats within sums in another order. */
static void expect_equal(const setting *s, const char *what, dn_numbers kind, const float *there,
                         int roundings, const output *want) {
    float *got = floats_of(want->n);
    double unit = kind == DN_ELEMENTS ? ldexp(roundings, 1 - s->digits) : 2e-5, worst = 0;
    size_t place = 0;
    must(s->kernels->device->download(kind, there, want->n, got) == DN_OK);
    for (size_t i = 0; i < want->n; i++) {
        double allowed = unit * fmax(1, fabs((double)want->at[i]));
        double excess = fabs((double)got[i] - (double)want->at[i]) / allowed;
        if (!(excess <= worst)) {
            worst = excess, place = i;
        }
    }
    if (!(worst <= 1)) {
        fprintf(stderr,
                "cuda:%s %s: element %zu of %zu is %.9g, ref %.9g, %.2f times the tolerance\n",
                s->kernels->precision, what, place, want->n, (double)got[place],
                (double)want->at[place], worst);
    }
    EXPECT(output_is_whole(want) && worst <= 1);
    free(got);
}

static size_t product(int a, int b) {
    return (size_t)a * (size_t)b;
}

/** With LayerNorm over the whole vocabulary, or a part of it as it is. */
static void check_embed(const char *name, int hidden, bool is_part) {
    enum { FIRST_WORD = 20, SOME_WORDS = 41 };
    setting s = begin(name);
    size_t h = (size_t)hidden, v = VOCABULARY * h, p = MOST_TOKENS * h;
    float *word = elements_of(&s, v, 1), *position = elements_of(&s, p, 0.5f);
    float *type = elements_of(&s, h, 0.5f), *gamma = random_floats(h, 1),
          *beta = random_floats(h, 1);
    int32_t token[MOST_TOKENS];
    for (int t = 0; t < s.n_tokens; t++) {
        token[t] = (int32_t)(t * 37 % VOCABULARY);
    }
    output want = output_new(product(s.n_tokens, hidden));
    dn_embed_args args = {.n_tokens = s.n_tokens,
                          .n_rows = LAYOUT_ROWS,
                          .hidden = hidden,
                          .token = token,
                          .row_start = s.row_start,
                          .first_word = is_part ? FIRST_WORD : 0,
                          .n_words = is_part ? SOME_WORDS : 0,
                          .word = is_part ? word + FIRST_WORD * h : word,
                          .position = position,
                          .type = type,
                          .gamma = is_part ? NULL : gamma,
                          .beta = beta,
                          .epsilon = 1e-12f,
                          .out = want.at};
    s.ref->embed(&args);
    args.n_tokens = s.pass.n_tokens, args.n_rows = s.pass.n_rows;
    args.token = s.pass.token, args.row_start = s.pass.row_start;
    args.word = sent(&s, DN_ELEMENTS, args.word, is_part ? SOME_WORDS * h : v);
    args.position = sent(&s, DN_ELEMENTS, position, p);
    args.type = sent(&s, DN_ELEMENTS, type, h);
    args.gamma = is_part ? NULL : sent(&s, DN_FLOATS, gamma, h);
    args.beta = sent(&s, DN_FLOATS, beta, h);
    args.out = room(&s, DN_ELEMENTS, product(s.pass.n_tokens, hidden));
    s.kernels->embed(&args);
    expect_equal(&s, "embed", DN_ELEMENTS, args.out, 1, &want);
    end(&s);
    output_free(&want);
    free(word), free(position), free(type), free(gamma), free(beta);
}

/** A product with an activation, with residual and LayerNorm, or of few outputs into floats. */
static void check_linear(const char *name, int k, int n, dn_activation activation, bool norm,
                         dn_numbers kind) {
    setting s = begin(name);
    int filled = s.pass.n_tokens;
    size_t width = (size_t)n;
    float *x = elements_of(&s, product(filled, k), 1.7f);
    float *w = elements_of(&s, product(n, k), 1.7f / sqrtf((float)k));
    float *residual = elements_of(&s, product(filled, n), 2);
    float *vectors = elements_of(&s, 3 * width, 1); /* bias, gamma, beta */
    dn_weight mine, theirs;
    must(s.ref->pack(w, n, k, &theirs) == DN_OK && s.kernels->pack(w, n, k, &mine) == DN_OK);
    output want = output_new(product(s.n_tokens, n));
    dn_linear_args args = {.n_tokens = s.n_tokens,
                           .x = x,
                           .weight = &theirs,
                           .bias = vectors,
                           .activation = activation,
                           .residual = norm ? residual : NULL,
                           .gamma = norm ? vectors + width : NULL,
                           .beta = norm ? vectors + 2 * width : NULL,
                           .epsilon = 1e-12f,
                           .out = want.at,
                           .x_kind = DN_ELEMENTS,
                           .out_kind = kind};
    s.ref->linear(&args);
    args.n_tokens = filled, args.weight = &mine;
    args.x = sent(&s, DN_ELEMENTS, x, product(filled, k));
    args.bias = sent(&s, DN_FLOATS, vectors, width);
    if (norm) {
        args.residual = sent(&s, DN_ELEMENTS, residual, product(filled, n));
        args.gamma = sent(&s, DN_FLOATS, vectors + width, width);
        args.beta = sent(&s, DN_FLOATS, vectors + 2 * width, width);
    }
    args.out = room(&s, kind, product(filled, n));
    s.kernels->linear(&args);
    expect_equal(&s, norm ? "linear_norm" : "linear", kind, args.out, 3, &want);
    end(&s);
    dn_weight_free(&mine), dn_weight_free(&theirs);
    output_free(&want);
    free(x), free(w), free(residual), free(vectors);
}

static void check_add_norm(const char *name, int width) {
    setting s = begin(name);
    size_t n = product(s.pass.n_tokens, width), w = (size_t)width;
    float *x = elements_of(&s, n, 2), *residual = elements_of(&s, n, 2);
    float *vectors = random_floats(3 * w, 1);
    output want = output_new(product(s.n_tokens, width));
    dn_add_norm_args args = {.n_tokens = s.n_tokens,
                             .hidden = width,
                             .x = x,
                             .bias = vectors,
                             .residual = residual,
                             .gamma = vectors + w,
                             .beta = vectors + 2 * w,
                             .epsilon = 1e-12f,
                             .out = want.at};
    s.ref->add_norm(&args);
    args.n_tokens = s.pass.n_tokens;
    args.x = sent(&s, DN_ELEMENTS, x, n), args.residual = sent(&s, DN_ELEMENTS, residual, n);
    args.bias = sent(&s, DN_FLOATS, vectors, w), args.gamma = sent(&s, DN_FLOATS, vectors + w, w);
    args.beta = sent(&s, DN_FLOATS, vectors + 2 * w, w);
    args.out = room(&s, DN_ELEMENTS, n);
    s.kernels->add_norm(&args);
    expect_equal(&s, "add_norm", DN_ELEMENTS, args.out, 1, &want);
    end(&s);
    output_free(&want);
    free(x), free(residual), free(vectors);
}

static void check_attention(setting s, int hidden, int heads) {
    size_t n = product(s.pass.n_tokens, hidden);
    float *qkv = elements_of(&s, 3 * n, 1);
    float *scratch = floats_of(s.ref->attention_scratch(MOST_TOKENS, hidden, heads));
    output want = output_new(product(s.n_tokens, hidden));
    dn_attention_args args = {.n_tokens = s.n_tokens,
                              .n_rows = s.n_rows,
                              .hidden = hidden,
                              .heads = heads,
                              .row_start = s.row_start,
                              .qkv = qkv,
                              .out = want.at,
                              .scratch = scratch};
    s.ref->attention(&args);
    args.n_tokens = s.pass.n_tokens, args.n_rows = s.pass.n_rows;
    args.row_start = s.pass.row_start;
    args.qkv = sent(&s, DN_ELEMENTS, qkv, 3 * n), args.out = room(&s, DN_ELEMENTS, n);
    s.kernels->attention(&args);
    expect_equal(&s, "attention", DN_ELEMENTS, args.out, 1, &want);
    end(&s);
    output_free(&want);
    free(qkv), free(scratch);
}

static void check_pool(const char *name, int hidden) {
    setting s = begin(name);
    size_t n = product(s.pass.n_tokens, hidden);
    float *x = elements_of(&s, n, 1);
    output want = output_new(2 * product(LAYOUT_ROWS, hidden));
    dn_pool_args args = {.n_rows = LAYOUT_ROWS,
                         .hidden = hidden,
                         .row_start = s.row_start,
                         .n_parts = 2,
                         .part = {DN_POOL_MEAN, DN_POOL_CLS},
                         .x = x,
                         .out = want.at};
    s.ref->pool(&args);
    args.n_rows = s.pass.n_rows, args.row_start = s.pass.row_start;
    args.x = sent(&s, DN_ELEMENTS, x, n);
    args.out = room(&s, DN_FLOATS, 2 * product(s.pass.n_rows, hidden));
    s.kernels->pool(&args);
    expect_equal(&s, "pool", DN_FLOATS, args.out, 1, &want);
    end(&s);
    output_free(&want);
    free(x);
}

static void check_softmax(const char *name, int stride, int first, int classes) {
    setting s = begin(name);
    size_t n = product(LAYOUT_ROWS, stride);
    output want = output_new(n);
    for (size_t i = 0; i < n; i++) {
        want.at[i] = random_float(8);
    }
    float *there = sent(&s, DN_FLOATS, want.at, n);
    dn_softmax_args args = {LAYOUT_ROWS, stride, first, classes, want.at};
    s.ref->softmax(&args);
    args.x = there;
    s.kernels->softmax(&args);
    expect_equal(&s, "softmax", DN_FLOATS, there, 1, &want);
    end(&s);
    output_free(&want);
}

/** One head's columns of a row, finished in plain double. */
static void finish(dn_finish how, int width, const float *x, float *out) {
    double sum = 0;
    for (int c = 0; c < width; c++) {
        double value = how == DN_FINISH_SOFTMAX   ? exp((double)x[c])
                       : how == DN_FINISH_SIGMOID ? 1 / (1 + exp(-(double)x[c]))
                                                  : (double)x[c];
        out[c] = (float)value;
        sum += how == DN_UNIT_LENGTH ? value * value : value;
    }
    double by = how == DN_FINISH_SOFTMAX ? sum : how == DN_UNIT_LENGTH ? sqrt(sum) : 1;
    for (int c = 0; c < width; c++) {
        out[c] = (float)((double)out[c] / by);
    }
}

/** Four heads side by side, one finished in each way, to the middle of wider rows. */
static void check_score(const char *name) {
    enum { WIDTH = 45, BEGIN = 2, STRIDE = 50 };
    setting s = begin(name);
    dn_score_args args = {.n_rows = LAYOUT_ROWS,
                          .width = WIDTH,
                          .n_columns = 4,
                          .columns = {{0, 3, DN_FINISH_SOFTMAX},
                                      {3, 2, DN_FINISH_SIGMOID},
                                      {5, 1, DN_AS_IS},
                                      {6, 39, DN_UNIT_LENGTH}},
                          .out_begin = BEGIN,
                          .out_stride = STRIDE};
    float *x = random_floats(LAYOUT_ROWS * WIDTH, 4),
          *before = random_floats(LAYOUT_ROWS * STRIDE, 1);
    output want = output_new(LAYOUT_ROWS * STRIDE);
    memcpy(want.at, before, want.n * sizeof *before);
    for (int r = 0; r < LAYOUT_ROWS; r++) {
        for (int i = 0; i < args.n_columns; i++) {
            const dn_columns *head = &args.columns[i];
            finish(head->finish, head->width, x + r * WIDTH + head->begin,
                   want.at + r * STRIDE + BEGIN + head->begin);
        }
    }
    args.x = sent(&s, DN_FLOATS, x, LAYOUT_ROWS * WIDTH);
    args.out = sent(&s, DN_FLOATS, before, want.n);
    s.kernels->device->score(&args);
    expect_equal(&s, "score", DN_FLOATS, args.out, 1, &want);
    end(&s);
    output_free(&want);
    free(x), free(before);
}

/** Numbers that e4m3 holds once they are scaled by a power of two, the largest of them 1.75 `unit`.
 */
static float *narrow_numbers(size_t n, float unit) {
    float *x = random_floats(n, 1.7f * unit);
    for (size_t i = 0; i < n; i++) {
        x[i] = fabsf(x[i]) < unit / 64 ? 0 : rounded(4, x[i]);
    }
    x[n / 2] = 1.75f * unit;
    return x;
}

/** x through a matrix that changes nothing and ReLU, which leaves a copy in e4m3 for the product
 * behind it. */
static void note_narrow(const setting *s, const dn_weight *same, const dn_weight *weight,
                        const float *x, float *between, float *out) {
    s->kernels->linear(&(dn_linear_args){.n_tokens = s->pass.n_tokens,
                                         .x = x,
                                         .weight = same,
                                         .activation = DN_ACT_RELU,
                                         .out = between,
                                         .x_kind = DN_ELEMENTS,
                                         .out_kind = DN_ELEMENTS});
    s->kernels->linear(&(dn_linear_args){.n_tokens = s->pass.n_tokens,
                                         .x = between,
                                         .weight = weight,
                                         .out = out,
                                         .x_kind = DN_ELEMENTS,
                                         .out_kind = DN_ELEMENTS});
}

/** Once for the range of x; then in e4m3, which is seen by a number that is cut: the range is
 * eight times the largest that was there. */
static void check_narrow(const char *name, int k, int n) {
    setting s = begin(name);
    const dn_device_ops *device = s.kernels->device;
    int filled = s.pass.n_tokens;
    float *x = narrow_numbers(product(filled, k), 1), *w = narrow_numbers(product(n, k), 0.125f);
    float *one = floats_of(product(k, k));
    memset(one, 0, product(k, k) * sizeof *one);
    for (int i = 0; i < k; i++) {
        one[product(i, k) + (size_t)i] = 1;
    }
    dn_weight same, weight, theirs;
    must(s.kernels->pack(one, k, k, &same) == DN_OK && s.kernels->pack(w, n, k, &weight) == DN_OK);
    must(s.ref->pack(w, n, k, &theirs) == DN_OK);
    float *there = sent(&s, DN_ELEMENTS, x, product(filled, k));
    float *between = room(&s, DN_ELEMENTS, product(filled, k));
    float *out = room(&s, DN_ELEMENTS, product(filled, n)), unread;
    note_narrow(&s, &same, &weight, there, between, out);
    must(device->download(DN_ELEMENTS, out, 1, &unread) == DN_OK); /* runs them */
    EXPECT(device->calibrate(&weight) == DN_OK);
    x[0] = 28;
    must(device->upload(DN_ELEMENTS, x, product(filled, k), there) == DN_OK);
    note_narrow(&s, &same, &weight, there, between, out);
    output want = output_new(product(s.n_tokens, n));
    x[0] = 14;
    for (size_t i = 0; i < product(s.n_tokens, k); i++) {
        x[i] = fmaxf(x[i], 0);
    }
    s.ref->linear(
        &(dn_linear_args){.n_tokens = s.n_tokens, .x = x, .weight = &theirs, .out = want.at});
    expect_equal(&s, "linear in e4m3", DN_ELEMENTS, out, 2, &want);
    end(&s);
    dn_weight_free(&same), dn_weight_free(&weight), dn_weight_free(&theirs);
    output_free(&want);
    free(x), free(w), free(one);
}

static void check_all(const char *name) {
    const dn_kernels *kernels;
    if (dn_kernels_select(name, &kernels) != DN_OK) {
        SKIP(dn_kernels_gpu_note());
    }
    if (getenv("DN_CUDA_CUDNN") && !strstr(dn_kernels_gpu_note(), "tokens by cuDNN")) {
        SKIP(dn_kernels_gpu_note());
    }
    check_embed(name, 48, false), check_embed(name, 384, false), check_embed(name, 384, true);
    for (int activation = DN_ACT_NONE; activation <= DN_ACT_RELU; activation++) {
        check_linear(name, 384, 96, (dn_activation)activation, false, DN_ELEMENTS);
    }
    check_linear(name, 32, 1536, DN_ACT_GELU, false, DN_ELEMENTS);
    check_linear(name, 384, 384, DN_ACT_NONE, true, DN_ELEMENTS);
    check_linear(name, 64, 768, DN_ACT_NONE, true, DN_ELEMENTS);
    check_linear(name, 384, 5, DN_ACT_NONE, false, DN_FLOATS);
    check_linear(name, 64, 64, DN_ACT_TANH, false, DN_FLOATS);
    check_add_norm(name, 384), check_add_norm(name, 1024);
    check_attention(begin(name), 384, 12), check_attention(begin(name), 256, 4);
    check_attention(begin(name), 48, 3);
    check_attention(begin_rows(name, long_lengths, LONG_ROWS), 384, 12);
    check_attention(begin_rows(name, long_lengths, LONG_ROWS), 128, 2);
    check_pool(name, 384);
    check_softmax(name, 9, 0, 9), check_softmax(name, 9, 2, 4);
    check_score(name);
}

CASE(bf16_is_as_ref) {
    check_all("cuda:bf16");
}

CASE(fp16_is_as_ref) {
    check_all("cuda:fp16");
}

/* Its own operations are those of bf16; only products differ. */
CASE(fp8_is_as_ref_where_nothing_is_rounded) {
    const dn_kernels *kernels;
    if (dn_kernels_select("cuda:fp8", &kernels) != DN_OK) {
        SKIP(dn_kernels_gpu_note());
    }
    check_narrow("cuda:fp8", 64, 96);
    check_narrow("cuda:fp8", 384, 1536);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
