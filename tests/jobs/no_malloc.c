/* The whole job in one process: once it is warm, text workers and model threads call the allocator
 * not once more, however many records follow. Interposes the allocator, which a sanitizer does as
 * well, so it skips there. With DN_TEST_STACKS set, each call that should not be prints its stack.
 */
#include "base/memory.h"
#include "model/grams.h"
#include "run/wiring.h"
#include "source/corpus.h"
#include "test.h"

#include <execinfo.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { BLOCK_ROWS = 8 * DN_CHUNK_ROWS, BLOCKS = 6, WARM_ROWS = BLOCK_ROWS * BLOCKS / 2 };
enum { TEXT, MODEL, KINDS, STACK_DEPTH = 24 };

static _Atomic int64_t n_calls[2][KINDS]; /* before and after warm-up */
static _Atomic int armed;
static bool stacks;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { COUNTING = 1 };
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* A thread gets its name from its maker a moment after it began, so it is looked up every time. */
static void count(void) {
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    int kind = strncmp(name, "enri-text-", 10) == 0    ? TEXT
               : strncmp(name, "enri-model-", 11) == 0 ? MODEL
               : strncmp(name, "enri-ner-", 9) == 0    ? MODEL
                                                       : KINDS;
    if (kind == KINDS) {
        return;
    }
    int warm = atomic_load(&armed);
    atomic_fetch_add(&n_calls[warm][kind], 1);
    if (warm && stacks) {
        void *frames[STACK_DEPTH];
        backtrace_symbols_fd(frames, backtrace(frames, STACK_DEPTH), STDERR_FILENO);
        fputs("----\n", stderr);
    }
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    count();
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    count();
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : 12;
}
#else
enum { COUNTING = 0 };
#endif

/* ---- the corpus: BLOCKS times the same BLOCK_ROWS records, so that all there is comes early ----
 */

static char folder[400], corpus[450];

static bool copy_into(const char *from, FILE *out) {
    static char buffer[1 << 16];
    FILE *in = fopen(from, "rb");
    for (size_t n; in && (n = fread(buffer, 1, sizeof buffer, in)) > 0;) {
        fwrite(buffer, 1, n, out);
    }
    return in && fclose(in) == 0;
}

static bool make_corpus(void) {
    char block[450];
    const char *base = getenv("DN_TEST_TMP");
    snprintf(folder, sizeof folder, "%s/no_malloc-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder)) {
        return false;
    }
    snprintf(corpus, sizeof corpus, "%s/corpus.jsonl", folder);
    snprintf(block, sizeof block, "%s/block.jsonl", folder);
    const dn_generate_options options = {.n_rows = BLOCK_ROWS, .seed = 5};
    FILE *out = fopen(corpus, "wb");
    bool good = out && dn_generate(block, &options) == DN_OK;
    for (int i = 0; good && i < BLOCKS; i++) {
        good = copy_into(block, out);
    }
    return out && fclose(out) == 0 && good;
}

static void remove_folder(void) {
    char command[450];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    EXPECT(system(command) == 0);
}

/* ---- a linear twin of the tiny model, sure of about half of the texts ---- */

static char linear[450];
static const char linear_job[] = "tests/jobs/linear.yaml";

static dn_status write_weights(void) {
    enum { COLUMNS = 4096, STEP = DN_NGRAM_BUCKETS / COLUMNS, MOST = 3 };
    static int32_t bucket[COLUMNS];
    static float weight[COLUMNS * MOST], bias[MOST];
    static const char *const moods[] = {"bad", "neutral", "good"}, *const answers[] = {"no", "yes"};
    const dn_new_head heads[] = {
        {"mood", 3, COLUMNS, moods, weight, bias, DN_HEAD_SOFTMAX, 0, NULL},
        {"question", 2, COLUMNS, answers, weight, bias, DN_HEAD_SOFTMAX, 0, NULL},
    };
    for (int i = 0; i < COLUMNS; i++) {
        bucket[i] = i * STEP;
        weight[i * MOST] = (float)(dn_random() % 100) - 50;
    }
    return dn_gram_model_write(linear,
                               &(dn_gram_parts){heads, 2, COLUMNS, bucket, "tweeteval", false});
}

/* As `model calibrate --cascade` leaves it. */
static bool write_thresholds(void) {
    dn_model *encoder;
    const dn_kernels *kernels;
    char path[512];
    snprintf(path, sizeof path, "%s/config.json", linear);
    FILE *file = fopen(path, "w");
    bool good = file && dn_kernels_select("ref", &kernels) == DN_OK &&
                dn_model_open("tests/data/tiny", kernels, &encoder) == DN_OK;
    if (good) {
        fprintf(
            file,
            "{\"model_type\": \"dunlin-ngrams\", \"dunlin\": {\"ngrams\": %d, \"normalise\": "
            "\"tweeteval\", \"cascade\": {\"encoder\": \"%s\"}, \"heads\": [{\"name\": \"mood\", "
            "\"kind\": \"softmax\", \"labels\": [\"bad\", \"neutral\", \"good\"], \"sure_above\": "
            "0.6}, {\"name\": \"question\", \"kind\": \"softmax\", \"labels\": [\"no\", \"yes\"], "
            "\"sure_above\": 0.6}]}}\n",
            DN_NGRAMS_RULE, dn_model_describe(encoder)->sha256);
        dn_model_close(encoder);
    }
    return file && fclose(file) == 0 && good;
}

static bool make_linear(void) {
    snprintf(linear, sizeof linear, "%s/linear", folder);
    return write_weights() == DN_OK && write_thresholds();
}

/* ---- the job, of one model and of two, as `run` would start it ---- */

typedef struct run {
    dn_job *job;
    dn_wiring wiring;
    dn_pipeline *pipeline[DN_MAX_PIPELINES];
    _Atomic bool ended[DN_MAX_PIPELINES];
    int number[DN_MAX_PIPELINES];
} run;

static run self;

static void on_end(void *number) {
    dn_wiring_ended(&self.wiring, *(int *)number);
    atomic_store(&self.ended[*(int *)number], true);
}

static dn_status open_job(const char *file, const char *reuse) {
    dn_list set = {0};
    char path[512], output[512];
    snprintf(path, sizeof path, "ingest.corpus.path=%s", corpus);
    snprintf(output, sizeof output, "output=%s/out%s%zu", folder, reuse, strlen(file));
    const char *const settings[] = {path,
                                    output,
                                    reuse,
                                    "topics.tweets.partitions=1",
                                    "enrich.model.path=tests/data/tiny",
                                    "enrich.tokenise.vocabulary=tests/data/tiny",
                                    "enrich.chunks=8",
                                    "ingest.chunks=4",
                                    "text_threads=2",
                                    "model_threads=2"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        dn_list_put(&set, settings[i]);
    }
    if (file == linear_job) {
        snprintf(path, sizeof path, "enrich.linear.path=%s", linear);
        dn_list_put(&set, path);
        snprintf(path, sizeof path, "enrich.model.cascade=%s", linear);
        dn_list_put(&set, path);
    }
    DN_TRY(dn_job_open(file, &set, &self.job));
    DN_TRY(dn_job_resolve_topics(self.job, false));
    for (int i = 0; i < self.job->n_pipelines; i++) {
        dn_job_set_threads(self.job, i, 2, 4, 2);
    }
    for (int i = 0; i < set.n; i++) {
        free(set.item[i]);
    }
    free(set.item);
    return dn_job_bind(self.job);
}

static dn_status open_pipelines(void) {
    int order[DN_MAX_PIPELINES];
    DN_TRY(dn_wiring_make(&self.wiring, self.job, self.ended, order));
    for (int k = 0; k < self.job->n_pipelines; k++) {
        int i = order[k];
        self.number[i] = i;
        dn_pipeline_env env = {.output = self.job->conf.output,
                               .run_id = "test",
                               .resolved_job = "",
                               .model_sha256 = "",
                               .size = 1,
                               .bounded = true,
                               .kafka = &self.job->conf.kafka,
                               .ended = on_end,
                               .ended_ctx = &self.number[i]};
        dn_wiring_connect(&self.wiring, i, &env);
        DN_TRY(dn_pipeline_open(&self.job->pipeline[i], &env, &self.pipeline[i]));
        dn_wiring_opened(&self.wiring, i, self.pipeline[i]);
    }
    return DN_OK;
}

/* Runs to the end; the second half of the records counts as warm. */
static dn_status run_to_end(dn_pipeline_stats *stats) {
    int enrich = self.job->n_pipelines - 1;
    for (int i = 0; i < self.job->n_pipelines; i++) {
        DN_TRY(dn_pipeline_start(self.pipeline[i]));
    }
    while (!atomic_load(&self.ended[enrich])) {
        usleep(500);
        dn_pipeline_read(self.pipeline[enrich], stats);
        atomic_store(&armed, stats->records_in >= WARM_ROWS);
    }
    atomic_store(&armed, 0);
    for (int i = 0; i < self.job->n_pipelines; i++) {
        DN_TRY(dn_pipeline_join(self.pipeline[i]));
    }
    dn_pipeline_read(self.pipeline[enrich], stats);
    return DN_OK;
}

static void close_all(void) {
    for (int i = 0; self.job && i < self.job->n_pipelines; i++) {
        dn_pipeline_close(self.pipeline[i]);
    }
    dn_wiring_free(&self.wiring);
    dn_job_close(self.job);
    memset(&self, 0, sizeof self);
}

static dn_pipeline_stats expect_no_calls(const char *file, const char *reuse) {
    dn_pipeline_stats stats = {0};
    memset(n_calls, 0, sizeof n_calls);
    dn_status status = open_job(file, reuse);
    status = status == DN_OK ? open_pipelines() : status;
    status = status == DN_OK ? run_to_end(&stats) : status;
    if (status != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
    }
    close_all();
    EXPECT(status == DN_OK);
    EXPECT_INT(stats.records_in, BLOCK_ROWS * BLOCKS);
    EXPECT(n_calls[0][TEXT] > 0);
    EXPECT_INT(n_calls[1][TEXT], 0);
    EXPECT_INT(n_calls[1][MODEL], 0);
    return stats;
}

static void *allocate_by_name(void *name) {
    prctl(PR_SET_NAME, name);
    free(dn_strdup("seen"));
    return NULL;
}

CASE(the_count_sees_text_and_model_threads_only) {
    static char names[][16] = {"enri-text-7", "enri-model-3", "enri-sink-0"};
    if (!COUNTING) {
        SKIP("the allocator belongs to a sanitizer");
    }
    memset(n_calls, 0, sizeof n_calls);
    atomic_store(&armed, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, allocate_by_name, names[i]) == 0);
        pthread_join(thread, NULL);
    }
    atomic_store(&armed, 0);
    EXPECT_INT(n_calls[1][TEXT], 1);
    EXPECT_INT(n_calls[1][MODEL], 1);
}

CASE(warm_threads_call_no_allocator) {
    static const char *const reuses[] = {"enrich.model.reuse=0", "enrich.model.reuse=32MiB"};
    if (!COUNTING) {
        SKIP("the allocator belongs to a sanitizer");
    }
    void *frame;
    backtrace(&frame, 1); /* loads its library now */
    stacks = getenv("DN_TEST_STACKS") != NULL;
    if (make_corpus()) {
        for (int i = 0; i < 2; i++) {
            expect_no_calls("jobs/tweets.yaml", reuses[i]);
        }
        expect_no_calls("tests/jobs/two_models.yaml", reuses[1]);
        REQUIRE(make_linear());
        dn_pipeline_stats stats = expect_no_calls(linear_job, reuses[1]);
        EXPECT(stats.linear_rows > 0 && stats.linear_rows < stats.fate[DN_KEPT]);
    } else {
        EXPECT(!"the corpus could be made");
    }
    remove_folder();
}

int main(int argc, char **argv) {
    alarm(200);
    return dn_test_main(argc, argv);
}
