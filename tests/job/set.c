/* `--set path=value` reaches every property, and says what it does not find. */
#include "job_file.h"

#include <stdarg.h>

static const char job_text[] =
    "job: t\ntopics:\n  tweets: {partitions: 4}\n  tweets.enriched: {partitions: 4}\n"
    "pipelines:\n"
    "  ingest:\n    source:\n      corpus: {path: x}\n    sinks:\n      - topic: {name: tweets}\n"
    "  enrich:\n    source:\n      topic: {name: tweets}\n    stages: [decode, clean, tokenise]\n"
    "    model: {path: m}\n"
    "    sinks:\n      - rows_h5\n      - topic: {name: tweets.enriched}\n";

static dn_status open_with(const char *assignment, dn_job **job) {
    char *items[] = {(char *)assignment};
    const dn_list set = {.n = 1, .item = items};
    return job_open_text(job_text, &set, job);
}

typedef struct setting {
    const char *assignment, *line; /* a line of the printed job afterwards */
} setting;

static const setting settings[] = {
    {"output=some/where", "\noutput: some/where\n"},
    {"job=u", "\noutput: out/u\n"},
    {"max_bad=1%", "\nmax_bad: 0.01\n"},
    {"kafka.linger.ms=7", "\n  linger.ms: 7\n"},
    {"topics.tweets.partitions=9", "\n  tweets:\n    name: tweets\n    partitions: 9\n"},
    {"topics.tweets.enriched.partitions=9",
     "\n  tweets.enriched:\n    name: tweets.enriched\n    partitions: 9\n"},
    {"ingest.corpus.path=y", "\n        path: y\n"},
    {"ingest.source.path=y", "\n        path: y\n"},
    {"*.corpus.path=y", "\n        path: y\n"},
    {"*.corpus.pace=8x", "\n        pace: 8x\n"},
    {"ingest.corpus.limit=10k", "\n        limit: 10000\n"},
    {"ingest.corpus.fields.text=tweet_text", "\n          text: tweet_text\n"},
    {"enrich.rows_h5.rows=500", "\n          rows: 500\n"},
    {"enrich.model.path=other", "\n      path: other\n"},
    {"enrich.model=none", "\n    model: none\n"},
    {"enrich.dead_letters.raw=hash", "\n      raw: hash\n"},
    {"enrich.text_threads=3", "\n    text_threads: 3\n"},
    {"ingest.corpus.path=a=b", "\n        path: a=b\n"},
};

CASE(settings_reach_their_property) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        dn_job *job;
        if (open_with(settings[i].assignment, &job) != DN_OK) {
            fprintf(stderr, "%s\n", dn_failure_last()->text);
            dn_failures_in_case++;
            continue;
        }
        char *text = dn_job_print(job);
        if (!strstr(text, settings[i].line)) {
            fprintf(stderr, "--set %s: no%sin\n%s\n", settings[i].assignment, settings[i].line,
                    text);
            dn_failures_in_case++;
        }
        free(text);
        dn_job_close(job);
    }
}

CASE(a_star_reaches_every_pipeline_with_the_part) {
    dn_job *job;
    REQUIRE(open_with("*.topic.name=other", &job) == DN_OK);
    EXPECT_TEXT(dn_source_topic(job->pipeline[1].source, job->pipeline[1].source_conf), "other");
    EXPECT_TEXT(dn_sink_topic(job->pipeline[0].sink[0], job->pipeline[0].sink_conf[0]), "other");
    dn_job_close(job);
}

static const setting refusals[] = {
    {"outptu=x", "--set outptu=x: there is no property 'outptu'; did you mean 'output'?"},
    {"output", "--set output: written as property=value"},
    {"=x", "--set =x: written as property=value"},
    {"enrch.model.path=x", "--set enrch.model.path=x: there is no pipeline 'enrch'"},
    {"enrich.modle.path=x", "--set enrich.modle.path=x: pipeline 'enrich' has no part 'modle'"},
    {"enrich.model.pth=x",
     "--set enrich.model.pth=x: there is no property 'pth'; did you mean 'path'?"},
    {"enrich.model=nonee",
     "--set enrich.model=nonee: there is no model 'nonee'; did you mean 'none'?"},
    {"*.corpse.path=x", "--set *.corpse.path=x: no pipeline has a part 'corpse'"},
    {"ingest.model.path=x", "--set ingest.model.path=x: pipeline 'ingest' has no part 'model'"},
    {"topics.twets.partitions=3",
     "--set topics.twets.partitions=3: there is no declared topic in 'twets.partitions'"},
    {"topics.tweets.partition=3", "--set topics.tweets.partition=3: there is no property "
                                  "'partition'; did you mean 'partitions'?"},
    {"enrich.rows_h5.age=5MB", "--set enrich.rows_h5.age=5MB: "},
    {"max_bad=2", "--set max_bad=2: "},
};

CASE(wrong_settings_are_named_whole) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        dn_job *job = NULL;
        dn_status status = open_with(refusals[i].assignment, &job);
        const char *text = status == DN_OK ? "(it was accepted)" : dn_failure_last()->text;
        if (strncmp(text, refusals[i].line, strlen(refusals[i].line)) != 0) {
            fprintf(stderr, "got      %s\nexpected %s\n", text, refusals[i].line);
            dn_failures_in_case++;
        }
        EXPECT(status != DN_OK && dn_failure_last()->error == DN_E_CONFIG);
        dn_job_close(job);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
