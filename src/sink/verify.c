#include "sink/verify.h"

#include "base/hash.h"
#include "base/memory.h"
#include "sink/content.h"
#include "sink/index.h"
#include "sink/tree.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Offsets of the dead letters of one partition of one pipeline, rising. */
typedef struct letters {
    char *key; /* "<pipeline>/<topic>/<partition>" */
    int64_t *offset;
    int64_t n;
} letters;

typedef struct verifier {
    const char *output;
    dn_verify_listener *listener;
    void *ctx;
    dn_verify_sums *sums;
    bool dead_only; /* first walk: dead letters, so that rows can be held against them */
    letters *letters;
    int n_letters;
    dn_hasher *content; /* over the partitions' contents */
    dn_content *partition;
    const char *path; /* of the file at hand */
    int64_t last_offset;
    bool offsets_rise;
    letters *collect; /* where the offsets of the file at hand go, or NULL */
} verifier;

__attribute__((format(printf, 3, 4))) static void report(verifier *v, const char *path,
                                                         const char *fmt, ...) {
    char text[DN_FAILURE_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    v->sums->problems++;
    v->listener(v->ctx, path, text);
}

static letters *letters_of(verifier *v, const char *pipeline, const char *topic,
                           int64_t partition) {
    char *key = dn_format("%s/%s/%" PRId64, pipeline, topic, partition);
    for (int i = 0; i < v->n_letters; i++) {
        if (strcmp(v->letters[i].key, key) == 0) {
            free(key);
            return &v->letters[i];
        }
    }
    v->letters = dn_grow(v->letters, (size_t)v->n_letters + 1, sizeof *v->letters);
    v->letters[v->n_letters] = (letters){.key = key};
    return &v->letters[v->n_letters++];
}

static int64_t letters_between(const letters *l, int64_t first, int64_t next) {
    int64_t n = 0;
    for (int64_t i = 0; i < l->n; i++) {
        n += l->offset[i] >= first && l->offset[i] < next;
    }
    return n;
}

static void take_offsets(verifier *v, const int64_t *offset, size_t n) {
    for (size_t i = 0; i < n; i++) {
        v->offsets_rise &= offset[i] > v->last_offset;
        v->last_offset = offset[i];
    }
    if (v->collect) {
        letters *l = v->collect;
        l->offset = dn_grow(l->offset, (size_t)l->n + n, sizeof *l->offset);
        memcpy(l->offset + l->n, offset, n * sizeof *offset);
        l->n += (int64_t)n;
    }
}

static void take_block(void *ctx, const dn_h5_info *info, const void *rows, size_t n_rows) {
    verifier *v = ctx;
    if (strcmp(info->path, "/records/offset") == 0) {
        take_offsets(v, rows, n_rows);
    }
    if (v->partition) {
        dn_content_add(v->partition, info, rows, n_rows);
    }
}

static void add_counts(dn_counts *sum, const dn_counts *c) {
    sum->records_in += c->records_in;
    sum->rows_out += c->rows_out;
    sum->repeats_dropped += c->repeats_dropped;
    sum->filtered += c->filtered;
    sum->dead_letters += c->dead_letters;
}

static void check_place(verifier *v, const dn_place *place, int64_t name, const dn_entry *entry) {
    const char *kind = place->dead ? DN_KIND_DEAD : DN_KIND_ROWS;
    if (entry->first != name) {
        report(v, v->path, "it begins at offset %" PRId64 ", its name says %" PRId64, entry->first,
               name);
    }
    if (strcmp(entry->kind, kind) != 0 || strcmp(entry->topic, place->topic) != 0 ||
        entry->partition != place->partition) {
        report(v, v->path, "it is %s of %s/%" PRId64 " and does not belong in this folder",
               entry->kind, entry->topic, entry->partition);
    }
}

/* Rows leave no offset out; dead letters answer only for ranges that had some. */
static void check_chain(verifier *v, bool dead, const dn_entry *before, const dn_entry *entry) {
    int64_t previous = before ? before->first : -1;
    if (entry->previous != previous) {
        report(v, v->path,
               "the file before it began at offset %" PRId64 " and is missing (%" PRId64
               " is there instead)",
               entry->previous, previous);
    } else if (before && before->next > entry->first) {
        report(v, v->path, "it overlaps the file before it, which reaches to offset %" PRId64,
               before->next);
    } else if (before && before->next < entry->first && !dead) {
        report(v, v->path, "offsets %" PRId64 " to %" PRId64 " before it are in no file",
               before->next, entry->first - 1);
    }
}

static void check_rows(verifier *v, const dn_place *place, const dn_entry *entry) {
    if (entry->n_rows && (!v->offsets_rise || v->last_offset >= entry->next)) {
        report(v, v->path, "its offsets do not rise from %" PRId64 " to below %" PRId64,
               entry->first, entry->next);
    }
    if (place->dead) {
        v->sums->letters += entry->n_rows;
        return;
    }
    add_counts(&v->sums->counts, &entry->counts);
    const letters *l = letters_of(v, entry->pipeline, place->topic, place->partition);
    int64_t found = letters_between(l, entry->first, entry->next);
    if (found != entry->counts.dead_letters) {
        report(v, v->path,
               "it counts %" PRId64 " dead letters, the dead letter files hold %" PRId64,
               entry->counts.dead_letters, found);
    }
    if (entry->n_rows != entry->counts.rows_out) {
        report(v, v->path, "it holds %" PRId64 " rows and counts %" PRId64, entry->n_rows,
               entry->counts.rows_out);
    }
}

static int64_t size_of(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : 0;
}

/* False when the file cannot be used to judge the next one. */
static bool check_file(verifier *v, const dn_place *place, int i, const dn_entry *before,
                       dn_entry *entry) {
    const dn_ledger_reader reader = {take_block, v};
    v->last_offset = place->first[i] - 1;
    v->offsets_rise = true;
    v->sums->files++;
    v->sums->bytes += size_of(v->path);
    if (dn_ledger_check(v->path, true, &reader, entry) != DN_OK) {
        const char *text = dn_failure_last()->text;
        size_t n = strlen(v->path);
        bool named = strncmp(text, v->path, n) == 0 && strncmp(text + n, ": ", 2) == 0;
        report(v, v->path, "%s", named ? text + n + 2 : text);
        return false;
    }
    check_place(v, place, place->first[i], entry);
    if (i == 0 || before->kind) {
        check_chain(v, place->dead, i ? before : NULL, entry);
    }
    check_rows(v, place, entry);
    return true;
}

static void check_files(verifier *v, const dn_place *place) {
    dn_entry before = {0};
    for (int i = 0; i < place->n_files; i++) {
        char *path = dn_ledger_path(place->folder, place->first[i]);
        dn_entry entry = {0};
        v->path = path;
        v->collect =
            place->dead ? letters_of(v, place->pipeline, place->topic, place->partition) : NULL;
        if (v->partition) {
            dn_content_next_file(v->partition);
        }
        bool usable = check_file(v, place, i, &before, &entry);
        dn_entry_free(&before);
        before = usable ? entry : (dn_entry){0};
        free(path);
    }
    dn_entry_free(&before);
}

static dn_status visit(void *ctx, const dn_place *place) {
    verifier *v = ctx;
    if (place->dead != v->dead_only || place->n_files == 0) {
        return DN_OK;
    }
    if (place->dead) {
        check_files(v, place);
        return DN_OK;
    }
    v->sums->partitions++;
    v->partition = dn_content_new();
    check_files(v, place);
    uint64_t content = dn_content_value(v->partition);
    dn_hasher_add(v->content, place->topic, strlen(place->topic) + 1);
    dn_hasher_add(v->content, &place->partition, sizeof place->partition);
    dn_hasher_add(v->content, &content, sizeof content);
    dn_content_free(v->partition);
    v->partition = NULL;
    return DN_OK;
}

static void check_listed(void *ctx, const char *path) {
    verifier *v = ctx;
    char *full = dn_format("%s/%s", v->output, path);
    if (access(full, F_OK) != 0) {
        report(v, full, "it is in index.h5 and missing");
    }
    free(full);
}

/* What the index knew of must still be there: nothing else misses the last file of a partition. */
static void check_index(verifier *v) {
    char *path = dn_format("%s/index.h5", v->output);
    if (access(path, F_OK) == 0 && dn_index_files(path, check_listed, v) != DN_OK) {
        report(v, path, "%s", dn_failure_last()->text);
    }
    free(path);
}

static void verifier_free(verifier *v) {
    for (int i = 0; i < v->n_letters; i++) {
        free(v->letters[i].key);
        free(v->letters[i].offset);
    }
    free(v->letters);
    dn_hasher_free(v->content);
}

dn_status dn_verify(const char *output, dn_verify_listener *listener, void *ctx,
                    dn_verify_sums *sums) {
    *sums = (dn_verify_sums){0};
    verifier v = {.output = output,
                  .listener = listener,
                  .ctx = ctx,
                  .sums = sums,
                  .dead_only = true,
                  .content = dn_hasher_new()};
    dn_status status = dn_tree_walk(output, visit, &v);
    v.dead_only = false;
    if (status == DN_OK) {
        status = dn_tree_walk(output, visit, &v);
    }
    if (status == DN_OK) {
        check_index(&v);
    }
    sums->content = dn_hasher_value(v.content);
    verifier_free(&v);
    DN_TRY(status);
    if (sums->problems) {
        return DN_FAIL(VERIFY, "%s: %" PRId64 " problems in %" PRId64 " files", output,
                       sums->problems, sums->files);
    }
    if (!sums->files) {
        return DN_FAIL(NO_INPUT, "%s: holds no result files; is it the output folder of a run?",
                       output);
    }
    return DN_OK;
}
