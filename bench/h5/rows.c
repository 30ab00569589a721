/* Rows per second of the HDF5 sink, against the same bytes written by plain H5Dwrite column writes
 * through the layer below.
 *
 *   rows    dn_sink_rows_h5: gather, hash, chunk, close, reopen, hash again, fsync, link, fsync
 *   plain   H5Dwrite of 16 Ki rows per column into chunks of 16 Ki rows, close, fsync
 *
 * Both write the same columns of the same chunks, in turns (rows, plain, rows, ...), into the
 * folder given as argument; a first turn of each warms the page cache and is not counted. Columns
 * printed:
 *
 *   rows_per_s       median over the turns, wall clock, publishing included
 *   bytes_per_s      logical bytes of the columns per second
 *   share            plain's median seconds / sink's median seconds: goal 0.60 or more
 *   write_s publish_s   the sink's time in write() and in commit()
 *   spread           (slowest - fastest) / median of the sink */
#include "base/clock.h"
#include "base/memory.h"
#include "flow/sink.h"
#include "sink/sinks.h"

#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_CHUNKS = 64, N_HEADS = 5, MAX_TURNS = 32, PLAIN_ROWS = 16384 };

static const char *const languages[] = {"de", "en", "es", "fr", "ja", "pt", "ru", "tr"};
static const char *const classes[] = {"a", "b", "c", "d"};
static const int head_width[N_HEADS] = {3, 4, 2, 2, 2};
static const char *const score_names[N_HEADS] = {"score.sentiment", "score.emotion", "score.irony",
                                                 "score.hate", "score.offensive"};
static const char *const label_names[N_HEADS] = {"label.sentiment", "label.emotion", "label.irony",
                                                 "label.hate", "label.offensive"};
static dn_schema schema;

static int add(dn_field field) {
    int index = -1;
    dn_schema_add(&schema, field, &index);
    return index;
}

static void make_schema(void) {
    add((dn_field){"id", DN_I64, 1, NULL, 0, "1", "Number in the corpus", "records", false, "",
                   NULL, 0, false});
    add((dn_field){"text", DN_BYTES, 1, NULL, 0, "", "Text", "records", false, "", NULL, 0, false});
    add((dn_field){"user", DN_BYTES, 1, NULL, 0, "", "Author", "records", false, "", NULL, 0,
                   false});
    add((dn_field){"language", DN_LABEL, 1, languages, 8, "", "Language", "records", false, "",
                   NULL, 0, false});
    for (int h = 0; h < N_HEADS; h++) {
        add((dn_field){score_names[h], DN_F32, head_width[h], classes, head_width[h], "1",
                       "Probability", "scores", false, "", NULL, 0, false});
        add((dn_field){label_names[h], DN_LABEL, 1, classes, head_width[h], "", "Class", "labels",
                       false, "", NULL, 0, false});
    }
}

static uint64_t random_state = 1;

static uint64_t next_random(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 33;
}

static dn_span random_text(dn_arena *arena, size_t n) {
    char *bytes = dn_arena_take(arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (char)('a' + next_random() % 26);
    }
    return (dn_span){bytes, n};
}

static void fill_row(dn_chunk *chunk, uint32_t row) {
    dn_chunk_i64(chunk, 0)[row] = chunk->offset[row];
    dn_chunk_bytes(chunk, 1)[row] = random_text(&chunk->arena, 40 + next_random() % 160);
    dn_chunk_bytes(chunk, 2)[row] = random_text(&chunk->arena, 4 + next_random() % 12);
    dn_chunk_label(chunk, 3)[row] = (uint8_t)(next_random() % 8);
    for (int h = 0; h < N_HEADS; h++) {
        for (int c = 0; c < head_width[h]; c++) {
            dn_chunk_f32(chunk, 4 + 2 * h)[row * (uint32_t)head_width[h] + (uint32_t)c] =
                (float)(next_random() % 1000) / 1000;
        }
        dn_chunk_label(chunk, 5 + 2 * h)[row] = (uint8_t)(next_random() % 2);
    }
}

static dn_chunk *make_chunk(void) {
    dn_chunk *chunk = dn_chunk_new(&schema);
    chunk->topic = "tweets";
    for (int i = 0; i < DN_CHUNK_ROWS; i++) {
        fill_row(chunk, dn_chunk_append(chunk, i, 1500000000000 + i, DN_NULL_I64));
    }
    dn_chunk_select(chunk);
    return chunk;
}

static void stop(const char *what) {
    fprintf(stderr, "bench_h5: %s: %s\n", what, dn_failure_last()->text);
    exit(1);
}

static void must(dn_status status, const char *what) {
    if (status != DN_OK) {
        stop(what);
    }
}

static void must_h5(int64_t id, const char *what) {
    if (id < 0) {
        fprintf(stderr, "bench_h5: %s failed\n", what);
        exit(1);
    }
}

typedef struct turn {
    double seconds, write_seconds, publish_seconds;
} turn;

static double seconds_since(int64_t start_ns) {
    return (double)(dn_mono_ns() - start_ns) / 1e9;
}

static turn run_sink(const char *folder, dn_chunk **chunks, int64_t n_rows) {
    const dn_sink_env env = {.job = "bench",
                             .pipeline = "bench",
                             .output = folder,
                             .run_id = "bench",
                             .resolved_job = "",
                             .model_sha256 = "",
                             .schema = &schema,
                             .topic = "tweets",
                             .size = 1,
                             .n_partitions = 1};
    const dn_sink_ops *ops = &dn_sink_rows_h5;
    void *conf = dn_alloc(ops->conf_size);
    dn_sink *sink;
    must(dn_props_init(ops->props, conf), "settings");
    must(ops->open(conf, &env, &sink), "open");
    turn t = {0};
    int64_t start_ns = dn_mono_ns();
    for (int64_t first = 0; first < n_rows; first += DN_CHUNK_ROWS) {
        dn_chunk *chunk = chunks[first / DN_CHUNK_ROWS % N_CHUNKS];
        for (int i = 0; i < DN_CHUNK_ROWS; i++) {
            chunk->offset[i] = first + i;
        }
        chunk->next = first + DN_CHUNK_ROWS;
        must(ops->write(sink, chunk), "write");
        if (ops->due(sink, start_ns) != DN_NOTHING_DUE) {
            int64_t commit_ns = dn_mono_ns();
            must(ops->commit(sink, 0), "commit");
            t.publish_seconds += seconds_since(commit_ns);
        }
    }
    int64_t commit_ns = dn_mono_ns();
    must(ops->commit(sink, DN_ALL_PARTITIONS), "commit");
    t.publish_seconds += seconds_since(commit_ns);
    t.seconds = seconds_since(start_ns);
    t.write_seconds = t.seconds - t.publish_seconds;
    ops->close(sink);
    dn_props_free(ops->props, conf);
    free(conf);
    return t;
}

/* A column of the plain file, as long as PLAIN_ROWS rows of it are: the bytes that the sink stores
 * for them. */
typedef struct plain {
    char name[32];
    hid_t type, dataset;
    int width;
    size_t row_bytes;
    char *values;
    size_t n_values; /* PLAIN_ROWS, or the bytes of as many texts */
} plain;

static int n_plain;
static plain plains[4 * DN_MAX_FIELDS];

static void add_plain(hid_t type, int width, size_t row_bytes, const void *values, size_t n) {
    plain *p = &plains[n_plain];
    *p = (plain){.type = type, .width = width, .row_bytes = row_bytes, .n_values = n};
    snprintf(p->name, sizeof p->name, "column%d", n_plain++);
    p->values = dn_alloc(n * row_bytes);
    memcpy(p->values, values, n * row_bytes);
}

static void add_plain_texts(dn_chunk **chunks, int field) {
    char *bytes = NULL;
    size_t n = 0;
    uint64_t *ends = dn_alloc_array(PLAIN_ROWS, sizeof *ends);
    for (int row = 0; row < PLAIN_ROWS; row++) {
        dn_span text = dn_chunk_bytes(chunks[row / DN_CHUNK_ROWS], field)[row % DN_CHUNK_ROWS];
        bytes = dn_grow(bytes, n + text.len, 1);
        memcpy(bytes + n, text.ptr, text.len);
        n += text.len;
        ends[row] = n;
    }
    add_plain(H5T_NATIVE_UINT8, 1, 1, bytes, n);
    add_plain(H5T_NATIVE_UINT64, 1, 8, ends, PLAIN_ROWS);
    free(bytes);
    free(ends);
}

static void add_plain_fixed(dn_chunk **chunks, int field, hid_t type, int width, size_t row_bytes) {
    char *values = dn_alloc(PLAIN_ROWS * row_bytes);
    for (int c = 0; c < PLAIN_ROWS / DN_CHUNK_ROWS; c++) {
        memcpy(values + (size_t)c * DN_CHUNK_ROWS * row_bytes, chunks[c]->column[field],
               DN_CHUNK_ROWS * row_bytes);
    }
    add_plain(type, width, row_bytes, values, PLAIN_ROWS);
    free(values);
}

static int64_t make_plain(dn_chunk **chunks) {
    add_plain_fixed(chunks, 0, H5T_NATIVE_INT64, 1,
                    8); /* offset, timestamp and id weigh the same */
    add_plain_fixed(chunks, 0, H5T_NATIVE_INT64, 1, 8);
    for (int f = 0; f < schema.n; f++) {
        const dn_field *field = &schema.field[f];
        if (field->type == DN_BYTES) {
            add_plain_texts(chunks, f);
        } else if (field->type == DN_I64) {
            add_plain_fixed(chunks, f, H5T_NATIVE_INT64, 1, 8);
        } else if (field->type == DN_F32) {
            add_plain_fixed(chunks, f, H5T_NATIVE_FLOAT, field->width, 4 * (size_t)field->width);
        } else {
            add_plain_fixed(chunks, f, H5T_NATIVE_UINT8, 1, 1);
        }
    }
    int64_t bytes = 0;
    for (int i = 0; i < n_plain; i++) {
        bytes += (int64_t)(plains[i].n_values * plains[i].row_bytes);
    }
    return bytes;
}

static void open_plain(hid_t file, plain *p) {
    hsize_t size[2] = {0, (hsize_t)p->width}, limit[2] = {H5S_UNLIMITED, size[1]};
    hsize_t chunk[2] = {
        p->row_bytes == 1 && p->n_values > PLAIN_ROWS ? 16 * PLAIN_ROWS : PLAIN_ROWS, size[1]};
    int dimensions = p->width > 1 ? 2 : 1;
    hid_t space = H5Screate_simple(dimensions, size, limit);
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, dimensions, chunk);
    H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
    p->dataset = H5Dcreate2(file, p->name, p->type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    must_h5(p->dataset, "H5Dcreate2");
    H5Pclose(list);
    H5Sclose(space);
}

static void append_plain(const plain *p, hsize_t block) {
    hsize_t start[2] = {block * p->n_values, 0}, count[2] = {p->n_values, (hsize_t)p->width};
    hsize_t size[2] = {start[0] + count[0], count[1]};
    int dimensions = p->width > 1 ? 2 : 1;
    must_h5(H5Dset_extent(p->dataset, size), "H5Dset_extent");
    hid_t memory = H5Screate_simple(dimensions, count, NULL), space = H5Dget_space(p->dataset);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    must_h5(H5Dwrite(p->dataset, p->type, memory, space, H5P_DEFAULT, p->values), "H5Dwrite");
    H5Sclose(space);
    H5Sclose(memory);
}

static turn run_plain(const char *folder, int64_t n_rows) {
    char *path = dn_format("%s/plain.h5", folder);
    int64_t start_ns = dn_mono_ns();
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    must_h5(file, "H5Fcreate");
    for (int i = 0; i < n_plain; i++) {
        open_plain(file, &plains[i]);
    }
    for (int64_t block = 0; block < n_rows / PLAIN_ROWS; block++) {
        for (int i = 0; i < n_plain; i++) {
            append_plain(&plains[i], (hsize_t)block);
        }
    }
    for (int i = 0; i < n_plain; i++) {
        must_h5(H5Dclose(plains[i].dataset), "H5Dclose");
    }
    must_h5(H5Fclose(file), "H5Fclose");
    int fd = open(path, O_RDONLY);
    must_h5(fsync(fd), "fsync");
    close(fd);
    turn t = {.seconds = seconds_since(start_ns)};
    unlink(path);
    free(path);
    return t;
}

static int by_seconds(const void *a, const void *b) {
    double x = ((const turn *)a)->seconds, y = ((const turn *)b)->seconds;
    return (x > y) - (x < y);
}

static void print(turn *sink, turn *base, int n, int64_t n_rows, int64_t block_bytes) {
    qsort(sink, (size_t)n, sizeof *sink, by_seconds);
    qsort(base, (size_t)n, sizeof *base, by_seconds);
    const turn *s = &sink[n / 2], *p = &base[n / 2];
    double bytes = (double)block_bytes * (double)n_rows / PLAIN_ROWS;
    printf("# rows %lld, bytes a row %.0f, turns %d, one thread\n", (long long)n_rows,
           bytes / (double)n_rows, n);
    printf("name\trows_per_s\tbytes_per_s\tshare\twrite_s\tpublish_s\tspread\n");
    printf("rows_h5\t%.0f\t%.0f\t%.3f\t%.3f\t%.3f\t%.2f\n", (double)n_rows / s->seconds,
           bytes / s->seconds, p->seconds / s->seconds, s->write_seconds, s->publish_seconds,
           (sink[n - 1].seconds - sink[0].seconds) / s->seconds);
    printf("plain\t%.0f\t%.0f\t1.000\t\t\t%.2f\n", (double)n_rows / p->seconds, bytes / p->seconds,
           (base[n - 1].seconds - base[0].seconds) / p->seconds);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER [ROWS [TURNS]]\n", argv[0]);
        return 64;
    }
    int64_t n_rows = (argc > 2 ? atoll(argv[2]) : 1 << 20) / PLAIN_ROWS * PLAIN_ROWS;
    int n_turns = argc > 3 ? atoi(argv[3]) : 5;
    n_turns = n_turns < 1 ? 1 : n_turns > MAX_TURNS ? MAX_TURNS : n_turns;
    make_schema();
    dn_chunk *chunks[N_CHUNKS];
    for (int i = 0; i < N_CHUNKS; i++) {
        chunks[i] = make_chunk();
    }
    int64_t block_bytes = make_plain(chunks);
    turn sink[MAX_TURNS + 1], base[MAX_TURNS + 1];
    for (int t = 0; t <= n_turns; t++) {
        char *folder = dn_format("%s/turn%d", argv[1], t);
        sink[t] = run_sink(folder, chunks, n_rows);
        base[t] = run_plain(argv[1], n_rows);
        char *clean = dn_format("rm -rf '%s'", folder);
        must_h5(-system(clean), clean);
        free(clean);
        free(folder);
    }
    print(sink + 1, base + 1, n_turns, n_rows, block_bytes);
    for (int i = 0; i < N_CHUNKS; i++) {
        dn_chunk_free(chunks[i]);
    }
    for (int i = 0; i < n_plain; i++) {
        free(plains[i].values);
    }
    return 0;
}
