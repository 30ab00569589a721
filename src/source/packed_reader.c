/* The packed form, mapped: a record costs a few loads and no copy. Everything read from the file is
 * checked against the sizes of its datasets before it is used. */
#include "base/memory.h"
#include "io/h5.h"
#include "source/packed.h"
#include "source/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/** A dataset in the mapping. Loads go through memcpy, since HDF5 aligns nothing. */
typedef struct mapped {
    const char *bytes;
    uint64_t size_bytes;
} mapped;

/** The records of one partition that are still to be read. */
typedef struct index_lane {
    int32_t partition;
    uint64_t at, end; /**< in the index */
    uint64_t number;  /**< of the record at `at` */
} index_lane;

struct dn_reader {
    char *path;
    char *map;
    size_t map_size;
    uint64_t n_records, n_bad;
    mapped created_at, bad_number, starts, number;
    mapped bytes[DN_PACKED_COLUMNS], offsets[DN_PACKED_COLUMNS];
    dn_key key;
    int32_t n_partitions;
    index_lane
        *lanes; /**< [n_lanes] that are not at their end; NULL: read in order, place by key */
    int n_lanes;
    uint64_t next, bad_at, n_read, n_mine;
};

static uint64_t load(mapped array, uint64_t i) {
    uint64_t value;
    memcpy(&value, array.bytes + i * sizeof value, sizeof value);
    return value;
}

static dn_status damaged(const dn_reader *reader, const char *what, uint64_t at) {
    return DN_FAIL(DATA, "%s: the packed corpus is damaged: %s at %" PRIu64 "; pack it again",
                   reader->path, what, at);
}

static dn_status map_file(dn_reader *reader) {
    struct stat about;
    int fd = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        return DN_FAIL(NO_INPUT, "%s: cannot be opened: %s", reader->path, strerror(errno));
    }
    reader->map_size = (size_t)about.st_size;
    reader->map = mmap(NULL, reader->map_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (reader->map == MAP_FAILED) {
        reader->map = NULL;
        return DN_FAIL(IO, "%s: cannot be mapped: %s", reader->path, strerror(errno));
    }
    return DN_OK;
}

/** Finds a dataset of exactly `size_bytes` (UINT64_MAX: any). */
static dn_status find(const dn_reader *reader, dn_h5_file *file, const char *path, const char *leaf,
                      uint64_t size_bytes, mapped *out) {
    char *full = dn_format("%s%s", path, leaf);
    uint64_t offset = 0, size = 0;
    dn_status status = dn_h5_extent(file, full, &offset, &size);
    if (status == DN_OK && (offset > reader->map_size || size > reader->map_size - offset ||
                            (size_bytes != UINT64_MAX && size != size_bytes))) {
        status = DN_FAIL(
            DATA, "%s: the packed corpus is damaged: %s has %" PRIu64 " bytes; pack it again",
            reader->path, full, size);
    }
    *out = (mapped){reader->map + offset, size};
    free(full);
    return status;
}

static dn_status find_column(dn_reader *reader, dn_h5_file *file, int c, uint64_t rows) {
    const char *path = dn_packed_paths[c];
    char *bytes = dn_format("%s/bytes", path);
    bool there = dn_h5_has(file, bytes);
    free(bytes);
    DN_TRY(
        find(reader, file, path, "/offsets", (rows + 1) * sizeof(uint64_t), &reader->offsets[c]));
    return there ? find(reader, file, path, "/bytes", UINT64_MAX, &reader->bytes[c]) : DN_OK;
}

static dn_status find_datasets(dn_reader *reader, dn_h5_file *file) {
    uint64_t n = reader->n_records, n_bad = reader->n_bad;
    if (n) {
        DN_TRY(find(reader, file, "/records/created_at", "", n * sizeof(int64_t),
                    &reader->created_at));
    }
    if (n_bad) {
        DN_TRY(
            find(reader, file, "/bad/number", "", n_bad * sizeof(uint64_t), &reader->bad_number));
    }
    for (int c = 0; c < DN_PACKED_COLUMNS; c++) {
        uint64_t rows = c < DN_PACKED_OF_RECORDS ? n : n_bad;
        if (rows) {
            DN_TRY(find_column(reader, file, c, rows));
        }
    }
    return DN_OK;
}

static dn_status read_counts(dn_reader *reader, dn_h5_file *file) {
    enum { RECORD_BYTES_MIN = 8 };
    char *kind;
    int64_t version, records, bad;
    DN_TRY(dn_h5_get_text(file, "/", "kind", &kind));
    bool ours = !strcmp(kind, DN_PACKED_KIND);
    free(kind);
    DN_TRY(dn_h5_get_i64(file, "/", "version", &version));
    if (!ours || version != DN_PACKED_VERSION) {
        return DN_FAIL(DATA,
                       "%s: is no packed corpus of version %d; `dunlin corpus pack` makes one",
                       reader->path, DN_PACKED_VERSION);
    }
    DN_TRY(dn_h5_get_i64(file, "/", "records", &records));
    DN_TRY(dn_h5_get_i64(file, "/", "bad", &bad));
    if (records < 0 || bad < 0 || bad > records ||
        (uint64_t)records > reader->map_size / RECORD_BYTES_MIN) {
        return DN_FAIL(DATA,
                       "%s: the packed corpus is damaged: %" PRId64 " records, %" PRId64 " bad",
                       reader->path, records, bad);
    }
    reader->n_records = (uint64_t)records;
    reader->n_bad = (uint64_t)bad;
    return DN_OK;
}

/** Whether the index was made with our key and number of partitions. */
static dn_status index_fits(const dn_reader *reader, dn_h5_file *file, bool *fits) {
    int64_t n;
    char *key;
    DN_TRY(dn_h5_get_i64(file, "/", "partitions", &n));
    DN_TRY(dn_h5_get_text(file, "/", "partition_by", &key));
    *fits = n == reader->n_partitions && !strcmp(key, dn_key_names[reader->key]);
    free(key);
    return DN_OK;
}

/** The number at the head of a lane. */
static dn_status look(dn_reader *reader, index_lane *lane) {
    lane->number = load(reader->number, lane->at);
    return lane->number < reader->n_records ? DN_OK : damaged(reader, "an index", lane->at);
}

/** First place in [at, end) whose number is wanted. */
static uint64_t skip_to(const dn_reader *reader, uint64_t at, uint64_t end, int64_t start) {
    while (at < end) {
        uint64_t middle = at + (end - at) / 2;
        if ((int64_t)load(reader->number, middle) < start) {
            at = middle + 1;
        } else {
            end = middle;
        }
    }
    return at;
}

static dn_status open_lanes(dn_reader *reader, dn_h5_file *file, const dn_reader_spec *spec) {
    uint64_t n = reader->n_records;
    size_t n_partitions = (size_t)spec->n_partitions;
    DN_TRY(find(reader, file, "/index/partition/starts", "", (n_partitions + 1) * sizeof(uint64_t),
                &reader->starts));
    DN_TRY(
        find(reader, file, "/index/partition/number", "", n * sizeof(uint64_t), &reader->number));
    reader->lanes = dn_alloc_array(n_partitions, sizeof *reader->lanes);
    for (int32_t p = spec->rank; p < spec->n_partitions; p += spec->size) {
        uint64_t at = load(reader->starts, (uint64_t)p),
                 end = load(reader->starts, (uint64_t)p + 1);
        if (at > end || end > n) {
            return damaged(reader, "the start of partition", (uint64_t)p);
        }
        at = spec->start ? skip_to(reader, at, end, spec->start[p]) : at;
        reader->n_mine += end - at;
        if (at < end) {
            index_lane *lane = &reader->lanes[reader->n_lanes++];
            *lane = (index_lane){.partition = p, .at = at, .end = end};
            DN_TRY(look(reader, lane));
        }
    }
    return DN_OK;
}

static dn_status read_layout(dn_reader *reader, dn_h5_file *file, const dn_reader_spec *spec) {
    bool fits;
    DN_TRY(read_counts(reader, file));
    DN_TRY(find_datasets(reader, file));
    DN_TRY(index_fits(reader, file, &fits));
    reader->n_mine = fits ? 0 : reader->n_records;
    return fits && reader->n_records ? open_lanes(reader, file, spec) : DN_OK;
}

static void packed_close(dn_reader *reader) {
    if (!reader) {
        return;
    }
    if (reader->map) {
        munmap(reader->map, reader->map_size);
    }
    free(reader->lanes);
    free(reader->path);
    free(reader);
}

static dn_status packed_open(const dn_reader_spec *spec, dn_reader **reader) {
    dn_status status;
    dn_h5_file *file = NULL;
    dn_reader *r = dn_alloc(sizeof *r);
    r->path = dn_strdup(spec->path);
    r->key = spec->key;
    r->n_partitions = spec->n_partitions;
    DN_TRY_GO(map_file(r), err_close);
    DN_TRY_GO(dn_h5_open(spec->path, &file), err_close);
    DN_TRY_GO(read_layout(r, file, spec), err_close);
    dn_h5_abandon(file);
    *reader = r;
    return DN_OK;
err_close:
    dn_h5_abandon(file);
    packed_close(r);
    return status;
}

static dn_status value_of(const dn_reader *reader, int c, uint64_t row, dn_span *out) {
    uint64_t begin = load(reader->offsets[c], row), end = load(reader->offsets[c], row + 1);
    if (begin > end || end > reader->bytes[c].size_bytes) {
        return damaged(reader, dn_packed_paths[c], row);
    }
    *out = (dn_span){begin < end ? reader->bytes[c].bytes + begin : NULL, (size_t)(end - begin)};
    return DN_OK;
}

/** Where the number stands among the bad ones, or n_bad. Numbers rise, so one step usually tells.
 */
static uint64_t bad_row(dn_reader *reader, uint64_t number) {
    while (reader->bad_at < reader->n_bad && load(reader->bad_number, reader->bad_at) < number) {
        reader->bad_at++;
    }
    bool is_bad =
        reader->bad_at < reader->n_bad && load(reader->bad_number, reader->bad_at) == number;
    return is_bad ? reader->bad_at : reader->n_bad;
}

/** Reasons are literals for the rest of the house; a file may bring one that this version does not
 * know. */
static const char *literal_of(dn_span reason) {
    static const char *const known[] = {
        "bad UTF-8",    "NUL",           "no text",         "empty text",
        "bad time",     "oversize",      "bad JSON",        "bad text",
        "bad field",    "bad CSV",       "nested too deep", "duplicate field",
        "empty record", "not an object", "trailing bytes",  "byte order mark"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (dn_span_is(reason, known[i])) {
            return known[i];
        }
    }
    return "bad record";
}

static dn_status read_bad(const dn_reader *reader, uint64_t row, dn_record *record) {
    dn_span reason = {NULL, 0};
    DN_TRY(value_of(reader, DN_PACKED_REASON, row, &reason));
    DN_TRY(value_of(reader, DN_PACKED_DETAIL, row, &record->detail));
    DN_TRY(value_of(reader, DN_PACKED_RAW, row, &record->raw));
    record->reason = literal_of(reason);
    record->size_bytes = (uint32_t)(record->raw.len + record->detail.len);
    return DN_OK;
}

static dn_status read_record(dn_reader *reader, uint64_t number, dn_record *record) {
    *record = (dn_record){.number = (int64_t)number, .stable = true};
    record->created_ms = (int64_t)load(reader->created_at, number);
    uint64_t bad = bad_row(reader, number);
    if (bad < reader->n_bad) {
        return read_bad(reader, bad, record);
    }
    DN_TRY(value_of(reader, DN_PACKED_USER, number, &record->user));
    DN_TRY(value_of(reader, DN_PACKED_TEXT, number, &record->text));
    DN_TRY(value_of(reader, DN_PACKED_LANGUAGE, number, &record->language));
    record->size_bytes = (uint32_t)(record->user.len + record->text.len + record->language.len);
    return DN_OK;
}

/** The lane with the lowest number: records come in the order of the corpus, as pacing needs it. */
static index_lane *lowest(const dn_reader *reader) {
    index_lane *low = reader->lanes;
    for (int i = 1; i < reader->n_lanes; i++) {
        low = reader->lanes[i].number < low->number ? &reader->lanes[i] : low;
    }
    return low;
}

static dn_status next_of_lanes(dn_reader *reader, dn_record *record, int32_t *partition,
                               bool *end) {
    *end = reader->n_lanes == 0;
    if (*end) {
        return DN_OK;
    }
    index_lane *lane = lowest(reader);
    *partition = lane->partition;
    DN_TRY(read_record(reader, lane->number, record));
    if (++lane->at == lane->end) {
        *lane = reader->lanes[--reader->n_lanes];
        return DN_OK;
    }
    return look(reader, lane);
}

static dn_status packed_next(dn_reader *reader, dn_record *record, int32_t *partition, bool *end) {
    reader->n_read++;
    if (reader->lanes) {
        return next_of_lanes(reader, record, partition, end);
    }
    *end = reader->next == reader->n_records;
    if (*end) {
        return DN_OK;
    }
    DN_TRY(read_record(reader, reader->next++, record));
    *partition = dn_record_place(record, reader->key, reader->n_partitions);
    return DN_OK;
}

static dn_progress packed_progress(const dn_reader *reader) {
    return (dn_progress){reader->n_read, reader->n_mine};
}

const dn_reader_ops dn_reader_packed = {"packed", packed_open, packed_next, packed_progress,
                                        packed_close};
