/* Result files: how rows become durable, exactly once, without a protocol between sinks.
 *
 * A partition's folder is its ledger. Files are named by the first offset they answer for, as Kafka
 * names its log:
 *
 *    OUT/rows/<topic>/<partition>/
 *        00000000000000000000.h5                    published: whole, checked, durable
 *        00000000000000081920.h5
 *        00000000000000097001.r0001.p4242.part      being written by rank 1, process 4242
 *
 * Inside a file:
 *
 *    /         schema_name schema_version creator run_id created_utc git_commit
 *              model_sha256 job resolved_job pipeline
 *              topic partition first_offset next_offset previous_first_offset
 *              records_in = rows_out + repeats_dropped + filtered + dead_letters
 *              n_rows content_xxh3 ledger_xxh3 complete=1
 *    /records  offset      int64 [n_rows]
 *              timestamp   int64 [n_rows]   event time, ms; missing_value when unknown
 *              <integer>   int64 [n_rows]
 *              <label>     enum uint8 [n_rows]
 *              <text>/     bytes uint8 [total], offsets uint64 [n_rows + 1], the first 0
 *    /scores   <head>      float32 [n_rows, classes], attribute labels
 *    /labels   <head>      enum uint8 [n_rows]
 *
 * Every dataset carries units, long_name and xxh3. There is no wall clock but in created_utc: the
 * content hashes of two runs over the same records are equal. Absent texts are stored as empty.
 *
 * The life of a segment:
 *
 *    none ──first record──▶ open ──due or end──▶ finished ──read back──▶ checked
 *                             │                     │                      │
 *                             └─────any error───────┴──▶ deleted       fsync, link,
 *                                                                      unlink, fsync
 *                                                                          ▼
 *                                             cursor = next_offset ◀── published
 *
 * After an error the run ends; nothing of the segment was visible, and a restart makes the same
 * rows again.
 *
 * A kill at any moment leaves either no new name, and the next run starts at the old cursor, or the
 * new name with everything behind it. A `.part` is never read, only deleted by the next run of the
 * partition's owner. link(2) refuses an existing name: then somebody else owned the partition
 * meanwhile, and the file that is there counts.
 *
 * Values are checked before publishing because HDF5 hides a full disk well: measured with 1.10.8,
 * H5Dwrite failed only after 389,000 rows, H5Fclose returned success, and 131,952 rows read as
 * zeros. Publishing, reading back included, is about half of the sink's time (bench/h5).
 *
 * Memory: a column buffers at most one chunk (io/h5). With 16 Ki rows that is 128 KiB for an
 * integer, 384 KiB for a text, 64 KiB for each class of a score; a tweet pipeline of 4 integers,
 * 3 texts and 5 heads of 13 classes comes to 2.7 MiB a partition, and the library keeps about
 * 0.9 MiB for an open file of 20 datasets (measured, 1.10.8). Chunks are halved until all open
 * partitions fit into SEGMENT_MEMORY_BYTES: 64 partitions of that pipeline get 8 Ki rows. Pages
 * are touched as they fill, so short segments take less. */
#include "sink/segment.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/version.h"
#include "io/publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENT_MEMORY_BYTES (INT64_C(180) << 20)
enum { OPEN_FILE_BYTES = 900 << 10, MIN_CHUNK_ROWS = 1024 };

struct dn_segments {
    dn_segment_conf conf;
    const dn_sink_env *env;
    dn_h5_spec *columns;
    char *topic_folder;
    dn_segment *segment; /* [n_partitions] */
    dn_sink_stats stats;
};

static bool is_ours(const dn_sink_env *env, int32_t partition) {
    return partition % env->size == env->rank;
}

static char *partition_folder(const dn_segments *segments, int32_t partition) {
    return dn_format("%s/%d", segments->topic_folder, partition);
}

static int32_t partition_of(const dn_segments *segments, const dn_segment *segment) {
    return (int32_t)(segment - segments->segment);
}

static bool is_part(const char *name, void *ctx) {
    (void)ctx;
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".part") == 0;
}

static dn_status recover_cursor(const char *folder, dn_segment *segment) {
    int64_t *first;
    int n;
    DN_TRY(dn_ledger_list(folder, &first, &n));
    if (!n) {
        return DN_OK;
    }
    int64_t last = first[n - 1];
    free(first);
    char *path = dn_ledger_path(folder, last);
    dn_entry entry = {0};
    dn_status status = dn_ledger_check(path, false, NULL, &entry);
    if (status != DN_OK) {
        dn_failure why = *dn_failure_last();
        status =
            DN_FAIL(VERIFY,
                    "%s; it is the last file of its partition, so nobody knows where to go on: "
                    "run 'dunlin verify', then delete this file, and the run makes its rows again",
                    why.text);
    } else {
        segment->cursor = entry.next;
        segment->previous = entry.first;
        dn_entry_free(&entry);
    }
    free(path);
    return status;
}

static dn_status recover(dn_segments *segments) {
    for (int32_t p = 0; p < segments->env->n_partitions; p++) {
        segments->segment[p].cursor = DN_CURSOR_NONE;
        segments->segment[p].previous = -1;
        if (!is_ours(segments->env, p)) {
            continue;
        }
        char *folder = partition_folder(segments, p);
        dn_status status = dn_folder_sweep(folder, is_part, NULL);
        if (status == DN_OK) {
            status = recover_cursor(folder, &segments->segment[p]);
        }
        free(folder);
        DN_TRY(status);
    }
    return DN_OK;
}

static uint32_t affordable_chunk_rows(const dn_segment_conf *conf) {
    int64_t chunk_bytes = 0;
    for (int i = 0; i < conf->n_columns; i++) {
        chunk_bytes += (int64_t)dn_h5_column_bytes(&conf->columns[i]);
    }
    int64_t n_own = (conf->env->n_partitions + conf->env->size - 1) / conf->env->size;
    uint32_t rows = DN_H5_CHUNK_ROWS;
    while (rows > MIN_CHUNK_ROWS &&
           (chunk_bytes + OPEN_FILE_BYTES) * n_own > SEGMENT_MEMORY_BYTES) {
        rows /= 2;
        chunk_bytes /= 2;
    }
    return rows;
}

static dn_h5_spec *copy_columns(const dn_segment_conf *conf) {
    uint32_t chunk_rows = affordable_chunk_rows(conf);
    dn_h5_spec *columns = dn_alloc_array((size_t)conf->n_columns, sizeof *columns);
    for (int i = 0; i < conf->n_columns; i++) {
        columns[i] = conf->columns[i];
        columns[i].path = dn_strdup(conf->columns[i].path);
        columns[i].deflate = conf->deflate;
        columns[i].chunk_rows = chunk_rows;
    }
    return columns;
}

dn_status dn_segments_open(const dn_segment_conf *conf, dn_segments **segments) {
    dn_segments *made = dn_alloc(sizeof *made);
    made->conf = *conf;
    made->env = conf->env;
    made->columns = copy_columns(conf);
    made->topic_folder = dn_format("%s/%s", conf->folder, conf->env->topic);
    made->segment = dn_alloc_array((size_t)conf->env->n_partitions, sizeof *made->segment);
    dn_status status = recover(made);
    if (status != DN_OK) {
        dn_segments_free(made);
        return status;
    }
    *segments = made;
    return DN_OK;
}

/* Keeps the cursor, forgets the rest. */
static void segment_reset(dn_segment *segment) {
    free(segment->part);
    free(segment->column);
    int64_t cursor = segment->cursor, previous = segment->previous;
    *segment = (dn_segment){.cursor = cursor, .previous = previous};
}

dn_status dn_segments_poison(dn_segments *segments, dn_segment *segment, dn_status status) {
    (void)segments;
    dn_h5_abandon(segment->file);
    if (segment->part) {
        unlink(segment->part);
    }
    segment_reset(segment);
    return status;
}

void dn_segments_free(dn_segments *segments) {
    if (!segments) {
        return;
    }
    for (int32_t p = 0; p < segments->env->n_partitions; p++) {
        dn_segments_poison(segments, &segments->segment[p], DN_OK);
    }
    for (int i = 0; i < segments->conf.n_columns; i++) {
        free((char *)segments->columns[i].path);
    }
    free(segments->columns);
    free(segments->topic_folder);
    free(segments->segment);
    free(segments);
}

int64_t dn_segments_cursor(const dn_segments *segments, int32_t partition) {
    return segments->segment[partition].cursor;
}

static dn_status add_columns(dn_segments *segments, dn_segment *segment) {
    segment->column = dn_alloc_array((size_t)segments->conf.n_columns, sizeof *segment->column);
    for (int i = 0; i < segments->conf.n_columns; i++) {
        DN_TRY(dn_h5_add(segment->file, &segments->columns[i], &segment->column[i]));
    }
    return DN_OK;
}

static dn_status open_segment(dn_segments *segments, int32_t partition, int64_t first,
                              dn_segment *segment) {
    char *folder = partition_folder(segments, partition);
    dn_status status = dn_folder_make(folder);
    segment->first = segment->cursor == DN_CURSOR_NONE ? first : segment->cursor;
    segment->next = segment->first;
    segment->opened_mono_ns = dn_mono_ns();
    segment->part = dn_format("%s/%020" PRId64 ".r%04d.p%d.part", folder, segment->first,
                              segments->env->rank, (int)getpid());
    free(folder);
    if (status == DN_OK) {
        status = dn_h5_create(segment->part, &segment->file);
    }
    if (status == DN_OK) {
        status = add_columns(segments, segment);
    }
    return status;
}

dn_status dn_segments_begin(dn_segments *segments, int32_t partition, int64_t first,
                            dn_segment **segment) {
    dn_segment *own = &segments->segment[partition];
    if (!own->file) {
        dn_status status = open_segment(segments, partition, first, own);
        if (status != DN_OK) {
            return dn_segments_poison(segments, own, status);
        }
    }
    *segment = own;
    return DN_OK;
}

dn_segment *dn_segments_current(dn_segments *segments, int32_t partition) {
    dn_segment *segment = &segments->segment[partition];
    return segment->file ? segment : NULL;
}

static bool is_due(const dn_segments *segments, const dn_segment *segment, int64_t mono_ns) {
    const dn_segment_conf *conf = &segments->conf;
    return segment->file &&
           (segment->n_rows >= conf->max_rows || segment->n_bytes >= conf->max_bytes ||
            mono_ns - segment->opened_mono_ns >= conf->max_age_ns);
}

int32_t dn_segments_due(const dn_segments *segments, int64_t mono_ns) {
    for (int32_t p = 0; p < segments->env->n_partitions; p++) {
        if (is_due(segments, &segments->segment[p], mono_ns)) {
            return p;
        }
    }
    return DN_NOTHING_DUE;
}

static dn_status write_provenance(const dn_segments *segments, dn_h5_file *file) {
    const dn_sink_env *env = segments->env;
    char created[21], creator[64];
    dn_wall_format(dn_wall_ns(), created);
    snprintf(creator, sizeof creator, "dunlin %s, HDF5 %s", dn_version(), dn_h5_version());
    const struct {
        const char *name, *value;
    } attributes[] = {
        {"creator", creator},
        {"created_utc", created},
        {"git_commit", dn_git_commit()},
        {"job", env->job},
        {"model_sha256", env->model_sha256},
        {"resolved_job", env->resolved_job},
    };
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        const char *value = attributes[i].value ? attributes[i].value : "";
        DN_TRY(dn_h5_set_text(file, "/", attributes[i].name, value));
    }
    return dn_h5_set_i64(file, "/", "complete", 1);
}

static dn_entry entry_of(const dn_segments *segments, const dn_segment *segment) {
    const dn_sink_env *env = segments->env;
    return (dn_entry){
        .kind = (char *)segments->conf.kind,
        .topic = (char *)env->topic,
        .pipeline = (char *)(env->pipeline ? env->pipeline : ""),
        .run_id = (char *)(env->run_id ? env->run_id : ""),
        .partition = partition_of(segments, segment),
        .first = segment->first,
        .next = segment->next,
        .previous = segment->previous,
        .counts = segment->counts,
        .n_rows = segment->n_rows,
    };
}

/* Writes what is left, closes, and reads everything back. */
static dn_status seal(dn_segments *segments, dn_segment *segment) {
    dn_status status = dn_h5_finish(segment->file);
    dn_entry entry = entry_of(segments, segment);
    if (status == DN_OK) {
        entry.content = dn_h5_content_hash(segment->file);
        status = dn_entry_write(segment->file, &entry);
    }
    if (status == DN_OK) {
        status = write_provenance(segments, segment->file);
    }
    DN_TRY(status);
    status = dn_h5_close(segment->file);
    segment->file = NULL;
    DN_TRY(status);
    dn_entry read;
    DN_TRY(dn_ledger_check(segment->part, true, NULL, &read));
    bool same = read.content == entry.content && dn_entry_seal(&read) == dn_entry_seal(&entry);
    dn_entry_free(&read);
    return same ? DN_OK
                : DN_FAIL(IO, "%s: what was read back is not what was written", segment->part);
}

/* The name is taken: another owner of the partition published from here. Its file counts, since
 * results are a function of the records; only what it does not reach would be lost with ours. */
static dn_status take_over(dn_segment *segment, const char *path) {
    dn_entry theirs;
    DN_TRY(dn_ledger_check(path, true, NULL, &theirs));
    int64_t next = theirs.next;
    dn_entry_free(&theirs);
    if (next < segment->next) {
        return DN_FAIL(OUTPUT_BUSY,
                       "%s: another run published offsets %" PRId64 " to %" PRId64
                       " while this one had made them up to %" PRId64
                       "; stop the other run and start this command again, it goes on from there",
                       path, segment->first, next, segment->next);
    }
    segment->next = next;
    unlink(segment->part);
    return DN_OK;
}

static dn_status publish(dn_segments *segments, dn_segment *segment) {
    char *folder = partition_folder(segments, partition_of(segments, segment));
    char *path = dn_ledger_path(folder, segment->first);
    bool existed = false;
    dn_status status = seal(segments, segment);
    if (status == DN_OK) {
        status = dn_publish(segment->part, path, &existed);
    }
    if (status == DN_OK && existed) {
        status = take_over(segment, path);
    }
    free(path);
    free(folder);
    return status;
}

static dn_status commit_segment(dn_segments *segments, dn_segment *segment) {
    if (!segment->file || (segments->conf.only_with_rows && segment->n_rows == 0)) {
        return DN_OK;
    }
    dn_status status = publish(segments, segment);
    if (status != DN_OK) {
        return dn_segments_poison(segments, segment, status);
    }
    segments->stats.rows += segment->n_rows;
    segments->stats.bytes += segment->n_bytes;
    segments->stats.commits++;
    segment->cursor = segment->next;
    segment->previous = segment->first;
    segment_reset(segment);
    return DN_OK;
}

dn_status dn_segments_commit(dn_segments *segments, int32_t partition) {
    int64_t start_ns = dn_mono_ns();
    int32_t from = partition == DN_ALL_PARTITIONS ? 0 : partition;
    int32_t to = partition == DN_ALL_PARTITIONS ? segments->env->n_partitions - 1 : partition;
    dn_status status = DN_OK;
    for (int32_t p = from; p <= to && status == DN_OK; p++) {
        status = commit_segment(segments, &segments->segment[p]);
    }
    segments->stats.busy_ns += dn_mono_ns() - start_ns;
    return status;
}

void dn_segments_stats(const dn_segments *segments, dn_sink_stats *stats) {
    *stats = segments->stats;
}
