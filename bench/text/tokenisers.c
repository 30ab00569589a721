/* Times tokenisers alone over the texts of a JSON Lines file, one thread. What the columns mean:
 * README.md. */
#include "load.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "io/json.h"
#include "text/tokeniser.h"

#include <stdlib.h>
#include <sysexits.h>

enum { MAX_RUNS = 1000, USUAL_RUNS = 9, MADE_RECORDS = 20000 };

/* The texts, and what passes over them took and made. */
typedef struct work {
    dn_span *text;
    size_t n;
    double bytes;
    double warm_ns[MAX_RUNS], cold_ns[MAX_RUNS];
    int64_t tokens;
    uint64_t digest;
    int n_runs;
} work;

static void die(int status) {
    fprintf(stderr, "tokenisers: %s\n", dn_failure_last()->text);
    exit(status);
}

static void take_texts(const load *records, work *w) {
    w->text = dn_alloc_array(records->n, sizeof *w->text);
    for (size_t i = 0; i < records->n; i++) {
        dn_json *doc = NULL;
        dn_json_at at;
        const char *text = "";
        if (dn_json_parse(records->record[i], "record", DN_E_DATA, &doc) == DN_OK) {
            dn_json_at root = dn_json_root(doc);
            if (dn_json_find(&root, "text", &at) && dn_json_text(&at, &text) == DN_OK) {
                w->text[w->n++] = dn_span_of(dn_strdup(text));
                w->bytes += (double)strlen(text);
            }
        }
        dn_json_free(doc);
    }
}

static double time_pass(const work *w, const dn_tokeniser *t, dn_token_cache *cache, int32_t *ids,
                        int32_t room, int64_t *tokens) {
    int64_t begin_ns = dn_thread_cpu_ns();
    *tokens = 0;
    for (size_t i = 0; i < w->n; i++) {
        *tokens += dn_tokeniser_encode(t, cache, w->text[i], room, ids);
    }
    return (double)(dn_thread_cpu_ns() - begin_ns);
}

static uint64_t digest_of(const work *w, const dn_tokeniser *t, dn_token_cache *cache, int32_t *ids,
                          int32_t room) {
    dn_hasher *hasher = dn_hasher_new();
    for (size_t i = 0; i < w->n; i++) {
        int32_t n = dn_tokeniser_encode(t, cache, w->text[i], room, ids);
        dn_hasher_add(hasher, &n, sizeof n);
        dn_hasher_add(hasher, ids, (size_t)n * sizeof *ids);
    }
    uint64_t digest = dn_hasher_value(hasher);
    dn_hasher_free(hasher);
    return digest;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_model(work *w, const char *dir) {
    enum { ROOM = 1 << 16 };
    int64_t begin_ns = dn_thread_cpu_ns();
    dn_tokeniser *t;
    if (dn_tokeniser_open(dir, &t) != DN_OK) {
        die(EX_DATAERR);
    }
    double open_ms = (double)(dn_thread_cpu_ns() - begin_ns) / 1e6;
    int32_t *ids = dn_alloc_array(ROOM, sizeof *ids);
    dn_token_cache *cache = dn_token_cache_new();
    w->digest = digest_of(w, t, cache, ids, ROOM);
    for (int i = 0; i < w->n_runs; i++) {
        dn_token_cache *fresh = dn_token_cache_new();
        w->cold_ns[i] = time_pass(w, t, fresh, ids, ROOM, &w->tokens);
        dn_token_cache_free(fresh);
        w->warm_ns[i] = time_pass(w, t, cache, ids, ROOM, &w->tokens);
    }
    qsort(w->warm_ns, (size_t)w->n_runs, sizeof *w->warm_ns, by_value);
    qsort(w->cold_ns, (size_t)w->n_runs, sizeof *w->cold_ns, by_value);
    double warm = w->warm_ns[w->n_runs / 2], cold = w->cold_ns[w->n_runs / 2];
    double spread = (w->warm_ns[3 * w->n_runs / 4] - w->warm_ns[w->n_runs / 4]) / warm;
    printf("%-10s %9.1f %9.0f %9.0f %8.1f %8.1f %8.2f %8.1f %016llx %s\n", dn_tokeniser_kind(t),
           open_ms, warm / (double)w->n, cold / (double)w->n, w->bytes / warm * 1e3,
           w->bytes / cold * 1e3, (double)w->tokens / warm * 1e3, 100 * spread,
           (unsigned long long)w->digest, dir);
    free(ids);
    dn_token_cache_free(cache);
    dn_tokeniser_close(t);
}

int main(int argc, char **argv) {
    static work w = {.n_runs = USUAL_RUNS};
    load records;
    if (argc < 3) {
        fputs("usage: tokenisers TEXTS DIR...\n"
              "  TEXTS  JSON Lines with a field \"text\", or - for the built-in set\n"
              "  DIR    models whose tokenisers are timed\n",
              stderr);
        return EX_USAGE;
    }
    if (strcmp(argv[1], "-") == 0) {
        load_make(MADE_RECORDS, &records);
    } else if (load_read(argv[1], (size_t)-1, &records) != DN_OK) {
        die(EX_NOINPUT);
    }
    take_texts(&records, &w);
    printf("# dunlin %s bench tokenisers: %zu texts of %.0f bytes; one thread, CPU time, median of "
           "%d passes\n# %-8s %9s %9s %9s %8s %8s %8s %8s %-16s %s\n",
           DUNLIN_VERSION, w.n, w.bytes / (double)w.n, w.n_runs, "kind", "open ms", "ns/text",
           "cold ns", "MB/s", "cold", "Mtoken/s", "spread %", "digest", "model");
    for (int i = 2; i < argc; i++) {
        time_model(&w, argv[i]);
    }
    for (size_t i = 0; i < w.n; i++) {
        free((char *)(uintptr_t)w.text[i].ptr);
    }
    free(w.text);
    load_free(&records);
    return EX_OK;
}
