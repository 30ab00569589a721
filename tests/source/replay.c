/* The corpus source as the pipeline sees it. */
#include "harness.h"
#include "io/h5.h"
#include "source/corpus.h"
#include "source/sources.h"
#include "test.h"

enum { PATHS = 300 };

static void path_prop(char out[PATHS], const char *path) {
    snprintf(out, PATHS, "path=%s", path);
}

/** Runs the corpus source over bytes. */
static outcome read_bytes(const char *name, const char *bytes, size_t size) {
    char path[PATHS];
    path_prop(path, temp_file(name, bytes, size));
    plan wanted = {.ops = &dn_source_corpus, .props = {path}};
    outcome run = run_source(&wanted);
    run_sort(&run);
    return run;
}

static outcome read_text(const char *name, const char *text) {
    return read_bytes(name, text, strlen(text));
}

CASE(replay_reads_json_lines) {
    outcome run = read_text(
        "three.jsonl", "{\"id\":7,\"created_at\":1502755440000,\"user\":\"ann\",\"text\":\"a "
                       "\\u00e9\",\"lang\":\"fr\"}\n"
                       "{\"created_at\":\"2017-08-15T00:04:00Z\",\"user\":5,\"text\":\"b\"}\r\n"
                       "\n"
                       "{\"text\":\"c\",\"x\":{\"text\":1}}");
    EXPECT_INT(run.status, DN_OK);
    EXPECT_TEXT(run.topic, "three");
    EXPECT_INT(run.n_partitions, 12);
    REQUIRE(run.n == 3);
    EXPECT_TEXT(run.rows[0].text, "a \xc3\xa9");
    EXPECT_TEXT(run.rows[0].user, "ann");
    EXPECT_TEXT(run.rows[0].language, "fr");
    EXPECT_INT(run.rows[0].event_ms, 1502755440000);
    EXPECT_INT(run.rows[1].event_ms, 1502755440000);
    EXPECT_TEXT(run.rows[1].user, "5");
    EXPECT(run.rows[1].language == NULL);
    EXPECT_INT(run.rows[2].offset, 2);
    EXPECT_INT(run.rows[2].event_ms, DN_NULL_I64);
    run_free(&run);
}

CASE(replay_recognises_a_known_header) {
    outcome run =
        read_text("ira.csv", "publish_date,author_id,content,region,language\r\n"
                             "2017-08-15 00:04:00,Moi,\"He said \"\"no\"\"\",x,Russian\r\n"
                             "10/1/2017 19:58,,'apostrophe stays,,\r\n");
    EXPECT_INT(run.status, DN_OK);
    REQUIRE(run.n == 2);
    EXPECT_TEXT(run.rows[0].text, "He said \"no\"");
    EXPECT_TEXT(run.rows[0].language, "Russian");
    EXPECT_INT(run.rows[0].event_ms, 1502755440000);
    EXPECT_TEXT(run.rows[1].text, "'apostrophe stays");
    EXPECT(run.rows[1].user == NULL);
    EXPECT_INT(run.rows[1].event_ms, 1506887880000);
    run_free(&run);
}

/** Bad records of both formats: what comes before and behind is read, the bad one keeps its bytes.
 */
static const struct {
    const char *file, *bytes;
    size_t size;
    const char *reason, *detail;
} bad[] = {
#define ROW(file, bytes, reason, detail)                                                           \
    { file, bytes, sizeof bytes - 1, reason, detail }
    ROW("a.csv", "user,text\na,one\nb\"c,two\nd,three\n", "bad CSV",
        "a quote inside an unquoted field, in the record at byte 16 of the corpus"),
    ROW("a.csv", "user,text\na,one\n\"b\"c,two\nd,three\n", "bad CSV",
        "bytes behind a closing quote, in the record at byte 16 of the corpus"),
    ROW("a.csv", "user,text\na,one\nb\nd,three\n", "bad CSV",
        "1 fields where the header has 2, at byte 16 of the corpus"),
    ROW("a.csv", "user,text\na,one\nb,c,d\nd,three\n", "bad CSV",
        "3 fields where the header has 2, at byte 16 of the corpus"),
    ROW("a.csv", "user,text\na,one\nb,x\xff\nd,three\n", "bad UTF-8", "byte 1 of the field text"),
    ROW("a.csv", "user,text\na,one\n\xc3,x\nd,three\n", "bad UTF-8", "byte 0 of the field user"),
    ROW("a.csv", "user,text\na,one\nb,x\0y\nd,three\n", "NUL", "byte 1 of the field text"),
    ROW("a.csv", "user,text\na,one\nb,\"\"\nd,three\n", "empty text", "the text is empty"),
    ROW("a.csv", "created_at,text\n1,one\nnever,x\n3,three\n", "bad time",
        "created_at is 'never': neither ISO 8601 nor milliseconds"),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"text\":}\n{\"text\":\"three\"}\n", "bad JSON", NULL),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"\xff\"}\n{\"text\":\"three\"}\n", "bad UTF-8",
        NULL),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"\\u0000\"}\n{\"text\":\"three\"}\n", "NUL",
        NULL),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"a\0\"}\n{\"text\":\"three\"}\n", "NUL", NULL),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"user\":\"u\"}\n{\"text\":\"three\"}\n", "no text",
        "the record has no text"),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"text\":null}\n{\"text\":\"three\"}\n", "no text", NULL),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"\"}\n{\"text\":\"three\"}\n", "empty text",
        NULL),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"text\":[1]}\n{\"text\":\"three\"}\n", "bad text",
        "the text is not a string"),
    ROW("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"a\",\"user\":{}}\n{\"text\":\"three\"}\n",
        "bad field", NULL),
    ROW("a.jsonl",
        "{\"text\":\"one\"}\n{\"text\":\"a\",\"created_at\":true}\n{\"text\":\"three\"}\n",
        "bad time", NULL),
    ROW("a.jsonl", "{\"text\":\"one\"}\n[1,2]\n{\"text\":\"three\"}\n", "not an object", NULL),
#undef ROW
};

CASE(replay_buries_bad_records_and_goes_on) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        outcome run = read_bytes(bad[i].file, bad[i].bytes, bad[i].size);
        EXPECT_INT(run.status, DN_OK);
        REQUIRE(run.n == 3);
        EXPECT_TEXT(run.rows[0].text, "one");
        EXPECT(run.rows[0].reason == NULL);
        EXPECT_TEXT(run.rows[1].reason, bad[i].reason);
        EXPECT(run.rows[1].raw && run.rows[1].text == NULL);
        EXPECT_INT(run.rows[1].partition, 1);
        if (bad[i].detail) {
            EXPECT_TEXT(run.rows[1].detail, bad[i].detail);
        }
        EXPECT_TEXT(run.rows[2].text, "three");
        run_free(&run);
    }
}

CASE(replay_buries_oversize_records) {
    enum { SIZE = 3 << 20 };
    static const char *const heads[] = {"{\"text\":\"one\"}\n{\"text\":\"",
                                        "user,text\na,one\nb,\""};
    static const char *const tails[] = {"\"}\n{\"text\":\"three\"}", "\"\nd,three\n"};
    char *bytes = malloc(SIZE + 100);
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(heads[i]);
        memcpy(bytes, heads[i], n);
        memset(bytes + n, 'x', SIZE);
        memcpy(bytes + n + SIZE, tails[i], strlen(tails[i]));
        outcome run = read_bytes(i ? "big.csv" : "big.jsonl", bytes, n + SIZE + strlen(tails[i]));
        EXPECT_INT(run.status, DN_OK);
        REQUIRE(run.n == 3);
        EXPECT_TEXT(run.rows[1].reason, "oversize");
        EXPECT_INT(strlen(run.rows[1].raw), 4096);
        EXPECT(strstr(run.rows[1].detail, "31457") != NULL);
        EXPECT_TEXT(run.rows[2].text, "three");
        run_free(&run);
    }
    free(bytes);
}

static const struct {
    const char *file, *bytes;
    size_t n;            /**< whole records before the cut */
    const char *message; /**< part of the failure's text */
} cuts[] = {
    {"a.csv", "user,text\na,one\nb,\"two", 1,
     "ends at byte 22 inside the record that begins at byte 16"},
    {"a.csv", "user,text\na,one\nb", 1, "fields are missing"},
    {"a.jsonl", "{\"text\":\"one\"}\n{\"te", 1,
     "ends at byte 19 inside the record that begins at byte 15"},
};

CASE(replay_delivers_what_is_whole_before_a_cut) {
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        outcome run = read_text(cuts[i].file, cuts[i].bytes);
        EXPECT_INT(run.status, DN_FATAL);
        EXPECT_INT(run.failure.error, DN_E_DATA);
        EXPECT_INT(dn_error_get(run.failure.error)->exit_status, 65);
        EXPECT(strstr(run.failure.text, cuts[i].message) && strstr(run.failure.text, cuts[i].file));
        EXPECT_INT(run.n, cuts[i].n);
        EXPECT(run.n && !strcmp(run.rows[0].text, "one"));
        run_free(&run);
    }
}

/** A corpus of n lines "text <i> <random>". */
static char *make_lines(int n, size_t *size) {
    char *bytes = malloc((size_t)n * 80);
    char *at = bytes;
    for (int i = 0; i < n; i++) {
        at += sprintf(at, "{\"user\":\"u%d\",\"created_at\":%d,\"text\":\"text %d %llx\"}\n",
                      i % 50, i * 10, i, (unsigned long long)dn_random());
    }
    *size = (size_t)(at - bytes);
    return bytes;
}

CASE(replay_keeps_the_id_of_the_corpus_when_asked) {
    static const char *const texts[] = {"tweet_id,text\n\"9,1\",one\n",
                                        "{\"tweet_id\":91,\"text\":\"one\"}\n"};
    static const char *const ids[] = {"9,1", "91"};
    for (int i = 0; i < 2; i++) {
        char path[PATHS];
        path_prop(path, temp_file("ids", texts[i], strlen(texts[i])));
        plan wanted = {.ops = &dn_source_corpus, .props = {path, "fields.id=tweet_id", "name=shown"}};
        outcome run = run_source(&wanted);
        EXPECT_INT(run.status, DN_OK);
        REQUIRE(run.n == 1);
        EXPECT_TEXT(run.rows[0].source_id, ids[i]);
        EXPECT_INT(run.rows[0].offset, 0);
        EXPECT_TEXT(run.topic, "shown");
        run_free(&run);
    }
}

CASE(replay_of_nothing_is_nothing) {
    outcome run = read_text("nothing.jsonl", "\n\n");
    EXPECT_INT(run.status, DN_OK);
    EXPECT_INT(run.n, 0);
    run_free(&run);
    run = read_text("header.csv", "user,text\n");
    EXPECT_INT(run.status, DN_OK);
    EXPECT_INT(run.n, 0);
    run_free(&run);
}

CASE(replay_packs_only_whole_corpora) {
    static const char cut[] = "user,text\na,one\nb,\"two";
    char out[PATHS];
    dn_corpus_options options = {0};
    dn_corpus_report report;
    snprintf(out, sizeof out, "%s", temp_path("cut.h5"));
    const char *path = temp_file("cut.csv", cut, sizeof cut - 1);
    EXPECT(dn_corpus_pack(path, out, &options, &report) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, DN_E_DATA);
    EXPECT_INT(report.n_records, 1);
    EXPECT(fopen(out, "rb") == NULL);
    EXPECT(dn_corpus_describe(path, &options, &report) == DN_FATAL);
    EXPECT_INT(report.n_records, 1);
}

CASE(replay_truncated_archives) {
    static const char *const codecs[] = {"gzip", "zstd", "xz"};
    size_t size, packed_size;
    char *bytes = make_lines(20000, &size);
    for (size_t c = 0; c < 3; c++) {
        unsigned char *packed = squeeze(codecs[c], bytes, size, &packed_size);
        outcome run = read_bytes("cut.jsonl", (char *)packed, packed_size * 2 / 3);
        EXPECT_INT(run.status, DN_FATAL);
        EXPECT_INT(run.failure.error, DN_E_DATA);
        EXPECT(strstr(run.failure.text, "cut off in the middle at byte"));
        EXPECT(strstr(run.failure.text, codecs[c]));
        EXPECT(run.n > 1000 && run.n < 20000);
        for (size_t i = 0; i < run.n; i++) {
            char want[32];
            snprintf(want, sizeof want, "text %zu ", i);
            EXPECT(run.rows[i].text && !strncmp(run.rows[i].text, want, strlen(want)));
        }
        run_free(&run);
        packed[packed_size / 2] ^= 0x55;
        packed[packed_size / 2 + 1] ^= 0x55;
        run = read_bytes("damaged.jsonl", (char *)packed, packed_size);
        EXPECT_INT(run.status, DN_FATAL);
        EXPECT_INT(run.failure.error, DN_E_DATA);
        run_free(&run);
        free(packed);
    }
    free(bytes);
}

CASE(replay_reads_several_members) {
    static const char *const codecs[] = {"gzip", "zstd", "xz"};
    static const char one[] = "{\"text\":\"one\"}\n{\"te", two[] = "xt\":\"two\"}\n";
    for (size_t c = 0; c < 3; c++) {
        size_t a, b;
        unsigned char *first = squeeze(codecs[c], one, sizeof one - 1, &a);
        unsigned char *second = squeeze(codecs[c], two, sizeof two - 1, &b);
        unsigned char both[1024];
        memcpy(both, first, a);
        memcpy(both + a, second, b);
        outcome run = read_bytes("members", (char *)both, a + b);
        EXPECT_INT(run.status, DN_OK);
        REQUIRE(run.n == 2);
        EXPECT_TEXT(run.rows[1].text, "two");
        run_free(&run);
        free(first);
        free(second);
    }
}

CASE(replay_names_what_is_wrong_in_the_setting) {
    char path[PATHS];
    path_prop(path, temp_file("a.csv", "usr,txt,lang\na,b,c\n", 19));
    plan wanted = {.ops = &dn_source_corpus, .props = {path}};
    outcome run = run_source(&wanted);
    EXPECT_INT(run.failure.error, DN_E_CONFIG);
    EXPECT(strstr(run.failure.text, "did you mean 'txt'?") &&
           strstr(run.failure.text, "usr, txt, lang"));
    wanted.props[1] = "fields.text=txt";
    wanted.props[2] = "fields.user=nobody";
    run = run_source(&wanted);
    EXPECT_INT(run.failure.error, DN_E_CONFIG);
    EXPECT(strstr(run.failure.text, "no column 'nobody' for the field user"));
    wanted.props[2] = "fields.when=usr";
    run = run_source(&wanted);
    EXPECT_INT(run.failure.error, DN_E_CONFIG);
    wanted.props[2] = "fields.user=usr";
    run = run_source(&wanted);
    EXPECT_INT(run.status, DN_OK);
    EXPECT(run.n == 1 && !strcmp(run.rows[0].text, "b"));
    run_free(&run);
    wanted.props[3] = "pace=fast";
    run = run_source(&wanted);
    EXPECT_INT(run.failure.error, DN_E_CONFIG);
    path_prop(path, temp_path("nothing.csv"));
    run = run_source(&wanted);
    wanted.props[3] = NULL;
    run = run_source(&wanted);
    EXPECT_INT(run.failure.error, DN_E_NO_INPUT);
    EXPECT_INT(dn_error_get(run.failure.error)->exit_status, 66);
}

static bool same(const got *a, const got *b) {
    bool texts = (!a->text && !b->text) || (a->text && b->text && !strcmp(a->text, b->text));
    bool reasons =
        (!a->reason && !b->reason) || (a->reason && b->reason && !strcmp(a->reason, b->reason));
    bool users = (!a->user && !b->user) || (a->user && b->user && !strcmp(a->user, b->user));
    return texts && reasons && users && a->offset == b->offset && a->partition == b->partition &&
           a->event_ms == b->event_ms;
}

static void expect_same(const outcome *a, const outcome *b) {
    EXPECT_INT(a->n, b->n);
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        EXPECT(same(&a->rows[i], &b->rows[i]));
    }
}

/** A generated corpus with bad records, as JSON Lines or packed. */
static const char *make_corpus(int rows, bool packed) {
    static char text[PATHS], h5[PATHS];
    dn_generate_options options = {.n_rows = rows, .seed = 7, .bad_share = 0.02};
    dn_corpus_report report;
    snprintf(text, sizeof text, "%s", temp_path("made.jsonl"));
    if (dn_generate(text, &options) != DN_OK) {
        return NULL;
    }
    snprintf(h5, sizeof h5, "%s", temp_path("made.h5"));
    dn_corpus_options read = {0};
    if (packed && dn_corpus_pack(text, h5, &read, &report) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        return NULL;
    }
    return packed ? h5 : text;
}

static void expect_ranks_share(const char *corpus, const outcome *all) {
    char path[PATHS];
    path_prop(path, corpus);
    for (int size = 2; size <= 5; size += 3) {
        outcome joined = {0};
        for (int rank = 0; rank < size; rank++) {
            plan wanted = {.ops = &dn_source_corpus, .props = {path}, .rank = rank, .size = size};
            outcome one = run_source(&wanted);
            EXPECT_INT(one.status, DN_OK);
            for (size_t i = 0; i < one.n; i++) {
                EXPECT_INT(one.rows[i].partition % size, rank);
            }
            run_add(&joined, &one);
        }
        run_sort(&joined);
        expect_same(all, &joined);
        run_free(&joined);
    }
}

/** Stops after about half, then goes on from the cursors: together everything, nothing twice. */
static void expect_restart(const char *corpus, const outcome *all) {
    char path[PATHS];
    int64_t start[12];
    path_prop(path, corpus);
    plan wanted = {.ops = &dn_source_corpus, .props = {path}, .stop_after = (int64_t)all->n / 2};
    outcome first = run_source(&wanted);
    EXPECT(first.n >= all->n / 2 && first.n < all->n);
    for (int p = 0; p < 12; p++) {
        start[p] = -1;
    }
    for (size_t i = 0; i < first.n; i++) {
        const got *g = &first.rows[i];
        start[g->partition] =
            g->offset >= start[g->partition] ? g->offset + 1 : start[g->partition];
    }
    wanted.stop_after = 0;
    wanted.start = start;
    outcome rest = run_source(&wanted);
    EXPECT_INT(rest.n, all->n - first.n);
    run_add(&first, &rest);
    run_sort(&first);
    expect_same(all, &first);
    run_free(&first);
}

CASE(replay_ranks_and_restarts_lose_and_repeat_nothing) {
    enum { ROWS = 30000 };
    outcome runs[2];
    for (int packed = 0; packed < 2; packed++) {
        const char *corpus = make_corpus(ROWS, packed);
        char path[PATHS];
        REQUIRE(corpus);
        path_prop(path, corpus);
        plan wanted = {.ops = &dn_source_corpus, .props = {path}};
        runs[packed] = run_source(&wanted);
        EXPECT_INT(runs[packed].status, DN_OK);
        EXPECT_INT(runs[packed].n, ROWS);
        EXPECT_INT(runs[packed].stats.total_records, ROWS);
        run_sort(&runs[packed]);
        expect_ranks_share(corpus, &runs[packed]);
        expect_restart(corpus, &runs[packed]);
    }
    expect_same(&runs[0], &runs[1]);
    run_free(&runs[0]);
    run_free(&runs[1]);
}

CASE(replay_packed_with_another_index_places_by_key) {
    const char *corpus = make_corpus(3000, true);
    char path[PATHS], text[PATHS];
    REQUIRE(corpus);
    path_prop(path, corpus);
    snprintf(text, sizeof text, "path=%.*s.jsonl", (int)strlen(corpus) - 3, corpus);
    plan a = {.ops = &dn_source_corpus, .props = {path, "partitions=5", "partition_by=author"}};
    plan b = {.ops = &dn_source_corpus, .props = {text, "partitions=5", "partition_by=author"}};
    outcome packed = run_source(&a), lines = run_source(&b);
    run_sort(&packed);
    run_sort(&lines);
    EXPECT_INT(packed.n, 3000);
    expect_same(&packed, &lines);
    run_free(&packed);
    run_free(&lines);
}

/** Offsets and indices with wrong values: an error or rows, never a read outside the file. The
 * library's own structures are left alone; HDF5 1.10 does not promise to survive their damage. */
CASE(replay_survives_damaged_packed_corpora) {
    static const char *const paths[] = {"/index/partition/starts", "/index/partition/number",
                                        "/records/text/offsets", "/bad/number", "/bad/raw/offsets"};
    static char bytes[1 << 20];
    const char *corpus = make_corpus(200, true);
    uint64_t offset[5], size_bytes[5];
    dn_h5_file *h5;
    REQUIRE(corpus && dn_h5_open(corpus, &h5) == DN_OK);
    for (int i = 0; i < 5; i++) {
        REQUIRE(dn_h5_extent(h5, paths[i], &offset[i], &size_bytes[i]) == DN_OK);
    }
    dn_h5_abandon(h5);
    FILE *file = fopen(corpus, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    int refused = 0;
    for (int round = 0; round < 200; round++) {
        int which = round % 5;
        size_t at = offset[which] + dn_random() % size_bytes[which];
        char old = bytes[at];
        bytes[at] = (char)(old ^ (1 << dn_random() % 8));
        outcome run = read_bytes("broken.h5", bytes, size);
        refused += run.status != DN_OK;
        EXPECT(run.status == DN_OK || run.failure.error == DN_E_DATA);
        run_free(&run);
        bytes[at] = old;
    }
    outcome run = read_bytes("short.h5", bytes, size / 2);
    EXPECT(run.status != DN_OK);
    run_free(&run);
    EXPECT(refused > 50);
}

/** The samples that come with the house: reasons of the bad ones, and nothing bad among the good.
 */
CASE(replay_of_the_samples) {
    static const char *const reasons[] = {NULL,
                                          "bad JSON",
                                          "bad JSON",
                                          "bad UTF-8",
                                          "bad UTF-8",
                                          "bad JSON",
                                          "NUL",
                                          "empty text",
                                          "no text",
                                          "no text",
                                          "bad text",
                                          "bad time",
                                          "bad field",
                                          "duplicate field",
                                          "not an object",
                                          "not an object",
                                          "trailing bytes",
                                          "nested too deep",
                                          "NUL",
                                          NULL};
    enum { N_BAD = sizeof reasons / sizeof *reasons };
    plan wanted = {.ops = &dn_source_corpus, .props = {"path=datasets/samples/bad.jsonl"}};
    outcome run = run_source(&wanted);
    run_sort(&run);
    EXPECT_INT(run.status, DN_OK);
    REQUIRE(run.n == N_BAD);
    for (int i = 0; i < N_BAD; i++) {
        EXPECT_INT(run.rows[i].reason != NULL, reasons[i] != NULL);
        if (reasons[i]) {
            EXPECT_TEXT(run.rows[i].reason, reasons[i]);
        }
    }
    run_free(&run);
    wanted.props[0] = "path=datasets/samples/tweets.jsonl";
    run = run_source(&wanted);
    EXPECT_INT(run.n, 200);
    for (size_t i = 0; i < run.n; i++) {
        EXPECT(run.rows[i].text && run.rows[i].language && run.rows[i].event_ms > 0);
    }
    run_free(&run);
}

CASE(replay_keeps_the_recorded_pace) {
    enum { N = 40 };
    char text[N * 64], *at = text;
    for (int i = 0; i < N; i++) {
        at += sprintf(at, "{\"created_at\":%d,\"text\":\"t%d\"}\n", i * 100, i);
    }
    char path[PATHS];
    path_prop(path, temp_file("paced.jsonl", text, strlen(text)));
    plan wanted = {.ops = &dn_source_corpus, .props = {path, "pace=50x"}};
    outcome run = run_source(&wanted);
    run_sort(&run);
    EXPECT_INT(run.status, DN_OK);
    REQUIRE(run.n == N);
    for (int i = 0; i < N; i++) {
        EXPECT_INT(run.rows[i].sent_ns - run.rows[0].sent_ns, i * INT64_C(2000000));
    }
    EXPECT(run.stats.lag >= 0);
    EXPECT(run.n_chunks > 1);
    run_free(&run);
    wanted.props[1] = "limit=7";
    run = run_source(&wanted);
    EXPECT_INT(run.n, 7);
    EXPECT_INT(run.stats.lag, -1);
    run_free(&run);
}

CASE(replay_of_the_real_corpus) {
    const char *folder = getenv("DUNLIN_DATA");
    char path[PATHS];
    snprintf(path, sizeof path, "path=%s/ira_3days_2017-08-15_17.csv.xz",
             folder ? folder : "../shared/data");
    FILE *file = fopen(path + 5, "rb");
    if (!file) {
        SKIP("the corpus is not in $DUNLIN_DATA");
    }
    fclose(file);
    plan wanted = {.ops = &dn_source_corpus, .props = {path}};
    outcome run = run_source(&wanted);
    run_sort(&run);
    EXPECT_INT(run.status, DN_OK);
    EXPECT_INT(run.n, 40937);
    EXPECT_TEXT(run.topic, "ira_3days_2017-08-15_17");
    size_t bytes = 0;
    for (size_t i = 0; i < run.n; i++) {
        EXPECT_INT(run.rows[i].offset, i);
        EXPECT(run.rows[i].text && run.rows[i].user && run.rows[i].event_ms >= 1502755200000);
        bytes += run.rows[i].text_size;
    }
    EXPECT(bytes > 80 * run.n && bytes < 150 * run.n);
    run_free(&run);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
