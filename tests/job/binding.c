/* What a job file's writer gets wrong, and the line that says so: place, what, and what is right.
 */
#include "job_file.h"

#define HEAD          "job: t\npipelines:\n  p:\n"
#define TAIL          "    sinks: [rows_h5]\n"
#define EIGHT "rows_h5, rows_h5, rows_h5, rows_h5, rows_h5, rows_h5, rows_h5, rows_h5, "
#define GOOD          HEAD "    source:\n      corpus: {path: x}\n"
#define SOURCE(props) HEAD "    source:\n      corpus: {path: x, " props "}\n" TAIL
#define SINK(props)   GOOD "    sinks:\n      - rows_h5: {" props "}\n"
#define MODEL(props)  GOOD "    model: {" props "}\n" TAIL
#define TOPIC(props)  "job: t\ntopics:\n  a: {" props "}\npipelines: {}\n"

typedef struct mistake {
    const char *name, *text, *message; /* the message begins so, behind the file's name */
} mistake;

static const mistake mistakes[] = {
    /* keys */
    {"misspelt key of the job", "jobb: t\n",
     ":1:1: unknown key 'jobb' in the job; did you mean 'job'?"},
    {"unknown key of the job", "job: t\nwhatever: 1\n",
     ":2:1: unknown key 'whatever' in the job (known: job, "},
    {"misspelt section", "job: t\npipelins: {}\n",
     ":2:1: unknown key 'pipelins' in the job; did you mean 'pipelines'?"},
    {"misspelt key of a pipeline", HEAD "    sorce: x\n",
     ":4:5: unknown key 'sorce' in pipeline 'p'; did you mean 'source'?"},
    {"misspelt key of a source", SOURCE("pase: max"),
     ":5:25: unknown key 'pase' in corpus; did you mean 'pace'?"},
    {"misspelt key of a sink", SINK("rowz: 5"),
     ":7:19: unknown key 'rowz' in rows_h5; did you mean 'rows'?"},
    {"misspelt key of a model", GOOD "    model: {pth: x}\n" TAIL,
     ":6:13: unknown key 'pth' in model; did you mean 'path'?"},
    {"misspelt key of a topic", TOPIC("partition: 3"),
     ":3:7: unknown key 'partition' in a topic; did you mean 'partitions'?"},
    {"misspelt key of dead letters", GOOD TAIL "    dead_letters: {row: x}\n",
     ":7:20: unknown key 'row' in dead_letters; did you mean 'raw'?"},
    {"key of a part without properties", GOOD "    stages:\n      - \"null\": {nothing: 1}\n" TAIL,
     ":7:18: unknown key 'nothing' in null"},
    {"duplicate key", "job: t\njob: u\n", ":2:1: "},
    {"duplicate key below", SOURCE("pace: max, pace: max"), ":5:36: "},
    /* parts */
    {"misspelt source", HEAD "    source: corpsu\n" TAIL,
     ":4:13: source: there is no source 'corpsu'; did you mean 'corpus'?"},
    {"unknown source", HEAD "    source: {carrier_pigeon: {}}\n" TAIL,
     ":4:30: source: there is no source 'carrier_pigeon' (there are: "},
    {"misspelt stage", GOOD "    stages: [decode, claen]\n" TAIL,
     ":6:22: stages: there is no stage 'claen'; did you mean 'clean'?"},
    {"misspelt sink", GOOD "    sinks: [rows_h]\n",
     ":6:13: sinks: there is no sink 'rows_h'; did you mean 'rows_h5'?"},
    {"misspelt model", GOOD "    model: nonee\n" TAIL,
     ":6:12: model: there is no model 'nonee'; did you mean 'none'?"},
    {"two sources in one", HEAD "    source: {corpus: {path: x}, topic: {name: x}}\n" TAIL,
     ":4:5: source must be 'name' or 'name: {properties}'"},
    {"no source", HEAD TAIL, ":3:3: pipeline 'p' has no source"},
    {"no sinks", GOOD, ":3:3: pipeline 'p' has no sinks"},
    {"empty sinks", GOOD "    sinks: []\n", ":6:5: sinks must be a list with at least one sink"},
    {"no pipelines", "job: t\n", ":1:1: the job has no pipelines"},
    {"empty pipelines", "job: t\npipelines: {}\n", ":2:1: the job has no pipelines"},
    {"too many sinks", GOOD "    sinks: [" EIGHT EIGHT EIGHT EIGHT "rows_h5]\n",
     ":6:301: more than 32 sinks"},
    /* kinds */
    {"a list for a value", SOURCE("pace: [1, 2]"), ":5:25: pace must be one value"},
    {"a mapping for a value", SOURCE("pace: {a: 1}"), ":5:25: pace must be one value"},
    {"a value for a mapping", "job: t\nkafka: yes\n", ":2:1: kafka must be a mapping"},
    {"a mapping for a list", SINK("columns: {a: 1}"), ":7:19: columns must be a list"},
    {"a list in a list", SINK("columns: [[a]]"), ":7:29: columns: an item must be plain text"},
    {"a list in a mapping", "job: t\nkafka: {a: [1]}\n", ":2:9: kafka.a must be plain text"},
    {"stages that are no list", GOOD "    stages: {decode: {}}\n" TAIL,
     ":6:5: stages must be a list"},
    {"a list for the job", "- job\n", ":1:1: a job file is a mapping with job and pipelines"},
    {"a text for the job", "job\n", ":1:1: a job file is a mapping with job and pipelines"},
    {"a text for a pipeline", "job: t\npipelines: {p: x}\n",
     ":2:13: a pipeline must be a mapping with source and sinks"},
    {"a text for topics", "job: t\ntopics: x\npipelines: {}\n",
     ":2:1: topics must be a mapping of topic names"},
    /* values */
    {"unit of a size for a duration", SINK("age: 5MB"), ":7:24: age: '5MB' "},
    {"unit of a duration for a size", SINK("bytes: 5ms"), ":7:26: bytes: '5ms' "},
    {"a duration without a unit", SINK("age: 5"), ":7:24: age: '5' "},
    {"a word for a number", SINK("rows: many"), ":7:25: rows: 'many' "},
    {"a number below its range", SINK("rows: 0"), ":7:25: rows: "},
    {"a number above its range", SINK("deflate: 10"), ":7:28: deflate: "},
    {"a negative number", SINK("rows: -5"), ":7:25: rows: "},
    {"a number beyond 64 bits", SINK("rows: 99999999999999999999"), ":7:25: rows: "},
    {"a share beyond one", "job: t\nmax_bad: 150%\n", ":2:10: max_bad: "},
    {"no yes or no", "job: t\ncreate_topics: maybe\n", ":2:16: create_topics: 'maybe' "},
    {"no word of a choice", SOURCE("partition_by: autor"), ":5:39: partition_by: "},
    {"a goal of two times", MODEL("slo: {p95: 1s, p99: 2s}"),
     ":6:13: slo must be throughput, or one time: {p95: 200ms}"},
    {"a goal of another percentile", MODEL("slo: {p99: 2s}"), ":6:24: slo: 'p99=2s' is neither"},
    {"a goal that is no time", MODEL("slo: soon"), ":6:18: slo: 'soon' is neither throughput"},
    /* required */
    {"no name of the job", "pipelines: {p: {source: {corpus: {path: x}}, sinks: [rows_h5]}}\n",
     ": the job has no name (job: NAME)"},
    {"no path of a corpus", HEAD "    source: corpus\n" TAIL,
     "pipeline 'p': corpus needs the property 'path'"},
    {"no path of a model", MODEL("slo: 1s"), "pipeline 'p': model needs the property 'path'"},
    {"two models of one name", GOOD "    model: [{path: a}, {path: b}]\n" TAIL,
     "pipeline 'p': two models are called 'model'; give one a `name`"},
    {"a name of two words", MODEL("path: a, name: a b"),
     "pipeline 'p': a model's name is one word of 1 to 23 bytes without '.', '/' and '=', not 'a "
     "b'"},
    {"too many models", GOOD "    model: [none, none, none, none, none]\n" TAIL,
     ":6:37: more than 4 models"},
    {"a model of another kind", GOOD "    model: [{path: a}, nome]\n" TAIL, ":6:24: model: "},
    {"a list as a model", GOOD "    model: [[a]]\n" TAIL,
     ":6:13: model must be a mapping (key: value)"},
    {"no name of a topic", GOOD "    sinks: [topic]\n",
     "pipeline 'p': topic needs the property 'name'"},
    /* YAML */
    {"an anchor", "job: &a t\noutput: *a\n",
     ":1:6: anchors (&name) and tags (!name) are not allowed"},
    {"an alias", "job: t\noutput: *a\n", ":2:9: aliases (*name) are not allowed"},
    {"a tag", "job: !!str t\n", ":1:6: anchors (&name) and tags (!name) are not allowed"},
    {"a tab", "job: t\npipelines:\n\tp: x\n", ":3:1: "},
    {"an open bracket", "job: [t\n", ":2:1: "},
    {"two documents", "job: t\n---\njob: u\n", ":2:1: "},
    {"an empty file", "", ":1:1: "},
    {"only a comment", "# nothing\n", ":"},
};

CASE(mistakes_are_named_with_their_place) {
    const dn_list none = {0};
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const mistake *m = &mistakes[i];
        char path[512];
        dn_job *job;
        dn_status status = job_open_bytes(m->text, strlen(m->text), &none, path, &job);
        const char *message = status == DN_OK ? "(it was accepted)" : job_failure(path);
        if (strncmp(message, m->message, strlen(m->message)) != 0) {
            fprintf(stderr, "%s: got      %s\n%*s  expected %s\n", m->name, message,
                    (int)strlen(m->name), "", m->message);
            dn_failures_in_case++;
        }
        EXPECT(status != DN_OK && dn_failure_last()->error == DN_E_CONFIG);
        dn_job_close(job);
    }
}

CASE(binary_files_are_refused_without_harm) {
    const dn_list none = {0};
    for (int round = 0; round < 200; round++) {
        char bytes[400], path[512];
        dn_job *job;
        size_t size = dn_random() % sizeof bytes;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (char)dn_random();
        }
        EXPECT(job_open_bytes(bytes, size, &none, path, &job) != DN_OK);
        EXPECT(dn_failure_last()->error == DN_E_CONFIG);
    }
}

CASE(damaged_job_files_never_crash) {
    static const char good[] = SINK("rows: 5, columns: [a, b]") "kafka: {linger.ms: 5}\n";
    const dn_list none = {0};
    for (int round = 0; round < 2000; round++) {
        char bytes[sizeof good], path[512];
        dn_job *job;
        memcpy(bytes, good, sizeof good);
        for (uint64_t hits = 1 + dn_random() % 3; hits; hits--) {
            bytes[dn_random() % (sizeof good - 1)] =
                "{}[]:,-#&*!|>'\"%@` \n\tx\0"[dn_random() % 23];
        }
        size_t size = dn_random() % 2 ? sizeof good - 1 : dn_random() % sizeof good;
        dn_status status = job_open_bytes(bytes, size, &none, path, &job);
        EXPECT(status == DN_OK || dn_failure_last()->error == DN_E_CONFIG);
        dn_job_close(job);
    }
}

CASE(a_missing_file_and_a_folder_are_no_input) {
    const dn_list none = {0};
    dn_job *job;
    EXPECT(dn_job_open("tests/job/no-such-job.yaml", &none, &job) == DN_FATAL);
    EXPECT(dn_failure_last()->error == DN_E_NO_INPUT);
    EXPECT(strstr(dn_failure_last()->text, "tests/job/no-such-job.yaml") != NULL);
    EXPECT(dn_job_open("tests/job", &none, &job) == DN_FATAL);
    EXPECT(dn_failure_last()->error == DN_E_NO_INPUT);
}

CASE(units_are_read) {
    const dn_list none = {0};
    dn_job *job;
    REQUIRE(job_open_text(SINK("rows: 16Ki, bytes: 1.5MiB, age: 250ms") "max_bad: 2.5%\n", &none,
                          &job) == DN_OK);
    char *text = dn_job_print(job);
    EXPECT(strstr(text, "rows: 16Ki\n") && strstr(text, "age: 250ms\n"));
    EXPECT(strstr(text, "bytes: 1536KiB\n") != NULL);
    EXPECT(fabs(job->conf.max_bad - 0.025) < 1e-12);
    free(text);
    dn_job_close(job);
}

CASE(goals_are_read) {
    static const struct {
        const char *written, *printed;
    } goal[] = {{"slo: {p95: 200ms}", "slo: 200ms\n"},
                {"slo: 200ms", "slo: 200ms\n"},
                {"slo: throughput", "slo: throughput\n"},
                {"rows: 8", "slo: throughput\n"}};
    const dn_list none = {0};
    for (size_t i = 0; i < sizeof goal / sizeof *goal; i++) {
        char yaml[512];
        dn_job *job;
        snprintf(yaml, sizeof yaml, MODEL("path: m, %s"), goal[i].written);
        REQUIRE(job_open_text(yaml, &none, &job) == DN_OK);
        char *text = dn_job_print(job);
        EXPECT(strstr(text, goal[i].printed) != NULL);
        free(text);
        dn_job_close(job);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
