/* The printed job is a job file: read again, it prints the same. */
#include "job_file.h"

static char *print_again(const char *text) {
    const dn_list none = {0};
    dn_job *job;
    if (job_open_text(text, &none, &job) != DN_OK) {
        fprintf(stderr, "%s\nof\n%s\n", dn_failure_last()->text, text);
        return NULL;
    }
    char *again = dn_job_print(job);
    dn_job_close(job);
    return again;
}

static void expect_fixpoint(dn_job *job) {
    char *first = dn_job_print(job);
    char *second = print_again(first);
    EXPECT_TEXT(second, first);
    free(first);
    free(second);
}

CASE(the_shipped_jobs_print_as_they_are_read) {
    const dn_list none = {0};
    dn_job *job;
    REQUIRE(dn_job_open("jobs/tweets.yaml", &none, &job) == DN_OK);
    expect_fixpoint(job);
    dn_job_close(job);
}

CASE(so_they_do_once_their_topics_are_resolved) {
    const dn_list none = {0};
    for (int with_broker = 0; with_broker < 2; with_broker++) {
        dn_job *job;
        REQUIRE(dn_job_open("jobs/tweets.yaml", &none, &job) == DN_OK);
        EXPECT(dn_job_resolve_topics(job, with_broker) == DN_OK);
        expect_fixpoint(job);
        dn_job_close(job);
    }
}

CASE(values_that_yaml_would_read_otherwise_come_back) {
    static const char *const values[] = {
        "a: b",
        "# x",
        "it's",
        "'",
        "\"x\"",
        "-",
        "- a",
        "[a]",
        "{a: b}",
        "a, b",
        "*x",
        "&x",
        "!x",
        "|",
        ">",
        "%x",
        "@x",
        "`x",
        "~",
        "null",
        "true",
        "? x",
        "x ",
        " x",
        "a\\b",
        "a #b",
        "=",
        "\xc3\xa4",
        "a\tb",
        "line\nbreak",
        "two\n\nbreaks",
        "bell\a",
        "trail\n",

    };
    static const char text[] =
        "job: t\npipelines: {p: {source: {corpus: {path: x}}, sinks: [rows_h5]}}\n";
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char assignment[3][64];
        snprintf(assignment[0], 64, "output=%s", values[i]);
        snprintf(assignment[1], 64, "kafka.x=%s", values[i]);
        snprintf(assignment[2], 64, "p.corpus.path=%s", values[i]);
        char *items[] = {assignment[0], assignment[1], assignment[2]};
        const dn_list set = {.n = 3, .item = items}, none = {0};
        dn_job *job, *again = NULL;
        REQUIRE(job_open_text(text, &set, &job) == DN_OK);
        EXPECT_TEXT(job->conf.output, values[i]);
        expect_fixpoint(job);
        char *printed = dn_job_print(job);
        if (job_open_text(printed, &none, &again) == DN_OK) {
            EXPECT_TEXT(again->conf.output, values[i]);
            EXPECT_TEXT(dn_map_get(&again->conf.kafka, "x"), values[i]);
        }
        free(printed);
        dn_job_close(again);
        dn_job_close(job);
    }
}

CASE(lists_and_mappings_come_back) {
    static const char text[] =
        "job: t\nkafka: {linger.ms: 5, \"odd: key\": 'a: b'}\npipelines:\n  p:\n    source:\n"
        "      corpus: {path: x, fields: {text: body, \"lang\": 'l, m'}}\n"
        "    sinks:\n      - rows_h5: {columns: [a, 'b c', 'd: e']}\n";
    const dn_list none = {0};
    dn_job *job;
    REQUIRE(job_open_text(text, &none, &job) == DN_OK);
    EXPECT_TEXT(dn_map_get(&job->conf.kafka, "odd: key"), "a: b");
    expect_fixpoint(job);
    dn_job_close(job);
}

CASE(secrets_are_never_printed) {
    static const char text[] = "job: t\nkafka: {sasl.password: hunter2, ssl.key.password: hunter2, "
                               "sasl.oauthbearer.client.secret: hunter2, sasl.username: me}\n"
                               "pipelines: {p: {source: {corpus: {path: x}}, sinks: [rows_h5]}}\n";
    const dn_list none = {0};
    dn_job *job;
    REQUIRE(job_open_text(text, &none, &job) == DN_OK);
    char *printed = dn_job_print(job);
    EXPECT(strstr(printed, "hunter2") == NULL);
    EXPECT(strstr(printed, "sasl.username: me") != NULL);
    free(printed);
    dn_job_close(job);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
