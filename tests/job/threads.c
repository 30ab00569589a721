/* How many threads and chunks a pipeline gets: its own number, the job's, or what its models say is
 * of use once they are bound. */
#include "job_file.h"

enum { CORES = 16, BASE = 8, A_THREAD = 4 };

static const char job_text[] =
    "job: t\npipelines:\n"
    "  enrich:\n    source:\n      corpus: {path: x}\n    stages: [decode, clean, tokenise]\n"
    "    model:\n      - {name: first, path: m}\n      - {name: second, path: n}\n"
    "    sinks:\n      - rows_h5\n      - topic: {name: out}\n";

static int two(const void *conf, int cores) {
    (void)conf;
    return cores > 2 ? 2 : cores;
}

static dn_scorer_ops feeder;

/** The first model computes in its threads, the second elsewhere. */
static dn_status open_with(const char *assignment, dn_job **job) {
    char *items[] = {(char *)assignment};
    const dn_list set = {.n = assignment ? 1 : 0, .item = items};
    DN_TRY(job_open_text(job_text, &set, job));
    const dn_scorer_ops **second = &(*job)->pipeline[0].scorer[1];
    feeder = **second;
    feeder.threads = two;
    *second = &feeder;
    return DN_OK;
}

static const struct {
    const char *assignment;
    int text, first, second, prepare, chunks;
} cases[] = {
    {NULL, 16, 16, 2, 8, 8 + 4 * 42},
    {"model_threads=3", 16, 3, 3, 8, 8 + 4 * 30},
    {"enrich.model_threads=5", 16, 5, 5, 8, 8 + 4 * 34},
    {"text_threads=4", 4, 16, 2, 2, 8 + 4 * 24},
    {"enrich.chunks=9", 16, 16, 2, 8, 9},
};

CASE(a_number_that_is_given_stays_and_else_each_model_has_what_is_of_use) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dn_job *job;
        REQUIRE(open_with(cases[i].assignment, &job) == DN_OK);
        dn_job_set_threads(job, 0, CORES, BASE, A_THREAD);
        const dn_pipeline_plan *plan = &job->pipeline[0];
        EXPECT(plan->text_threads == cases[i].text);
        EXPECT(plan->model_threads[0] == cases[i].first);
        EXPECT(plan->model_threads[1] == cases[i].second);
        EXPECT(plan->prepare_threads == cases[i].prepare);
        EXPECT(plan->n_chunks == cases[i].chunks);
        dn_job_close(job);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
