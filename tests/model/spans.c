/* Labels of tokens joined into spans: the rules one by one. */
#include "model/spans.h"
#include "test.h"

static const char *const bio[] = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"};
static const char *const plain[] = {"noun", "verb", "O"};

enum { STRIDE = 7, BEGIN = 1, MAX_TOKENS = 16 };

/** Token i has label which[i] with probability 0.5 + i / 100. */
static void expect_spans(const char *const *labels, int n_labels, const int *which, int n,
                         const char *expected) {
    float score[MAX_TOKENS * STRIDE] = {0};
    dn_model_head head = {.kind = DN_HEAD_TOKENS, .labels = labels, .n_labels = n_labels};
    head.begin = BEGIN;
    for (int i = 0; i < n; i++) {
        score[i * STRIDE] = score[i * STRIDE + STRIDE - 1] = 9; /* of other heads */
        score[i * STRIDE + BEGIN + which[i]] = 0.5f + (float)i / 100;
    }
    dn_out out = {0};
    dn_spans_write(&head, score, STRIDE, n, &out);
    dn_out_bytes(&out, "", 1);
    EXPECT_TEXT(out.ptr, expected);
    dn_out_free(&out);
}

CASE(inside_goes_on_and_begin_begins) {
    expect_spans(bio, 5, (int[]){1, 1, 2, 2, 0, 3, 1}, 7,
                 "[{\"label\":\"PER\",\"first\":1,\"tokens\":3,\"score\":0.52},"
                 "{\"label\":\"LOC\",\"first\":5,\"tokens\":1,\"score\":0.55}]");
    expect_spans(bio, 5, (int[]){0, 1, 1, 0}, 4,
                 "[{\"label\":\"PER\",\"first\":1,\"tokens\":1,\"score\":0.51},"
                 "{\"label\":\"PER\",\"first\":2,\"tokens\":1,\"score\":0.52}]");
}

CASE(inside_without_begin_is_a_span) {
    expect_spans(bio, 5, (int[]){0, 2, 4, 0}, 4,
                 "[{\"label\":\"PER\",\"first\":1,\"tokens\":1,\"score\":0.51},"
                 "{\"label\":\"LOC\",\"first\":2,\"tokens\":1,\"score\":0.52}]");
}

CASE(special_tokens_have_no_label) {
    expect_spans(bio, 5, (int[]){1, 1}, 2, "[]");
    expect_spans(bio, 5, (int[]){1, 0, 2}, 3, "[]");
    expect_spans(bio, 5, (int[]){1}, 1, "[]");
}

CASE(labels_without_prefix_join_where_they_are_equal) {
    expect_spans(plain, 3, (int[]){0, 0, 0, 2, 0, 1, 0}, 7,
                 "[{\"label\":\"noun\",\"first\":1,\"tokens\":2,\"score\":0.515},"
                 "{\"label\":\"noun\",\"first\":4,\"tokens\":1,\"score\":0.54},"
                 "{\"label\":\"verb\",\"first\":5,\"tokens\":1,\"score\":0.55}]");
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
