/* A topic as files, where there is no broker and no pipeline of the job reads it.
 *
 *    OUT/topics/<name>/0003.00000000000000000000-00000000000000081920.jsonl
 *                      partition   first offset       next offset
 *
 * The names are the ledger: a file answers for the source's offsets [first, next), and the cursor
 * of a partition is the largest `next`. Files appear whole or not at all, so a restart adds exactly
 * the lines that are missing. The files of a topic in the order of their names are its partitions
 * one after the other. */
#include "base/clock.h"
#include "base/memory.h"
#include "io/publish.h"
#include "sink/sinks.h"
#include "sink/topic.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines of a partition that are not in a file yet. */
typedef struct tail {
    dn_out lines;
    int64_t durable, pending; /* cursors; -1: none */
} tail;

struct dn_sink {
    const dn_topic_sink_conf *conf;
    char *folder;
    int n_partitions;
    tail *tail; /* [n_partitions] */
    size_t held_bytes;
    int64_t oldest_ns; /* of what is not in a file yet, 0: nothing */
    dn_sink_stats stats;
};

static const size_t held_max_bytes = 16 << 20;
static const int64_t age_max_ns = INT64_C(60) * 1000000000;

/* ---- recovery */

static bool is_part(const char *name, void *ctx) {
    (void)ctx;
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, ".part") == 0;
}

static void note_file(dn_sink *sink, const char *name) {
    int partition, used = 0;
    long long first, next;
    if (sscanf(name, "%d.%lld-%lld.jsonl%n", &partition, &first, &next, &used) == 3 && used &&
        name[used] == '\0' && partition >= 0 && partition < sink->n_partitions) {
        tail *t = &sink->tail[partition];
        t->durable = next > t->durable ? next : t->durable;
    }
}

static dn_status recover(dn_sink *sink, int rank) {
    DN_TRY(dn_folder_make(sink->folder));
    if (rank == 0) {
        DN_TRY(dn_folder_sweep(sink->folder, is_part, NULL));
    }
    DIR *folder = opendir(sink->folder);
    if (!folder) {
        return DN_FAIL(IO, "%s: cannot be listed: %s", sink->folder, strerror(errno));
    }
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        note_file(sink, entry->d_name);
    }
    closedir(folder);
    for (int p = 0; p < sink->n_partitions; p++) {
        sink->tail[p].pending = sink->tail[p].durable;
    }
    return DN_OK;
}

static void jsonl_close(dn_sink *sink) {
    if (!sink) {
        return;
    }
    for (int p = 0; p < sink->n_partitions; p++) {
        dn_out_free(&sink->tail[p].lines);
    }
    free(sink->tail);
    free(sink->folder);
    free(sink);
}

static dn_status jsonl_open(const void *conf, const dn_sink_env *env, dn_sink **out) {
    const dn_topic_sink_conf *c = conf;
    dn_sink *sink = dn_alloc(sizeof *sink);
    sink->conf = c;
    sink->folder = dn_format("%s/topics/%s", env->output, c->name);
    sink->n_partitions = env->n_partitions;
    sink->tail = dn_alloc_array((size_t)env->n_partitions, sizeof *sink->tail);
    for (int p = 0; p < env->n_partitions; p++) {
        sink->tail[p].durable = -1;
    }
    dn_status status = recover(sink, env->rank);
    if (status != DN_OK) {
        jsonl_close(sink);
        return status;
    }
    *out = sink;
    return DN_OK;
}

static int64_t jsonl_cursor(const dn_sink *sink, int32_t partition) {
    int64_t durable = sink->tail[partition].durable;
    return durable < 0 ? DN_CURSOR_NONE : durable;
}

/* ---- write */

static dn_status jsonl_write(dn_sink *sink, const dn_chunk *chunk) {
    int64_t begin = dn_mono_ns();
    tail *t = &sink->tail[chunk->partition];
    if (chunk->next <= t->pending) {
        return DN_OK;
    }
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        if (chunk->offset[chunk->sel[i]] >= t->pending &&
            dn_topic_sink_wants(sink->conf, chunk, chunk->sel[i])) {
            dn_span value = dn_topic_sink_value(sink->conf, chunk, chunk->sel[i]);
            dn_out_bytes(&t->lines, value.ptr, value.len);
            dn_out_bytes(&t->lines, "\n", 1);
            sink->held_bytes += value.len + 1;
            sink->stats.bytes += (int64_t)value.len + 1;
            sink->stats.rows++;
        }
    }
    t->pending = chunk->next;
    sink->oldest_ns = sink->oldest_ns ? sink->oldest_ns : begin;
    sink->stats.busy_ns += dn_mono_ns() - begin;
    return DN_OK;
}

static int32_t jsonl_due(const dn_sink *sink, int64_t mono_ns) {
    bool old = sink->oldest_ns && mono_ns - sink->oldest_ns >= age_max_ns;
    return old || sink->held_bytes >= held_max_bytes ? DN_ALL_PARTITIONS : DN_NOTHING_DUE;
}

static dn_status write_file(const char *path, const dn_out *lines) {
    FILE *file = fopen(path, "we");
    if (!file) {
        return DN_FAIL(CANT_CREATE, "%s: %s", path, strerror(errno));
    }
    bool ok = lines->len == 0 || fwrite(lines->ptr, 1, lines->len, file) == lines->len;
    ok = fclose(file) == 0 && ok;
    if (ok) {
        return DN_OK;
    }
    return errno == ENOSPC || errno == EDQUOT
               ? DN_FAIL(NO_SPACE,
                         "%s: the disk is full; free space and start the same command again", path)
               : DN_FAIL(IO, "%s: %s", path, strerror(errno));
}

static dn_status publish(dn_sink *sink, int p) {
    tail *t = &sink->tail[p];
    int64_t first = t->durable < 0 ? 0 : t->durable;
    char *name = dn_format("%s/%04d.%020lld-%020lld.jsonl", sink->folder, p, (long long)first,
                           (long long)t->pending);
    char *part = dn_format("%s.part", name);
    bool existed = false;
    dn_status status = write_file(part, &t->lines);
    if (status == DN_OK) {
        status = dn_publish(part, name, &existed);
    }
    if (status == DN_OK && existed) {
        status = DN_FAIL(OUTPUT_BUSY,
                         "%s: another run has written this; only one may use the folder", name);
    }
    free(part);
    free(name);
    return status;
}

static dn_status jsonl_commit(dn_sink *sink, int32_t partition) {
    (void)partition;
    int64_t begin = dn_mono_ns();
    for (int p = 0; p < sink->n_partitions; p++) {
        tail *t = &sink->tail[p];
        if (t->pending > t->durable) {
            DN_TRY(publish(sink, p));
            dn_out_reset(&t->lines);
            t->durable = t->pending;
        }
    }
    sink->stats.commits += sink->oldest_ns != 0;
    sink->held_bytes = 0;
    sink->oldest_ns = 0;
    sink->stats.busy_ns += dn_mono_ns() - begin;
    return DN_OK;
}

static void jsonl_stats(const dn_sink *sink, dn_sink_stats *stats) {
    *stats = sink->stats;
}

const dn_sink_ops dn_sink_jsonl_topic = {
    .name = "topic_files",
    .summary = "A topic as JSON Lines files, exactly once, where there is no broker.",
    .props = dn_topic_sink_props,
    .conf_size = sizeof(dn_topic_sink_conf),
    .bind = dn_topic_sink_bind,
    .prepare = &dn_topic_prepare,
    .open = jsonl_open,
    .cursor = jsonl_cursor,
    .write = jsonl_write,
    .due = jsonl_due,
    .commit = jsonl_commit,
    .stats = jsonl_stats,
    .close = jsonl_close,
    .unbind = dn_topic_sink_unbind,
};
