/* What dunlin.h promises beyond the two example programs. */
#include "dunlin.h"

#include "test.h"

static const char model[] = "tests/data/tiny";
static const char *const lines[] = {"a good day", "", "the worst day of my life, and it rains",
                                    "caf\xc3\xa9 @friend https://t.co/x"};
enum { N_LINES = 4, N_MANY = 700 };

static const dn_span *many_texts(void) {
    static dn_span text[N_MANY];
    for (int i = 0; i < N_MANY; i++) {
        text[i] = dn_span_of(lines[i % N_LINES]);
    }
    return text;
}

CASE(a_text_scores_the_same_alone_and_among_others) {
    dn_classifier *classifier;
    REQUIRE(dn_classifier_open(model, NULL, &classifier) == DN_OK);
    size_t width = (size_t)dn_classifier_info(classifier)->score_width;
    float *together = calloc(N_MANY * width, sizeof *together);
    float *alone = calloc(width, sizeof *alone);
    EXPECT(dn_classifier_score(classifier, many_texts(), N_MANY, together) == DN_OK);
    for (int i = 0; i < N_MANY; i++) {
        if (i < N_LINES || i > N_MANY - N_LINES) {
            EXPECT(dn_classifier_score(classifier, many_texts() + i, 1, alone) == DN_OK);
            EXPECT(memcmp(alone, together + (size_t)i * width, width * sizeof *alone) == 0);
        }
    }
    EXPECT(memcmp(together, together + 2 * width, width * sizeof *together) != 0);
    free(alone);
    free(together);
    dn_classifier_close(classifier);
}

CASE(a_text_that_is_not_utf8_is_named) {
    dn_classifier *classifier;
    REQUIRE(dn_classifier_open(model, NULL, &classifier) == DN_OK);
    dn_span text[] = {DN_SPAN("good"), DN_SPAN("bad \xff")};
    float *score = calloc(2 * (size_t)dn_classifier_info(classifier)->score_width, sizeof *score);
    EXPECT(dn_classifier_score(classifier, text, 2, score) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DATA);
    EXPECT_TEXT(dn_failure_last()->text, "text 2 of 2 is not UTF-8 at byte 5");
    EXPECT(dn_classifier_score(classifier, text, 1, score) == DN_OK);
    EXPECT(dn_classifier_score(classifier, text, 0, score) == DN_OK);
    free(score);
    dn_classifier_close(classifier);
}

CASE(what_is_no_model_is_refused) {
    dn_classifier *classifier = NULL;
    EXPECT(dn_classifier_open("jobs", NULL, &classifier) == DN_FATAL);
    EXPECT(dn_classifier_open(model, "gpu", &classifier) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_CONFIG);
    EXPECT(classifier == NULL);
    dn_classifier_close(NULL);
}

static dn_status bind_nothing(void *conf, const dn_bind *bind) {
    return conf || bind ? DN_OK : DN_FATAL;
}
static dn_status run_nothing(const void *conf, void *worker, dn_chunk *chunk) {
    return conf || worker || chunk ? DN_OK : DN_FATAL;
}

/* Registers a stage; NULL when that went well, else why not. */
static const char *refusal(const char *name, const char *summary, bool whole) {
    static dn_stage_ops stage[128];
    static int n;
    stage[n] = (dn_stage_ops){.name = name, .summary = summary, .bind = bind_nothing};
    stage[n].run = whole ? run_nothing : NULL;
    return dn_stage_register(&stage[n++]) == DN_OK ? NULL : dn_failure_last()->text;
}

CASE(a_stage_is_registered_once_and_whole) {
    EXPECT(refusal("mine", "Mine.", true) == NULL);
    EXPECT_TEXT(refusal("mine", "Mine.", true), "there is already a stage 'mine'");
    EXPECT_TEXT(refusal("clean", "Ours.", true), "there is already a stage 'clean'");
    EXPECT(
        strstr(refusal("half", "No run.", false), "needs a name, a summary, bind and run (half)"));
    EXPECT(strstr(refusal(NULL, "No name.", true), "this one has no name"));
    static char names[80][32];
    const char *why = NULL;
    for (int i = 0; i < 80 && !why; i++) {
        snprintf(names[i], sizeof names[i], "stage%d", i);
        why = refusal(names[i], "One of many.", true);
    }
    EXPECT(why && strstr(why, "there are already 64 stages"));
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
