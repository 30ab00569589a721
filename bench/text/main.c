/* Times decode, clean and tokenise as the pipeline runs them, chunk by chunk on one thread, and
 * checks what they make. What the columns mean: README.md. */
#include "load.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "io/json.h"
#include "io/json_write.h"
#include "text/stages.h"

#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>

enum {
    READ,
    DECODE,
    CLEAN,
    TOKENISE,
    ALL,
    ROWS,
    FIRST_STAGE = DECODE,
    N_STAGES = 3,
    MAX_RUNS = 1000
};

static const char *const row_names[ROWS] = {"read", "decode", "clean", "tokenise", "all three"};

typedef struct options {
    const char *corpus, *model, *write;
    int n_runs;
    size_t n_records;
    bool json;
} options;

/* The three stages, bound to one schema, and the chunk they work on. */
typedef struct line {
    dn_schema schema;
    void *conf[N_STAGES], *worker[N_STAGES];
    int value, text, clean, ids;
    dn_chunk *chunk;
} line;

/* What a pass over all records took and made. */
typedef struct pass {
    int64_t cpu_ns[ROWS];
    double bytes[ROWS]; /* read by the row */
    int64_t texts, tokens, bad;
    uint64_t digest[ROWS];
} pass;

static const dn_stage_ops *const stages[N_STAGES] = {&dn_stage_decode, &dn_stage_clean,
                                                     &dn_stage_tokenise};

/* Digests of what the built-in set becomes: ids by the reference library, texts by normalise.py
 * (README.md). */
enum { KNOWN_RECORDS = 20000 };
static const uint64_t known[ROWS] = {
    [CLEAN] = 0xe188e75db6ee4df8, [TOKENISE] = 0xe0bd57ae81c76de7, [ALL] = 0xe0bd57ae81c76de7};

static const char usual_model[] = "models/tweets";

static const char usage[] =
    "usage: text [--corpus FILE] [--model DIR] [--records N] [--runs N] [--output table|json] "
    "[--write FILE]\n"
    "  --corpus FILE  JSON Lines, plain or compressed; default: a built-in set of 20000\n"
    "  --model DIR    its vocabulary; default models/tweets\n"
    "  --records N    at most so many records; default 20000\n"
    "  --runs N       timed passes, 1 to 1000; default 15\n"
    "  --output FORM  table or json; default table\n"
    "  --write FILE   only writes the records there\n";

static void die(int status) {
    fprintf(stderr, "text: %s\n", dn_failure_last()->text);
    exit(status);
}

static bool parse_count(const char *text, long most, long *out) {
    char *end;
    *out = strtol(text, &end, 10);
    return end != text && !*end && *out >= 1 && *out <= most;
}

static options parse(int argc, char **argv) {
    static const struct option names[] = {
        {"corpus", required_argument, NULL, 'c'},  {"model", required_argument, NULL, 'm'},
        {"records", required_argument, NULL, 'r'}, {"runs", required_argument, NULL, 'n'},
        {"output", required_argument, NULL, 'o'},  {"write", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},          {0}};
    options o = {.model = usual_model, .n_runs = 15, .n_records = KNOWN_RECORDS};
    long count;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'c') {
            o.corpus = optarg;
        } else if (c == 'm') {
            o.model = optarg;
        } else if (c == 'w') {
            o.write = optarg;
        } else if (c == 'r' && parse_count(optarg, 1 << 24, &count)) {
            o.n_records = (size_t)count;
        } else if (c == 'n' && parse_count(optarg, MAX_RUNS, &count)) {
            o.n_runs = (int)count;
        } else if (c == 'o' && (strcmp(optarg, "json") == 0 || strcmp(optarg, "table") == 0)) {
            o.json = *optarg == 'j';
        } else {
            fputs(usage, c == 'h' ? stdout : stderr);
            exit(c == 'h' ? EX_OK : EX_USAGE);
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        exit(EX_USAGE);
    }
    return o;
}

static dn_status set_up(line *l, const char *model) {
    dn_field value = {.name = "value",
                      .type = DN_BYTES,
                      .width = 1,
                      .units = "",
                      .long_name = "",
                      .group = "records"};
    dn_bind bind = {.schema = &l->schema,
                    .job = "bench",
                    .pipeline = "bench",
                    .base_dir = ".",
                    .n_models = 1,
                    .model = {{model, "ids"}}};
    DN_TRY(dn_schema_add(&l->schema, value, &l->value));
    for (int i = 0; i < N_STAGES; i++) {
        l->conf[i] = dn_alloc(stages[i]->conf_size);
        DN_TRY(dn_props_init(stages[i]->props, l->conf[i]));
        DN_TRY(stages[i]->bind(l->conf[i], &bind));
        if (stages[i]->open) {
            DN_TRY(stages[i]->open(l->conf[i], &l->worker[i]));
        }
    }
    l->text = dn_schema_find(&l->schema, "text");
    l->clean = dn_schema_find(&l->schema, "clean");
    l->ids = dn_schema_find(&l->schema, "ids");
    l->chunk = dn_chunk_new(&l->schema);
    return DN_OK;
}

static void tear_down(line *l) {
    dn_chunk_free(l->chunk);
    for (int i = 0; i < N_STAGES; i++) {
        if (stages[i]->close) {
            stages[i]->close(l->worker[i]);
        }
        if (stages[i]->unbind) {
            stages[i]->unbind(l->conf[i]);
        }
        dn_props_free(stages[i]->props, l->conf[i]);
        free(l->conf[i]);
    }
}

static size_t fill(line *l, const load *records, size_t first) {
    size_t n = records->n - first < DN_CHUNK_ROWS ? records->n - first : DN_CHUNK_ROWS;
    dn_chunk_reset(l->chunk);
    for (size_t i = 0; i < n; i++) {
        uint32_t row = dn_chunk_append(l->chunk, (int64_t)(first + i), DN_NULL_I64, DN_NULL_I64);
        dn_chunk_bytes(l->chunk, l->value)[row] = records->record[first + i];
    }
    return n;
}

/* Not timed: what the chunk holds now goes into the digests. */
static void digest_chunk(const line *l, dn_hasher *const *hasher, pass *p) {
    const dn_chunk *chunk = l->chunk;
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        uint16_t row = chunk->sel[i];
        dn_span text = dn_chunk_bytes(chunk, l->text)[row],
                clean = dn_chunk_bytes(chunk, l->clean)[row];
        dn_ids ids = dn_chunk_ids(chunk, l->ids)[row];
        dn_hasher_add(hasher[DECODE], text.ptr, text.len);
        dn_hasher_add(hasher[DECODE], "\n", 1);
        dn_hasher_add(hasher[CLEAN], clean.ptr, clean.len);
        dn_hasher_add(hasher[CLEAN], "\n", 1);
        dn_hasher_add(hasher[TOKENISE], &ids.n, sizeof ids.n);
        dn_hasher_add(hasher[TOKENISE], ids.id, (size_t)ids.n * sizeof *ids.id);
        p->bytes[CLEAN] += (double)text.len;
        p->bytes[TOKENISE] += (double)clean.len;
        p->tokens += ids.n;
    }
    p->texts += chunk->n_sel;
    p->bad += chunk->n_letters;
}

static uint64_t read_records(const load *records, size_t first, size_t n) {
    uint64_t sum = 0;
    for (size_t i = first; i < first + n; i++) {
        sum += dn_hash64(records->record[i], 0);
    }
    return sum;
}

static void time_chunk(line *l, const load *records, size_t first, pass *p, size_t *n) {
    int64_t at[N_STAGES + 2];
    *n = fill(l, records, first);
    at[0] = dn_thread_cpu_ns();
    p->digest[READ] += read_records(records, first, *n);
    at[1] = dn_thread_cpu_ns();
    for (int i = 0; i < N_STAGES; i++) {
        if (stages[i]->run(l->conf[i], l->worker[i], l->chunk) != DN_OK) {
            die(EX_SOFTWARE);
        }
        at[i + 2] = dn_thread_cpu_ns();
    }
    for (int i = 0; i <= N_STAGES; i++) {
        p->cpu_ns[i] += at[i + 1] - at[i];
    }
    p->cpu_ns[ALL] += at[N_STAGES + 1] - at[1];
}

static pass run_pass(line *l, const load *records, dn_hasher *const *hasher) {
    pass p = {0};
    for (int i = FIRST_STAGE; i < ALL; i++) {
        dn_hasher_reset(hasher[i]);
    }
    for (size_t first = 0, n; first < records->n; first += n) {
        time_chunk(l, records, first, &p, &n);
        digest_chunk(l, hasher, &p);
    }
    for (size_t i = 0; i < records->n; i++) {
        p.bytes[READ] += (double)records->record[i].len;
    }
    p.bytes[DECODE] = p.bytes[ALL] = p.bytes[READ];
    for (int i = FIRST_STAGE; i < ALL; i++) {
        p.digest[i] = dn_hasher_value(hasher[i]);
    }
    p.digest[ALL] = p.digest[TOKENISE];
    return p;
}

/* The digest of the texts as another JSON library reads them; records it refuses have none. */
static uint64_t oracle_digest(const load *records, dn_hasher *hasher) {
    dn_hasher_reset(hasher);
    for (size_t i = 0; i < records->n; i++) {
        dn_json *doc = NULL;
        dn_json_at root, at;
        const char *text = "";
        if (dn_json_parse(records->record[i], "record", DN_E_DATA, &doc) == DN_OK) {
            root = dn_json_root(doc);
            if (dn_json_find(&root, "text", &at) && dn_json_text(&at, &text) == DN_OK && *text) {
                dn_hasher_add(hasher, text, strlen(text));
                dn_hasher_add(hasher, "\n", 1);
            }
        }
        dn_json_free(doc);
    }
    return dn_hasher_value(hasher);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The q-quantile of what each pass took for a row, in ns. */
static double quantile(const pass *passes, int n, int row, double q) {
    double ns[MAX_RUNS];
    for (int i = 0; i < n; i++) {
        ns[i] = (double)passes[i].cpu_ns[row];
    }
    qsort(ns, (size_t)n, sizeof *ns, by_value);
    return ns[(int)(q * (n - 1) + 0.5)];
}

/* "ok", "WRONG", or "same": equal in all passes, with nothing to compare to. */
static const char *verdict(const pass *passes, int n, int row, uint64_t want) {
    for (int i = 1; i < n; i++) {
        if (passes[i].digest[row] != passes[0].digest[row]) {
            return "WRONG";
        }
    }
    if (!want) {
        return "same";
    }
    return passes[0].digest[row] == want ? "ok" : "WRONG";
}

static void print_row(const options *o, const pass *passes, int row, double n_records,
                      const char *check) {
    double median_ns = quantile(passes, o->n_runs, row, 0.5);
    double spread =
        (quantile(passes, o->n_runs, row, 0.75) - quantile(passes, o->n_runs, row, 0.25)) /
        median_ns;
    double rate = n_records / median_ns * 1e9, megabytes = passes->bytes[row] / median_ns * 1e3;
    double tokens = row >= TOKENISE ? (double)passes->tokens / median_ns * 1e3 : 0;
    if (o->json) {
        printf("%s\n  {\"stage\": \"%s\", \"runs\": %d, \"ns_per_record\": %.1f, "
               "\"records_per_s\": %.0f, \"megabytes_per_s\": %.1f, "
               "\"megatokens_per_s\": %.2f, \"spread\": %.4f, \"digest\": \"%016llx\", \"check\": "
               "\"%s\"}",
               row ? "," : "", row_names[row], o->n_runs, median_ns / n_records, rate, megabytes,
               tokens, spread, (unsigned long long)passes->digest[row], check);
        return;
    }
    printf("  %-10s %10.0f %12.0f %8.1f %8.2f %8.1f  %-5s %016llx\n", row_names[row],
           median_ns / n_records, rate, megabytes, tokens, 100 * spread, check,
           (unsigned long long)passes->digest[row]);
}

static bool report(const options *o, const pass *passes, const load *records, uint64_t oracle) {
    bool built_in = !o->corpus && strcmp(o->model, usual_model) == 0 && records->n == KNOWN_RECORDS,
         correct = true;
    if (o->json) {
        printf("{\"program\": \"dunlin bench text\", \"version\": \"%s\", \"records\": %zu, "
               "\"texts\": %lld, \"bad\": %lld, \"rows\": [",
               DUNLIN_VERSION, records->n, (long long)passes->texts, (long long)passes->bad);
    } else {
        printf("# dunlin %s bench text: %zu records (%lld bad) of %.0f bytes, %.1f tokens; one "
               "thread, CPU time, median of %d passes\n",
               DUNLIN_VERSION, records->n, (long long)passes->bad,
               passes->bytes[READ] / (double)records->n,
               (double)passes->tokens / (double)passes->texts, o->n_runs);
        printf("# %-10s %10s %12s %8s %8s %8s  %-5s %s\n", "stage", "ns/record", "records/s",
               "MB/s", "Mtoken/s", "spread %", "check", "digest");
    }
    for (int row = 0; row < ROWS; row++) {
        uint64_t want = row == DECODE ? oracle : built_in ? known[row] : 0;
        const char *check = verdict(passes, o->n_runs, row, want);
        print_row(o, passes, row, (double)records->n, check);
        correct = correct && *check != 'W';
    }
    if (o->json) {
        printf("\n]}\n");
    }
    return correct;
}

int main(int argc, char **argv) {
    options o = parse(argc, argv);
    load records;
    line l = {0};
    dn_hasher *hasher[ROWS];
    if (!o.corpus) {
        load_make(o.n_records, &records);
    } else if (load_read(o.corpus, o.n_records, &records) != DN_OK) {
        die(EX_NOINPUT);
    }
    if (o.write) {
        return load_write(&records, o.write) == DN_OK ? EX_OK : (die(EX_CANTCREAT), EX_CANTCREAT);
    }
    if (set_up(&l, o.model) != DN_OK) {
        die(EX_DATAERR);
    }
    for (int i = 0; i < ROWS; i++) {
        hasher[i] = dn_hasher_new();
    }
    uint64_t oracle = oracle_digest(&records, hasher[DECODE]);
    pass *passes = dn_alloc_array((size_t)o.n_runs, sizeof *passes);
    run_pass(&l, &records, hasher); /* warms caches and arenas */
    for (int i = 0; i < o.n_runs; i++) {
        passes[i] = run_pass(&l, &records, hasher);
    }
    bool correct = report(&o, passes, &records, oracle);
    for (int i = 0; i < ROWS; i++) {
        dn_hasher_free(hasher[i]);
    }
    free(passes);
    tear_down(&l);
    load_free(&records);
    return correct ? EX_OK : 1;
}
