/* How fast the corpus source delivers, and how its keys deal out a corpus. README.md says how to
 * read the rows.
 *
 *   source FILE [RUNS]     records/s and MB/s of CPU time, median and spread over RUNS (default 5)
 * after a warm-up source --keys FILE     per key: share of the largest partition, share of repeats
 * that meet in one partition */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "source/sources.h"

#include "source/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { RUNS_MAX = 64, PARTITIONS = 12 };

typedef struct totals {
    int64_t records, payload_bytes, bad, chunks;
    double wall_s, cpu_s;
} totals;

typedef void visitor(void *ctx, const dn_schema *schema, const dn_chunk *chunk);

static dn_status read_all(const char *path, const char *key, visitor *visit, void *ctx, totals *out) {
    const dn_source_ops *ops = &dn_source_corpus;
    dn_schema schema = {0};
    dn_bind bind = {.schema = &schema, .job = "bench", .pipeline = "bench"};
    dn_source *source;
    dn_poll what = DN_POLL_IDLE;
    void *conf = dn_alloc(ops->conf_size);
    DN_TRY(dn_props_init(ops->props, conf));
    DN_TRY(dn_prop_set(dn_prop_find(ops->props, "path"), conf, path));
    DN_TRY(dn_prop_set(dn_prop_find(ops->props, "partition_by"), conf, key));
    DN_TRY(ops->bind(conf, &bind));
    dn_source_env env = {.size = 1, .n_partitions = PARTITIONS, .bounded = true};
    dn_chunk *chunk = dn_chunk_new(&schema);
    int64_t wall_ns = dn_mono_ns(), cpu_ns = dn_thread_cpu_ns();
    DN_TRY(ops->open(conf, &env, &source));
    *out = (totals){0};
    while (what != DN_POLL_END) {
        dn_chunk_reset(chunk);
        DN_TRY(ops->poll(source, 100000000, chunk, &what));
        out->records += chunk->n_rows;
        out->payload_bytes += chunk->payload_bytes;
        out->bad += chunk->n_letters;
        out->chunks++;
        if (visit) {
            visit(ctx, &schema, chunk);
        }
    }
    out->wall_s = (double)(dn_mono_ns() - wall_ns) / 1e9;
    out->cpu_s = (double)(dn_thread_cpu_ns() - cpu_ns) / 1e9;
    ops->close(source);
    dn_chunk_free(chunk);
    ops->unbind(conf);
    dn_props_free(ops->props, conf);
    free(conf);
    return DN_OK;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static dn_status measure(const char *path, int n_runs) {
    double rates[RUNS_MAX];
    struct stat about = {0};
    totals seen;
    stat(path, &about);
    DN_TRY(read_all(path, "language+text", NULL, NULL, &seen));
    for (int i = 0; i < n_runs; i++) {
        DN_TRY(read_all(path, "language+text", NULL, NULL, &seen));
        rates[i] = (double)seen.records / seen.cpu_s;
    }
    qsort(rates, (size_t)n_runs, sizeof *rates, by_value);
    double median = rates[n_runs / 2];
    printf("%-40s %9lld records, %lld bad, %lld chunks\n", path, (long long)seen.records,
           (long long)seen.bad, (long long)seen.chunks);
    printf("  median %.3f M records/s of CPU time (%.3f to %.3f, %d runs), %.0f MB/s of file\n",
           median / 1e6, rates[0] / 1e6, rates[n_runs - 1] / 1e6, n_runs,
           median * (double)about.st_size / (double)seen.records / 1e6);
    return DN_OK;
}

/** First partition in which each folded text was seen: open addressing, hashes only. */
typedef struct key_tally {
    uint64_t *hash;
    uint8_t *partition;
    size_t mask;
    int64_t per_partition[PARTITIONS], repeats, met;
} key_tally;

static void count(void *ctx, const dn_schema *schema, const dn_chunk *chunk) {
    key_tally *tally = ctx;
    int text = dn_schema_find(schema, "text");
    tally->per_partition[chunk->partition] += chunk->n_rows;
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        char folded[DN_FOLDED_MAX];
        size_t size = dn_text_fold(dn_chunk_bytes(chunk, text)[chunk->sel[i]], folded);
        uint64_t hash = dn_hash64((dn_span){folded, size}, 1) | 1;
        size_t at = hash & tally->mask;
        while (tally->hash[at] && tally->hash[at] != hash) {
            at = (at + 1) & tally->mask;
        }
        if (size && tally->hash[at]) {
            tally->repeats++;
            tally->met += (tally->partition[at] & 0xf) == chunk->partition;
        } else if (size) {
            tally->hash[at] = hash;
            tally->partition[at] = (uint8_t)chunk->partition;
        }
    }
}

static dn_status keys(const char *path) {
    enum { SLOTS = 1 << 23 };
    printf("%-14s %10s %10s %10s\n", "key", "largest", "repeats", "met");
    for (int k = 0; dn_key_names[k]; k++) {
        key_tally tally = {.mask = SLOTS - 1};
        totals seen;
        tally.hash = dn_alloc_array(SLOTS, sizeof *tally.hash);
        tally.partition = dn_alloc_array(SLOTS, 1);
        DN_TRY(read_all(path, dn_key_names[k], count, &tally, &seen));
        int64_t largest = 0;
        for (int p = 0; p < PARTITIONS; p++) {
            largest = tally.per_partition[p] > largest ? tally.per_partition[p] : largest;
        }
        printf("%-14s %9.2f%% %9.2f%% %9.2f%%\n", dn_key_names[k],
               100.0 * (double)largest / (double)seen.records,
               100.0 * (double)tally.repeats / (double)seen.records,
               100.0 * (double)tally.met / (double)(tally.repeats ? tally.repeats : 1));
        free(tally.hash);
        free(tally.partition);
    }
    return DN_OK;
}

int main(int argc, char **argv) {
    dn_status status = DN_OK;
    if (argc == 3 && !strcmp(argv[1], "--keys")) {
        status = keys(argv[2]);
    } else if (argc == 2 || argc == 3) {
        int n = argc == 3 ? atoi(argv[2]) : 5;
        status = measure(argv[1], n < 1 ? 1 : n > RUNS_MAX ? RUNS_MAX : n);
    } else {
        fprintf(stderr, "usage: source FILE [RUNS] | source --keys FILE\n");
        return 64;
    }
    if (status != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
    }
    return status != DN_OK;
}
